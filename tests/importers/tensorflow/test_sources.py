"""Live sources: modules, functions and methods; names, structure and sizes."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import converter
from converter.errors import ConversionError, UsageError
from converter.importers.tensorflow import load
from ir.core import Branch, Constant, Leaf
from ir.data import Data
from tests.importers.tensorflow.agree import agree, floats, spec


class Dense(tf.Module):
    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.w = tf.Variable(floats(inputs, units), name="kernel")
        self.b = tf.Variable(floats(units, seed=1), name="bias", trainable=False)

    def __call__(self, x):
        return tf.nn.relu(x @ self.w + self.b)


class Block(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.parts = {"a": Dense(4, 4), "b": Dense(4, 4)}

    @tf.function
    def __call__(self, x):
        return self.parts["b"](self.parts["a"](x)) + self.parts["a"](x)


class Net(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [Dense(3, 4), Dense(4, 2)]
        self.block = Block()
        self.tied = self.layers[0].w
        self.spare = tf.Variable(1.0)
        self.text = tf.Variable("no number")

    @tf.function(input_signature=[spec(None, 3, name="x")])
    def __call__(self, x):
        x = self.block(self.block(self.layers[0](x)))
        return {"y": self.layers[1](x), "rest": (x, None, 3)}

    def plain(self, x, scale=2.0):
        return self.layers[0](x) * scale


@pytest.fixture(scope="module")
def net() -> Net:
    made = Net()
    made(tf.ones((1, 3)))  # functions inside are traced already
    return made


def paths(model) -> list[str]:
    """Module paths with calls, in order of appearance."""
    return list(dict.fromkeys(".".join(map(str, n.origin.path)) for n in model.nodes() if n.origin.path))


def test_module(net):
    """The tree of modules, each call of them, and every variable, read or not."""
    model = agree(net, [{"x": floats(n, 3)} for n in (1, 4)])
    assert paths(model) == [
        "layers.0", "block.parts.a", "block.parts.b", "block.parts.a#1", "block",
        "block#1.parts.a#2", "block#1.parts.b#1", "block#1.parts.a#3", "block#1", "layers.1",
    ]  # fmt: skip
    assert set(model.weights) == {
        "tied", "layers.0.b", "layers.1.w", "layers.1.b", "spare",
        "block.parts.a.w", "block.parts.a.b", "block.parts.b.w", "block.parts.b.b",
    }  # fmt: skip
    first = model.weights["tied"]
    assert first.kind == "parameter" and first.trainable and first.aliases == ("layers.0.w",)
    assert model.weights["layers.0.b"].trainable is False
    assert model.modules["block.parts.a"] == "Dense" and model.name == "Net"
    assert isinstance(first.data, Data) and np.array_equal(first.data.numpy(), net.layers[0].w.numpy())
    assert {n.origin.line for n in model.nodes() if n.origin.op == "MatMul"} == {f"test_sources.py:{line_of(Dense)}"}


def line_of(cls) -> int:
    """The line of the return statement of a class's call."""
    import inspect

    source, start = inspect.getsourcelines(cls.__call__)
    return start + next(i for i, text in enumerate(source) if "return" in text)


def test_function_of_a_module(net):
    model = agree(net.__call__, [{"x": floats(2, 3)}])
    assert "spare" not in model.weights and "block.parts.a.w" in model.weights
    assert model.signature.result == Branch(
        "dict", (Leaf("y"), Branch("tuple", (Leaf("rest.0"), Constant(None), Leaf("rest.2")))), ("y", "rest")
    )
    assert str(model.input_types["x"]) == "float32[batch, 3]"


def test_concrete_function(net):
    """Names of nodes tell the modules, names of variables the weights."""
    model = agree(net.__call__.get_concrete_function(), [{"x": floats(2, 3)}])
    assert {"kernel", "bias"} <= set(model.weights)


def test_method_that_is_no_function(net):
    model = agree(net.plain, [{"x": floats(5, 3)}], inputs=["float32[rows,3]"])
    assert str(model.input_types["x"]) == "float32[rows, 3]"
    assert paths(model) == ["layers.0"]


def test_name_scopes():
    """A graph that was traced before has only the names of its nodes. What differs by a counted ending and reads the same
    variables is called twice."""
    w, v = tf.Variable(floats(3, 3), name="enc/w"), tf.Variable(floats(3, 3), name="dec/w")

    @tf.function(input_signature=[spec(None, 3)])
    def f(x):
        with tf.name_scope("enc"):
            x = tf.einsum("ij,jk->ik", x, w) + 1.0
        with tf.name_scope("enc"):
            x = x @ w
        with tf.name_scope("dec"):
            return tf.nn.relu(x @ v)

    model = agree(f.get_concrete_function(), [{"x": floats(2, 3)}])
    assert paths(model) == ["enc", "enc#1", "dec"]
    assert list(model.weights) == ["enc.w", "dec.w"]


