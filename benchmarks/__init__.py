"""How fast fastnn is, and how fast its peers are, on this machine."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Sources that nobody has built do not hide the fastnn that is installed.
if PathFinder.find_spec("cpu", [str(ROOT / "fastnn/_engine")]) is None:
    sys.path.sort(key=lambda entry: Path(entry).resolve() == ROOT)
