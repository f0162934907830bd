"""Model-local functions: found by domain, name and overload, inlined where they are called, kept as module scopes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError
from converter.importers.base import Refusal
from converter.importers.onnx.reader import check_opset, opset_map, standard_domain
from converter.importers.onnx.scopes import node_path
from ir.core import Path, Scope

if TYPE_CHECKING:
    import onnx

    from converter.importers.onnx.context import OnnxContext
    from converter.importers.onnx.graph import Frame, GraphImporter
    from converter.importers.partial.values import Ref

Key = tuple[str, str, str]

OP_LIBRARIES = ("pkg.onnxscript.torch_lib", "pkg.onnxscript.torch_lib.common")
"""Domains whose functions spell out single operators rather than modules: they leave no scope."""
DEPTH_LIMIT = 100


def key(node: Any) -> Key:
    """Domain, name and overload of a node or of a function."""
    name = node.op_type if hasattr(node, "op_type") else node.name
    return standard_domain(node.domain), name, node.overload


def index(model: onnx.ModelProto) -> dict[Key, onnx.FunctionProto]:
    """The model's functions. Raises UsageError where two share a key, Refusal where one hides a standard operator."""
    import onnx

    found: dict[Key, onnx.FunctionProto] = {}
    for function in model.functions:
        k = key(function)
        if k in found:
            raise UsageError(f"the function {k[0]}.{k[1]} is defined twice")
        if onnx.defs.has(k[1], k[0]):
            raise Refusal(
                f"a function of the model has the name of the standard operator {k[0] or 'ai.onnx'}.{k[1]}", op=k[1]
            )
        found[k] = function
    return found


def call(importer: GraphImporter, node: onnx.NodeProto, frame: Frame) -> None:
    """Inline the function that a node calls. Raises UsageError when it calls itself, Refusal on wrong attributes."""
    k = key(node)
    function = importer.functions[k]
    if k in importer.active:
        loop = [*importer.active[importer.active.index(k) :], k]
        raise UsageError(f"functions call themselves: {' -> '.join(name for _, name, _ in loop)}")
    if len(importer.active) >= DEPTH_LIMIT:
        raise Refusal(f"functions are nested more than {DEPTH_LIMIT} deep")
    inner = _frame(importer, node, function, frame)
    _bind_inputs(node, function, frame, inner)
    label = f"function {function.name!r}"
    importer.active.append(k)
    try:
        importer.run_nodes(function.node, function.output, inner, label)
    finally:
        importer.active.pop()
    _bind_outputs(node, function, frame, inner)


def expand(c: OnnxContext) -> list[Any]:
    """A standard operator by the function that its definition carries, inlined; the results in order.

    For operators without a form of their own in the IR. Bodies that depend on the operands are built from their types
    (element type, rank and the sizes that are known).
    """
    function = _definition(c)
    inner = _definition_frame(c, function)
    c.ignore(*c.schema.attributes)
    label = f"definition of {c.schema.name!r}"
    outputs = [name if c.used(i) else "" for i, name in enumerate(function.output)]
    c.importer.run_nodes(function.node, [name for name in outputs if name], inner, label)
    return [inner.find(name) if name else None for name in outputs]


def _definition(c: OnnxContext) -> onnx.FunctionProto:
    import onnx

    found, schema = onnx.FunctionProto(), c.schema
    if schema.has_function:
        found.CopyFrom(schema.function_body)
        return found
    types = [_type_of(ref).SerializeToString() for ref in c.inputs]
    raw = schema.get_context_dependent_function(_resolved(c).SerializeToString(), types)
    if not raw:
        c.refuse("its definition has no function body for these operands")
    found.ParseFromString(raw)
    return found


def _resolved(c: OnnxContext) -> onnx.NodeProto:
    """The node with attributes of its own in place of references to those of the function it stands in."""
    import onnx

    node = onnx.NodeProto()
    node.CopyFrom(c.node)
    del node.attribute[:]
    for attribute in c.node.attribute:
        if not attribute.ref_attr_name:
            node.attribute.append(attribute)
        elif c.gives(attribute.name):
            value = c.attr(attribute.name)
            if not isinstance(value, (int, float, str)) or isinstance(value, bool):
                c.refuse(f"the attribute {attribute.name} is a reference to one of a kind that is not carried over")
            node.attribute.append(onnx.helper.make_attribute(attribute.name, value, attr_type=attribute.type))
    return node


