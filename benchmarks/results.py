"""What the ladder has measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.rungs import Rung

OURS = "fastnn"

Configuration = tuple[str, int | str]  # system, threads


@dataclass
class Result:
    """What a rung took: for each configuration the µs of a step, one figure a round."""

    rung: Rung
    rounds: dict[Configuration, list[float]]
    peaks: list[float] = field(default_factory=list)  # GFLOP/s of one core, one figure a round
    compiling: dict[Configuration, float] = field(default_factory=dict)  # seconds
    memory: dict[Configuration, float | None] = field(default_factory=dict)  # MB
    left_out: list[str] = field(default_factory=list)  # why

    def median(self, configuration: Configuration) -> float:
        """Return the median µs of a step."""
        return statistics.median(self.rounds[configuration])

    def gflops(self, configuration: Configuration) -> float:
        """Return the GFLOP/s of the matrix products."""
        return self.rung.flops / self.median(configuration) / 1e3

    @property
    def peak(self) -> float | None:
        """GFLOP/s that one core can do."""
        return statistics.median(self.peaks) if self.peaks else None

    def share(self, configuration: Configuration) -> float | None:
        """Return the share of the peak of as many cores as the configuration has threads."""
        threads = configuration[1]
        if self.peak is None or not isinstance(threads, int):
            return None
        return self.gflops(configuration) / (threads * self.peak)

    def of(self, *names: str) -> list[Configuration]:
        """Return the configurations of these systems."""
        return [configuration for configuration in self.rounds if configuration[0] in names]

    def best(self, configurations: Sequence[Configuration]) -> Configuration | None:
        """Return the quickest of them."""
        return min(configurations, key=self.median, default=None)

    def peers(self) -> list[Configuration]:
        """Return the configurations that are not ours."""
        return [configuration for configuration in self.rounds if configuration[0] != OURS]

    def ratio(self, ours: Sequence[Configuration]) -> float | None:
        """Return how many times as long as the best of ``ours`` the best peer takes: the median over the rounds."""
        if not ours or not self.peers():
            return None
        return statistics.median(
            min(peers) / min(mine)
            for peers, mine in zip(
                zip(*(self.rounds[configuration] for configuration in self.peers()), strict=True),
                zip(*(self.rounds[configuration] for configuration in ours), strict=True),
                strict=True,
            )
        )

    def as_data(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {
            "rung": self.rung.name,
            "layers": self.rung.sizes,
            "batch": self.rung.batch,
            "flops": self.rung.flops,
            "peak": {"gflops": self.peak, "rounds": self.peaks},
            "ratio": self.ratio(self.of(OURS)),
            "ratio auto": self.ratio([(OURS, "auto")]) if (OURS, "auto") in self.rounds else None,
            "left out": self.left_out,
            "systems": [
                {
                    "system": configuration[0],
                    "threads": configuration[1],
                    "microseconds": self.median(configuration),
                    "gflops": self.gflops(configuration),
                    "share of peak": self.share(configuration),
                    "compile seconds": self.compiling[configuration],
                    "memory MB": self.memory[configuration],
                    "rounds": self.rounds[configuration],
                }
                for configuration in self.rounds
            ],
        }
