"""`serving(model)`: the model as one compiled function of named tensors, as a SavedModel serves it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from converter.exporters.code import stmt as s
from converter.exporters.code.expr import Call, Dct, Expr, Index, Lit, Lst, Name, Tup, lift
from converter.exporters.code.names import Namespace, identifier
from converter.exporters.code.printer import Printer
from converter.exporters.outline.tuples import NamedTuples, fields_of
from converter.exporters.tensorflow.constants import dtype_expr
from ir.core import Model
from ir.core.signature import Branch, Constant, Leaf, Tree
from ir.types import TensorType

_DOC = "The model as one function of tensors by name that gives its results by name: what a SavedModel serves."


def serving_source(model: Model, tuples: NamedTuples) -> str:
    """Source of the function."""
    space = Namespace({"model", "results", "serve", "tf"})
    names = {name: space.new(identifier(name)) for name in model.input_types}
    called = {
        name: name if name.isidentifier() else own for name, own in names.items()
    }  # what TensorFlow takes as a name
    specs = Lst(tuple(_spec(called[name], type_) for name, type_ in model.input_types.items()))
    args, kwargs = [], []
    for parameter in model.signature.parameters:
        given = _given(parameter.tree, names, tuples)
        if parameter.keyword_only:
            kwargs.append((parameter.name, given))
        else:
            args.append(given)
    call = Call(Name("model"), tuple(args), tuple(kwargs))
    body: list[s.Stmt] = []
    if isinstance(model.signature.result, Leaf):
        found: Expr = Dct(((Lit(model.signature.result.name), call),))
    else:
        body.append(s.Assign(Name("results"), call))
        found = Dct(tuple((Lit(n), e) for n, e in _taken(model.signature.result, Name("results"))))
    body.append(s.Return(found))
    decorator = f"@tf.function(input_signature={Printer().flat(specs)}, autograph=False)"
    inner = s.FunctionDef("serve", [s.Param(n) for n in names.values()], body, decorators=(decorator,))
    outer = s.FunctionDef("serving", [s.Param("model")], [inner, s.Return(Name("serve"))], doc=_DOC)
    return "\n".join(Printer().block([outer]))


def _spec(name: str, type_: TensorType) -> Expr:
    """`tf.TensorSpec((None, 3), tf.float32, "x")`."""
    shape = tuple(d if isinstance(d, int) else None for d in type_.shape)
    return Name("tf.TensorSpec")(lift(shape), dtype_expr(type_.dtype), lift(name))


def _given(tree: Tree, names: dict[str, str], tuples: NamedTuples) -> Expr:
    """An argument of the model from the tensors by name."""
    if isinstance(tree, Leaf):
        return Name(names[tree.name])
    if isinstance(tree, Constant):
        return Lit(tree.value)
    children = [_given(c, names, tuples) for c in tree.children]
    if tree.kind == "dict":
        return Dct(tuple(zip((Lit(k) for k in tree.keys), children)))
    if name := tuples.name(tree):
        return Name(name)(*children)
    return Lst(tuple(children)) if tree.kind == "list" else Tup(tuple(children))


def _taken(tree: Tree, source: Expr) -> Iterator[tuple[str, Expr]]:
    """The tensors of a result by name."""
    if isinstance(tree, Leaf):
        yield tree.name, source
    elif isinstance(tree, Branch):
        keys: Any = tree.keys if tree.kind == "dict" else range(len(tree.children))
        fields = fields_of(tree)
        for i, (key, child) in enumerate(zip(keys, tree.children, strict=True)):
            part = getattr(source, fields[i]) if fields else Index(source, (Lit(key),))
            yield from _taken(child, part)


__all__ = ["serving_source"]
