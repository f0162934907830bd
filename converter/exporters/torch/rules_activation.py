"""Activations: functions in most places, `nn` modules where the source has one at a numbered place of a container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.exporters.code.expr import Expr, Name, hole
from converter.exporters.outline.instances import Form
from converter.exporters.torch.context import TORCH, Context, F
from converter.exporters.torch.table import form, rule
from ir.core import Node

# op -> (function, nn class, (attribute, keyword, torch's default)...)
_Setting = tuple[str, str, Any]
_TABLE: dict[str, tuple[Expr, str, tuple[_Setting, ...]]] = {
    "relu": (F.relu, "ReLU", ()),
    "sigmoid": (TORCH.sigmoid, "Sigmoid", ()),
    "silu": (F.silu, "SiLU", ()),
    "gelu": (F.gelu, "GELU", (("approximate", "approximate", "none"),)),
    "leaky_relu": (F.leaky_relu, "LeakyReLU", (("alpha", "negative_slope", 0.01),)),
    "elu": (F.elu, "ELU", (("alpha", "alpha", 1.0),)),
    "celu": (F.celu, "CELU", (("alpha", "alpha", 1.0),)),
    "selu": (F.selu, "SELU", ()),
    "hard_sigmoid": (F.hardsigmoid, "Hardsigmoid", ()),
    "hard_swish": (F.hardswish, "Hardswish", ()),
    "mish": (F.mish, "Mish", ()),
    "softplus": (F.softplus, "Softplus", (("beta", "beta", 1.0), ("threshold", "threshold", 20.0))),
    "softsign": (F.softsign, "Softsign", ()),
    "log_sigmoid": (F.logsigmoid, "LogSigmoid", ()),
    "tanh_shrink": (F.tanhshrink, "Tanhshrink", ()),
    "soft_shrink": (F.softshrink, "Softshrink", (("lambd", "lambd", 0.5),)),
    "hard_shrink": (F.hardshrink, "Hardshrink", (("lambd", "lambd", 0.5),)),
    "threshold": (F.threshold, "Threshold", (("threshold", "threshold", ...), ("value", "value", ...))),
    "softmax": (F.softmax, "Softmax", (("axis", "dim", ...),)),
    "log_softmax": (F.log_softmax, "LogSoftmax", (("axis", "dim", ...),)),
    "glu": (F.glu, "GLU", (("axis", "dim", -1),)),
}


def _accepts(node: Node) -> str | None:
    a = node.attrs
    if node.op.name == "selu" and (
        abs(a["alpha"] - 1.6732632423543772) > 1e-15 or abs(a["gamma"] - 1.0507009873554805) > 1e-15
    ):
        return "torch's selu has fixed constants"
    if node.op.name == "hard_sigmoid" and (a["alpha"] != 1 / 6 or a["beta"] != 0.5):
        return "torch's hardsigmoid has fixed constants"
    if node.op.name == "softplus" and abs(a["threshold"]) > 80:
        return "torch's softplus overflows below a threshold so large"
    if node.op.name == "soft_shrink" and a["lambd"] < 0:
        return "torch's softshrink refuses a negative lambda"
    return None


def _settings(node: Node) -> dict[str, Expr]:
    settings = _TABLE[node.op.name][2]
    return {k: hole(node.attrs[a], k) if d is ... else hole(node.attrs[a], k, d) for a, k, d in settings}


@rule(*_TABLE, accepts=_accepts)
def activation(c: Context, node: Node) -> Expr:
    function = _TABLE[node.op.name][0]
    return function(c.x(node.operand("x")), **_settings(node))


def module_form(name: str) -> Callable[[Node], Form | None]:
    """The `nn` class of an activation; without weights it stands only where the source has a module."""

    def make(node: Node) -> Form | None:
        return Form(Name(f"nn.{name}")(**_settings(node))) if _numbered(node) else None

    return make


def _numbered(node: Node) -> bool:
    """Whether the node stands at a numbered place of a container."""
    return bool(node.origin.path) and node.origin.path[-1].name.isdigit()


for _op, (_function, _name, _attributes) in _TABLE.items():
    form(_op)(module_form(_name))


@form("tanh")
def tanh_module(node: Node) -> Form | None:
    """`nn.Tanh`."""
    return Form(Name("nn.Tanh")()) if _numbered(node) else None


@form("prelu")
def prelu_module(node: Node) -> Form | None:
    """`nn.PReLU`."""
    slope = node.operand("slope")
    axis = node.attrs["axis"]
    if not slope.is_weight or slope.type.rank != 1 or (axis != 1 and slope.type.shape != (1,)):
        return None
    return Form(Name("nn.PReLU")(hole(int(slope.type.shape[0]), "num_parameters")), {"weight": slope})


def _accepts_prelu(node: Node) -> str | None:
    slope, x = node.operand("slope"), node.operand("x")
    fits = node.attrs["axis"] == 1 and slope.type.rank == 1 and x.type.rank >= 2
    return None if fits else "torch's prelu has one slope, or one for each channel on axis 1"


@rule("prelu", accepts=_accepts_prelu)
def prelu(c: Context, node: Node) -> Expr:
    return F.prelu(c.x(node.operand("x")), c.x(node.operand("slope")))
