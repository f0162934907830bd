"""How the suite is run: which tests go to one worker, which start first, and what is prepared once a process."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
from collections import Counter
from typing import Any

import pytest

MEMORY = "/dev/shm"
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 2**32:
    os.environ["TMPDIR"] = MEMORY  # before anybody asks: tens of thousands of small files, which a disk takes minutes for
    tempfile.tempdir = None

gc.disable()  # while modules are imported and tests collected nothing is garbage
os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # others run in processes of their own
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# TensorFlow takes oneDNN's kernels where the processor has AVX-512 for neural networks: they convolve what its own refuse to,
# and others end the process. The tests are of its own, on every machine; `make test-tensorflow` is of what the machine has.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

SHARED = {
    "tests/models/test_zoo": "zoo", "tests/models/test_faults.py": "zoo", "tests/models/test_noise.py": "zoo",
    "tests/importers/torch/test_zoo.py": "zoo", "tests/exporters/torch/test_models.py": "zoo",
    "tests/exporters/onnx/test_round_trip.py": "zoo",
    "tests/exporters/keras/": "keras", "tests/exporters/tensorflow/": "keras", "tests/models/test_keras_": "keras",
    "tests/models/test_tensorflow_": "keras", "tests/importers/keras/test_ops.py": "keras", "tests/importers/keras/test_legacy_": "keras",
    "tests/importers/keras/test_on_torch.py": "keras", "tests/suites/test_indexing_keras.py": "keras",
    "tests/suites/test_indexing_tensorflow.py": "keras", "tests/cli/test_keras_files.py": "keras",
}  # fmt: skip
"""Files, by how their path begins, that one worker runs: they share what is imported once a process (`tests.models.zoo`), or
the processes of Keras' backends (`tests.warm`)."""

LONGEST = (
    "keras",
    "zoo",
    "tests/importers/torch/test_ops.py",
    "tests/exporters/onnx/test_samples.py",
    "tests/exporters/torch/test_generated.py",
    "tests/random_graphs/test_random_graphs.py",
    "tests/ops/test_generated.py",
)
"""What takes minutes starts first, longest first, so that no worker is left alone with it; what follows is many and short."""


def together(nodeid: str) -> str:
    """The group of a test: those of a group run one after another in one process, as their caches are a process's own."""
    file = nodeid.partition("::")[0]
    return next((group for start, group in SHARED.items() if file.startswith(start)), file)


def pytest_configure(config: pytest.Config) -> None:
    """Who only hands tests to workers collects none."""
    if getattr(config.option, "numprocesses", None):
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long groups first, then those of many tests; the order of tests within a group stays."""
    if not hasattr(config, "workerinput"):
        return
    sizes = Counter(together(item.nodeid) for item in items)
    rank = {group: (LONGEST.index(group) if group in LONGEST else len(LONGEST), -n) for group, n in sizes.items()}
    items.sort(key=lambda item: (rank[together(item.nodeid)], together(item.nodeid)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadfile`: groups instead of files, in the order above."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Groups(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    config.option.loadscopereorder = False
    return Groups(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is collected stays until the end: it is not looked through for garbage again, nor all else as often as usual
    (an export makes millions of small objects). Hundreds of small exports share what PyTorch prepares for each, and what runs
    written packages begins with its framework imported; commands that tests start, and real-sized models, have all as it is."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()
    sys.dont_write_bytecode = True  # of thousands of emitted files, each imported once
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if "torch" in sys.modules and session.config.option.markexpr != "models":
        from tests.suites import faster_export
        from tests.warm import runtimes

        faster_export.install()
        runtimes.installed().start()
