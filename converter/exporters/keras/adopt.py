"""Which weights become those of Keras' own layers: renamed as the layer calls them, stored as the layer keeps them.

A weight is adopted where every layer that could hold it agrees on its name and order of axes, and every other reader takes
it as it is stored (a table that is also read as a matrix stays the embedding's). What is not adopted stays a weight of its
own, in the source's order, and its readers are functions: tying outranks idiom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from converter.exporters.code.expr import Call, Name
from converter.exporters.code.names import snake_case
from converter.exporters.keras.rules_recurrent import GRU_GATES, KINDS, two_rows
from converter.exporters.keras.stacks import cut, stack_of
from converter.exporters.keras.table import form_of
from converter.exporters.outline.instances import Form
from ir.core import Model, Node, Scope, Value
from ir.data import Weight

Axes = tuple[int, ...]
_Claim = tuple[str, Axes]
"""What a layer calls a weight, and how it stores it."""


@dataclass(eq=False)
class Adoption:
    """`forms` are the nodes that are layers, `axes` the stored order of adopted weights, `rows` the second rows of those
    that hold two of the source's."""

    forms: dict[Node, Form] = field(default_factory=dict)
    axes: dict[Value, Axes] = field(default_factory=dict)
    rows: dict[Value, Weight] = field(default_factory=dict)

    def form_of(self, node: Node) -> Form | None:
        """The layer a node is."""
        return self.forms.get(node)


def adopt(model: Model, names: dict[str, str]) -> Adoption:
    """Rename, in place, the weights of layers; `names` (target name -> source name) follows."""
    forms = {n: f for n in model.graph if (f := form_of(n)) is not None}
    while True:
        claims = _claims(model, forms)
        wrong = [n for n, f in forms.items() if not _fits(f, claims)]
        if not wrong:
            break
        for node in wrong:
            del forms[node]
    for group in _groups(forms):
        _name(model, group, forms, names)
    _own_scopes(model, forms)
    axes = {v: f.axes[attr] for f in forms.values() for attr, v in f.weights.items() if attr in f.axes}
    return Adoption(forms, axes, _gates(model, forms, names))


def _gates(model: Model, forms: dict[Node, Form], names: dict[str, str]) -> dict[Value, Weight]:
    """Put the gates of GRUs in Keras' order, in place; returns what becomes the second row of each bias."""
    rows: dict[Value, Weight] = {}
    for nodes in _groups({n: f for n, f in forms.items() if n.op.name == "gru"}):
        values = [v for v in nodes[0].operands["weights"] if v.is_weight]
        for value in values:
            turned = cut(model.weights[value.name], GRU_GATES)
            model.update_weight(value.name, data=turned.data, source_pieces=turned.source_pieces)
        if not two_rows(nodes[0]):
            continue
        pairs = {c.b_hh: c.b_ih for c in stack_of(nodes[0]).split(values)}
        for node in nodes:
            node.set_operand("weights", tuple(pairs.get(v, v) for v in node.operands["weights"]))
        for second, first in pairs.items():
            record = model.weights[second.name]
            source = names.pop(second.name)
            rows[first] = replace(record, source_name=record.source_name or source)
            model.remove_weight(second.name)
    return rows


def _own_scopes(model: Model, forms: dict[Node, Form]) -> None:
    """A layer without weights that its source is no module of gets a place: random numbers are a layer's in Keras."""
    counts = Counter(tuple(s.name for s in n.origin.path) for n in model.graph if n.op.name != "constant")
    places = {tuple(name.split(".")[:i]) for name in model.weights for i in range(1, name.count(".") + 2)}
    places |= {path[:i] for path in counts for i in range(1, len(path) + 1)}
    for node, form in forms.items():
        path = tuple(s.name for s in node.origin.path)
        alone = (
            bool(path) and counts[path] == 1 and not any(p[: len(path)] == path and len(p) > len(path) for p in places)
        )
        if form.weights or not node.op.random or alone:
            continue
        number, word = 1, "seed" if node.op.family == "creation" else "dropout"
        while (place := (*path, word if number == 1 else f"{word}_{number}")) in places:
            number += 1
        places.add(place)
        node.origin = replace(node.origin, path=(*node.origin.path, Scope(place[-1], word.capitalize())))


def _claims(model: Model, forms: dict[Node, Form]) -> dict[Value, _Claim | None]:
    """What each weight becomes; None where its readers disagree."""
    wanted: dict[Value, set[_Claim]] = {}
    for form in forms.values():
        for attr, value in form.weights.items():
            wanted.setdefault(value, set()).add((attr, form.axes.get(attr, ())))
    found: dict[Value, _Claim | None] = {}
    for value, claims in wanted.items():
        straight = [c for c in claims if not c[1]]
        alone = all(_reads_as_layer(use.user, value, forms, model) for use in value.uses)
        if len(claims) == 1 and (alone or straight):
            found[value] = next(iter(claims))
        else:
            found[value] = straight[0] if len(straight) == 1 else None
    return found


def _reads_as_layer(user: object, value: Value, forms: dict[Node, Form], model: Model) -> bool:
    if user is model:  # its next state, which the layer sets by itself
        return any(f.updates and value in f.weights.values() for f in forms.values())
    return isinstance(user, Node) and user in forms and value in forms[user].weights.values()


