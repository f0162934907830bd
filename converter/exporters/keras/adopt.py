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
from converter.exporters.keras.table import form_of
from converter.exporters.outline.instances import Form
from ir.core import Model, Node, Scope, Value

Axes = tuple[int, ...]
_Claim = tuple[str, Axes]
"""What a layer calls a weight, and how it stores it."""


@dataclass(eq=False)
class Adoption:
    """`forms` are the nodes that are layers, `axes` the stored order of adopted weights."""

    forms: dict[Node, Form] = field(default_factory=dict)
    axes: dict[Value, Axes] = field(default_factory=dict)

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
    return Adoption(forms, axes)


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
        number = 1
        while (place := (*path, "dropout" if number == 1 else f"dropout_{number}")) in places:
            number += 1
        places.add(place)
        node.origin = replace(node.origin, path=(*node.origin.path, Scope(place[-1], "Dropout")))


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
    place = _place(model, values)
    if place is None:
        place = _new_place(model, nodes, first)
    for attr, value in first.weights.items():
        old, new = value.name, ".".join((*place, attr))
        if old != new:
            if model.weights[old].source_name is None:
                model.update_weight(old, source_name=names[old])
            model.rename_weight(old, new)
            names[new] = names.pop(old)


def _place(model: Model, values: list[Value]) -> tuple[str, ...] | None:
    """The module that holds these weights and nothing else."""
    parents = {tuple(v.name.split(".")[:-1]) for v in values}
    if len(parents) != 1:
        return None
    (place,) = parents
    own = {v.name for v in values}
    other = [n for n in model.weights if n not in own and tuple(n.split(".")[: len(place)]) == place]
    return place if place and not other else None


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
