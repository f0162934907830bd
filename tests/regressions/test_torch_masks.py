"""Transformer layers that look at their masks, and padding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import converter


class Encoder(nn.Module):
    """Two layers with a mask; `own` makes the causal mask itself."""

    def __init__(self, own: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.own = own

    def forward(self, x: Tensor, mask: Tensor | None = None, padding: Tensor | None = None) -> Tensor:
        if self.own:
            mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.encoder(x, mask=mask, src_key_padding_mask=padding)


def test_a_mask_is_used_as_it_is_given() -> None:
    source, x = Encoder().eval(), torch.randn(2, 5, 8)
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    conversion = converter.convert(source, "torch", inputs=(x, causal), verify=False)
    assert not conversion.report.notes
    made = conversion.load()
    for mask in (causal, torch.randn(5, 5)):
        torch.testing.assert_close(made(x, mask), source(x, mask), rtol=1e-4, atol=1e-5)


def test_a_mask_that_the_model_makes() -> None:
    source = Encoder(own=True).eval()
    made = converter.convert(source, "torch", inputs=("float32[b,t,8]",), verify=False).load()
    for shape in ((2, 5, 8), (1, 3, 8)):
        x = torch.randn(shape)
        torch.testing.assert_close(made(x), source(x), rtol=1e-4, atol=1e-5)


def test_padding_is_told_and_agrees_elsewhere() -> None:
    source, x = Encoder().eval(), torch.randn(2, 5, 8)
    padding = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])
    inputs = {"x": x, "padding": padding}
    conversion = converter.convert(source, "torch", inputs=inputs)
    assert conversion.report.verification is not None and conversion.report.verification.passed
    assert any("padded positions" in note for note in conversion.report.notes)
    got, slow = conversion.load()(x, padding=padding), source(x, padding=padding)
    with torch.no_grad():
        fused = source(x, padding=padding)
    torch.testing.assert_close(got, slow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(got[~padding], fused[~padding], rtol=1e-4, atol=1e-5)
    assert not fused[padding].any() and got[padding].any()


def test_nothing_stays_patched() -> None:
    from torch.nn.modules import transformer

    found = transformer._detect_is_causal_mask
    converter.load(Encoder().eval(), (torch.randn(2, 5, 8),))
    assert transformer._detect_is_causal_mask is found
