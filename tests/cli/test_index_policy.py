"""`--index-policy`: what the target treats in another way is told, or checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import converter
from converter.errors import UsageError
from converter.runtimes.base import RuntimeFailure
from tests.cli.command import forked

ADVICE = "--index-policy strict"


class Looks(torch.nn.Module):
    """Rows by index, of a table and of an input: negative ones are errors."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(5, 3)

    def forward(self, ids: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return self.table(ids) + x.index_select(0, ids) + torch.nn.functional.one_hot(ids, 3)


INPUTS = (torch.tensor([0, 2]), torch.ones(4, 3))


def looked_up(policy: str, folder: Path) -> tuple[list[str], Path]:
    conv = converter.convert(Looks(), "onnx", folder / "m.onnx", INPUTS, index_policy=policy)
    return [n for n in conv.report.notes if ADVICE in n], conv.path


def test_onnx_counts_from_the_end_and_says_so_or_stops(tmp_path: Path) -> None:
    negative = (np.array([0, -1]), np.ones((4, 3), np.float32))
    notes, path = looked_up("source", tmp_path)
    assert len(notes) == 1
    converter.run(path, negative)
    (tmp_path / "strict").mkdir()
    notes, path = looked_up("strict", tmp_path / "strict")
    assert not notes
    with pytest.raises(RuntimeFailure, match="out of data bounds"):
        converter.run(path, negative)


def test_an_embedding_of_a_file_counts_from_the_end_under_strict(tmp_path: Path) -> None:
    table = torch.nn.Sequential(torch.nn.Embedding(5, 3))
    written = converter.convert(table, "onnx", tmp_path / "m.onnx", (torch.tensor([0, 2]),), verify=False).path
    rows = {}
    for policy in ("source", "strict"):
        conv = converter.convert(written, "torch", tmp_path / policy, index_policy=policy, verify=False)
        assert any(n.startswith("embeddings: ") for n in conv.report.notes) is (policy == "source")
        assert "nn.Embedding(5, 3)" in (conv.path / "model.py").read_text()
        rows[policy] = conv.load()
    with pytest.raises(IndexError):
        rows["source"](torch.tensor([0, -1]))
    weight = table[0].weight.detach()
    assert torch.equal(rows["strict"](torch.tensor([0, -1, -5])).detach(), weight[[0, 4, 0]])


def test_indices_that_are_certain_need_no_note(tmp_path: Path) -> None:
    class Slots(torch.nn.Module):
        def forward(self, x: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
            y = x.clone()
            y[torch.arange(2), torch.tensor([1, 1])] = new
            return y.index_select(1, torch.tensor([0, 2]))

    inputs = (torch.zeros(3, 4), torch.ones(2))
    for policy in ("source", "strict"):
        conv = converter.convert(Slots(), "onnx", tmp_path / f"{policy}.onnx", inputs, index_policy=policy)
        assert not [n for n in conv.report.notes if ADVICE in n]
    kinds = [[n.op_type for n in onnx.load(tmp_path / f"{p}.onnx").graph.node] for p in ("source", "strict")]
    assert kinds[0] == kinds[1]


def test_the_command_writes_code_that_keeps_the_last_of_several_writes(tmp_path: Path) -> None:
    tensor = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("ScatterND", ["x", "at", "new"], ["y"])], "g",
        [tensor("x", TensorProto.FLOAT, [4]), tensor("at", TensorProto.INT64, [3, 1]), tensor("new", TensorProto.FLOAT, [3])],
        [tensor("y", TensorProto.FLOAT, [4])],
    )  # fmt: skip
    source = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), source)
    told = forked("convert", source, "--to", "torch", "-o", tmp_path / "a", "--no-verify")
    assert told.returncode == 0 and ADVICE in told.stderr, told.stderr
    kept = forked("convert", source, "--to", "torch", "-o", tmp_path / "b", "--no-verify", "--index-policy", "strict")
    assert kept.returncode == 0 and ADVICE not in kept.stderr, kept.stderr
    assert "last=True" in (tmp_path / "b" / "model.py").read_text()
    given = {"x": np.zeros(4, np.float32), "at": np.array([[1], [1], [-3]]), "new": np.array([5, 6, 7], np.float32)}
    assert converter.run(tmp_path / "b", given)["y"].tolist() == [0, 7, 0, 0]


def test_an_unknown_policy_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="source, strict"):
        converter.convert(Looks(), "onnx", tmp_path / "m.onnx", INPUTS, index_policy="lax")  # type: ignore[arg-type]
    result = forked("convert", __file__, "--to", "onnx", "-o", tmp_path / "m.onnx", "--index-policy", "lax")
    assert result.returncode == 2 and "lax" in result.stderr
