"""Say what to do where the extensions are missing: in sources that nobody has built."""

try:
    import fastnn._engine.cpu as _cpu  # noqa: F401 (one of them)
except ModuleNotFoundError:
    import platform
    from pathlib import Path

    raise ImportError(
        f"the fastnn in {Path(__file__).parents[2]} has not been built for Python {platform.python_version()}: run "
        "'pip install -e .' there, or start Python in another folder if another fastnn is installed"
    ) from None
