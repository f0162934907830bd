"""Files: archives, programs, factories; hostile and damaged ones do no harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from converter.errors import ConversionError, UntrustedSource, UsageError
from converter.importers.base import ImportOptions
from converter.importers.torch import load
from converter.importers.torch.pickles import pickle_globals
from ir.eval import Evaluator
from ir.verify import check
from tests.importers.torch.support import compare, expected


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.bn = nn.BatchNorm1d(4)
        self.drop = nn.Dropout(0.2)
        self.register_buffer("extra", torch.ones(4), persistent=False)

    def forward(self, x: torch.Tensor, scale: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        y = self.drop(self.bn(self.fc(x))) * scale["by"] + self.extra
        y[:, 0] = 0
        return {"y": y}


ARGS = (torch.randn(3, 4), {"by": torch.tensor(2.0)})


def program(dynamic: bool = True) -> tuple[nn.Module, Any]:
    module = Net().eval()
    shapes = {"x": {0: torch.export.Dim.DYNAMIC}, "scale": {"by": None}} if dynamic else None
    return module, torch.export.export(module, ARGS, dynamic_shapes=shapes, strict=False)


def run(model: Any, batch: int = 5) -> None:
    module, x = Net().eval(), torch.randn(batch, 4)
    with torch.no_grad():
        for name, weight in model.weights.items():
            target = dict([*module.named_parameters(), *module.named_buffers()])[name]
            target.copy_(torch.tensor(np.array(weight.data.numpy())))
    got = Evaluator().run(model, {"x": x.numpy(), "scale.by": np.float32(2.0)})
    compare(got, expected(module, (x, ARGS[1]), {}), 1e-5)


def test_an_exported_program_keeps_names_modes_and_sizes() -> None:
    _, exported = program()
    before = exported.graph_module.code
    model = load(exported)
    check(model)
    assert exported.graph_module.code == before, "the program is left as it was"
    assert [str(t) for t in model.input_types.values()] == ["float32[batch, 4]", "float32[]"]
    assert model.weights["extra"].persistent is False and model.weights["bn.running_mean"].kind == "buffer"
    assert [n.op.name for n in model.nodes() if n.op.modal] == ["batch_norm", "dropout"]
    assert set(model.state) == {"bn.running_mean", "bn.running_var"} and model.name == "Net"
    run(model)


def test_specs_name_the_sizes_of_a_program() -> None:
    model = load(program()[1], ("float32[rows,4]",))
    assert str(model.input_types["x"]) == "float32[rows, 4]"


def test_a_program_exported_in_training_mode_is_refused() -> None:
    exported = torch.export.export(nn.BatchNorm1d(3).train(), (torch.randn(2, 3),), strict=False)
    with pytest.raises(ConversionError, match="eval mode"):
        load(exported)


def test_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    torch.export.save(program()[1], path)
    model = load(path)
    check(model)
    run(model)


# -- hostile and damaged archives -----------------------------------------------------------------------------------
class Bomb:
    """Unpickling it would make the file named in FLAG."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {os.environ['FLAG']}",)


def rewrite(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path) as z:
        contents = {n: z.read(n) for n in z.namelist()}
    name = next(n for n in contents if n.endswith(member))
    contents[name] = change(contents[name])
    with zipfile.ZipFile(path, "w") as z:
        for n, data in contents.items():
            z.writestr(n, data)


def in_model(path: str, value: Any) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        root = place = json.loads(data)
        *keys, last = [int(k) if k.isdigit() else k for k in path.split("/")]
        for key in keys:
            place = place[key]
        place[last] = value
        return json.dumps(root).encode()

    return change


def bomb_archive() -> bytes:
    buffer = io.BytesIO()
    torch.save({"x": Bomb()}, buffer)
    return buffer.getvalue()


@pytest.fixture
def flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLAG", str(tmp_path / "executed"))
    return tmp_path / "executed"


EXPRESSION = "graph_module/graph/tensor_values/x/sizes/0/as_expr/expr_str"


