"""What became of a seed."""

from __future__ import annotations

from dataclasses import dataclass, field

VERDICTS = ("agreed", "refused", "ill-conditioned", "wrong", "crashed")


@dataclass
class Outcome:
    """What became of a seed. `verdict` is the worst step's; `steps` counts steps by verdict, `refused` refusals by op
    and reason, `dropped` draws that said nothing. `revision` is the code that it was judged with, empty where unknown."""

    seed: int
    verdict: str = "agreed"
    nodes: int = 0
    step: str = ""
    detail: str = ""
    steps: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    text: str = ""
    revision: str = ""

    def count(self, verdict: str, step: str = "", detail: str = "") -> None:
        """Note a step's verdict; the worst one names the outcome."""
        self.steps[verdict] = self.steps.get(verdict, 0) + 1
        if VERDICTS.index(verdict) > VERDICTS.index(self.verdict):
            self.verdict, self.step, self.detail = verdict, step, detail[:1000]
