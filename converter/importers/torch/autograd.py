"""What an export does not see of gradients: backward passes of the user's own, hooks, checkpoints, inference mode."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from converter.importers.torch.scopes import is_internal


@contextlib.contextmanager
def watching(*modules: Any) -> Iterator[list[str]]:
    """Inside the block `inference_mode` ends gradients as `no_grad` does, so that the export records it, and reentrant
    checkpoints are plain calls; yields notes on what else is called that an export loses."""
    import torch
    from torch.utils.checkpoint import CheckpointFunction

    notes = [note for module in modules for note in _hooks(module)]

    def tell(text: str) -> None:
        if text not in notes:
            notes.append(text)

    function = torch.autograd.Function
    original, hook = function.__dict__["apply"], torch.Tensor.register_hook
    mode = torch.inference_mode
    entry = mode.__enter__, mode.__exit__

    def apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if cls is CheckpointFunction:
            return args[0](*args[2:])
        if not cls.__module__.startswith("torch."):
            name = f"{cls.__module__}.{cls.__qualname__}"
            tell(f"the backward pass of {name} is not carried over: its gradient is that of its forward")
        return original.__func__(cls, *args, **kwargs)

    def register_hook(self: Any, own: Callable[..., Any]) -> Any:
        tell(f"{_caller()}: the gradient hook of a tensor is not carried over")
        return hook(self, own)

    function.apply = classmethod(apply)
    torch.Tensor.register_hook = register_hook
    mode.__enter__, mode.__exit__ = _enter, _leave
    try:
        yield notes
    finally:
        function.apply = original
        torch.Tensor.register_hook = hook
        mode.__enter__, mode.__exit__ = entry


def _enter(self: Any) -> None:
    import torch

    self.before = torch.is_grad_enabled()
    if self.mode:
        torch.set_grad_enabled(False)


def _leave(self: Any, *error: Any) -> None:
    import torch

    torch.set_grad_enabled(self.before)


def _caller() -> str:
    """`file.py:12` of the code that called into PyTorch."""
    frame = sys._getframe(2)
    file = frame.f_code.co_filename.replace("\\", "/")
    return "the model" if is_internal(file) else f"{file.rsplit('/', 1)[-1]}:{frame.f_lineno}"


def _hooks(module: Any) -> Iterator[str]:
    """Notes on hooks that change gradients, of modules and of parameters."""
    for path, part in module.named_modules():
        if part._backward_hooks or part._backward_pre_hooks:
            yield f"{path or 'the model'}: its backward hooks are not carried over"
    for name, parameter in module.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            yield f"{name}: its gradient hooks are not carried over"
