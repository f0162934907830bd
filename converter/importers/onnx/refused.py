"""Why some operators have no rule, and what to do instead."""

from __future__ import annotations

Why = tuple[str, str]
"""A reason, and advice."""

_STRINGS = ("it works on strings, which have no place in a tensor of numbers", "prepare text outside the model")
_CLASSICAL = (
    "a model of classical machine learning, or preparation for one, and no layer of a neural network",
    "run this part with ONNX Runtime before or behind the converted model",
)
_STEP = ("a step of training, which computes new parameters", "export the model without its optimiser")
_SEARCH = (
    "a whole search for sequences that draws on models inside it",
    "export the model that it calls, and search outside",
)
_UNKNOWN_LENGTHS = ("the lengths of its sequences are in the data", "export the model without packed sequences")

DOMAINS: dict[str, Why] = {
    "ai.onnx.ml": _CLASSICAL,
    "ai.onnx.preview.training": _STEP,
    "ai.onnx.training": _STEP,
    "com.microsoft.nchwc": (
        "a layout of weights and images for one processor",
        "save the model with ONNX Runtime's optimisations at the extended level or below",
    ),
}  # fmt: skip
"""Domains that are refused as a whole."""

OPS: dict[str, Why] = {
    **dict.fromkeys(("StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch"), _STRINGS),
    "TfIdfVectorizer": ("it counts the n-grams of a vocabulary: preparation of text, and no layer", "prepare text outside the model"),
    "ImageDecoder": ("it reads image files, whose sizes are in their bytes", "decode images outside the model"),
    "Upsample-10": ("ONNX took it back in opset 10, in favour of Resize", "export the model with opset 9, or with Resize"),
}  # fmt: skip
"""Operators of ONNX, all versions or one."""

MICROSOFT: dict[str, Why] = {
    "DynamicQuantizeLSTM": (
        "it rounds the hidden state to 8 bits over those rows that one thread holds: results depend on the number of threads",
        "quantise the model statically, or export it before quantisation",
    ),
    **dict.fromkeys(("BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"), _SEARCH),
    **dict.fromkeys(("Tokenizer", "MurmurHash3", "NGramHashMapping", "VarlenNGramHashMapping"), _STRINGS),
    **dict.fromkeys(
        ("PackedAttention", "PackedMultiHeadAttention", "RemovePadding", "RestorePadding", "PagedAttention",
         "SparsePagedAttention", "VarlenCausalConvWithState", "MoEPacked", "GatherPacked"), _UNKNOWN_LENGTHS,
    ),
    **dict.fromkeys(
        ("EPContext", "Snpe"), ("a program for one processor, whose contents nothing states", "export the model without it"),
    ),
    **dict.fromkeys(
        ("BiasDropout", "BitmaskDropout", "BitmaskBiasDropout", "IsAllFinite", "SampleOp"),
        ("an operator of training alone", "export the model in evaluation mode"),
    ),
    **dict.fromkeys(
        ("QOrderedAttention", "QOrderedGelu", "QOrderedLayerNormalization", "QOrderedLongformerAttention", "QOrderedMatMul",
         "QuantizeWithOrder", "DequantizeWithOrder", "QuantizeBFP", "DequantizeBFP", "MatMulPacked"),
        ("a layout of numbers in memory for one processor", "save the model below the level of optimisation that writes it"),
    ),
}  # fmt: skip
"""Operators of ONNX Runtime's own domain."""

_ALONE: Why = (
    "an operator of ONNX Runtime alone: ONNX does not define it, and no other framework has it",
    "save the model with ONNX Runtime's optimisations off, or below the level that is for one processor (the extended level)",
)


def why(op: str, domain: str, version: int) -> Why:
    """Why an operator without a rule is refused."""
    if domain == "com.microsoft":
        return MICROSOFT.get(op, _ALONE)
    found = DOMAINS.get(domain) or OPS.get(op) or OPS.get(f"{op}-{version}")
    return found or ("the definition that it had before opset 7 is another", "export the model with opset 7 or newer")
