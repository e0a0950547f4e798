"""``python -m fastnn.cli``: the command ``fastnn``."""

from fastnn.cli import main

main()
