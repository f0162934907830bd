"""Blocks that names tell."""

from __future__ import annotations

from collections.abc import Iterable

from converter.importers.keras.blocks import find_blocks
from converter.importers.keras.joined import Part, join


def _layers(*names: str) -> list[tuple[str, str]]:
    return [(n, n.rstrip("0123456789").rsplit("_", 1)[-1]) for n in names]


def test_the_pattern_that_repeats_most_wins() -> None:
    names = [
        f"conv{stage}_block{block}_{part}"
        for stage in (2, 3)
        for block in (1, 2)
        for part in ("1_conv", "1_bn", "2_conv", "2_bn", "add", "out")
    ]
    found = find_blocks(_layers("conv1_conv", "conv1_bn", *names, "predictions"))
    assert set(found) == set(names)
    assert found["conv3_block2_1_conv"] == ("conv3_block2", "ConvBlock", "conv_1")
    assert found["conv3_block2_add"] == ("conv3_block2", "ConvBlock", "add")


def test_letters_behind_numbers_count_too() -> None:
    names = [f"block{b}_{part}" for b in ("1a", "1b", "2a") for part in ("dwconv", "bn", "se_reduce")]
    found = find_blocks(_layers(*names))
    assert found["block1b_se_reduce"] == ("block1b", "Block", "se_reduce")


def test_what_does_not_repeat_stays_flat() -> None:
    assert find_blocks(_layers("conv2d", "conv2d_1", "conv2d_2", "stem_1_conv", "stem_1_bn", "stem_1_act")) == {}


def _chain(*rows: tuple[str, str, str]) -> list[Part]:
    """Parts from (name, kind, names of what they take, spaces between)."""
    return [Part(name, kind, tuple(before.split())) for name, kind, before in rows]


def _joined(parts: list[Part], outputs: Iterable[str]) -> dict[str, tuple[str, str, str]]:
    found = find_blocks([(p.name, p.kind) for p in parts])
    return {n: tuple(b) for n, b in join(found, parts, outputs).items()}


def test_what_stands_between_the_layers_of_a_block_is_in_it() -> None:
    rows = [("input_layer", "", ""), ("conv2d", "conv2d", "input_layer")]
    last = "conv2d"
    for k in (1, 2):
        act = "re_lu" + ("" if k == 1 else "_1")
        rows += [(f"b_{k}_expand", "conv2d", last), (act, "re_lu", f"b_{k}_expand"), (f"b_{k}_project", "conv2d", act)]
        rows += [(f"b_{k}_add", "add", f"{last} b_{k}_project")]
        last = f"b_{k}_add"
    found = _joined(_chain(*rows, ("re_lu_2", "re_lu", last)), ["re_lu_2"])
    assert found["re_lu"] == ("b_1", "B", "re_lu")
    assert found["re_lu_1"] == ("b_2", "B", "re_lu")
    # the first block alone has such a layer in front, the last one alone behind
    assert "conv2d" not in found and "re_lu_2" not in found


def _branched(outputs: list[str]) -> dict[str, tuple[str, str, str]]:
    rows, last = [("stem", "conv2d", "")], "stem"
    for k in range(3):
        a, b = f"conv2d_{2 * k + 1}", f"conv2d_{2 * k + 2}"
        rows += [(b, "conv2d", last), (a, "conv2d", last), (f"mix_{k}_cat", "concatenate", f"{a} {b}")]
        rows += [(f"mix_{k}_conv", "conv2d", f"mix_{k}_cat"), (f"mix_{k}_out", "add", f"mix_{k}_conv {last}")]
        last = f"mix_{k}_out"
    return _joined(_chain(*rows, ("dense", "dense", last)), outputs)


def test_nameless_branches_that_lead_into_a_block_are_in_it() -> None:
    found = _branched(["dense"])
    assert [found[f"conv2d_{n}"] for n in (3, 4)] == [("mix_1", "Mix", "conv2d"), ("mix_1", "Mix", "conv2d_1")]
    assert "stem" not in found and "dense" not in found


def test_a_result_of_the_model_is_not_hidden_in_a_block_it_leads_into() -> None:
    assert "conv2d_3" not in _branched(["dense", "conv2d_3"])


def test_blocks_that_run_through_each_other_take_nothing() -> None:
    rows = [("x", "", ""), ("b_1_in", "dense", "x"), ("b_2_in", "dense", "x"), ("add", "add", "b_1_in b_2_in")]
    rows += [(f"b_{k}_{part}", "dense", "add") for k in (1, 2) for part in ("mid", "out")]
    assert "add" not in _joined(_chain(*rows), ["b_1_out", "b_2_out"])


def test_names_that_somebody_gave_are_not_automatic() -> None:
    names = ("re_lu", "re_lu_7", "stem", "my_re_lu_7", "re_lu_7a")
    assert [Part(n, "re_lu", ()).number for n in names] == [0, 7, None, None, None]