def _type_of(ref: Ref | None) -> onnx.TypeProto:
    """The type of an operand as ONNX writes it; symbolic sizes are left open."""
    import onnx

    if ref is None:
        return onnx.TypeProto()
    shape = [d if isinstance(d, int) else None for d in ref.type.shape]
    return onnx.helper.make_tensor_type_proto(onnx.helper.np_dtype_to_tensor_dtype(ref.dtype.numpy), shape)


def _definition_frame(c: OnnxContext, function: onnx.FunctionProto) -> Frame:
    """Names and attributes inside a definition's body; an attribute that is not given takes its declared default."""
    from converter.importers.onnx.graph import Frame as NewFrame

    attrs = {
        name: c.attr(name) for name in c.schema.attributes if not c.schema.attributes[name].required or c.gives(name)
    }
    attrs = {name: value for name, value in attrs.items() if value is not None}
    path = c.frame.path + node_path(c.node)
    opsets = {**c.frame.opsets, **opset_map(function.opset_import)}
    inner = NewFrame(c.b, opsets, None, path, attrs)
    given = [*c.inputs, *[None] * (len(function.input) - len(c.inputs))]
    inner.names.update(zip(function.input, given, strict=False))
    return inner


def _frame(importer: GraphImporter, node: onnx.NodeProto, function: onnx.FunctionProto, frame: Frame) -> Frame:
    from converter.importers.onnx.graph import Frame as NewFrame

    opsets = opset_map(function.opset_import)
    check_opset(opsets.get(""), f"function {function.name!r}")
    given = importer.attributes.read(node, frame.attrs)
    declared = {*function.attribute, *(a.name for a in function.attribute_proto)}
    if extra := sorted(set(given) - declared):
        raise Refusal(f"the function {function.name} has no attribute {', '.join(extra)}")
    if missing := [n for n in function.attribute if n not in given]:
        raise Refusal(f"the call gives no value for the attribute {', '.join(missing)}")
    defaults = {a.name: importer.attributes.value(a) for a in function.attribute_proto if a.name not in given}
    return NewFrame(frame.builder, opsets, None, _scope(importer, node, function, frame), {**defaults, **given})


def _bind_inputs(node: onnx.NodeProto, function: onnx.FunctionProto, frame: Frame, inner: Frame) -> None:
    if len(node.input) > len(function.input) or len(node.output) > len(function.output):
        raise Refusal(
            f"the call does not fit the function {function.name}: {len(node.input)} inputs, {len(node.output)} outputs"
        )
    repeated = [n for n, times in Counter(function.input).items() if times > 1]
    if repeated:
        raise UsageError(f"function {function.name!r} has two inputs named {repeated[0]!r}")
    actual = [*node.input, *[""] * (len(function.input) - len(node.input))]
    for formal, name in zip(function.input, actual, strict=True):
        if name and _is_poisoned(frame, name):
            inner.poisoned.add(formal)
        else:
            inner.names[formal] = frame.find(name) if name else None


def _is_poisoned(frame: Frame, name: str) -> bool:
    from converter.importers.partial.importer import Poisoned

    try:
        frame.find(name)
    except Poisoned:
        return True
    return False


def _bind_outputs(node: onnx.NodeProto, function: onnx.FunctionProto, frame: Frame, inner: Frame) -> None:
    for formal, name in zip(function.output, node.output):
        if not name or _is_poisoned(inner, formal):
            continue
        result = inner.find(formal)
        if result is None:
            raise Refusal(f"output {formal} of the function {function.name} is an absent input")
        frame.poisoned.discard(name)
        frame.names[name] = result


def _scope(importer: GraphImporter, node: onnx.NodeProto, function: onnx.FunctionProto, frame: Frame) -> Path:
    """The path inside the call: the node's own path, then the call as an instance of the function's name."""
    path = frame.path + node_path(node)
    if any(function.domain == d or function.domain.startswith(d + ".") for d in OP_LIBRARIES):
        return path
    name = (node.name.rsplit("/", 1)[-1] or function.name).replace(".", "_")
    seen = importer.instances.get((path, name), 0)
    importer.instances[(path, name)] = seen + 1
    return (*path, Scope(f"{name}_{seen}" if seen else name, function.name))
