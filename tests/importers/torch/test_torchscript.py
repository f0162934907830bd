"""TorchScript programs, traced and scripted, against the program itself: several calls in a row where it keeps state."""

from __future__ import annotations

import copy
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from converter.errors import ConversionError
from converter.importers.torch import load
from converter.importers.torch.dtypes import to_numpy
from converter.importers.torch.script import prims
from ir.core import Model
from ir.core.signature import Constant, result_tree, tree_of
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch import scripted as m
from tests.importers.torch.support import close, is_tensor


def x(*shape: int, seed: int = 0, by: float = 1.0, plus: float = 0.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * by + plus


@dataclass
class Case:
    """A module, arguments to import with, specs where they differ, and further arguments to call it with afterwards."""

    module: Any
    args: tuple[Any, ...]
    inputs: Any = None
    others: tuple[tuple[Any, ...], ...] = ()
    trace: bool = False
    tol: float = 1e-5
    ops: tuple[str, ...] = ()
    state: tuple[str, ...] = ()


HERE = (x(2, 3),)
CASES = {
    "convolutional": Case(
        m.Convolutional, (x(2, 3, 8, 8),), ("float32[n,3,8,8]",), ((x(5, 3, 8, 8),),), trace=True,
        ops=("conv", "batch_norm", "dropout"),
    ),
    "recurrent": Case(m.Recurrent, (x(2, 5, 3),), ("float32[b,t,3]",), ((x(3, 7, 3),),), trace=True, ops=("lstm", "gru", "rnn")),
    "attention": Case(m.Attention, (x(2, 5, 8),), ("float32[b,t,8]",), ((x(3, 4, 8),),), ops=("attention",)),
    "while on a tensor": Case(m.WhileOnTensor, (x(2, 3, by=0.1),), None, ((x(2, 3, plus=5),),), ops=("while",)),
    "for over a size": Case(m.ForOverSize, (x(4, 3),)),
    "for over a dynamic size": Case(m.ForOverSize, (x(4, 3),), ("float32[n,3]",), ((x(7, 3),), (x(1, 3),)), ops=("while",)),
    "for over a number": Case(
        m.ForOverNumber, (*HERE, torch.tensor(5)), None, tuple((*HERE, torch.tensor(n)) for n in (0, 2, 3, 30)), ops=("while", "cond"),
    ),
    "peeled loop": Case(m.Peeled, (x(2, 3, plus=3),), None, ((x(2, 3, plus=1),), (x(2, 3, plus=-5),)), ops=("while",)),
    "if on a tensor": Case(m.IfOnTensor, HERE, None, ((x(2, 3, plus=5),), (x(2, 3, plus=-5),), (x(2, 3, plus=-0.5),)), ops=("cond",)),
    "rank, length and None": Case(m.Python, HERE),
    "a mask and a number": Case(m.Python, (*HERE, x(2, 3, seed=1), 2, "none")),
    "tables": Case(m.Tables, (*HERE, {"b": x(2, 3), "a": x(1, 3)})),
    "named tuple": Case(m.Named, HERE),
    "in place": Case(m.InPlace, HERE, ("float32[n,3]",), ((x(5, 3),),), trace=True),
    "half": Case(m.HalfType, HERE, tol=3e-3, trace=True),
    "promotion": Case(m.Promotion, (x(2, 3, plus=2),), None, ((x(2, 3, plus=-3),),)),
    "no gradients": Case(m.NoGradients, HERE, trace=True, ops=()),
    "sizes": Case(m.Sizes, (x(4, 2, 4),), ("float32[a,2,c]",), ((x(6, 2, 3),),), trace=True),
    "tensors of numbers": Case(m.TensorsOfNumbers, HERE, ("float32[n,3]",), ((x(5, 3),),)),
    "numbers of tensors": Case(m.NumbersOfTensors, (x(2, 3, plus=2),), None, ((x(2, 3, plus=-3),), (x(2, 3, plus=9),))),
    "numbers of a trace": Case(m.TracedNumber, HERE, ("float32[n,k]",), ((x(4, 6),),), trace=True),
    "state": Case(m.State, HERE, state=("h",)),
    "state in a branch": Case(m.StateInBranch, HERE, None, ((x(2, 3, plus=-4),), (x(2, 3, plus=2),)), ops=("cond",), state=("h", "seen")),
    "state in a loop": Case(m.StateInLoop, (x(2, 3, plus=2),), None, ((x(2, 3, plus=4),),), ops=("while",), state=("h",)),
    "state of the first call": Case(m.Late, HERE, state=("h",)),
    "counters": Case(m.Counting, HERE, state=("inner.0.calls", "inner.1.calls", "n", "share")),
}  # fmt: skip
TRACED = [name for name, case in CASES.items() if case.trace]


def saved(script: Any) -> Any:
    """The program as a file holds it."""
    data = io.BytesIO()
    torch.jit.save(script, data)
    data.seek(0)
    return torch.jit.load(data)


def scripted(module: type[nn.Module]) -> Any:
    torch.manual_seed(0)
    made = module().eval()
    for name, buffer in made.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return torch.jit.script(made)


def agrees(program: Any, model: Model, case: Case) -> None:
    """Evaluate call after call with the state carried, beside the program."""
    check(model)
    live, state = copy.deepcopy(program).eval(), {}
    fixed = [i for i, p in enumerate(model.signature.parameters) if isinstance(p.tree, Constant)]
    for args in (case.args, case.args, *case.others):
        leaves = [to_numpy(t) for i, a in enumerate(args) if i not in fixed for _, t in tree_of(a, "x", is_tensor)[1]]
        inputs = dict(zip(model.input_types, leaves, strict=True))
        got, after = Evaluator("exact").run_with_state(model, inputs, state)
        state.update(after)
        with torch.no_grad():
            want = {n: to_numpy(t) for n, t in result_tree(live(*copy.deepcopy(args)), is_tensor)[1]}
        assert list(got) == list(want)
        for name in want:
            assert got[name].dtype == want[name].dtype, name
            close(got[name], want[name], case.tol, name)


@pytest.mark.parametrize("name", CASES)
def test_scripted(name: str) -> None:
    case = CASES[name]
    program = saved(scripted(case.module))
    before = {k: v.clone() for k, v in program.state_dict().items()}
    model = load(program, case.args if case.inputs is None else case.inputs)
    agrees(program, model, case)
    found = {n.op.name for n in model.nodes()}
    assert set(case.ops) <= found
    assert tuple(sorted(k for k in model.state if "running" not in k)) == case.state
    assert all(torch.equal(v, before[k]) for k, v in program.state_dict().items()), "the program is left as it was"


@pytest.mark.parametrize("name", TRACED)
def test_traced(name: str) -> None:
    case = CASES[name]
    torch.manual_seed(0)
    program = saved(torch.jit.trace(case.module().eval(), case.args))
    agrees(program, load(program, case.args if case.inputs is None else case.inputs), case)


def test_a_live_program_needs_no_file() -> None:
    program = scripted(m.Convolutional)
    agrees(
        program, load(program, (x(2, 3, 8, 8),)), CASES["convolutional"].__class__(m.Convolutional, (x(2, 3, 8, 8),))
    )


# -- what is kept ------------------------------------------------------------------------------------------------------
def test_names_modules_lines_and_flags() -> None:
    torch.manual_seed(0)
    module = m.Convolutional()
    module.conv.weight.requires_grad_(False)
    model = load(saved(torch.jit.script(module)), ("float32[2,3,8,8]",))
    assert model.name == "Convolutional"
    assert [w.name for w in model.weights.values()] == list(module.state_dict())
    trainable = {w.name: w.trainable for w in model.weights.values()}
    assert trainable["fc.weight"] and not trainable["conv.weight"] and not trainable["bn.running_mean"]
    assert model.modules["bn"] == "torch.nn.modules.batchnorm.BatchNorm2d"
    conv = next(n for n in model.nodes() if n.op.name == "conv")
    assert [s.name for s in conv.origin.path] == ["conv"] and conv.origin.path[0].cls == "Conv2d"
    assert conv.origin.line.startswith("scripted.py:")


def test_dropout_and_batch_norm_follow_the_mode() -> None:
    model = load(saved(scripted(m.Convolutional)), (x(2, 3, 8, 8),))
    drop = next(n for n in model.nodes() if n.op.name == "dropout")
    norm = next(n for n in model.nodes() if n.op.name == "batch_norm")
    assert not drop.attrs["frozen"] and not norm.attrs["frozen"]
    assert set(model.state) == {"bn.running_mean", "bn.running_var"}


def test_tracing_in_evaluation_fixes_the_mode() -> None:
    model = load(saved(torch.jit.trace(m.Convolutional().eval(), x(2, 3, 8, 8))), (x(2, 3, 8, 8),))
    norm = next(n for n in model.nodes() if n.op.name == "batch_norm")
    assert norm.attrs["frozen"] and not model.state


def test_shared_parameters_stay_one() -> None:
    model = load(saved(torch.jit.script(m.Tied())), HERE)
    assert [(w.name, w.aliases) for w in model.weights.values()][0] == ("a.weight", ("b.weight",))
    assert len(model.weights) == 3


def test_decisions_on_sizes_are_assumed_and_stops_are_told() -> None:
    model = load(saved(torch.jit.script(m.Checked())), ("float32[n,3]",))
    assert [str(a) for a in model.assumptions] and "n <= 5" in " ".join(model.notes)
    assert any("too small" in note and "computes on" in note for note in model.notes)


def test_state_that_settles_is_told() -> None:
    model = load(saved(torch.jit.script(m.Late())), (*HERE, 2))
    assert any("the state h begins as zeros" in note for note in model.notes)
    assert model.weights["h"].type.shape == (2, 3) and not model.weights["h"].persistent


def test_the_words_of_arguments_are_numbers_of_types() -> None:
    """Element types travel as numbers: each stands for the type that PyTorch gives it."""
    unit = torch.jit.CompilationUnit()
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 15):
        unit.define(f"def f{code}(x):\n    return torch.zeros([2], dtype={code})\n")
        made = getattr(unit, f"f{code}")(torch.zeros(1))
        assert made.dtype == prims.dtype_of(code) and prims.code_of(made) == code


