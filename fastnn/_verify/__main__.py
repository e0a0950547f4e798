"""``python -m fastnn._verify``: the golden digests, by NumPy and safetensors alone."""

from __future__ import annotations

import argparse
import json
import sys

from fastnn._verify import THREADS, GoldenError, verify

INTERRUPTED = 130


def numbers(text: str) -> tuple[int, ...]:
    """Return numbers of threads, 1 to 64, with commas between."""
    found = tuple(int(part) for part in text.split(","))
    if not all(1 <= n <= 64 for n in found):
        raise ValueError
    return found


def show_progress(done: int, total: int) -> None:
    """Write a counter over itself."""
    end = "\r" if done < total else "\r" + " " * 30 + "\r"
    print(f"{done} of {total} digests", end=end, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 if every digest holds, otherwise 1; 2 for wrong usage, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser("python -m fastnn._verify", description="Recomputes the golden digests.")
    parser.add_argument("--isa", default="", help="instruction sets, with commas between; default: all of the machine")
    parser.add_argument("--threads", type=numbers, default=THREADS, help="numbers of threads; default: 1,2,3,7")
    parser.add_argument("-k", "--only", default="*", metavar="PATTERN", help="goldens whose name matches or begins so")
    parser.add_argument("--json", action="store_true", help="print every result, for a program or a bug report")
    given = parser.parse_args(arguments)
    isas = tuple(filter(None, given.isa.split(",")))
    progress = show_progress if sys.stderr.isatty() else None
    try:
        report = verify(isas, given.threads, given.only, progress)
    except GoldenError as error:
        print(f"fastnn: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("fastnn: interrupted", file=sys.stderr)
        return INTERRUPTED
    print(json.dumps(report.as_data(), indent=1) if given.json else report.text())
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
