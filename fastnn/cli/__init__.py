"""The command ``fastnn``: see ``fastnn --help``. Needs click, rich and matplotlib; for tables in files, Polars."""

import sys

OUTSIDE = ("click", "rich", "matplotlib")


def main() -> None:
    """Run the command. The exit status is 0, or 1 for a failed run, 2 for wrong usage or files, 130 after Ctrl-C."""
    try:
        import click  # noqa: F401
        import matplotlib  # noqa: F401
        import rich  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in OUTSIDE:
            raise
        print(f"fastnn: the command needs {error.name}: pip install {' '.join(OUTSIDE)} polars", file=sys.stderr)
        raise SystemExit(2) from None

    try:
        from fastnn.cli.commands import fastnn
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    fastnn(prog_name="fastnn")