# -- refusals ----------------------------------------------------------------------------------------------------------
def test_a_first_call_that_is_not_of_zeros_is_refused() -> None:
    with pytest.raises(ConversionError, match="not shown to be that of a state of zeros"):
        load(saved(torch.jit.script(m.LateOfOnes())), HERE)


def test_a_program_that_was_called_before_it_was_saved_has_its_state() -> None:
    program = torch.jit.script(m.LateOfOnes())
    program(*HERE)
    program = saved(program)
    agrees(program, load(program, HERE), Case(m.LateOfOnes, HERE))


def test_a_list_that_grows_is_refused() -> None:
    with pytest.raises(ConversionError, match="a call leaves a list in it"):
        load(saved(torch.jit.script(m.Growing())), HERE)


@pytest.mark.parametrize("module", [m.SizeInText, m.SizeAsKey])
def test_a_text_decides_only_where_it_is_known(module: type[nn.Module]) -> None:
    program = saved(torch.jit.script(module()))
    agrees(program, load(program, HERE), Case(module, HERE))
    with pytest.raises(ConversionError, match="a text made of a number that only the run knows"):
        load(program, ("float32[n,3]",))


def test_a_tensor_of_an_empty_list_is_refused() -> None:
    with pytest.raises(ConversionError, match="a tensor made of an empty list"):
        load(saved(torch.jit.script(m.TensorOfNothing())), HERE)


