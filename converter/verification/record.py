"""Leaving the proof beside the model: samples and certificate in a package, the certificate in an ONNX file's metadata."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from converter.runtimes.arrays import save_arrays
from converter.verification.run import Verification

SAMPLE_BYTES = 4 << 20
"""Samples in a package stay below this: the first case is always kept."""


def record(written: Path, verification: Verification) -> None:
    """Write samples and certificate of a verification into a freshly written package or ONNX file."""
    if written.is_dir():
        _write_samples(written / "samples.npz", verification)
        path = written / "metadata.json"
        metadata = json.loads(path.read_text())
        metadata["verification"] = verification.report.to_dict()
        path.write_text(json.dumps(metadata, indent=2) + "\n")


def _write_samples(path: Path, verification: Verification) -> None:
    """`input.<case>.<name>`, `output.<case>.<name>` (reference values in the output's dtype), `tolerance.<name>`: infinite
    for an output that is drawn at random."""
    arrays: dict[str, np.ndarray] = {}
    size = 0
    for k, sample in enumerate(s for s in verification.samples if len(s.expected.calls) == 1):
        axes = verification.input_axes
        given = {n: a.transpose(axes[n]) if n in axes else a for n, a in sample.expected.inputs.items()}
        found = {f"input.{k}.{n}": a for n, a in given.items()}
        found |= {f"output.{k}.{n}": sample.expected.reference[n].astype(a.dtype) for n, a in sample.converted.items()}
        size += sum(a.nbytes for a in found.values())
        if k and size > SAMPLE_BYTES:
            break
        arrays |= found
    arrays |= {f"tolerance.{o.name}": np.asarray(o.tolerance) for o in verification.report.outputs}
    arrays |= {f"tolerance.{name}": np.asarray(np.inf) for name in verification.report.not_compared}
    save_arrays(path, arrays)
