"""Recurrent layers and cells, and the layer of a transformer, as PyTorch has them."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from tests.importers.torch.support import double, ops, randn, round_trip


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module, with_state: bool) -> None:
        super().__init__()
        self.layer = layer
        self.with_state = with_state

    def forward(self, x: Tensor, h: Tensor) -> Any:
        if not self.with_state:
            return self.layer(x)
        return self.layer(x, (h, h * 0.5) if isinstance(self.layer, nn.LSTM) else h)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True, "dropout": 0.2}, {"bias": False, "num_layers": 2}]
)  # fmt: skip
@pytest.mark.parametrize("with_state", [False, True])
def test_recurrent_layers_with_dynamic_batch_and_time(kind: type, options: dict[str, Any], with_state: bool) -> None:
    module = double(Recurrent(kind(3, 4, **options), with_state))
    first = options.get("batch_first", False)
    lead = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)

    def sample(batch: int, steps: int) -> tuple[Tensor, Tensor]:
        return randn(*((batch, steps) if first else (steps, batch)), 3), randn(lead, batch, 4)

    axes = "batch,time" if first else "time,batch"
    specs = (f"float64[{axes},3]", f"float64[{lead},batch,4]")
    model = round_trip(module, sample(2, 5), inputs=specs, others=[sample(3, 7), sample(1, 1)])
    (node,) = [n for n in model.nodes() if n.op.name in ("lstm", "gru", "rnn")]
    assert node.attrs["dropout"] == options.get("dropout", 0.0)


@pytest.mark.parametrize(
    "layer", [nn.LSTM(3, 4, proj_size=2), nn.RNN(3, 4, nonlinearity="relu"), nn.LSTM(3, 4, batch_first=True)]
)
def test_recurrent_variants_and_unbatched(layer: nn.Module) -> None:
    module = double(layer)
    round_trip(module, (randn(2, 5, 3),), tol=1e-9)
    round_trip(module, (randn(5, 3),), tol=1e-9)


def test_cells() -> None:
    class Cells(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.gru, self.rnn = nn.LSTMCell(3, 4), nn.GRUCell(4, 4), nn.RNNCell(4, 4, nonlinearity="relu")

        def forward(self, x: Tensor) -> Tensor:
            h, c = self.lstm(x)
            return self.rnn(self.gru(h, c))

    round_trip(double(Cells()), (randn(2, 3),))


def test_transformer_layer_without_its_fast_path() -> None:
    layer = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False)
    model = round_trip(double(layer), (randn(2, 5, 8),), inputs=("float64[batch,seq,8]",), others=[(randn(3, 4, 8),)])
    assert ops(model).count("attention") == 2 and ops(model).count("dropout") == 6