def test_a_stop_for_these_inputs_is_an_error() -> None:
    with pytest.raises(ConversionError, match="many"):
        load(saved(torch.jit.script(m.Checked())), (x(7, 3),))


def test_changes_from_outside_where_only_the_run_knows_are_refused() -> None:
    with pytest.raises(ConversionError, match="a list or dict from outside is changed"):
        load(saved(torch.jit.script(m.Collects())), HERE)


@pytest.mark.parametrize("module", [m.InPlaceInBranch, m.OutsideInBranch])
def test_writing_in_place_where_only_the_run_knows_is_refused(module: type[nn.Module]) -> None:
    with pytest.raises(ConversionError, match="writes in place"):
        load(saved(torch.jit.script(module())), HERE)


def test_results_that_only_the_run_knows_are_refused() -> None:
    with pytest.raises(ConversionError, match="returns a Python number"):
        load(saved(torch.jit.script(m.Counted())), HERE)


def test_evaluation_in_float64_is_the_program_s_own_values() -> None:
    """The promotion of Python numbers out of tensors: an int32 tensor and such an int stay int32."""
    program = saved(torch.jit.script(m.Promotion()))
    outs = Evaluator().run(load(program, HERE), {"x": np.float32([[1, 2, 3], [4, 5, 6]])})
    assert outs["output.2"].dtype == np.int32 and outs["output.2"].tolist() == [22, 22]
