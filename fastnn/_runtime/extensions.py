"""Say what to do where the extensions are missing: in sources that nobody has built."""

from importlib.util import find_spec

if find_spec("fastnn._engine.cpu") is None:
    import platform
    from pathlib import Path

    raise ImportError(
        f"the fastnn in {Path(__file__).parents[2]} has not been built for Python {platform.python_version()}: run "
        "'pip install -e .' there, or start Python in another folder if another fastnn is installed"
    )
