"""An ONNX file and the weights beside it appear together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.errors import UsageError
from converter.output import check_target, publish, staging


def _stage(folder: Path, name: str) -> Path:
    written = folder / name
    written.write_text("model")
    (folder / f"{name}.data").write_text("weights")
    return written


def test_both_files_move(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("old")
    (tmp_path / "m.onnx.data").write_text("old weights")
    with staging(path) as folder:
        publish(_stage(folder, "m.onnx"), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "m.onnx.data"]
    assert path.read_text() == "model" and (tmp_path / "m.onnx.data").read_text() == "weights"


def test_under_another_name_they_become_a_folder(tmp_path: Path) -> None:
    """The file refers to its weights by name, so both keep theirs."""
    with staging(tmp_path / "m.onnx") as folder:
        publish(_stage(folder, "m.onnx"), tmp_path / "m.onnx.unverified")
    inside = tmp_path / "m.onnx.unverified"
    assert sorted(p.name for p in inside.iterdir()) == ["m.onnx", "m.onnx.data"]


def test_failure_restores_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("old")
    (tmp_path / "m.onnx.data").write_text("old weights")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "m.onnx" and self.parent != tmp_path:
            raise OSError("no")
        return rename(self, target)

    with staging(path) as folder:
        written = _stage(folder, "m.onnx")
        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="no"):
            publish(written, path)
        monkeypatch.undo()
    assert path.read_text() == "old" and (tmp_path / "m.onnx.data").read_text() == "old weights"
    assert len(list(tmp_path.iterdir())) == 2


def test_weights_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "m.onnx.data").write_text("somebody's")
    with pytest.raises(UsageError, match="m.onnx.data exists already"):
        check_target(tmp_path / "m.onnx", overwrite=False)
    check_target(tmp_path / "m.onnx", overwrite=True)
