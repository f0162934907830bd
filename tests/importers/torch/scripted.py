"""Modules whose TorchScript form the tests import: each shows one thing of the language.

Annotations stay objects: TorchScript reads them.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Convolutional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2, output_padding=1, groups=1, dilation=2)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(3, 5)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        x = F.adaptive_avg_pool2d(self.up(x), 1).flatten(1)
        return self.fc(self.drop(x))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True, proj_size=4, dropout=0.2, num_layers=2)
        self.gru = nn.GRU(4, 4, bidirectional=True, batch_first=True)
        self.rnn = nn.RNN(8, 3, nonlinearity="relu", batch_first=True)

    def forward(self, x):
        y, (h, c) = self.lstm(x)
        return self.rnn(self.gru(y)[0])[0], h, c


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.inner(x, x, x, need_weights=False)[0]


class WhileOnTensor(nn.Module):
    def forward(self, x):
        while bool(x.sum() < 10):
            x = x * 2 + 1
        return x


class ForOverSize(nn.Module):
    def forward(self, x):
        h = torch.zeros(3)
        for i in range(x.size(0)):
            h = h * 0.5 + x[i]
        return h


class ForOverNumber(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)

    def forward(self, x, n):
        total = 0
        for i in range(2, int(n)):
            x = torch.tanh(self.lin(x)) + i
            total += i
            if bool(x.sum() > 40):
                break
        return x, torch.tensor(total)


class Peeled(nn.Module):
    """A loop whose end is known for some trips only: a Python count and a break that a tensor decides."""

    def forward(self, x):
        i = 0
        while i < 10:
            x = x * 1.5
            if bool(x.sum() > 20):
                break
            i += 1
        return x, torch.tensor(i), torch.tensor(i / 2)


class IfOnTensor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.other = nn.Sequential(nn.Linear(3, 3), nn.GELU())

    def forward(self, x):
        scale = 1
        if bool(x.sum() > 0):
            y = self.lin(x)
            scale = 3
        else:
            y = self.other(x) - 1
            if bool(x.min() < -2):
                y = y * 2
        return y * scale


class Python(nn.Module):
    """Decided by ranks, lengths, None and fixed numbers."""

    def forward(self, x, mask: Tensor | None = None, k: int = 3, name: str = "sum"):
        if x.dim() == 2:
            x = x.unsqueeze(0)
        if mask is not None:
            x = x + mask
        parts: list[Tensor] = []
        for i in range(k):
            parts.append(x * i)
        if len(parts) > 2:
            parts.pop()
        if name == "sum":
            x = torch.cat(parts).sum(-1)
        return x, len(parts), (k // 2, k / 2, -k % 2)


class Tables(nn.Module):
    def forward(self, x, table: dict[str, Tensor]) -> dict[str, Tensor]:
        found = {"first": x + 1}
        for key, value in table.items():
            found[key] = value * 2
        if "b" in found:
            found["b"] = found["b"] - x
        return found


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


class Named(nn.Module):
    def forward(self, x):
        pair = Pair(x + 1, x.to(torch.float64) * 2)
        left, right = pair
        return Pair(left * right, pair.right)


class InPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, 0] = 1
        y[:, 1:].mul_(2)
        flat = y.view(-1)
        flat[0] = 7
        z = y[1:]
        y += 1
        return y, z


class HalfType(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3).half()

    def forward(self, x):
        return F.layer_norm(self.lin(x.half()), [3]) + x.to(torch.float16) * 2, x.half() + torch.ones(1)


class Promotion(nn.Module):
    def forward(self, x):
        n = int(x.sum())
        return torch.arange(4) * n, torch.ones(2, dtype=torch.int32) * 0.5 + n / 2, torch.ones(2, dtype=torch.int32) + n


class NoGradients(nn.Module):
    def forward(self, x):
        with torch.no_grad():
            y = x * 2
        return y + x


class Sizes(nn.Module):
    def forward(self, x):
        y = x.view(x.size(0) * x.size(1) // 2, 2, -1) + torch.arange(x.shape[2])
        return y / x.size(0), y[:, : x.size(2) - 1]


class Checked(nn.Module):
    def forward(self, x):
        assert bool((x > -1e9).all()), "too small"
        if x.shape[0] > 5:
            raise ValueError("many")
        return x + 1


# -- state ------------------------------------------------------------------------------------------------------------
class State(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h = torch.ones(2, 3)

    def forward(self, x):
        before = self.h
        self.h = self.h * 0.5 + x
        return before, self.h


class StateInBranch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h = torch.zeros(3)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        if bool(x.sum() > 0):
            self.h = self.h + x.sum(0)
        else:
            self.seen = self.seen + 1
        self.seen += 1
        return self.h * 1


class StateInLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h = torch.zeros(3)

    def forward(self, x):
        while bool(self.h.sum() < x.sum()):
            self.h = self.h + 1
        return self.h


class Late(nn.Module):
    """State that the first call makes, of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.h = torch.zeros(0)
        self.rate = 0

    def forward(self, x, rate: int = 2):
        if self.rate != rate:
            self.h = torch.zeros(0)
        if len(self.h) == 0:
            self.h = torch.zeros(2, 3)
        h = self.h
        self.h = h * 0.5 + x
        self.rate = rate
        return h * rate


