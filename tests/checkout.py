"""Sources that nobody has built do not hide the fastnn that is installed: imported before fastnn, this sees to it."""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if PathFinder.find_spec("cpu", [str(ROOT / "fastnn/_engine")]) is None:
    sys.path.sort(key=lambda entry: Path(entry).resolve() == ROOT)
