"""How conversion time grows with the number of nodes: `python -m benchmarks.growth`.

Prints milliseconds of CPU time per node of every step for ONNX graphs of several sizes: a plain chain, blocks with shortcuts, and
blocks under module paths. A step is linear when a row stays level; the last column is the last over the first.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ir.core import Builder, Graph, Leaf, Model, Origin, Parameter, Scope, Signature, Value, copy_model
from ir.data import Array, Weight
from ir.text import format_model, parse
from ir.types import symbol, tensor_type

NODES = (500, 1000, 2000, 4000)
WIDTH = 4


def chain(nodes: int) -> Model:
    """Elementwise ops one after the other, no module paths: the flattest graph there is."""
    model, x, b = _start()
    for i in range(nodes):
        x = (b.relu, b.neg, b.tanh, b.exp)[i % 4](x)
    return _finish(model, x)


def shortcuts(nodes: int) -> Model:
    """Linear, activation, sum with what went in; every weight its own."""
    model, x, b = _start()
    for i in range(nodes // 3):
        x = b.add(x, b.relu(b.linear(x, _weight(model, f"w{i}"))))
    return _finish(model, x)


def modules(nodes: int) -> Model:
    """The same as a list of modules."""
    model, x, b = _start()
    for i in range(nodes // 3):
        path = (Scope("layers", "ModuleList", 0), Scope(str(i), "Block", 0))
        with b.at(Origin("aten.linear", path=(*path, Scope("fc", "Linear", 0)))):
            inner = b.linear(x, _weight(model, f"layers.{i}.fc.weight"))
        with b.at(Origin("aten.relu", path=path)):
            x = b.add(x, b.relu(inner))
    return _finish(model, x)


def different(nodes: int) -> Model:
    """Values that live long: every fourth is summed up at the end."""
    model, x, b = _start()
    kept = []
    for i in range(nodes // 2):
        x = b.add(x, b.relu(x))
        kept += [x] if i % 4 == 0 else []
    total = kept[0]
    for value in kept[1:]:
        total = b.mul(total, value)
    return _finish(model, total)


def constants(nodes: int) -> Model:
    """Every node reads a constant of its own."""
    model, x, b = _start()
    for i in range(nodes // 2):
        x = b.add(x, b.constant(np.arange(WIDTH, dtype=np.float32) + i))
    return _finish(model, x)


def branches(nodes: int) -> Model:
    """A branch that the run decides, after every other node."""
    model, x, b = _start()
    for _ in range(nodes // 7):
        test = b.greater(b.reduce_sum(x), 0.0)
        bodies = {name: Graph(name) for name in ("then", "else")}
        for name, body in bodies.items():
            inside = body.add_input(x.type, "inside")
            inner = Builder(body)
            body.set_outputs([inner.relu(inside) if name == "then" else inner.tanh(inside)])
        x = b.cond(test, [x], then=bodies["then"], else_=bodies["else"])[0]
    return _finish(model, x)


def sizes(nodes: int) -> Model:
    """Sizes that follow from the input's, each another: 2 * batch, 3 * batch, ..."""
    model, x, b = _start()
    grown = x
    for _ in range(nodes // 4):
        grown = b.concat([grown, x], axis=0)
        flat = b.reshape(grown, shape=(grown.type.shape[0] * WIDTH,))
        grown = b.relu(b.reshape(flat, shape=grown.type.shape))
    return _finish(model, grown)


SHAPES: dict[str, Callable[[int], Model]] = {
    "chain": chain, "shortcuts": shortcuts, "modules": modules, "long lives": different,
    "constants": constants, "branches": branches, "sizes": sizes,
}  # fmt: skip


def _start() -> tuple[Model, Value, Builder]:
    model = Model("net", Signature((Parameter("x", Leaf("x")),), Leaf("output")))
    return model, model.graph.add_input(tensor_type("float32", symbol("batch"), WIDTH), "x"), Builder(model.graph)


def _weight(model: Model, name: str) -> Value:
    return model.add_weight(Weight(name, Array(np.eye(WIDTH, dtype=np.float32)), trainable=True))


def _finish(model: Model, result: Value) -> Model:
    model.graph.set_outputs([result])
    return model


def steps(model: Model, folder: Path) -> dict[str, float]:
    """CPU seconds of each step of converting the model to ONNX, back, and to PyTorch."""
    import converter.exporters.onnx as to_onnx
    import converter.exporters.torch as to_torch
    from converter.prepare import prepare
    from converter.sources import open_source
    from ir.verify import check

    seconds: dict[str, float] = {}

    def timed(name: str, run: Callable[[], Any]) -> Any:
        gc.collect()
        gc.disable()  # Python's collector walks all objects now and then: not our growth
        start = time.process_time()
        result = run()
        seconds[name] = time.process_time() - start
        gc.enable()
        return result

    file, package = folder / "model.onnx", folder / "package"
    timed("copy", lambda: copy_model(model))
    timed("verify", lambda: check(model))
    text = timed("print text", lambda: format_model(model))
    timed("parse text", lambda: parse(text))
    timed("passes", lambda: prepare(copy_model(model)))
    timed("to ONNX", lambda: to_onnx.write(model, file))
    read = timed("from ONNX", lambda: open_source(file).load(None))
    timed("passes after ONNX", lambda: prepare(read))
    timed("to PyTorch", lambda: to_torch.write(read, package))
    return seconds


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("shapes", nargs="*", default=[*SHAPES], help=", ".join(SHAPES))
    parser.add_argument("--nodes", type=int, nargs="+", default=NODES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        steps(chain(8), Path(folder))  # imports and caches
    for shape in options.shapes:
        rows: dict[str, list[float]] = {}
        for nodes in options.nodes:
            model = SHAPES[shape](nodes)
            with tempfile.TemporaryDirectory() as folder:
                for name, seconds in steps(model, Path(folder)).items():
                    rows.setdefault(name, []).append(1000 * seconds / len(model.graph))
        print(f"{shape + ', ms a node':22}" + "".join(f"{n:>9}" for n in options.nodes) + f"{'ratio':>9}")
        for name, values in rows.items():
            print(f"{name:22}" + "".join(f"{v:9.3f}" for v in values) + f"{values[-1] / max(values[0], 1e-9):9.2f}")


if __name__ == "__main__":
    main()
