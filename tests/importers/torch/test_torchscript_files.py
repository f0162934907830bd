"""TorchScript files: recognised from the archive, checked as data before anything is loaded, run by no one else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import converter
from converter.errors import ConversionError, UntrustedSource, UsageError
from converter.importers.base import ImportOptions
from converter.importers.torch import load
from tests.importers.torch import scripted as m
from tests.importers.torch.test_torchscript import Case, agrees, x

HERE = (x(2, 3),)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.jit.save(torch.jit.script(m.IfOnTensor()), str(tmp_path / "net.pt"))
    return tmp_path / "net.pt"


@pytest.fixture
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_it(*args: object, **kwargs: object) -> None:
        raise AssertionError("the file was loaded")

    monkeypatch.setattr(torch.jit, "load", load_it)


def test_a_file_is_recognised_by_what_it_holds(archive: Path) -> None:
    other = archive.with_name("any.name")
    other.write_bytes(archive.read_bytes())
    agrees(torch.jit.load(str(other)), load(other, HERE), Case(m.IfOnTensor, HERE))


def rewritten(path: Path, member: str, change: Callable[[bytes], bytes | None], *, added: str = "") -> Path:
    """The archive with one member changed (dropped where the change gives None)."""
    data = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(data, "w") as new:
        assert any(n.endswith(member) for n in old.namelist())
        for info in old.infolist():
            content: bytes | None = old.read(info)
            if info.filename.endswith(member):
                content = change(old.read(info))
            if content is not None:
                new.writestr(info.filename, content)
        if added:
            new.writestr(added, b"")
    path.write_bytes(data.getvalue())
    return path


CODE = "code/__torch__/tests/importers/torch/scripted.py"


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(
    ("member", "change", "error", "text"),
    [
        (CODE, lambda b: b.replace(b"torch.lt(", b"torch.from_file("), ConversionError, "aten::from_file"),
        (CODE, lambda b: b.replace(b"torch.lt(", b"torch.save("), ConversionError, "aten::save"),
        (CODE, lambda b: b.replace(b"torch.lt(", b"torch.frobnicate("), ConversionError, "aten::frobnicate"),
        (CODE, lambda b: b.replace(b"torch.lt(", b"ops.mine.lt("), ConversionError, "mine::lt"),
        (CODE, lambda b: b.replace(b"torch.lt(", b"ops.prim.rpc_sync("), ConversionError, "prim::rpc_sync"),
        (CODE, lambda b: b.replace(b"torch.lt(", b"__torch__.torch.classes.a.B.lt("), ConversionError, "classes"),
        (CODE, lambda b: b"import os\n(", UsageError, "is no TorchScript"),
        (CODE, lambda b: b"\xff\xfe\x00", UsageError, "is no TorchScript"),
        ("data.pkl", lambda b: b[:40], UsageError, "is no pickle of a program"),
        ("data.pkl", lambda b: b.replace(b"__torch__.tests", b"__torch__.torch.classes.tests"), UntrustedSource, "would make a"),
        ("data.pkl", lambda b: b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00trueq\x00\x85R.", UntrustedSource, "os.system"),
        ("data.pkl", lambda b: None, UsageError, "damaged|without data.pkl|no PyTorch file"),
        ("constants.pkl", lambda b: b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00trueq\x00\x85R.", UntrustedSource, "posix.system"),
        ("data/0", lambda b: b[:4], UsageError, "bytes of storage 0 are missing"),
        ("data/1", lambda b: None, UsageError, "bytes of storage 1 are missing"),
    ],
)  # fmt: skip
def test_hostile_archives_are_refused_unloaded(archive: Path, member: str, change, error, text: str) -> None:
    with pytest.raises(error, match=text):
        load(rewritten(archive, member, change), HERE)


@pytest.mark.usefixtures("unloaded")
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(tmp_path: Path) -> None:
    """PyTorch's own reader takes shape and strides for granted: reading them would leave the storage."""
    module = nn.Module()
    module.register_buffer("weight", torch.zeros(3, 5))
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.script(module), str(path))
    rewritten(path, "data.pkl", lambda b: b.replace(b"K\x03K\x05", b"K\x7fK\x05"))
    with pytest.raises(UsageError, match="reaches beyond its storage"):
        load(path, HERE)


@pytest.mark.usefixtures("unloaded")
def test_paths_that_leave_the_archive_are_refused(archive: Path) -> None:
    rewritten(archive, CODE, lambda b: b, added="net/../../code/x.py")
    with pytest.raises(UsageError, match="do not lie in one folder"):
        load(archive, HERE)


@pytest.mark.usefixtures("unloaded")
def test_storages_that_would_be_unpacked_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.save(torch.jit.script(m.IfOnTensor()), str(path))
    with zipfile.ZipFile(path) as old:
        members = {n: old.read(n) for n in old.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in members.items():
            new.writestr(name, content)
    with pytest.raises(UsageError, match="is compressed"):
        load(path, HERE)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.95])
def test_truncated_archives(archive: Path, keep: float) -> None:
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(UsageError):
        load(archive, HERE)


def test_trust_skips_the_check_and_not_the_rules(archive: Path) -> None:
    load(archive, HERE, options=ImportOptions(trust=True))
    torch.jit.save(torch.jit.script(m.Unknown()), str(archive))
    with pytest.raises(ConversionError) as caught:
        load(archive, HERE, options=ImportOptions(trust=True))
    assert [u.op for u in caught.value.unsupported] == ["aten::_cslt_compress", "aten::_fused_dropout"]
    assert caught.value.unsupported[0].count == 2 and "scripted.py:" in caught.value.unsupported[0].place


def test_converted_and_verified(tmp_path: Path) -> None:
    """Through the front door: a program with state, its branches and loops, to source and to ONNX."""
    torch.manual_seed(0)
    program = torch.jit.script(m.StateInBranch())
    torch.jit.save(program, str(tmp_path / "state.pt"))
    for to, name in (("torch", "package"), ("onnx", "state.onnx")):
        report = converter.convert(tmp_path / "state.pt", to, tmp_path / name, ("float32[2,3]",)).report
        assert report.verification.verdict == "equal", report.verification.summary()
    package = converter.convert(tmp_path / "state.pt", "torch", inputs=("float32[2,3]",)).load()
    for k in range(4):
        inputs = x(2, 3, seed=k)
        torch.testing.assert_close(package(inputs), program(inputs))
