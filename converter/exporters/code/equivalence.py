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
