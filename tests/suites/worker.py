"""Runs what was converted, in processes that never saw the source. Started by path, isolated, never imported.

`worker.py torch TORCH_WORKER` runs emitted packages (our own packages are unimportable there); `worker.py onnx` runs
ONNX files in ONNX Runtime without optimisation. One JSON request a line, `{"artefact", "inputs", "outputs"}`, answered
by `{"ok": true}` or `{"error": text}`; every request is served by a child of its own, so that a crash is one case's.
A request to a package may name a file with a `cotangent` of its one output: it is answered by gradients, by input.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def torch_runner(worker_file: str) -> Any:
    """A function that runs a package, with the protocol of the worker that users' packages run in."""
    spec = importlib.util.spec_from_file_location("torch_worker", worker_file)
    assert spec is not None and spec.loader is not None
    worker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(worker)
    worker.block_own_packages()
    import torch

    torch.set_num_threads(1)

    def run(request: dict) -> None:
        folder = Path(request["artefact"])
        signature = json.loads((folder / "metadata.json").read_text())["signature"]
        model = worker.load_package(folder)
        leaves = worker.read(request["inputs"])
        args = [worker.build(p["tree"], leaves) for p in signature["parameters"] if not p["keyword_only"]]
        kwargs = {p["name"]: worker.build(p["tree"], leaves) for p in signature["parameters"] if p["keyword_only"]}
        if "cotangent" in request:
            worker.write(
                request["outputs"], gradients(model, args, leaves, *worker.read(request["cotangent"]).values())
            )
            return
        with torch.no_grad():
            result = model(*args, **kwargs)
        found: dict[str, Any] = {}
        worker.flatten(result, signature["result"], found)
        worker.write(request["outputs"], found)

    return run


def gradients(model: Any, args: list, leaves: dict, cotangent: Any) -> dict:
    """The gradient of each floating input; zero where the output does not depend on it."""
    import torch

    wanted = {k: v for k, v in leaves.items() if v.is_floating_point()}
    for leaf in wanted.values():
        leaf.requires_grad_()
    model(*args).backward(cotangent)
    return {k: torch.zeros_like(v) if v.grad is None else v.grad for k, v in wanted.items()}


def onnx_runner(root: str) -> Any:
    """A function that runs an ONNX file; `root` holds the wrapper of the runtime, no importer is loaded."""
    sys.path.insert(0, root)
    import onnxruntime  # noqa: F401 - before the fork

    from converter.runtimes.arrays import load_arrays, save_arrays
    from converter.runtimes.onnxruntime import OnnxRunner

    def run(request: dict) -> None:
        runner = OnnxRunner(Path(request["artefact"]))
        save_arrays(Path(request["outputs"]), runner(load_arrays(Path(request["inputs"]))))

    return run


def child(run: Any, request: dict, answer: int) -> None:
    """Serve one request and leave without cleaning up what the parent owns."""
    try:
        run(request)
        text = {"ok": True}
    except BaseException as error:  # noqa: BLE001 - whatever the model raises is the answer
        text = {"error": f"{type(error).__name__}: {str(error).strip()}"[:2000]}
    os.write(answer, json.dumps(text).encode())
    os._exit(0)


def serve(run: Any) -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a model prints must not mix with answers
    for line in sys.stdin:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            child(run, json.loads(line), writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(pid, 0)
        answers.write((text or json.dumps({"error": f"the process died ({status})"})) + "\n")


if __name__ == "__main__":
    serve(torch_runner(sys.argv[2]) if sys.argv[1] == "torch" else onnx_runner(sys.argv[2]))
