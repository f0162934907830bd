"""Running any model from NumPy to NumPy: sources, converted packages, ONNX files and the IR itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter import frameworks
from converter.errors import UsageError
from converter.runtimes.base import Runner, RuntimeFailure
from ir.core import Constant, Model

if TYPE_CHECKING:
    from converter.importers.base import ImportOptions
    from converter.sources import Source

__all__ = ["Runner", "RuntimeFailure", "load_native", "open_runner", "source_runner"]


def load_native(path: Path, to: str) -> Any:
    """The live object behind a written artefact: an `nn.Module` in eval mode, a `ModelProto`."""
    if to == "onnx":
        return frameworks.require("onnx").load(path)
    from converter.runtimes.packages import load_package

    return load_package(path)


def open_runner(
    target: Any,
    inputs: Any = None,
    provider: str | None = None,
    framework: str | None = None,
    options: ImportOptions | None = None,
) -> Runner:
    """A runner for a path, a live object, a converted package or an `ir.Model`.

    A live module needs `inputs` (arrays or specs) to learn its signature. Raises UsageError or EnvironmentMissing.
    """
    if isinstance(target, Model):
        from converter.runtimes.reference import ReferenceRunner

        return ReferenceRunner(target, "exact")
    found = framework or frameworks.detect(target)
    if found.startswith("package:"):
        from converter.runtimes.packages import PackageRunner

        return PackageRunner(Path(target), provider=provider)
    from converter.sources import open_source

    source = open_source(target, found, options)
    model = None if found == "onnx" else source.load(inputs)
    return source_runner(source, model, provider)


def source_runner(source: Source, model: Model | None, provider: str | None = None) -> Runner:
    """The source's own framework, running the source. `model` gives the signature where the source carries none."""
    if source.framework == "onnx":
        from converter.runtimes.onnxruntime import OnnxRunner

        native = source.native
        content = native if isinstance(native, (bytes, Path)) else native.SerializeToString()
        parameters = model.signature.parameters if model is not None else ()
        fixed = {p.name: p.tree.value for p in parameters if isinstance(p.tree, Constant)}
        return OnnxRunner(content, provider, fixed=fixed)
    if source.framework == "torch" and model is not None:
        from converter.runtimes.live_torch import LiveTorchRunner

        return LiveTorchRunner(source.native, model)
    if source.framework == "keras" and model is not None:
        from converter.runtimes.live_keras import LiveKerasRunner

        return LiveKerasRunner(source.native, model)
    if source.framework == "tensorflow" and model is not None:
        if not hasattr(source.native, "fetches"):
            return _live_tensorflow(source.native, model)
        from converter.runtimes.tensorflow_graphs import TensorflowGraphRunner

        return TensorflowGraphRunner(source.native, model)
    raise UsageError(f"models of {source.framework} cannot be run by this version")


def _live_tensorflow(native: Any, model: Model) -> Runner:
    from converter.importers.tensorflow.sources import may_change, resolved
    from converter.runtimes.live_tensorflow import LiveTensorflowRunner

    return LiveTensorflowRunner(resolved(native), model, may_change(native) if model.state else [])
