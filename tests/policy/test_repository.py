"""The repository holds nothing that ties it to one machine."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.policy.source import ROOT

MACHINE_PATH = re.compile(r"(?<![\w.~:/-])/(?:home|work|root|Users|tmp|mnt|srv|data|scratch|workspace)/\w+")
PACKAGE_HOST = re.compile(r"--(?:extra-)?index-url|--find-links|download\.pytorch\.org/whl|files\.pythonhosted")
MAX_BYTES = 1_000_000


def tracked() -> list[str]:
    """The files git knows."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[str, str]:
    found = {}
    for name in tracked():
        data = (ROOT / name).read_bytes()
        if b"\0" not in data[:8192]:
            found[name] = data.decode("utf-8", errors="replace")
    return found


def _hits(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts().items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_machine_paths() -> None:
    assert not _hits(MACHINE_PATH)


def test_no_package_hosts() -> None:
    assert not [h for h in _hits(PACKAGE_HOST) if not h.startswith("tests/policy/test_repository.py")]


def test_the_pattern_matches_paths() -> None:
    bad = ["open('/" + "home/ada/x')", "cd /" + "work/main", 'p = "/' + 'tmp/a"']
    assert all(MACHINE_PATH.search(line) for line in bad)
    good = ["a/home/b", "https://example.org/data/x", "./work/x", "x = a /work", "/usr/lib/x.json"]
    assert not any(MACHINE_PATH.search(line) for line in good)


def test_no_large_files() -> None:
    large = [f"{n}: {s:,} bytes" for n in tracked() if (s := (ROOT / n).stat().st_size) > MAX_BYTES]
    assert not large, large
