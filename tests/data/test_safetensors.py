"""safetensors files: what is written reads back; the reference library agrees; hostile files raise ValueError."""

from __future__ import annotations

import json
import struct
import weakref
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ir.data import Array, Lazy, Mapped
from ir.data.safetensors import read, write
from ir.types import dtypes, tensor_type


def arrays() -> dict[str, np.ndarray]:
    """One tensor of each dtype, every bit pattern among them, and odd shapes."""
    rng = np.random.default_rng(0)
    found = {}
    for d in dtypes.ALL:
        for shape in ((), (3,), (2, 5), (0, 4)):
            raw = rng.integers(0, 256, int(np.prod(shape)) * d.numpy.itemsize, dtype=np.uint8)
            array = np.frombuffer(raw.tobytes(), d.numpy).reshape(shape)
            if d.bits == 4 or d.is_bool:
                array = rng.integers(int(d.min), int(d.max) + 1, shape).astype(d.numpy)
            found[f"{d}.{'x'.join(map(str, shape))}"] = array
    return found


def test_every_dtype_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write(path, {n: Array(a) for n, a in arrays().items()}, {"note": "é"})
    found, metadata = read(path)
    assert metadata == {"note": "é"}
    assert found.keys() == arrays().keys()
    for name, array in arrays().items():
        back = found[name].numpy()
        assert found[name].type == Array(array).type
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes()), name
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_the_reference_library_reads_it_and_is_read(tmp_path: Path) -> None:
    plain = {n: a for n, a in arrays().items() if a.dtype.isbuiltin == 1 and a.dtype.kind in "biuf"}
    assert len(plain) > 40
    write(tmp_path / "ours", {n: Array(a) for n, a in plain.items()})
    for name, array in reference.load_file(tmp_path / "ours").items():
        assert array.tobytes() == plain[name].tobytes() and array.dtype == plain[name].dtype
    reference.save_file(plain, tmp_path / "theirs", {"a": "b"})
    found, metadata = read(tmp_path / "theirs")
    assert metadata == {"a": "b"}
    assert all(found[n].numpy().tobytes() == plain[n].tobytes() for n in plain)


def test_mapped_tensors_are_not_read_until_asked(tmp_path: Path) -> None:
    write(tmp_path / "w", {"a": Array(np.arange(6, dtype=np.float32))})
    data = read(tmp_path / "w")[0]["a"]
    assert isinstance(data, Mapped) and data.offset % 8 == 0
    assert not data.numpy().flags.writeable


def test_one_tensor_in_memory_at_a_time(tmp_path: Path) -> None:
    made: list[weakref.ref] = []

    def make() -> np.ndarray:
        assert all(ref() is None for ref in made), "the tensor before is still held"
        array = np.zeros(8, np.float32)
        made.append(weakref.ref(array))
        return array

    write(tmp_path / "w", {f"t{i}": Lazy(make, tensor_type("float32", 8)) for i in range(4)})
    assert len(read(tmp_path / "w")[0]) == 4


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w"
    write(path, {"a": Array(np.ones(2, np.float32))})

    def fail() -> np.ndarray:
        raise RuntimeError("no bytes")

    with pytest.raises(RuntimeError, match="no bytes"):
        write(path, {"a": Lazy(fail, tensor_type("float32", 2))})
    with pytest.raises(ValueError, match="is declared float32"):
        write(path, {"a": Lazy(lambda: np.ones(3, np.float32), tensor_type("float32", 2))})
    assert read(path)[0]["a"].numpy().tolist() == [1.0, 1.0]
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def file_of(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + body


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BYTES = bytes(8)
HOSTILE = {
    "empty": (b"", "shorter than a header"),
    "short": (b"1234567", "shorter than a header"),
    "huge header": (file_of({}, length=1 << 60), "does not fit"),
    "header past the end": (file_of({}, length=3), "does not fit"),
    "not utf-8": (file_of(b"\xff\xfe"), "not JSON"),
    "not json": (file_of(b"{..}"), "not JSON"),
    "deep json": (file_of(b"[" * 100_000), "not JSON"),
    "a list": (file_of([]), "not a JSON object"),
    "key twice": (file_of(b'{"a": 1, "a": 2}'), "repeats"),
    "no fields": (file_of({"a": {}}, BYTES), "three fields"),
    "one field more": (file_of({"a": {**entry(), "x": 1}}, BYTES), "three fields"),
    "unknown dtype": (file_of({"a": entry("F33")}, BYTES), "unknown dtype 'F33'"),
    "dtype a list": (file_of({"a": entry([])}, BYTES), "unknown dtype"),
    "negative size": (file_of({"a": entry(shape=[-2])}, BYTES), "not a list of sizes"),
    "fraction": (file_of({"a": entry(shape=[2.0])}, BYTES), "not a list of sizes"),
    "truth": (file_of({"a": entry(shape=[True, 2])}, BYTES), "not a list of sizes"),
    "rank": (file_of({"a": entry(shape=[1] * 65 + [2])}, BYTES), "not a list of sizes"),
    "overflow": (file_of({"a": entry(shape=[1 << 62, 4])}, BYTES), "does not hold"),
    "too short a range": (file_of({"a": entry(offsets=[0, 4])}, BYTES), "does not hold"),
    "backwards": (file_of({"a": entry(offsets=[8, 0])}, BYTES), "does not hold"),
    "outside": (file_of({"a": entry(offsets=[8, 16])}, BYTES), "leaves a gap"),
    "truncated": (file_of({"a": entry()}, BYTES[:-1]), "take 8 bytes, it holds 7"),
    "trailing": (file_of({"a": entry()}, BYTES + b"x"), "take 8 bytes, it holds 9"),
    "overlap": (file_of({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "overlaps"),
    "gap": (file_of({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20)), "gap"),
    "metadata": (file_of({"__metadata__": {"a": 1}}), "names to strings"),
    "other type": (file_of({"__metadata__": {"isomorph.dtype:a": "int4[3]"}, "a": entry()}, BYTES), "is stored as"),
    "bad type": (file_of({"__metadata__": {"isomorph.dtype:a": "int4[-3]"}, "a": entry()}, BYTES), "not a type"),
    "no such": (file_of({"__metadata__": {"isomorph.dtype:b": "int4[3]"}, "a": entry()}, BYTES), "not there"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_raise(name: str, tmp_path: Path) -> None:
    raw, message = HOSTILE[name]
    (tmp_path / "bad").write_bytes(raw)
    with pytest.raises(ValueError, match=f"^bad is not a sound safetensors file: .*{message}"):
        read(tmp_path / "bad")


def test_the_builder_of_hostile_files_builds_good_ones(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(file_of({"a": entry()}, BYTES))
    assert read(tmp_path / "good")[0]["a"].numpy().tolist() == [0.0, 0.0]


@given(cut=st.integers(0, 400), flips=st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4))
@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_damaged_files_read_or_raise(cut: int, flips: list, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    write(folder / "w", {"a": Array(np.ones((2, 3), np.float32)), "b": Array(np.arange(5, dtype=dtypes.int4.numpy))})
    raw = bytearray((folder / "w").read_bytes())
    for place, byte in flips:
        raw[place % len(raw)] = byte
    (folder / "w").write_bytes(bytes(raw[: len(raw) - cut] if cut < len(raw) else b""))
    try:
        found, _ = read(folder / "w")
    except ValueError:
        return
    for data in found.values():
        assert data.numpy().shape == data.type.shape
