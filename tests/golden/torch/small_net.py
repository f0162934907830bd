"""SmallNet in PyTorch. Weights: weights.safetensors; origin and signature: metadata.json."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn


class Block(nn.Module):
    """`stem`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4, momentum=0.2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Block2(nn.Module):
    """`body1` and `body2`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(4, momentum=0.2)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x))) + x


class SmallNet(nn.Module):
    """The whole model."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Block()
        self.body1 = Block2()
        self.body2 = Block2()
        self.drop = nn.Dropout(0.25)
        self.head = nn.Linear(64, 5)
        self.stem.conv.requires_grad_(False)

    def forward(self, image: Tensor) -> Tensor:
        image = self.body2(self.body1(self.stem(image)))
        image = F.max_pool2d(image, 2)
        return self.head(self.drop(image.flatten(1)))


HERE = Path(__file__).resolve().parent


def load_model(weights: str | Path | None = None) -> SmallNet:
    """The model in eval mode with its weights (default: weights.safetensors beside this file)."""
    model = SmallNet()
    tensors = load_file(weights or HERE / "weights.safetensors")
    model.load_state_dict(tensors)
    return model.eval()


def load_source_weights(model: SmallNet, path: str | Path) -> None:
    """Copy a checkpoint of the source model (.safetensors, or a state dict saved by torch) into `model`."""
    if str(path).endswith(".safetensors"):
        saved = load_file(path)
    else:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    own = {**dict(model.named_buffers()), **model.state_dict()}
    for name, record in json.loads((HERE / "metadata.json").read_text())["weights"].items():
        found = next((saved[n] for n in (record["source"], *record["aliases"]) if n in saved), None)
        if found is None and record["persistent"]:
            raise KeyError(f"{path} has no {record['source']}")
        if found is not None and found.shape != own[name].shape:
            raise ValueError(f"{record['source']} is {tuple(found.shape)}, expected {tuple(own[name].shape)}")
        if found is not None:
            own[name].copy_(found)


if __name__ == "__main__":
    from test_equivalence import compare

    net = load_model()
    print(f"{type(net).__name__}: {sum(p.numel() for p in net.parameters()):,} parameters")
    print("\n".join(compare(net)))
