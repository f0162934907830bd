"""Preprocessing: layers that augment at random do so in training only; layers that look words up are no tensor arithmetic."""

from __future__ import annotations

from typing import Any

from converter.importers.keras.context import KerasContext, rule

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
    "IntegerLookup": "its table belongs to the TensorFlow runtime",
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


def _refuse(names: dict[str, str], advice: str) -> None:
    for name, reason in names.items():

        def convert(c: KerasContext, layer: Any, *_: Any, _reason: str = reason, **__: Any) -> Any:
            c.refuse(_reason, advice)

        rule.add(f"layers.{name}", convert, "refused")


_refuse({**_TABLES, **_COUNTING}, "apply it to the data before the model")
_refuse(_FOREIGN, "convert what is inside on its own")
