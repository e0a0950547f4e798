"""The ladder's results as tables in Markdown and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import OURS, Result

FAMILIES = {"fastnn": "fastnn", "torch": "PyTorch", "jax": "JAX", "tensorflow": "TensorFlow",
            "scikit-learn": "scikit-learn"}  # fmt: skip


def family(name: str) -> str:
    """Return the library that a system is a way to use."""
    return FAMILIES[name.split()[0]]


def figure(value: float | None, digits: int = 4) -> str:
    """Return a positive figure with so many digits and commas; nothing for ``None``."""
    if value is None:
        return ""
    return f"{float(f'{value:.{digits}g}'):,.{max(0, digits - len(str(int(value))))}f}"


def percent(share: float | None) -> str:
    """Return a share in per cent."""
    return "" if share is None else f"{100 * share:.0f} %"


def markdown(rows: Sequence[Sequence[str]], left: int) -> str:
    """Return a table with aligned columns; the first ``left`` ones are text."""
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        " | ".join(
            cell.rjust(w) if k >= left else cell.ljust(w) for k, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    lines.insert(1, " | ".join("-" * (w - 1) + (":" if k >= left else "-") for k, w in enumerate(widths)))
    return "\n".join(f"| {line} |" for line in lines)


def names(results: Sequence[Result]) -> list[str]:
    """Return the systems measured, in order."""
    return list(dict.fromkeys(name for result in results for name, _ in result.rounds))


def summary(results: Sequence[Result]) -> str:
    """Return a line a rung: µs of a step of each system at its best, with its threads; fastnn in each setting."""
    ours = sorted({c for result in results for c in result.of(OURS)}, key=lambda c: str(c[1]))
    peers = [name for name in names(results) if name != OURS]
    header = ["rung", "layers", "batch", *(f"{name} {threads}" for name, threads in ours), *peers]
    rows = [[*header, "share 1", "ratio", "ratio auto"]]
    for result in results:
        row = [result.rung.name, result.rung.layers, f"{result.rung.batch:,}"]
        best = result.best(result.peers())
        row += [figure(result.median(c)) if c in result.rounds else "" for c in ours]
        for name in peers:
            quickest = result.best(result.of(name))
            cell = "" if quickest is None else f"{figure(result.median(quickest))} ({quickest[1]})"
            row.append(f"**{cell}**" if quickest is not None and quickest == best else cell)
        row.append(percent(result.share((OURS, 1))) if (OURS, 1) in result.rounds else "")
        for settings in (result.of(OURS), [c for c in result.of(OURS) if c[1] == "auto"]):
            row.append(figure(result.ratio(settings), 3))
        rows.append(row)
    return markdown(rows, 2)


def details(result: Result) -> str:
    """Return everything about a rung, a line a configuration."""
    rows = [["system", "threads", "µs", "GFLOP/s", "share of peak", "time / fastnn's best", "MB", "compiled in s"]]
    ours = result.best(result.of(OURS))
    for configuration in result.rounds:
        compiling = result.compiling[configuration]
        memory = result.memory[configuration]
        rows.append(
            [
                configuration[0],
                str(configuration[1]),
                figure(result.median(configuration)),
                f"{result.gflops(configuration):.1f}",
                percent(result.share(configuration)),
                "" if ours is None else figure(result.median(configuration) / result.median(ours), 3),
                "" if memory is None else f"{memory:.0f}",
                f"{compiling:.1f}" if compiling > 0.05 else "",
            ]
        )
    peak = "" if result.peak is None else f"; a core's peak: {result.peak:.0f} GFLOP/s"
    ratio = result.ratio(result.of(OURS))
    rate = "" if ratio is None else f"; best peer / fastnn: {figure(ratio, 3)}"
    lines = [f"{result.rung.name}: {result.rung.layers}, batch {result.rung.batch:,}{peak}{rate}", ""]
    return "\n".join([*lines, markdown(rows, 1), *(f"left out: {each}" for each in result.left_out)])


def readme(results: Sequence[Result]) -> str:
    """Return the table of README.md: µs of a step, fastnn with ``threads="auto"``, each library at its best."""
    libraries = list(dict.fromkeys(family(name) for name in names(results) if name != OURS))
    rows = [["network", "batch", "fastnn", *libraries, "best peer / fastnn"]]
    for result in results:
        ours = [c for c in result.of(OURS) if c[1] == "auto"] or result.of(OURS)
        row = [result.rung.layers, f"{result.rung.batch:,}"]
        for settings in (ours, *([c for c in result.rounds if family(c[0]) == each] for each in libraries)):
            quickest = result.best(settings)
            row.append("" if quickest is None else figure(result.median(quickest)))
        rows.append([*row, figure(result.ratio(ours), 3)])
    return markdown(rows, 1)


def picture(results: Sequence[Result], path: Path, title: str) -> None:
    """Draw each system's time over fastnn's best, a row a rung, on a logarithmic axis."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    drawn = Figure((9, 1.2 + 0.5 * len(results)), layout="constrained")
    axes = drawn.add_subplot()
    markers = "osD^vPX*"
    for k, name in enumerate(names(results)):
        points = []
        for row, result in enumerate(results):
            ours, quickest = result.best(result.of(OURS)), result.best(result.of(name))
            if ours is not None and quickest is not None:
                points.append((result.median(quickest) / result.median(ours), row))
        if points:
            size = 70 if name == OURS else 40
            axes.scatter(*zip(*points, strict=True), s=size, marker=markers[k % len(markers)], label=name, zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_yticks(range(len(results)), [f"{result.rung.layers}, batch {result.rung.batch:,}" for result in results])
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.axvline(1, color="0.4", linewidth=0.8)
    axes.grid(axis="both", color="0.9", zorder=0)
    axes.set_xlabel("time of a training step / fastnn's (each at its best number of threads)")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    drawn.savefig(path, dpi=150)
