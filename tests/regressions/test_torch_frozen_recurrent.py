"""A recurrent layer frozen in evaluation, inside a module in training: its dropout was an argument nobody read."""

import torch
from torch import nn

from converter.importers.torch import load


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, dropout=0.5)
        self.free = nn.GRU(4, 4, num_layers=2, dropout=0.25)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.free(self.lstm(x)[0])[0]


def test_frozen_layers_drop_nothing_and_others_follow_the_mode() -> None:
    module = Frozen().train()
    module.lstm.eval()
    model = load(module, (torch.zeros(5, 2, 3),))
    assert {n.op.name: n.attrs["dropout"] for n in model.nodes() if n.op.name in ("lstm", "gru")} == {"lstm": 0.0, "gru": 0.25}
