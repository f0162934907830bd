"""Transformer layers of PyTorch, which look at the values of their masks and have a fused path of their own for inference.

Neither can be exported. A mask is read as it stands, whether or not it is the causal one; where the fused path gives
other numbers, which it does at padded positions only, a note says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def masks_as_given() -> Iterator[None]:
    """Inside the block `nn.TransformerEncoder` and its like do not compare masks with the causal mask: a shortcut whose
    result is the same."""
    from torch.nn.modules import transformer

    original = transformer._detect_is_causal_mask
    transformer._detect_is_causal_mask = _as_told
    try:
        yield
    finally:
        transformer._detect_is_causal_mask = original


def _as_told(mask: Any, is_causal: bool | None = None, size: int | None = None) -> bool:
    return bool(is_causal)


@contextlib.contextmanager
def watching(module: Any) -> Iterator[list[str]]:
    """Collect notes on encoders that are called with padding inside the block."""
    from torch import nn

    notes: list[str] = []
    hooks = []
    for path, part in module.named_modules():
        if isinstance(part, nn.TransformerEncoder) and getattr(part, "use_nested_tensor", False):
            hooks.append(part.register_forward_pre_hook(_padding_hook(path, notes), with_kwargs=True))
    try:
        yield notes
    finally:
        for hook in hooks:
            hook.remove()


def _padding_hook(path: str, notes: list[str]) -> Any:
    def look(part: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        padding = args[2] if len(args) > 2 else kwargs.get("src_key_padding_mask")
        text = (
            f"{path or 'the model'}: at padded positions PyTorch's fused inference gives zeros, and only while gradients "
            "are off; here is what it gives otherwise"
        )
        if padding is not None and text not in notes:
            notes.append(text)

    return look
