"""Model files: a network, and what ``fastnn predict`` needs to know beyond it."""

from __future__ import annotations

from fastnn.cli.failures import Failure, reason
from fastnn.network import Network
from fastnn.tables import TableModel
from fastnn.tables.model import METADATA


def load(path: str) -> Network:
    """Load the network in a model file, and check its metadata.

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


def is_of_table(network: Network) -> bool:
    """Tell whether a network is that of a model of a table."""
    return METADATA in network.metadata


def table_model(network: Network, path: str) -> TableModel:
    """Join a network with the preprocessor and the target that its metadata hold.

    Raises
    ------
    Failure
        If they hold none, or are damaged.
    """
    try:
        return TableModel.of(network, path)
    except ValueError as error:
        raise Failure(error) from None