def test_nested_arguments():
    """Dicts are flattened by their keys in TensorFlow; the signature keeps the caller's order."""

    @tf.function
    def f(tree, *, scale, flag=True, pair=None):
        a, (b, c) = tree["b"], tree["a"]
        return [a * scale, b - c if flag else b, pair[1]]

    inputs = {
        "tree": {"b": floats(2, 3), "a": ("int32[n]", np.arange(3, dtype=np.int32))},
        "scale": 2.5,
        "pair": [floats(2), floats(3)],
    }
    model = load(f, inputs)
    assert list(model.input_types) == ["tree.b", "tree.a.0", "tree.a.1", "pair.0", "pair.1"]
    agree(
        f,
        [
            {
                "tree.b": floats(2, 3), "tree.a.0": np.arange(3, dtype=np.int32), "tree.a.1": np.ones(3, np.int32),
                "pair.0": floats(2), "pair.1": floats(3),
            }
        ],
        inputs=inputs,
    )  # fmt: skip


def test_dynamic_axes():
    @tf.function
    def f(x, y):
        return tf.reshape(x, [tf.shape(x)[0], -1]) + y

    model = agree(
        f, [{"x": floats(4, 2, 3), "y": floats(4, 6)}], inputs=[floats(2, 2, 3), floats(2, 6)],
        dynamic={"x": {0: "rows"}, "y": {0: "rows"}},
    )  # fmt: skip
    assert str(model.output_types["output"]) == "float32[rows, 6]"


def test_known_variables_keep_their_types():
    """An integer is not trained, whatever TensorFlow's default says; large constants are weights."""
    count, table = tf.Variable(3), floats(9, 4)

    @tf.function(input_signature=[spec(None, dtype="int32")])
    def f(i):
        return tf.gather(tf.constant(table), i) * tf.cast(count, tf.float32)

    model = agree(f, [{"i": np.array([0, 8, 3], np.int32)}])
    kinds = {n: (w.kind, w.trainable) for n, w in model.weights.items()}
    assert sorted(kinds.values(), key=str) == [("buffer", False), ("constant", None)]


@pytest.mark.parametrize(
    ("source", "inputs", "said"),
    [
        (lambda: tf.function(lambda x: x), None, "give inputs"),
        (lambda: tf.Module(), None, "no __call__"),
        (lambda: tf.function(lambda x: x, input_signature=[spec(None, 3)]), ["float32[n,4]"], "axis 1 is 3"),
        (lambda: tf.function(lambda x: x, input_signature=[spec(None)]), ["int32[n]"], "is float32"),
        (lambda: tf.function(lambda x: x, input_signature=[tf.TensorSpec(None)]), None, "has no rank"),
    ],
)
def test_unusable(source, inputs, said):
    with pytest.raises(UsageError, match=said):
        load(source(), inputs)


def test_refused_together():
    """Everything at once, with its place."""

    @tf.function(input_signature=[spec(None, dtype="float64")])
    def f(x):
        y = tf.numpy_function(np.sin, [x], tf.float64)
        return (
            tf.py_function(lambda v: v, [x], tf.float64) + y + tf.strings.to_number(tf.strings.as_string(x), tf.float64)
        )

    with pytest.raises(ConversionError) as error:
        load(f)
    assert {u.op for u in error.value.unsupported} >= {"PyFunc", "EagerPyFunc", "AsString"}
    assert "test_sources.py" in str(error.value)


def test_inputs_that_are_no_tensors():
    with pytest.raises(ConversionError, match="several"):
        load(tf.function(lambda x: x.values, input_signature=[tf.RaggedTensorSpec([None, None])]))
    with pytest.raises(ConversionError, match="string"):
        load(tf.function(lambda x: tf.strings.length(x), input_signature=[tf.TensorSpec([None], tf.string)]))


def test_every_way_out(net):
    """The same module verified as PyTorch and ONNX; its classes are those of the source."""
    done = converter.convert(net, to="torch")
    assert done.report.verification is not None and done.report.verification.passed
    text = (done.path / "model.py").read_text()
    assert "class Dense" in text and "class Block" in text and "nn.ModuleList" in text
    loaded = done.load()
    assert sum(p.numel() for p in loaded.parameters() if p.requires_grad) == 1 + 12 + 8 + 16 + 16


def test_a_function_that_cannot_be_traced_is_one_line() -> None:
    function = tf.function(lambda x: tf.ones(3) + tf.ones(4) + x)
    with pytest.raises(UsageError, match="cannot be traced: ValueError: Dimensions must be equal") as told:
        converter.load(function, (np.float32(1),))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("signature", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_any_number_of_inputs(signature: bool, named: bool) -> None:
    """`*xs` is as many inputs as are given, under the names that TensorFlow gives them."""

    def call(x, *xs, by=2.0):
        return x + xs[0] * by - xs[1]

    function = tf.function(call, input_signature=[spec(None)] * 3 if signature else None)
    names = ["x", "xs_0", "xs_1"]
    specs = dict.fromkeys(names, "float32[n]") if named and signature else ("float32[n]",) * 3
    model = agree(function, [{n: floats(4, seed=i) for i, n in enumerate(names)}], specs)
    assert [str(v.type.shape) for v in model.graph.inputs] == ["(n,)"] * 3
    if signature:
        agree(function, [{n: floats(4, seed=i) for i, n in enumerate(names)}])


def test_nothing_but_any_number_of_inputs() -> None:
    function = tf.function(lambda *xs: xs[0] - xs[1], input_signature=[spec(None)] * 2)
    agree(function, [{"xs_0": floats(4), "xs_1": floats(4, seed=1)}], (floats(4), floats(4)))
