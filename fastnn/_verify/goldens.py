"""The golden digests: which there are, the file that holds them, and whether the two agree."""

from __future__ import annotations

import json
from pathlib import Path

from fastnn._storage.files import NUMERICS_VERSION
from fastnn._verify import (
    dense_cases,
    element_cases,
    function_cases,
    kernel_cases,
    network_cases,
    row_cases,
    sparse_cases,
)
from fastnn._verify.cases import Case

KERNELS = (dense_cases.CASES, row_cases.CASES, element_cases.CASES, sparse_cases.CASES)
PATH = Path(__file__).with_name("golden.json")


class GoldenError(Exception):
    """The golden digests are missing, damaged, or not those of what is to be verified."""


def cases() -> list[Case]:
    """Return every case, with a golden for every function of every kernel table."""
    missing = kernel_cases.fields().difference(*(kernels.fields for kernels in KERNELS))
    if missing:
        raise GoldenError(f"kernels without a golden: {', '.join(sorted(missing))}")
    found = [case for kernels in KERNELS for case in kernels.cases()]
    return [*found, *function_cases.cases(), *network_cases.cases()]


def write(digests: dict[str, str]) -> None:
    """Write the file, sorted by name."""
    content = {"numerics_version": NUMERICS_VERSION, "digests": dict(sorted(digests.items()))}
    PATH.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read() -> dict[str, str]:
    """Return the golden digests by name.

    Raises
    ------
    GoldenError
        If the file is missing or damaged, or holds the digests of another version of the numerics contract.
    """
    try:
        content = json.loads(PATH.read_text(encoding="utf-8"))
        version, digests = content["numerics_version"], content["digests"]
        for digest in digests.values():
            if len(bytes.fromhex(digest)) != 32:
                raise ValueError(f"{digest!r} is not a digest")
    except OSError as error:
        raise GoldenError(f"{PATH}: {error.strerror}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise GoldenError(f"{PATH} is damaged: {error}") from None
    if version != NUMERICS_VERSION:
        raise GoldenError(f"{PATH} is of numerics version {version}; this fastnn has {NUMERICS_VERSION}")
    return digests


def checked(found: list[Case], digests: dict[str, str]) -> None:
    """Raise GoldenError unless the cases and the digests have the same names."""
    names = {name for case in found for name in case.goldens}
    for problem, wrong in (
        ("without a golden digest", names - digests.keys()),
        ("a golden digest without a case", digests.keys() - names),
    ):
        if wrong:
            some = ", ".join(sorted(wrong)[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            raise GoldenError(f"{problem}: {some}")
