"""Modules as a whole: state, ties, module tree, signatures, what is noted and what is refused."""

from __future__ import annotations

import collections
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from converter.errors import ConversionError, UsageError
from converter.importers.base import ImportOptions
from converter.importers.torch import load
from ir.core import Branch, Constant, Leaf
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch.support import compare, double, expected, flat_inputs, ops, randn, round_trip


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.bn = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(F.relu(self.bn(self.fc(x))))


# -- weights and state ----------------------------------------------------------------------------------------------
class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(7, 4)
        self.shared = nn.Linear(4, 4)
        self.again = self.shared
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.emb.weight
        self.emb.weight.requires_grad_(False)
        self.register_buffer("scale", torch.full((4,), 2.0))
        self.register_buffer("hidden", torch.full((4,), 3.0), persistent=False)
        self.loose = torch.arange(40.0).reshape(10, 4)
        self.unused = nn.Parameter(torch.zeros(3))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.again(self.shared(self.emb(ids))) * self.scale + self.hidden + self.loose[0].to(self.scale.dtype)
        return self.head(x)


def test_weights_keep_names_ties_and_flags() -> None:
    module = double(Tied())
    model = round_trip(module, (torch.tensor([[1, 6], [0, 2]]),))
    w = model.weights
    assert [n for n in w if w[n].kind == "parameter"] == ["unused", "emb.weight", "shared.weight", "shared.bias"]
    assert w["emb.weight"].aliases == ("head.weight",) and w["emb.weight"].trainable is False
    assert w["shared.weight"].aliases == ("again.weight",) and w["shared.weight"].trainable is True
    assert (w["scale"].kind, w["scale"].persistent, w["hidden"].persistent) == ("buffer", True, False)
    assert w["loose"].kind == "constant"
    state = module.state_dict()
    assert {n for x in w.values() if x.kind != "constant" and x.persistent for n in (x.name, *x.aliases)} == set(state)


def test_weights_share_the_memory_of_the_module() -> None:
    module = nn.Linear(3, 2)
    model = load(module, (torch.zeros(1, 3),))
    with torch.no_grad():
        module.weight[0, 0] = 42.0
    assert model.weights["weight"].data.numpy()[0, 0] == 42.0


def test_trainable_expression() -> None:
    model = load(
        nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), (torch.zeros(1, 2),), options=ImportOptions(trainable=r"^1\.")
    )
    assert {n for n, w in model.weights.items() if w.trainable} == {"1.weight", "1.bias"}
    with pytest.raises(UsageError, match="matches no parameter"):
        load(nn.Linear(2, 2), (torch.zeros(1, 2),), options=ImportOptions(trainable="none"))


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(3, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.add_(x.sum(0))
        return x + self.seen


def test_written_buffers_become_state() -> None:
    module = Counting()
    model = load(module, (randn(2, 3),))
    check(model)
    x = randn(2, 3, seed=1)
    outputs, state = Evaluator().run_with_state(model, {"x": x.numpy()})
    np.testing.assert_allclose(state["seen"], x.sum(0).numpy())
    np.testing.assert_allclose(outputs["output"], (x + x.sum(0)).numpy())
    assert float(module.seen.abs().sum()) == 0, "importing must not run the module for real"


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int8, torch.bool, torch.complex64]
)
def test_weights_of_every_dtype(dtype: torch.dtype) -> None:
    class Holder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("t", torch.tensor([[1.0, 0.0], [2.0, 1.0]]).to(dtype))
            self.register_buffer("zero_d", torch.tensor(1.0).to(dtype))

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return x, self.t.clone(), self.zero_d.clone()

    model = load(Holder(), (torch.zeros(1),))
    check(model)
    outputs = Evaluator(mode="exact").run(model, {"x": np.zeros(1, np.float32)})
    assert outputs["output.1"].astype(np.complex64).real.tolist() == Holder().t.to(torch.complex64).real.tolist()
    assert outputs["output.2"].shape == ()


