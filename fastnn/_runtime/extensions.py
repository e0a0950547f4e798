"""Say what to do where the extensions are missing: in sources that nobody has built."""

import platform
from importlib.util import find_spec
from pathlib import Path

if find_spec("fastnn._engine.cpu") is None:
    raise ImportError(
        f"fastnn cannot be imported from {Path(__file__).parents[2]}, whose sources have not been built for Python "
        f"{platform.python_version()}: run Python in another folder to use the fastnn that is installed, "
        "or run 'pip install -e .' in this one"
    )
