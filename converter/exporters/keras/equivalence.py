"""The package's own regression test, as written beside the model."""

from __future__ import annotations

from converter.exporters.code.equivalence import Spelling

_KIND = '''\
kind = backend.standardize_dtype(ops.convert_to_tensor(expected).dtype)  # JAX may have 32 bits only
actual = outputs[name]
found = backend.standardize_dtype(actual.dtype)
assert found == kind, f"{name} is {found}, expected {kind}"
'''
_WIDE = '''\
flat = np.asarray(ops.convert_to_numpy(ops.reshape(actual, (-1,))))
a, b = flat.astype(np.float64), expected.reshape(-1).astype(np.float64)
'''
TEST_SOURCE = Spelling(
    framework="Keras",
    imports="from keras import backend, ops",
    tensor="ops.convert_to_tensor(array)",
    start="[(v, ops.convert_to_numpy(v)) for v in model.non_trainable_variables]",
    kind=_KIND,
    wide=_WIDE,
).test()
