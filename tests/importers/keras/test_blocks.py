"""Blocks that names tell."""

from __future__ import annotations

from converter.importers.keras.blocks import find_blocks


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
