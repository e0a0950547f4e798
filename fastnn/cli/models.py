"""Model files: a network, and what ``fastnn predict`` needs to know beyond it."""

from __future__ import annotations

from fastnn.cli.datasets import Failure, reason
from fastnn.network import Network
from fastnn.tables import TableModel


def load(path: str) -> Network:
    """The network in a model file, its metadata checked.

    Raises
    ------
    Failure
        If the file is missing, truncated or not a fastnn model.
    """
    try:
        network = Network.load(path)
    except (OSError, ValueError) as error:
        raise Failure(reason(error)) from None
    given = network.metadata
    try:
        checked = {**given, "divisor": float(given.get("divisor", 1.0))}
        if "data" in given:
            checked |= {"test_fraction": float(given["test_fraction"]), "split_seed": int(given["split_seed"])}
    except (KeyError, TypeError, ValueError):
        raise Failure(f"{path!r} is damaged: its metadata are not those of fastnn train") from None
    network.metadata = checked
    return network


def load_table_model(path: str) -> TableModel:
    """The model of a table in a model file.

    Raises
    ------
    Failure
        If the file is missing, truncated, or of another kind.
    """
    return table_model(load(path), path)


def table_model(network: Network, path: str) -> TableModel:
    """A network with the preprocessor and the target that its metadata hold."""
    try:
        return TableModel.of(network, path)
    except ValueError as error:
        raise Failure(error) from None


def classes(network: Network) -> list[str]:
    """The names of the classes: as the file says, otherwise their numbers."""
    given = network.metadata.get("classes")
    if isinstance(given, list) and len(given) == network.n_outputs:
        return [str(name) for name in given]
    return [str(number) for number in range(network.n_outputs)]
