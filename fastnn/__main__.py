"""``python -m fastnn``: the command ``fastnn``."""

from fastnn.cli import main

main()
