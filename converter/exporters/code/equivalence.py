"""What the regression tests of all packages have in common: nested values from and to flat names."""

from __future__ import annotations

TREES = '''def build(tree, leaves):
    """A nested value of the signature from tensors by flat name."""
    if "leaf" in tree:
        return leaves[tree["leaf"]]
    if "constant" in tree:
        return tree["constant"]
    kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
    children = [build(child, leaves) for child in tree[kind]]
    if kind == "dict":
        return dict(zip(tree["keys"], children))
    if kind == "namedtuple":
        return namedtuple("Fields", tree["keys"], rename=True)(*children)
    return children if kind == "list" else tuple(children)


def flatten(value, tree):
    """(flat name, tensor) pairs of a result."""
    if "leaf" in tree:
        yield tree["leaf"], value
    elif "constant" not in tree:
        kind = next(k for k in ("tuple", "list", "dict", "namedtuple") if k in tree)
        children = [value[k] for k in tree["keys"]] if kind == "dict" else list(value)
        for child, subtree in zip(children, tree[kind]):
            yield from flatten(child, subtree)
'''

SAMPLES = '''def samples():
    """Recorded calls, number -> {"input": {name: array}, "output": {...}}, and the tolerance of each output."""
    path = HERE / "samples.npz"
    cases, tolerances = {}, {}
    if not path.exists():
        return cases, tolerances
    with np.load(path) as archive:
        kinds = json.loads(str(archive["__dtypes__"]))
        for key in archive.files:
            group, _, rest = key.partition(".")
            array = archive[key]
            if group == "tolerance":
                tolerances[rest] = float(array)
            elif key != "__dtypes__":
                number, _, name = rest.partition(".")
                array = array.view(np.dtype(kinds[key])) if key in kinds else array
                cases.setdefault(number, {"input": {}, "output": {}})[group][name] = array
    return cases, tolerances
'''
"""Recorded samples as NumPy arrays."""