@pytest.mark.parametrize(
    ("member", "change", "error", "message"),
    [
        ("sample_inputs/model.pt", lambda d: bomb_archive(), UntrustedSource, "posix.system"),
        (
            "model_weights_config.json",
            in_model("config/fc.weight/use_pickle", True),
            UsageError,
            "damaged pickle|plain",
        ),
        (
            "model.json",
            in_model(EXPRESSION, "__import__('os').system('touch ' + '$FLAG')"),
            UntrustedSource,
            "size expression",
        ),
        ("model.json", in_model(EXPRESSION, "s0.__class__"), UntrustedSource, "size expression"),
        ("model.json", in_model("graph_module/graph/nodes/0/target", "torch.load"), ConversionError, "not an ATen op"),
        (
            "model.json",
            in_model("graph_module/graph/nodes/0/target", "torch.ops.aten.from_file.default"),
            ConversionError,
            "no rule",
        ),
        (
            "model_weights_config.json",
            in_model("config/fc.weight/tensor_meta/sizes/0/as_int", 2**40),
            UsageError,
            "shorter than",
        ),
        ("model_weights_config.json", in_model("config/fc.weight/path_name", "custom_obj_0"), UsageError, "missing"),
        ("model.json", lambda d: d[: len(d) // 2], UsageError, "no JSON"),
        ("weight_0", lambda d: d[:8], UsageError, "shorter than"),
    ],
)
def test_hostile_archives_are_refused(
    tmp_path: Path, flag: Path, member: str, change: Any, error: type[Exception], message: str
) -> None:
    path = tmp_path / "m.pt2"
    torch.export.save(program()[1], path)
    rewrite(path, member, change)
    with pytest.raises(error, match=message) as caught:
        load(path)
    assert not flag.exists() and str(path) in str(caught.value)


def test_compiled_code_in_an_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    torch.export.save(program()[1], path)
    with zipfile.ZipFile(path, "a") as z:
        z.writestr("m/data/aotinductor/model/code.so", b"")
    with pytest.raises(UntrustedSource, match="compiled code"):
        load(path)


def test_a_truncated_archive(tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    torch.export.save(program()[1], path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UsageError, match=r"m\.pt2"):
        load(path)


# -- .pt files ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_is_no_model(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pt"
    torch.save(Net().state_dict(), path, _use_new_zipfile_serialization=not legacy)
    for trust in (False, True):
        with pytest.raises(UsageError, match="state dict") as caught:
            load(path, ARGS, options=ImportOptions(trust=trust))
        assert len(str(caught.value).splitlines()) == 1


def test_a_pickled_module_needs_trust(tmp_path: Path) -> None:
    path = tmp_path / "whole.pt"
    torch.save(nn.Linear(4, 2), path)
    with pytest.raises(UntrustedSource, match=r"torch\.nn\.modules\.linear"):
        load(path, (torch.zeros(1, 4),))
    assert len(load(path, (torch.zeros(1, 4),), options=ImportOptions(trust=True)).weights) == 2


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_are_never_executed(tmp_path: Path, flag: Path, legacy: bool, protocol: int) -> None:
    path = tmp_path / "bomb.pt"
    torch.save(
        {"weight": torch.zeros(1), "x": Bomb()},
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not legacy,
    )
    with pytest.raises(UntrustedSource, match="posix system"):
        load(path, ARGS)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UntrustedSource):
        load(path, ARGS)
    assert not flag.exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02", b"PK\x03\x04"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path, ARGS)
    assert len(str(caught.value).splitlines()) == 1 and "x.pt" in str(caught.value)


# -- factories ------------------------------------------------------------------------------------------------------
FACTORY = """
import torch
from torch import nn
import helper_of_factory

class Made(nn.Module):
    def forward(self, x):
        return x * helper_of_factory.FACTOR

def make():
    return Made(), (torch.zeros(2, 3),)

def plain():
    return Made()

def broken():
    raise RuntimeError("no data")
"""


def test_a_factory_needs_trust_and_brings_its_inputs(tmp_path: Path) -> None:
    path = tmp_path / "factory.py"
    path.write_text(FACTORY)
    (tmp_path / "helper_of_factory.py").write_text("FACTOR = 3.0\n")
    with pytest.raises(UntrustedSource, match="would be executed"):
        load(f"{path}:make")
    trusted = ImportOptions(trust=True)
    assert load(f"{path}:make", options=trusted).name == "Made"
    assert str(load(f"{path}:plain", ("float32[n]",), options=trusted).input_types["x"]) == "float32[n]"
    with pytest.raises(UsageError, match="has no function 'other'.*make"):
        load(f"{path}:other", options=trusted)
    with pytest.raises(UsageError, match="no data"):
        load(f"{path}:broken", options=trusted)
    with pytest.raises(UsageError, match="no such file"):
        load(f"{tmp_path}/none.py:make", options=trusted)


def _pickled(*names: str, fetched: bool) -> bytes:
    """A pickle of protocol 4 that calls the global of the first two names; `fetched` from the memo, with other names read last."""
    spell = b"".join(pickle.SHORT_BINUNICODE + bytes([len(n)]) + n.encode() + pickle.MEMOIZE for n in names)
    spell += pickle.POP + pickle.POP + pickle.BINGET + b"\0" + pickle.BINGET + b"\1" if fetched else b""
    return pickle.PROTO + b"\4" + spell + pickle.STACK_GLOBAL + pickle.EMPTY_TUPLE + pickle.REDUCE + pickle.STOP


def test_globals_are_those_that_unpickling_finds():
    assert list(pickle_globals(_pickled("builtins", "dict", fetched=False))) == ["builtins dict"]
    hidden = _pickled("builtins", "dict", "collections", "OrderedDict", fetched=True)
    assert type(pickle.loads(hidden)) is dict
    assert list(pickle_globals(hidden)) == ["builtins dict"]
    assert list(pickle_globals(pickle.dumps([OrderedDict(a=1), OrderedDict(b=2)], 4))) == ["collections OrderedDict"]
    lost = pickle.PROTO + b"\4" + pickle.SHORT_BINUNICODE + b"\2os" + pickle.NONE + pickle.POP + pickle.SHORT_BINUNICODE + b"\6system"
    assert list(pickle_globals(lost + pickle.STACK_GLOBAL + pickle.STOP)) == ["unknown unknown"]
