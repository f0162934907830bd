"""The package's own regression test, as written beside the model."""

from __future__ import annotations

from converter.exporters.code.equivalence import Spelling

_KIND = '''\
actual, kind = outputs[name], tf.as_dtype(expected.dtype)
assert actual.dtype == kind, f"{name} is {actual.dtype.name}, expected {kind.name}"
'''
_WIDE = '''\
wide = np.complex128 if kind.is_complex else np.float64
a, b = (np.reshape(t, -1).astype(wide) for t in (tf.reshape(actual, [-1]).numpy(), expected))
'''
TEST_SOURCE = Spelling(
    framework="TensorFlow",
    imports="import tensorflow as tf",
    tensor="tf.constant(array)",
    start="[(v, v.numpy()) for v in model.variables]",
    kind=_KIND,
    wide=_WIDE,
).test()