class LateOfOnes(nn.Module):
    """As `Late`, of ones: zeros would be another model."""

    def __init__(self) -> None:
        super().__init__()
        self.h = torch.zeros(0)

    def forward(self, x):
        if len(self.h) == 0:
            self.h = torch.ones(2, 3)
        h = self.h
        self.h = h * 0.5 + x
        return h


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.calls = 0

    def forward(self, x):
        self.calls += 2
        return self.lin(x) * self.calls


class Counting(nn.Module):
    n: int
    share: float

    def __init__(self) -> None:
        super().__init__()
        self.n = 0
        self.share = 1.0
        self.inner = nn.ModuleList([Counter(), Counter()])

    def forward(self, x):
        self.n += 1
        self.share = self.share / 2
        for part in self.inner:
            x = part(x)
        return x * self.n + self.share


class Growing(nn.Module):
    """A list that every call makes longer."""

    kept: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.kept = [torch.zeros(2, 3)]

    def forward(self, x):
        self.kept.append(x)
        return x + self.kept[0]


class InPlaceInBranch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x):
        if bool(x.sum() > 0):
            self.seen += x.sum(0)
        return self.seen * 1


class OutsideInBranch(nn.Module):
    def forward(self, x):
        y = x + 1
        if bool(x.sum() > 0):
            y[0] = 7
        return y


class Unknown(nn.Module):
    """Two operations without a rule, one of them in a branch."""

    def forward(self, x):
        if x.dim() == 2:
            x = torch._cslt_compress(x)
        return torch._cslt_compress(x) + torch._fused_dropout(x, 0.5)[0]


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.b(self.a(x))


class Collects(nn.Module):
    def forward(self, x):
        parts = [x]
        if bool(x.sum() > 0):
            parts.append(x)
        return torch.stack(parts)


class Counted(nn.Module):
    def forward(self, x):
        return int(x.sum())


class TracedNumber(nn.Module):
    """Traced, the square root is a tensor of float64 that is no Python number: integers become float64."""

    def forward(self, x):
        size = x.size(1)
        return torch.arange(3) * torch.tensor(0.5, dtype=torch.float64), x / size**2, x * (size + 1) // 2


class NumbersOfTensors(nn.Module):
    """Every operation with a number out of a tensor in its second place, negative ones too."""

    def forward(self, x):
        n = int(x.sum())
        f = float(x.mean())
        whole = torch.arange(-2, 4)
        y = whole * n
        y += n
        return (
            x + n, x - f, whole + n, whole * f, whole / n, whole // n, whole % n, x**f, x % f,
            x == n, whole != n, x < f, whole <= f, whole > n, x >= n, whole & n, whole | n, whole ^ n, torch.fmod(whole, n), y,
            torch.tensor([n, n + 1]), torch.tensor(f * 2 - n),
        )  # fmt: skip


class TensorsOfNumbers(nn.Module):
    """Tensors made of plain numbers of every kind."""

    def forward(self, x: Tensor):
        none: list[int] = []
        return (
            x * torch.tensor(1 + 2j), torch.tensor([[1, x.size(1)]]), torch.tensor([True, False]), torch.tensor([1.5, 2.0]),
            torch.tensor(none, dtype=torch.int32), torch.as_tensor(x.size(0)), torch.tensor([1, 2], dtype=torch.float64),
        )  # fmt: skip


class SizeInText(nn.Module):
    """A size that stands in a text decides: the text of the example's size would decide for all."""

    def forward(self, x: Tensor):
        assert x.size(0) < 100, f"{x.size(0)} rows"
        if "n" + str(x.size(0)) + "m" == "n2m":
            return x * 2
        return x


class SizeAsKey(nn.Module):
    """A dict read under a text that tells a size."""

    def forward(self, x: Tensor):
        table = {"2 and 3": x * 2, "5 and 3": x}
        return table[" and ".join([f"{x.size(0)}", "3"])]


class TensorOfNothing(nn.Module):
    """TorchScript takes the element type from the list's own, which holds no element."""

    def forward(self, x: Tensor):
        none: list[int] = []
        return x, torch.tensor(none)