# -- module tree ----------------------------------------------------------------------------------------------------
def test_origins_carry_path_class_call_and_line() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([Block(4), Block(4)])
            self.alias = self.layers[0]

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x)
            return self.alias(x)

    model = load(Net(), (torch.randn(3, 4),))
    linears = [n.origin for n in model.nodes() if n.op.name == "linear"]
    assert [o.scope for o in linears] == ["layers.0.fc", "layers.1.fc", "layers.0.fc"]
    assert [s.cls for s in linears[0].path] == ["ModuleList", "Block", "Linear"]
    assert [[s.call for s in o.path] for o in linears] == [[0, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert (
        linears[0].line.startswith("test_modules.py:")
        and linears[0].op == "aten.linear.default"
        and linears[0].rule == "linear"
    )
    assert model.modules["layers.0.bn"] == "torch.nn.modules.batchnorm.BatchNorm1d" and "alias" not in model.modules
    assert model.name == "Net" and model.metadata["framework"] == "torch"


# -- signatures -----------------------------------------------------------------------------------------------------
Pair = collections.namedtuple("Pair", "first second")


class Nested(nn.Module):
    def forward(self, tokens: Tensor, extra: dict[str, Any], flag: bool = True, *, pair: Any = None) -> dict[str, Any]:
        shifted = tokens + extra["shift"] if flag else tokens
        return {
            "a": shifted,
            "b": (pair[0] * 2, None),
            "c": [extra["deep"][1], 3],
            "p": Pair(tokens, pair[0] + pair[1]),
        }


def test_nested_inputs_and_outputs() -> None:
    shift, deep = randn(4), (randn(2), randn(2, seed=1))
    args = (randn(2, 4), {"shift": shift, "deep": deep}, True)
    module = Nested()
    kwargs = {"tokens": args[0], "extra": args[1], "flag": True, "pair": Pair(randn(3), randn(3, seed=2))}
    model = load(module, kwargs)
    check(model)
    assert model.signature.input_names == (
        "tokens",
        "extra.shift",
        "extra.deep.0",
        "extra.deep.1",
        "pair.first",
        "pair.second",
    )
    assert model.signature.output_names == ("a", "b.0", "c.0", "p.first", "p.second")
    assert model.signature.parameters[2].tree == Constant(True)
    assert [p.keyword_only for p in model.signature.parameters] == [False, False, False, True]
    assert isinstance(model.signature.result, Branch) and model.signature.result.children[1] == Branch(
        "tuple", (Leaf("b.0"), Constant(None))
    )
    got = Evaluator().run(model, flat_inputs(module, (), kwargs))
    compare(got, expected(module, (), kwargs), 1e-12)


def test_flat_names_are_taken_as_inputs() -> None:
    model = load(
        Nested(),
        {
            "tokens": randn(2, 4),
            "extra.shift": randn(4),
            "extra.deep.0": randn(2),
            "extra.deep.1": randn(2),
            "pair.0": randn(3),
            "pair.1": randn(3),
        },
    )
    assert model.signature.input_names[:2] == ("tokens", "extra.shift")


def test_one_tensor_two_outputs_and_an_input_returned() -> None:
    class Alias(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            y = x + 1
            return y, y.view(-1), x

    round_trip(Alias(), (randn(2, 3),))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (None, "example inputs or specs"), ((torch.zeros(2), torch.zeros(2)), "too many positional"),
        ({"z": torch.zeros(2)}, "no argument z"),
        (("float32[batch",), "no input spec"), (("float33[2]",), "no element type"), ((object(),), "cannot be an input"),
    ],
)  # fmt: skip
def test_bad_inputs_are_named(inputs: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load(nn.ReLU(), inputs)


# -- refusals -------------------------------------------------------------------------------------------------------
class Odd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(torch.special.airy_ai(x)) + torch.histc(x, 3) + torch.special.airy_ai(x + 1)


def test_refusals_list_everything_at_once() -> None:
    with pytest.raises(ConversionError) as caught:
        load(Odd(), (torch.randn(3, 3),))
    listed = {u.op.split(".")[1]: u for u in caught.value.unsupported}
    assert len(listed) >= 2 and any(u.count == 2 for u in listed.values())
    assert all("test_modules.py:" in u.place for u in listed.values())
    assert listed["histc"].file and listed["special_airy_ai"].advice, "where a rule would go, or what to do without"
    assert str(caught.value).count("Traceback") == 0


def test_writing_into_an_input_is_refused_by_name() -> None:
    class Writes(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.add_(1)

    with pytest.raises(ConversionError, match="input x.*in place"):
        load(Writes(), (torch.randn(3),))


def test_a_write_into_a_parameter_is_refused() -> None:
    class Rescales(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                self.weight.div_(2)
            return x * self.weight

    with pytest.raises(ConversionError, match="parameter weight: the model writes into this parameter in its forward"):
        load(Rescales(), (torch.ones(3),))


def test_a_failed_export_is_one_clear_message(capfd: pytest.CaptureFixture[str]) -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1 if x.sum() > 0 else x

    with pytest.raises(ConversionError) as caught:
        load(Branches(), (torch.randn(3),))
    assert (
        len(str(caught.value).splitlines()) == 1
        and "test_modules.py" in str(caught.value)
        and "torch.cond" in str(caught.value)
    )
    assert capfd.readouterr().err == ""


def test_the_module_and_torch_are_left_as_they_were() -> None:
    forward, fast = nn.LSTM.forward, torch.backends.mha.get_fastpath_enabled()
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train()
    with pytest.raises(ConversionError):
        load(nn.Sequential(module, Odd()), (torch.randn(2, 2),))
    assert nn.LSTM.forward is forward and torch.backends.mha.get_fastpath_enabled() == fast
    assert all(m.training for m in module.modules())


# -- control flow ---------------------------------------------------------------------------------------------------
class Control(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.cond(x.sum() > 0, lambda x: self.fc(x) + 1, lambda x: x * 2, (x,))
        _, z = torch.while_loop(lambda i, z: i < 5, lambda i, z: (i + 1, self.fc(z) * 0.5), (torch.tensor(0), y))
        return z


def test_cond_and_while_loop() -> None:
    module = double(Control())
    x = randn(4, 3)
    model = round_trip(module, (x,), inputs=("float64[batch,3]",), others=[(-x.abs(),), (x.abs()[:2],)])
    assert [n.op.name for n in model.graph if n.bodies] == ["cond", "while"]
    assert set(ops(model)) >= {"linear"} and model.weights["fc.weight"].kind == "parameter"
