"""Names of ONNX files, which may be anything, as names in Python code."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper
from torch import nn

from converter.exporters.torch.targets import OWNED
from tests.importers.onnx.models import BOOL, FLOAT, floats, model, node
from tests.regressions.routes import same_everywhere

ODD = ("True", "a b", "a-b", "x²", "ﬁ", "·x", "1x", "forward", "type", "_modules", "w", "dense:0", "__x", "01", "名前")


@pytest.mark.parametrize("name", ODD)
def test_scopes_and_weights_become_attributes(name: str) -> None:
    """The scope of a node and the prefix of a weight are one module, whatever it is called; a weight of the same name
    keeps its own."""
    nodes = [
        helper.make_node("MatMul", ["x", f"{name}.kernel"], ["a"], f"/{name}/MatMul"),
        helper.make_node("Add", ["a", "w"], ["b"], f"/{name}/Add"),
        helper.make_node("Mul", ["b", f"{name}/scale"], [f"{name}_out"], "/Mul"),
    ]
    stored = {f"{name}.kernel": floats(3, 3), "w": floats(3, seed=1), f"{name}/scale": floats(3, seed=2)}
    proto = model(nodes, [("x", FLOAT, ["n", 3])], [f"{name}_out"], stored)
    same_everywhere(proto, {"x": floats(2, 3, seed=3)}, opsets=())


def test_names_that_are_one_to_python() -> None:
    """Python reads identifiers in NFKC: the ligature is two letters."""
    nodes = [node("Add", "ﬁ fi", "a.b"), node("Mul", "ﬁ fi", "a/b"), node("Sub", "a.b a/b", "½")]
    proto = model(nodes, [("ﬁ", FLOAT, [3]), ("fi", FLOAT, [3])], ["½", "a.b", "a/b"])
    same_everywhere(proto, {"ﬁ": floats(3), "fi": floats(3, seed=1)})


def test_what_modules_own_is_known() -> None:
    """Of PyTorch itself: other libraries add to `nn.Module` as they are imported."""
    theirs = {n for n, v in vars(nn.Module).items() if not (getattr(v, "__module__", "") or "torch").startswith("torch")}
    assert OWNED >= {name for name in dir(nn.Module()) if not name.startswith("__")} - theirs


@pytest.mark.parametrize("kept", [True, False])
def test_a_branch_that_changes_nothing(kept: bool) -> None:
    """`if c:` with nothing to do in it is no Python."""
    same = helper.make_graph(
        [node("Identity", "x", "t")], "same", [], [helper.make_tensor_value_info("t", FLOAT, None)]
    )
    other = helper.make_graph(
        [node("Identity", "w", "e")], "other", [], [helper.make_tensor_value_info("e", FLOAT, None)]
    )
    branches = (same, other) if kept else (other, same)
    choose = node("If", "c", "y", then_branch=branches[0], else_branch=branches[1])
    proto = model([choose], [("x", FLOAT, [2]), ("c", BOOL, [])], ["y"], {"w": floats(2)})
    same_everywhere(proto, *({"x": floats(2, seed=1), "c": np.array(c)} for c in (True, False)))