def _fits(form: Form, claims: dict[Value, _Claim | None]) -> bool:
    return all(claims[v] == (attr, form.axes.get(attr, ())) for attr, v in form.weights.items())


def _groups(forms: dict[Node, Form]) -> Iterable[list[Node]]:
    """Nodes that are calls of one layer: they read the same weights."""
    found: dict[tuple[str, ...], list[Node]] = {}
    for node, form in forms.items():
        if form.weights:
            found.setdefault(tuple(v.name for v in form.weights.values()), []).append(node)
    return found.values()


def _name(model: Model, nodes: list[Node], forms: dict[Node, Form], names: dict[str, str]) -> None:
    """Give the weights of one layer a place that nothing else has, and the layer's names."""
    first = forms[nodes[0]]
    values = list(first.weights.values())
    if any(forms[n].ctor != first.ctor or forms[n].weights != first.weights for n in nodes):
        for node in nodes:
            del forms[node]
        return
    place = _place(model, values, nodes, any("." in attr for attr in first.weights))
    place = place if place is None else _around(model, place, nodes)
    if place is None or not _reaches(model, place, nodes) or not _is_alone(model, place, nodes):
        place = _new_place(model, nodes, first)
    for attr, value in first.weights.items():
        old, new = value.name, ".".join((*place, attr))
        if old != new:
            if model.weights[old].source_name is None:
                model.update_weight(old, source_name=names[old])
            model.rename_weight(old, new)
            names[new] = names.pop(old)


def _place(model: Model, values: list[Value], nodes: list[Node], parts: bool) -> tuple[str, ...] | None:
    """The module that holds these weights and nothing else; with `parts` some may lie in modules below it."""
    parents = {tuple(v.name.split(".")[:-1]) for v in values}
    if len(parents) != 1 and not parts:
        return None
    place = parents.pop()
    while parents and not all(p[: len(place)] == place for p in parents):
        place = place[:-1]
    own = {v.name for v in values} | {v.name for node in nodes for v in node.inputs if parts and v.is_weight}
    other = [n for n in model.weights if n not in own and tuple(n.split(".")[: len(place)]) == place]
    return place if place and not other else None


def _reaches(model: Model, place: tuple[str, ...], nodes: list[Node]) -> bool:
    """Whether a recurrent layer at a place can be called from where its nodes are: it has no other form than a layer."""
    if nodes[0].op.name not in KINDS:
        return True
    scopes = {tuple(s.name for s in n.origin.path) for n in nodes}
    inside = [n for n in model.graph if n not in nodes and tuple(s.name for s in n.origin.path)[: len(place)] == place]
    return not [n for n in inside if n.op.name != "constant"] and all(place[: len(s)] == s for s in scopes)


def _around(model: Model, place: tuple[str, ...], nodes: list[Node]) -> tuple[str, ...]:
    """The module that does nothing but call a layer whose weights lie in a module below it; else the latter."""
    scopes = {tuple(s.name for s in n.origin.path) for n in nodes}
    scope = next(iter(scopes))
    if len(scopes) > 1 or not scope or len(scope) >= len(place) or place[: len(scope)] != scope:
        return place
    inside = {n for n in model.weights if tuple(n.split(".")[: len(scope)]) == scope}
    own = {v.name for node in nodes for v in node.inputs if v.is_weight}
    return scope if inside <= own and _is_alone(model, scope, nodes) else place


def _is_alone(model: Model, place: tuple[str, ...], nodes: list[Node]) -> bool:
    """Whether a module does nothing but call these: a layer that is followed by a function has a place of its own in it."""
    own = set(nodes)
    inside = (n for n in model.graph if n not in own and n.op.name != "constant")
    return not any(tuple(s.name for s in n.origin.path)[: len(place)] == place for n in inside)


def _new_place(model: Model, nodes: list[Node], form: Form) -> tuple[str, ...]:
    """The module that is these nodes and no more, or a new one where they are: `dense`, `dense_2`."""
    scopes = {tuple(s.name for s in n.origin.path) for n in nodes}
    common = next(iter(scopes))
    for scope in scopes:
        common = common[
            : next((i for i, (a, b) in enumerate(zip(common, scope)) if a != b), min(len(common), len(scope)))
        ]
    if common and len(scopes) == 1 and _is_whole(model, common, nodes):
        return common
    if common and common[-1].isdigit():
        common = common[:-1] if len(scopes) > 1 else common
    taken = {tuple(n.split(".")[: len(common) + 1]) for n in model.weights}
    taken |= {tuple(s.name for s in n.origin.path)[: len(common) + 1] for n in model.graph}
    word = _word(form)
    number = 1
    while (place := (*common, word if number == 1 else f"{word}_{number}")) in taken:
        number += 1
    return place


def _is_whole(model: Model, place: tuple[str, ...], nodes: list[Node]) -> bool:
    """Whether a module holds these nodes, no others and no weights."""
    own = set(nodes)
    others = (n for n in model.graph if n not in own and tuple(s.name for s in n.origin.path)[: len(place)] == place)
    return next(others, None) is None and not any(tuple(n.split(".")[: len(place)]) == place for n in model.weights)


def _word(form: Form) -> str:
    """`layers.Conv2D(...)` -> `conv2d`."""
    assert isinstance(form.ctor, Call) and isinstance(form.ctor.func, Name)
    return snake_case(form.ctor.func.id.split(".")[-1]).replace("_2_d", "2d")
