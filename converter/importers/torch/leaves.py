"""Ops that torch.export keeps whole: dropout, batch-norm and recurrent layers in a form that states both modes.

`torch.export` fixes the training flag and, for recurrent layers, the number of steps. While a module is exported its
recurrent layers call the leaves below, and afterwards dropout and batch-norm nodes are rewritten to theirs, so that
functionalisation keeps them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from converter.errors import UsageError
from converter.importers.torch import packed

NAMESPACE = "isomorph"


def library() -> Any:
    """Define the leaves once per process; returns the namespace `torch.ops.isomorph`."""
    import torch

    if library_keep:
        return getattr(torch.ops, NAMESPACE)
    lib = torch.library.Library(NAMESPACE, "DEF")
    library_keep.append(lib)
    lib.define("dropout(Tensor x, float p, bool frozen, bool features, bool always) -> Tensor")
    lib.define(
        "batch_norm(Tensor x, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float momentum, float eps, "
        "bool frozen) -> Tensor"
    )
    lib.define(
        "batch_norm_of(Tensor x, Tensor? weight, Tensor? bias, Tensor mean, Tensor var, float momentum, float eps) -> "
        "(Tensor, Tensor, Tensor)"
    )
    recurrent = (
        "Tensor? lengths, Tensor[] weights, int hidden_size, int layers, int projection, bool bias, bool batch_first, bool bidirectional, "
        "float dropout, bool train"
    )
    lib.define(f"lstm(Tensor x, Tensor? h, Tensor? c, {recurrent}) -> (Tensor, Tensor, Tensor)")
    lib.define(f"gru(Tensor x, Tensor? h, {recurrent}) -> (Tensor, Tensor)")
    lib.define(f"rnn(Tensor x, Tensor? h, {recurrent}, str nonlinearity) -> (Tensor, Tensor)")
    fakes = {
        "dropout": _same, "batch_norm": _same, "batch_norm_of": _with_statistics, "lstm": _lstm, "gru": _gru, "rnn": _rnn,
    }  # fmt: skip
    for name, fake in fakes.items():
        lib.impl(name, fake, "Meta")
        lib.impl(name, fake, "CompositeExplicitAutograd")
    return getattr(torch.ops, NAMESPACE)


library_keep: list[Any] = []  # a Library undefines its ops when it is collected


def _same(x: Any, *args: Any) -> Any:
    return x.new_empty(x.shape)


def _with_statistics(x: Any, weight: Any, bias: Any, mean: Any, var: Any, *args: Any) -> Any:
    return x.new_empty(x.shape), mean.new_empty(mean.shape), var.new_empty(var.shape)


def _state(x: Any, hidden: int, layers: int, batch_first: bool, bidirectional: bool) -> Any:
    batch = x.shape[0] if batch_first else x.shape[1]
    return x.new_empty((layers * (2 if bidirectional else 1), batch, hidden))


def _output(x: Any, width: int, bidirectional: bool) -> Any:
    return x.new_empty((x.shape[0], x.shape[1], width * (2 if bidirectional else 1)))


def _lstm(
    x: Any, h: Any, c: Any, lengths: Any, weights: Any, hidden_size: int, layers: int, projection: int, bias: bool, batch_first: bool,
    bidirectional: bool, dropout: float, train: bool,
) -> Any:  # fmt: skip
    width = projection or hidden_size
    state = functools.partial(_state, x, layers=layers, batch_first=batch_first, bidirectional=bidirectional)
    return _output(x, width, bidirectional), state(width), state(hidden_size)


def _gru(
    x: Any, h: Any, lengths: Any, weights: Any, hidden_size: int, layers: int, projection: int, bias: bool, batch_first: bool,
    bidirectional: bool, dropout: float, train: bool,
) -> Any:  # fmt: skip
    return _output(x, hidden_size, bidirectional), _state(x, hidden_size, layers, batch_first, bidirectional)


def _rnn(*args: Any) -> Any:
    return _gru(*args[:-1])


@contextlib.contextmanager
def layer_leaves(counted: frozenset[Any] = frozenset()) -> Iterator[None]:
    """Inside the block `nn.LSTM`, `nn.GRU` and `nn.RNN` call the leaves, which keeps time and batch dynamic, and batch
    normalisation counts its batches only where the count matters: in the layers `counted` (see `counting`)."""
    from torch import nn

    ops = library()
    normalisation: Any = nn.modules.batchnorm._BatchNorm
    forwards: dict[Any, Callable[..., Any]] = {
        nn.LSTM: functools.partial(_forward_lstm, ops),
        nn.GRU: functools.partial(_forward_gated, ops.gru, ()),
        nn.RNN: functools.partial(_forward_rnn, ops),
    }
    saved = {cls: cls.forward for cls in (*forwards, normalisation)}
    try:
        normalisation.forward = _batch_norm_forward(ops, normalisation.forward, counted)
        for cls, fn in forwards.items():
            cls.forward = functools.partialmethod(fn)
        yield
    finally:
        for cls, fn in saved.items():
            cls.forward = fn


def _arguments(module: Any, batch_first: bool) -> tuple[Any, ...]:
    weights = [getattr(module, n) for n in module._flat_weights_names]
    return (
        weights, module.hidden_size, module.num_layers, module.proj_size, module.bias, batch_first, module.bidirectional,
        float(module.dropout), module.training,
    )  # fmt: skip


def _run(op: Any, extra: tuple[Any, ...], module: Any, given: Any, *states: Any) -> tuple[Any, ...]:
    """Output and final states of a recurrent leaf: of a padded tensor, of packed sequences, or of one sequence."""
    import torch
    from torch.nn.utils.rnn import PackedSequence

    if isinstance(given, PackedSequence):
        padded = packed.opened(given)
        first = padded.batch_first
        output, *last = op(padded.x, *states, padded.layout.lengths, *_arguments(module, first), *extra)
        return packed.packed_class()(packed.Padded(output, first, padded.layout, True)), *last
    if not isinstance(given, torch.Tensor):
        raise UsageError(f"{type(module).__name__}: a {type(given).__name__} as input is not supported; pass a tensor")
    if given.dim() not in (2, 3):
        raise UsageError(f"{type(module).__name__}: expected a 2-D or 3-D input, got {given.dim()}-D")
    arguments = (None, *_arguments(module, module.batch_first), *extra)
    if given.dim() == 3:
        return tuple(op(given, *states, *arguments))
    axis = 0 if module.batch_first else 1
    output, *last = op(given.unsqueeze(axis), *(s if s is None else s.unsqueeze(1) for s in states), *arguments)
    return output.squeeze(axis), *(s.squeeze(1) for s in last)


def _forward_lstm(ops: Any, module: Any, input: Any, hx: Any = None) -> Any:
    output, *last = _run(ops.lstm, (), module, input, *(hx if hx is not None else (None, None)))
    return output, tuple(last)


def _forward_gated(op: Any, extra: tuple[Any, ...], module: Any, input: Any, hx: Any = None) -> Any:
    return _run(op, extra, module, input, hx)


def _forward_rnn(ops: Any, module: Any, input: Any, hx: Any = None) -> Any:
    return _forward_gated(ops.rnn, (module.nonlinearity,), module, input, hx)


def _batch_norm_forward(ops: Any, original: Callable[..., Any], counted: frozenset[Any]) -> Callable[..., Any]:
    """As PyTorch's, without the counter, which the layer keeps by itself wherever it is written as a layer. A cumulative
    average (`momentum=None`) reads the counter: its training is spelled out. That training needs two values or more is
    the layer's own affair: it is no decision on sizes. A plain function, which torch.compile can follow into branches."""
    import torch

    def forward(module: Any, input: Any) -> Any:
        if module.running_mean is None or module.running_var is None:
            return original(module, input)
        module._check_input_dim(input)
        mean, var = module.running_mean, module.running_var
        if module.momentum is None and module.training:
            return _cumulative(module, input)
        if module.momentum is None:
            return ops.batch_norm(input, module.weight, module.bias, mean, var, 0.0, module.eps, True)
        if module.training and module in counted:
            module.num_batches_tracked.add_(1)
        return torch.batch_norm(
            input, module.weight, module.bias, mean, var, module.training, module.momentum, module.eps, False
        )

    return forward


def _cumulative(module: Any, x: Any) -> Any:
    """Normalises by the batch; the running statistics become the averages over all batches so far."""
    import torch

    with torch.no_grad():
        module.num_batches_tracked.add_(1)
        axes = [0, *range(2, x.dim())]
        count = x.numel() // x.shape[1]
        variance, mean = torch.var_mean(x, axes, correction=0)
        share = 1.0 / module.num_batches_tracked.to(x.dtype)
        module.running_mean.mul_(1 - share).add_(mean * share)
        module.running_var.mul_(1 - share).add_(variance * (count / (count - 1)) * share)
    return torch.batch_norm(x, module.weight, module.bias, None, None, True, 0.0, module.eps, False)
