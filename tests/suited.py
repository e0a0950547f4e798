"""What targets suit a loss, by what its description says: a new loss is tested without a word here."""

from fastnn.losses import LOSSES


def kind_of_targets(cls):
    """Name them: "labels", "bits" (0 or 1), "counts" or "reals"."""
    if cls.kind == "cross_entropy":
        return "labels"
    return "reals" if cls.upper is None else "bits" if cls.upper == 1 else "counts"


# The losses whose targets are numbers, one for each output of a network of any size.
NUMERIC = {name: cls for name, cls in LOSSES.items() if kind_of_targets(cls) != "labels"}
