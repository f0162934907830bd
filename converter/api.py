"""The public functions: load, convert, run, verify."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from converter import frameworks
from converter.errors import UsageError, VerificationError
from converter.exporters.base import ExportOptions
from converter.importers.base import ImportOptions
from converter.output import check_target, publish, staging
from converter.policies import INDEX_POLICIES, IndexPolicy
from converter.prepare import op_counts, prepare
from converter.runtimes import load_native, open_runner
from converter.runtimes.artifacts import ARTIFACTS, write_artifacts
from converter.sources import Source, open_source
from converter.steps import Progress, Steps
from converter.verification import Verification, VerificationReport, verify_models
from converter.verification.inputs import has_values, input_arrays, make_cases
from converter.verification.record import record
from ir.core import Model, copy_model
from ir.ops.axes import Layout

DEFAULT_NAMES = {"onnx": "model.onnx"}


@dataclass
class Report:
    """What a conversion did: user-facing notes, op counts before and after, seconds per step, passes that changed the
    model, and the verification (None when it was skipped)."""

    source: str
    target: str
    notes: list[str] = field(default_factory=list)
    ops: dict[str, int] = field(default_factory=dict)
    timings: dict[str, float] = field(default_factory=dict)
    passes: dict[str, int] = field(default_factory=dict)
    verification: VerificationReport | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "source": self.source, "target": self.target, "notes": self.notes, "ops": self.ops, "timings": self.timings,
            "passes": self.passes, "verification": self.verification.to_dict() if self.verification else None,
        }  # fmt: skip


@dataclass
class Conversion:
    """A finished conversion. `path` is the written package folder or file."""

    path: Path
    target: str
    report: Report
    model: Model = field(repr=False)
    _keep: Any = field(default=None, repr=False)  # the temporary folder behind `path`, when no output was named

    def load(self) -> Any:
        """The live native object: an `nn.Module` in eval mode, a `ModelProto`."""
        return load_native(self.path, self.target)


def load(source: Any, inputs: Any = None, *, framework: str | None = None, **options: Any) -> Model:
    """Read a model into the IR.

    `source` is a path or live object of any framework that can be read; `inputs` are example arrays, framework tensors
    or specs (`"float32[batch,3,224,224]"`) as tuple, list or dict; `options` are the fields of `ImportOptions`.
    Raises ConversionError naming everything unsupported at once, UsageError for a bad file.
    """
    return open_source(source, framework, ImportOptions(**options)).load(inputs)


def convert(
    source: Any,
    to: str,
    output: str | Path | None = None,
    inputs: Any = None,
    *,
    overwrite: bool = False,
    verify: bool = True,
    opset: int | None = None,
    index_policy: IndexPolicy = "source",
    input_layout: Layout | None = None,
    artifacts: Sequence[str] = (),
    serve_with: Sequence[str | Path] = (),
    seed: int = 0,
    rtol: Any = None,
    atol: Any = None,
    framework: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Conversion:
    """Convert `source` to framework `to`, verify the result against the float64 reference, and write it.

    `index_policy` is for indices that the target treats in another way: with `source` the report's notes tell what may
    differ, with `strict` the written model checks them (see docs/indexing.md). `input_layout` (`channels_first` or
    `channels_last`) is how the written model takes its images; the source's way when None. `artifacts` are further files
    of a package: Keras' `weights.h5`, its variables, and `keras`, the model without code, where Keras' own layers do;
    TensorFlow's `saved_model`, which serves the model and the packages `serve_with` under their sources' names.
    The result appears at `output` whole or not at all (a temporary place when None, kept while the Conversion lives).
    Raises ConversionError (with `.unsupported`), UsageError, or VerificationError when the written model does not
    agree: it is then at `OUTPUT.unverified` with its report, and `output` is untouched.
    """
    if to not in frameworks.TARGETS:
        raise UsageError(f"{to!r} is no target; targets: {', '.join(frameworks.TARGETS)}")
    if opset is not None and to != "onnx":
        raise UsageError(f"an opset is a version of ONNX; there is none for {to}")
    if index_policy not in INDEX_POLICIES:
        raise UsageError(f"{index_policy!r} is no index policy; policies: {', '.join(INDEX_POLICIES)}")
    if input_layout not in (None, "channels_first", "channels_last"):
        raise UsageError(f"{input_layout!r} is no layout; layouts: channels_first, channels_last")
    others = _beside(to, artifacts, serve_with)
    keep, path = _output_path(output, to)
    check_target(path, overwrite)
    steps = Steps(progress)
    opened = open_source(source, framework, ImportOptions(index_policy=index_policy, **options))
    with steps("import"):
        model = opened.load(inputs)
    imported = copy_model(model)  # the reference is the model as read, so that a wrong pass shows
    report = Report(opened.framework, to, ops=op_counts(model), notes=list(model.notes))
    with steps("optimise"):
        report.passes = prepare(model, target=to, input_layout=input_layout).counts()
    exporter = importlib.import_module(f"converter.exporters.{to}")
    with staging(path) as folder:
        written = folder / path.name
        with steps("export"):
            exporter.write(model, written, ExportOptions(opset=opset, index_policy=index_policy))
            if artifacts:
                write_artifacts(to, written, artifacts, others)
        report.notes = list(model.notes)
        if verify:
            with steps("verify"):
                verification = _verify_written(opened, imported, written, to, inputs, seed, rtol, atol)
            report.verification = verification.report
            record(written, verification)
        report.timings = steps.seconds
        if report.verification is not None and report.verification.verdict == "mismatch":
            _reject(written, path, report)
        publish(written, path)
    return Conversion(path, to, report, model, keep)


def run(
    model: Any, inputs: Any, provider: str | None = None, *, seed: int = 0, framework: str | None = None, **options: Any
) -> dict[str, np.ndarray]:
    """Run any model on NumPy inputs: a path, a live object, a converted package or an `ir.Model`.

    `inputs` is a dict by flat name (or nested as the signature), or a tuple or list in signature order; specs (or None)
    draw seeded values. `provider` chooses the device (`cpu`, `cuda`, `webgpu`, ...), for a Keras package the backend
    (`tensorflow`, `jax`, `torch`). Returns outputs by flat name, in signature order. Raises UsageError
    when the inputs do not fit and RuntimeFailure when the model itself fails.
    """
    chosen = ImportOptions(**options)
    with closing(open_runner(model, inputs, provider, framework, chosen)) as runner:
        if has_values(inputs):
            return runner(input_arrays(inputs, runner.input_types))
        read = model if isinstance(model, Model) else open_source(model, framework, chosen).load(inputs)
        return runner(make_cases(read, inputs, seed, 1)[0])


def verify(
    source: Any,
    converted: Any,
    inputs: Any = None,
    *,
    seed: int = 0,
    rtol: Any = None,
    atol: Any = None,
    framework: str | None = None,
    provider: str | None = None,
    **options: Any,
) -> VerificationReport:
    """Compare a converted model with its source, both against the float64 reference of the source.

    `converted` is whatever `run` takes, `provider` what runs it, as there; `inputs` as for `load` (example arrays become
    the first compared inputs). `rtol` and `atol` (a number, or a dict by output name) replace the measured noise
    floor. Raises UsageError and ConversionError; a disagreement is the report's verdict, not an exception.
    """
    opened = open_source(source, framework, ImportOptions(**options))
    model = opened.load(inputs)
    with closing(open_runner(converted, inputs, provider)) as other:
        return verify_models(opened, model, other, inputs, seed=seed, rtol=rtol, atol=atol).report


def _verify_written(
    opened: Source, model: Model, written: Path, to: str, inputs: Any, seed: int, rtol: Any, atol: Any
) -> Verification:
    with closing(open_runner(written, framework="onnx" if to == "onnx" else None)) as other:
        return verify_models(opened, model, other, inputs, seed=seed, rtol=rtol, atol=atol)


def _beside(to: str, artifacts: Sequence[str], folders: Sequence[str | Path]) -> list[Path]:
    """Folders of further packages that a SavedModel serves. Raises UsageError for files that the target has not."""
    if unknown := [a for a in artifacts if a not in ARTIFACTS.get(to, ())]:
        known = f"; files: {', '.join(ARTIFACTS[to])}" if to in ARTIFACTS else ""
        raise UsageError(f"{unknown[0]!r} is no file of {to}'s{known}")
    if folders and "saved_model" not in artifacts:
        raise UsageError("only a SavedModel serves several packages: ask for the artifact saved_model")
    for folder in folders:
        if (found := frameworks.detect(folder)) != "package:tensorflow":
            raise UsageError(f"{folder}: a SavedModel serves packages of TensorFlow; this is {found}")
    return [Path(f) for f in folders]


def _output_path(output: str | Path | None, to: str) -> tuple[Any, Path]:
    if output is not None:
        return None, Path(output)
    keep = tempfile.TemporaryDirectory(prefix="isomorph-")
    return keep, Path(keep.name) / DEFAULT_NAMES.get(to, "model")


def _reject(written: Path, path: Path, report: Report) -> NoReturn:
    """Put a model that failed verification beside the wanted place, and raise."""
    rejected = path.with_name(path.name + ".unverified")
    publish(written, rejected)
    assert report.verification is not None
    summary = report.verification.summary()
    raise VerificationError(
        f"the converted model does not agree with its source ({summary}); it is at {rejected}", report.verification
    )
