"""Preprocessing: layers that augment at random do so in training only; layers that look words up are no tensor arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np

from converter.importers.keras.context import KerasContext, rule
from converter.importers.lookups import places
from ir.core import Value

_RANDOM = (
    "AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter",
    "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur",
    "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation",
    "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "Solarization",
)  # fmt: skip
_TABLES = {
    "StringLookup": "strings are not tensors of numbers",
    "TextVectorization": "strings are not tensors of numbers",
    "Hashing": "its hash works on the text of each number",
    "HashedCrossing": "its hash works on the text of each number",
}
_COUNTING = {"Equalization": "its histogram has as many bins as the data decide"}
_FOREIGN = {
    "TorchModuleWrapper": "the module inside is PyTorch's",
    "JaxLayer": "the function inside is JAX's",
    "FlaxLayer": "the module inside is Flax's",
    "TFSMLayer": "the SavedModel inside is TensorFlow's",
}


@rule(*(f"layers.{name}" for name in _RANDOM))
def augmentation(c: KerasContext, layer: Any, data: Any, training: Any = True) -> Any:
    """As in inference, in training too: a note says what is left out."""
    name = type(layer).__name__
    if training and not c.training:
        c.refuse("it draws at random in inference as well", "call it with training=False")
    if training:
        c.note(f"{name} ({layer.name}) augments in training: what is written does not; augment the data instead")
    if name == "MixUp":
        return layer.transform_images(data, None, training=False)  # its `call` draws what it then does not use
    return layer.call(data, training=False)


@rule("layers.IntegerLookup")
def integer_lookup(c: KerasContext, layer: Any, inputs: Any) -> Any:
    """A number for each one that the vocabulary has; others share numbers of their own, or are an error."""
    if layer.sparse:
        c.refuse("a sparse result", "make the layer with sparse=False")
    b, x = c.b, c.value(inputs, "int64")
    keys, values = _contents(layer.lookup_table)
    rows = b.constant(values)
    if layer.num_oov_indices or layer.invert:
        default = b.constant(np.asarray([layer._default_value], np.int64))
        rows = b.concat([rows, default], axis=0) if len(values) else default
    found = b.gather(rows, places(b, x, keys), axis=0, bounds="error", neg="invalid")
    if layer.mask_token is not None:
        found = b.where(b.equal(x, int(layer._mask_key)), int(layer._mask_value), found)
    if layer.num_oov_indices > 1 and not layer.invert:
        found = b.where(b.equal(found, layer._default_value), _other(c, layer, x), found)
    c.note(f"{layer.name} looks up what it held when the model was converted")
    return found if layer.output_mode == "int" else _encoded(c, layer, found)


def _contents(table: Any) -> tuple[np.ndarray, np.ndarray]:
    keys, values = table.export()
    return keys.numpy(), values.numpy()


def _other(c: KerasContext, layer: Any, x: Value) -> Value:
    """The number of what the vocabulary does not have: its rest, among those kept for such."""
    if layer.oov_method == "farmhash":
        c.refuse("its hash works on the text of each number", "apply it to the data before the model")
    return c.b.add(c.b.mod(x, layer.num_oov_indices), layer._oov_start_index())


def _encoded(c: KerasContext, layer: Any, found: Value) -> Any:
    """Numbers as Keras encodes them."""
    from keras.src.utils.numerical_utils import encode_categorical_inputs

    depth = layer.max_tokens if layer.pad_to_max_tokens else layer.vocabulary_size()
    weighted = layer.output_mode == "tf_idf"
    mode = "count" if weighted else layer.output_mode
    made = encode_categorical_inputs(c.tensor(found), output_mode=mode, depth=depth, dtype=layer._value_dtype)
    return c.b.mul(c.value(made, "float32"), c.value(layer.idf_weights_const.numpy())) if weighted else made


def _refuse(names: dict[str, str], advice: str) -> None:
    for name, reason in names.items():

        def convert(c: KerasContext, layer: Any, *_: Any, _reason: str = reason, **__: Any) -> Any:
            c.refuse(_reason, advice)

        rule.add(f"layers.{name}", convert, "refused")


_refuse({**_TABLES, **_COUNTING}, "apply it to the data before the model")
_refuse(_FOREIGN, "convert what is inside on its own")
