"""Output appears whole or not at all."""

import os

import pytest

from converter.errors import UsageError
from converter.output import check_target, publish, staging


def test_existing_output_needs_overwrite(tmp_path):
    target = tmp_path / "out"
    target.mkdir()
    with pytest.raises(UsageError, match="overwrite"):
        check_target(target, overwrite=False)
    check_target(target, overwrite=True)


def test_a_file_in_the_way_of_the_parent_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is not a writable folder"):
        check_target(tmp_path / "file" / "out", overwrite=False)


def test_staging_leaves_nothing_behind_on_failure(tmp_path):
    with pytest.raises(RuntimeError), staging(tmp_path / "out") as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_publish_replaces_and_restores(tmp_path, monkeypatch):
    old, new = tmp_path / "out", tmp_path / "new"
    for path, text in ((old, "old"), (new, "new")):
        path.mkdir()
        (path / "f").write_text(text)
    real = type(old).rename

    def fails(self, target):
        if self == new:
            raise OSError("disk full")
        return real(self, target)

    monkeypatch.setattr(type(old), "rename", fails)
    with pytest.raises(OSError, match="disk full"):
        publish(new, old)
    assert (old / "f").read_text() == "old"
    monkeypatch.undo()
    publish(new, old)
    assert (old / "f").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["out"]
