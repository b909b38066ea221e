"""B11: the peak memory of single processes, beside the size of the inner XML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.processes import RunningCro
from benchmarks.reporting.figures import Figure, middle

AT_MOST = 8.0
MEGABYTE = 1_000_000


@dataclass
class Peaks:
    """The peak memory of several fresh CROs, each after one large exchange."""

    size: int = 0
    web: list[float] = field(default_factory=list)
    worker: list[float] = field(default_factory=list)

    def add(self, cro: RunningCro, size: int) -> None:
        """Add the peaks of `cro` up to this moment, for `size` bytes of inner XML."""
        peak = cro.peak_memory()
        self.size = size
        self.web.append(peak["web"])
        self.worker.append(peak["worker"])

    def figures(self, during: str) -> Iterator[Figure]:
        """Yield two figures of a case: of the web process with the highest peak, and of the worker."""
        for name, peaks in (("a web process", self.web), ("the worker", self.worker)):
            yield Figure(
                "B11",
                f"peak memory of {name} during {during}",
                middle(peaks) / MEGABYTE,
                "MB",
                self.size / MEGABYTE,
                "inner XML",
                at_most=AT_MOST,
            )
