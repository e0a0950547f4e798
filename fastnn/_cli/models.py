"""Model files: a network, and what ``fastnn predict`` needs to know beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastnn import _files
from fastnn._cli.datasets import Failure, reason
from fastnn.network import Network


def save(path: Path, network: Network, metadata: Mapping[str, Any]) -> None:
    """Writes a file that ``Network.load`` reads too; ``metadata`` goes with it."""
    description = {"kind": "network", **network._description(), "digest": network.digest()}
    _files.write(path, dict(network.parameters), {**description, "metadata": dict(metadata)})


def load(path: str) -> tuple[Network, dict[str, Any]]:
    """The network in a model file and the metadata that go with it (none: empty).

    Raises
    ------
    Failure
        If the file is missing, truncated or not a fastnn model.
    """
    try:
        metadata, _ = _files.read(path, ("network", "trainer"))
        network = Network.load(path)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    given = metadata.get("metadata", {})
    try:
        checked = {**given, "divisor": float(given.get("divisor", 1.0))}
        if "data" in given:
            checked |= {"test_fraction": float(given["test_fraction"]), "split_seed": int(given["split_seed"])}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Failure(f"{path!r} is damaged: its metadata are not those of fastnn train") from None
    return network, {"numerics_version": metadata["numerics"], **checked}


def classes(network: Network, metadata: Mapping[str, Any]) -> list[str]:
    """The names of the classes: as the file says, otherwise their numbers."""
    given = metadata.get("classes")
    if isinstance(given, list) and len(given) == network.n_outputs:
        return [str(name) for name in given]
    return [str(number) for number in range(network.n_outputs)]
