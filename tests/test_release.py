"""What the release's tools say of distributions that lack something, of lower bounds, and of tests that fit."""

import io
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

requirements = pytest.importorskip("packaging.requirements", reason="packaging is not installed")

import distributions  # noqa: E402
import environments  # noqa: E402
from builds import Failure  # noqa: E402

SOURCES = ["__init__.py", "datasets/README.md", "_kernels/dense.pyx", "_kernels/table.pxd", "_engine/steps.pyx"]
VERSION = distributions.version()
INFO = f"fastnn-{VERSION}.dist-info"
KERNELS = [
    f"_kernels/{isa}/{dtype}/dense" for isa in ("portable", "avx2", "avx512") for dtype in ("float32", "float64")
]
TAG = "cpython-311-x86_64-linux-gnu.so"
WHOLE = [
    *(f"fastnn/{name}" for name in SOURCES if not name.endswith(".pyx")),
    *(f"fastnn/{name}.{TAG}" for name in [*KERNELS, "_engine/steps", "_engine/_cython_utilities"]),
    *(f"{INFO}/licenses/{name}" for name in sorted(distributions.LICENCES)),
    f"{INFO}/RECORD",
]


@pytest.fixture
def sdist(tmp_path):
    path = tmp_path / "fastnn.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in SOURCES:
            archive.addfile(tarfile.TarInfo(f"fastnn-1/fastnn/{name}"), io.BytesIO())
    return path


def wheel(folder, names, version=VERSION, licences=distributions.LICENCES):
    path = folder / "fastnn-py-none-linux_x86_64.whl"
    metadata = [f"Version: {version}", *(f"License-File: {name}" for name in licences)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{INFO}/METADATA", "\n".join(metadata))
        for name in names:
            archive.writestr(name, "")
    return path


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_the_manifest_names_every_file_under_version_control():
    files = pytest.importorskip("setuptools._distutils.filelist", reason="setuptools is not installed").FileList()
    files.allfiles = sorted(distributions.tracked())
    for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines():
        files.process_template_line(line)
    wanted = {name for name in files.allfiles if not name.startswith(".") and not name.startswith("fastnn/")}
    assert wanted - set(files.files) <= {"setup.py", "pyproject.toml", "MANIFEST.in"}, "setuptools adds these itself"


def test_a_whole_wheel_passes(sdist, tmp_path):
    distributions.check_wheel(wheel(tmp_path, WHOLE), sdist)


@pytest.mark.parametrize("name", [name for name in WHOLE if not name.endswith("RECORD")])
def test_a_wheel_that_lacks_a_file_is_refused(sdist, tmp_path, name):
    with pytest.raises(Failure, match="missing: "):
        distributions.check_wheel(wheel(tmp_path, [other for other in WHOLE if other != name]), sdist)


@pytest.mark.parametrize(
    "name", ["fastnn/_engine/steps.pyx", "fastnn/_engine/steps.c", "tests/test_data.py", "fastnn/_kernels/neon/x.so"]
)
def test_a_wheel_that_holds_more_is_refused(sdist, tmp_path, name):
    with pytest.raises(Failure, match=f"unexpected: {'.*' if name.startswith('fastnn') else name}"):
        distributions.check_wheel(wheel(tmp_path, [*WHOLE, name]), sdist)


def test_a_wheel_of_another_version_or_without_the_licence_of_the_data_is_refused(sdist, tmp_path):
    with pytest.raises(Failure, match=r"is of version 9\.9"):
        distributions.check_wheel(wheel(tmp_path, WHOLE, version="9.9"), sdist)
    with pytest.raises(Failure, match="names the licence files"):
        distributions.check_wheel(wheel(tmp_path, WHOLE, licences=["LICENSE"]), sdist)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the sources are not under version control")
def test_an_sdist_that_lacks_sources_or_holds_what_was_built_is_refused(tmp_path):
    path = tmp_path / "fastnn.tar.gz"
    wanted = {name for name in distributions.tracked() - {".gitignore"} if not name.startswith(".ci/")}

    def make(names):
        with tarfile.open(path, "w:gz") as archive:
            for name in [*names, "PKG-INFO", "fastnn.egg-info/SOURCES.txt"]:
                archive.addfile(tarfile.TarInfo(f"fastnn-1/{name}"), io.BytesIO())
        return path

    distributions.check_sdist(make(wanted))
    with pytest.raises(Failure, match=r"missing: docs/index\.md$"):
        distributions.check_sdist(make(wanted - {"docs/index.md"}))
    with pytest.raises(Failure, match=r"unexpected: fastnn/_engine/steps\.so$"):
        distributions.check_sdist(make(wanted | {"fastnn/_engine/steps.so"}))


def test_lower_bounds_follow_extras_within_extras():
    texts = [
        *("numpy>=1.26", "click>=8.1; extra == 'cli'", "fastnn[plot]; extra == 'cli'", "jax; extra == 'bench'"),
        *("matplotlib<9,>=3.8; extra == 'plot'", "pytest>=8; extra == 'test'", "torch==2.0; extra == 'test'"),
    ]
    given = [requirements.Requirement(text) for text in texts]
    assert environments.lower_bounds(given, [], ["pytest"]) == ["numpy==1.26", "pytest==8"]
    found = environments.lower_bounds(given, ["cli"], ["pytest"])
    assert found == ["numpy==1.26", "click==8.1", "matplotlib==3.8", "pytest==8"]
    with pytest.raises(Failure, match="does not name hypothesis"):
        environments.lower_bounds(given, [], ["hypothesis"])


def test_every_dependency_of_users_has_a_lower_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for text in [
        *project["dependencies"],
        *(text for extra in ("cli", "onnx", "sklearn", "plot") for text in extras[extra]),
    ]:
        requirement = requirements.Requirement(text)
        assert requirement.name == "fastnn" or [part.operator for part in requirement.specifier] == [">="], text


def test_tests_are_chosen_by_what_they_import(tmp_path):
    for name, text in {
        "test_core": "import json, numpy\nfrom fastnn import data\nimport helper",
        "helper": "import fastnn as fn",
        "test_more": "def test():\n    from sklearn.metrics import auc",
        "test_adapter": "import fastnn.onnx",
        "test_by_helper": "from other import f",
        "other": "import mpmath\nimport test_core",
        "test_asked": "import pytest\npytest.importorskip('torch')",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    chosen, left_out = environments.needed_by_tests(tmp_path, {"numpy", "pytest"})
    assert chosen == ["test_asked", "test_core"]
    assert left_out == "test_adapter (onnx), test_by_helper (mpmath), test_more (sklearn)"
