"""Arrays across process borders."""

import ml_dtypes
import numpy as np
import pytest

from converter.runtimes.arrays import load_arrays, save_arrays
from ir.types import dtypes


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=str)
@pytest.mark.parametrize("shape", [(), (2, 3), (0, 2)])
def test_every_dtype_survives(tmp_path, dtype, shape):
    array = np.ones(shape).astype(dtype.numpy)
    save_arrays(tmp_path / "a.npz", {"x.0": array})
    back = load_arrays(tmp_path / "a.npz")["x.0"]
    assert back.dtype == array.dtype and back.shape == shape
    assert np.array_equal(back.astype(complex), array.astype(complex))


def test_objects_are_never_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="pickle"):
        load_arrays(tmp_path / "a.npz")


def test_plain_npz_files_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    assert load_arrays(tmp_path / "a.npz")["x"].tolist() == [0, 1, 2]


def test_bfloat16_keeps_its_bits(tmp_path):
    array = np.array([1.5, -0.0, np.inf, np.nan], ml_dtypes.bfloat16)
    save_arrays(tmp_path / "a.npz", {"x": array})
    assert load_arrays(tmp_path / "a.npz")["x"].view(np.uint16).tolist() == array.view(np.uint16).tolist()
