"""Names of Keras 1 as those of Keras 2: classes, arguments, and the few that are put together differently."""

from __future__ import annotations

from typing import Any

from converter.importers.base import Refusal

CLASSES = {
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "Convolution3D": "Conv3D", "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D", "AtrousConv1D": "Conv1D", "AtrousConv2D": "Conv2D", "SeparableConvolution2D": "SeparableConv2D",
    "Deconvolution2D": "Conv2DTranspose", "Deconv2D": "Conv2DTranspose", "TimeDistributedDense": "Dense",
}  # fmt: skip

ARGUMENTS = {
    "output_dim": "units", "W_regularizer": "kernel_regularizer", "U_regularizer": "recurrent_regularizer",
    "b_regularizer": "bias_regularizer", "W_constraint": "kernel_constraint", "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint", "bias": "use_bias", "nb_filter": "filters", "border_mode": "padding", "subsample": "strides",
    "atrous_rate": "dilation_rate", "dim_ordering": "data_format", "filter_length": "kernel_size", "subsample_length": "strides",
    "pool_length": "pool_size", "stride": "strides", "inner_activation": "recurrent_activation", "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout", "p": "rate", "sigma": "stddev", "length": "size",
}  # fmt: skip

_FORGOTTEN = (
    "init",
    "inner_init",
    "forget_bias_init",
    "weights",
    "input_dim",
    "input_length",
    "gamma_init",
    "beta_init",
    "input_dtype",
)
_ORDERINGS = {"th": "channels_first", "tf": "channels_last", "default": None}
_PARTS = (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3"))


def renamed(kind: str, config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Class and configuration of a layer of Keras 1 in the names of Keras 2. Raises Refusal for what that cannot say."""
    if kind == "Embedding":
        return kind, _embedding(config)
    kept = {k: v for k, v in config.items() if k not in _FORGOTTEN}
    for parts in _PARTS:
        if parts[0] in kept:
            kept["kernel_size"] = [kept.pop(p) for p in parts]
    new: dict[str, Any] = {}
    for key, value in kept.items():
        new[ARGUMENTS.get(key, key)] = _ORDERINGS.get(value, value) if key == "dim_ordering" else value
    if kind == "ZeroPadding2D":
        new["padding"] = _sides(new["padding"])
    if kind in ("LSTM", "GRU", "SimpleRNN"):
        new.setdefault("use_bias", True)
        new["return_state"] = False
    if kind == "ConvLSTM2D":
        new.setdefault("strides", [1, 1])
        new.update(use_bias=True, dropout=new.get("dropout", 0.0), recurrent_dropout=new.get("recurrent_dropout", 0.0))
    return CLASSES.get(kind, kind), new


def _embedding(config: dict[str, Any]) -> dict[str, Any]:
    names = {"W_regularizer": "embeddings_regularizer", "W_constraint": "embeddings_constraint"}
    new = {names.get(k, k): v for k, v in config.items() if k not in ("init", "weights", "input_length", "input_dtype")}
    if new.pop("dropout", 0.0):
        raise Refusal("dropout of whole words inside Embedding, which no later Keras has")
    return new


def _sides(padding: Any) -> Any:
    """(rows, columns), (top, bottom, left, right), or those by name, as ((top, bottom), (left, right))."""
    if isinstance(padding, dict):
        top, bottom = padding.get("top_pad", 0), padding.get("bottom_pad", 0)
        return [[top, bottom], [padding.get("left_pad", 0), padding.get("right_pad", 0)]]
    if isinstance(padding, list) and len(padding) == 4:
        return [padding[:2], padding[2:]]
    return padding
