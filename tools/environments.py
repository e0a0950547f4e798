"""Virtual environments to test a release in, the lower bounds of what it needs, and the tests that fit one."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from builds import Failure, environment
from packaging.requirements import Requirement

ADAPTERS = {  # of fastnn, and what each of them imports
    "fastnn.cli": "click",
    "fastnn.onnx": "onnx",
    "fastnn.plot": "matplotlib",
    "fastnn.sklearn": "sklearn",
    "fastnn.torch": "torch",
    "fastnn._readers.polars_tables": "polars",
}
SHOWN = ("numpy", "safetensors", "scikit-learn", "polars", "onnx", "matplotlib", "click", "rich", "tqdm")


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    folder: Path

    @classmethod
    def new(cls, folder: Path, python: str) -> Environment:
        """Create one that is empty but for pip."""
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        return cls(folder)

    def python(self, arguments: Sequence[str], what: str, cwd: Path) -> str:
        """Return what its Python prints; `Failure` if it fails."""
        command = [self.folder / "bin/python", *arguments]
        done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{what} failed:\n{(done.stdout + done.stderr)[-6000:]}")
        return done.stdout

    def pip(self, *arguments: str) -> str:
        return self.python(["-m", "pip", "--quiet", *arguments], f"pip {arguments[0]}", self.folder)

    def has_wheels(self, requirements: Iterable[str]) -> bool:
        """Return whether all these releases have wheels for its Python."""
        try:
            self.pip(
                "download", "--no-deps", "--only-binary=:all:", "--dest", str(self.folder / "found"), *requirements
            )
        except Failure:
            return False
        return True

    def modules(self) -> set[str]:
        """Return the top-level modules of what is installed in it."""
        code = "from importlib.metadata import packages_distributions as f; print(*f())"
        return set(self.python(["-c", code], "looking for modules", self.folder).split())

    def versions(self) -> str:
        """Return those of what users know."""
        text = self.python(["-m", "pip", "list", "--format=freeze"], "pip list", self.folder)
        found = dict(line.split("==") for line in text.splitlines() if "==" in line)
        return ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)


def lower_bounds(requirements: Sequence[Requirement], extras: Collection[str], tools: Collection[str]) -> list[str]:
    """Return ``name==bound`` for each dependency of the package and the extras, and for the tools by the extra test."""
    wanted, pending = {"", *extras}, [*extras]
    while pending:
        extra = pending.pop()
        for requirement in requirements:
            if requirement.name == "fastnn" and _applies(requirement, extra):
                pending += requirement.extras - wanted
                wanted |= requirement.extras
    bounds = {}
    for requirement in requirements:
        is_wanted = any(_applies(requirement, extra) for extra in wanted)
        is_tool = requirement.name in tools and _applies(requirement, "test")
        if requirement.name != "fastnn" and (is_wanted or is_tool):
            (bound,) = (part.version for part in requirement.specifier if part.operator in (">=", "=="))
            bounds[requirement.name] = f"{requirement.name}=={bound}"
    missing = set(tools) - set(bounds)
    if missing:
        raise Failure(f"the extra 'test' does not name {', '.join(sorted(missing))}")
    return list(bounds.values())


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


# ----------------------------------------------------------------------- tests


def needed_by_tests(folder: Path, modules: Collection[str]) -> tuple[list[str], str]:
    """Return the names of test files that import only these modules and Python's own, and of the others, as a text."""
    tests = sorted(path.stem for path in folder.glob("test_*.py"))
    lacking = {name: _imports(name, folder, set()) - set(modules) - set(sys.stdlib_module_names) for name in tests}
    left_out = [f"{name} ({', '.join(sorted(lacking[name]))})" for name in tests if lacking[name]]
    return [name for name in tests if not lacking[name]], ", ".join(left_out) or "any"


def _imports(name: str, folder: Path, seen: set[str]) -> set[str]:
    """Return the top-level modules that a module of the tests, and those of the tests that it imports, import anywhere.

    What a test asks pytest to import or else to be skipped does not count.
    """
    seen.add(name)
    text = (folder / f"{name}.py").read_text(encoding="utf-8")
    result = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for full in names:
            top = full.partition(".")[0]
            if top == "fastnn":
                result |= {library for module, library in ADAPTERS.items() if f"{full}.".startswith(f"{module}.")}
            elif (folder / f"{top}.py").exists():
                result |= set() if top in seen else _imports(top, folder, seen)
            elif not (folder / top).is_dir():
                result.add(top)
    return result
