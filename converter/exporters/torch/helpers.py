"""Small pure functions and classes that emitted code may need; a file gets those it uses, and what those use."""

from __future__ import annotations

import re

HELPERS: dict[str, str] = {
    "pad_same": '''
def pad_same(x, window, stride, dilation, lower=False, value=0.0):
    """Pad the spatial axes so that a sliding window gives ceil(size / stride) results."""
    widths = []
    for size, w, s, d in zip(x.shape[2:], window, stride, dilation):
        total = max((-(-size // s) - 1) * s + (w - 1) * d + 1 - size, 0)
        half = total // 2
        widths = [total - half, half, *widths] if lower else [half, total - half, *widths]
    return F.pad(x, widths, value=value)
''',
}
for _n in (1, 2, 3):
    HELPERS[f"FrozenBatchNorm{_n}d"] = f'''
class FrozenBatchNorm{_n}d(nn.BatchNorm{_n}d):
    """Batch-norm that normalises by its running statistics in training, too."""

    def forward(self, x):
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
'''


def source_of(names: list[str]) -> list[str]:
    """Source of the named helpers and of all that they call, each once, callees first."""
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for other in HELPERS:
            if other != name and re.search(rf"\b{other}\b", HELPERS[name]):
                visit(other)
        ordered[name] = None

    for name in names:
        visit(name)
    return [HELPERS[n].strip("\n") for n in ordered]
