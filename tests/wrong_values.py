"""Values of a wrong kind for a parameter, by a label, and which of them some parameters take after all."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Wrong:
    """Of no kind that anything takes."""

    def __repr__(self):
        return "<wrong>"


WRONG = Wrong()
HUGE = 10**400  # more than a float64 holds

NUMBER = {"text": "text", "nan": np.nan, "bool": True, "complex": 1j}
PATHS = {"empty": "", "zero byte": "a\0b", "no folder": "/no/such/folder/file", "folder": "."}


def of_array(array):
    """What is no array like this one."""
    return {
        **{"text": "text", "number": 5, "mapping": {}, "ragged": [[1.0], [1.0, 2.0]]},
        **{"objects": np.full(array.shape, WRONG), "nan": np.full(array.shape, np.nan), "deeper": array[None]},
        "complex": array.astype(complex),
    }


def wrong_values(valid, takes_none):
    """Label → value: what does not stand for such a value as ``valid``."""
    values = {"object": WRONG} if takes_none else {"object": WRONG, "None": None}
    if isinstance(valid, bool):
        return values | {"number": 1, "text": "yes"}
    if isinstance(valid, int):
        return values | NUMBER | {"float": 2.5, "negative": -3}
    if isinstance(valid, float):
        return values | NUMBER | {"infinite": np.inf, "huge": HUGE}
    if isinstance(valid, str):
        return values | {"number": 5, "bytes": b"bytes", "list": ["a"], "another text": "no such value"}
    if isinstance(valid, Path):
        return values | {"number": 5, "bytes": b"bytes"} | PATHS
    if isinstance(valid, np.ndarray):
        return values | of_array(valid)
    if isinstance(valid, (list, tuple)):
        return values | {"number": 5, "text": "text", "objects": [WRONG]}
    if isinstance(valid, Mapping):
        return values | {"number": 5, "text": "text", "list": [WRONG], "objects": dict.fromkeys(valid, WRONG)}
    return values | ({} if valid is None else {"number": 5, "text": "text", "class": type(valid)})


def says_what_came(message, value):
    """Whether a message tells the value, its type or, of what is to be an array, shape or dtype."""
    told = [repr(value), str(value), type(value).__name__, Wrong.__name__, repr(WRONG)]
    if isinstance(value, np.ndarray):
        told += [str(value.shape), "nan", "dtype", str(list(value.shape))]
    if isinstance(value, list):
        told += ["unequal length", "inhomogeneous", f"got {len(value)}", *map(repr, value)]
    return any(text in message for text in told) or re.search(r"got (shape \(|an array of|dtype|both|\[\])", message)


ANY_STRING = {"another text"}
ANY_ARRAY = {"text", "number", "nan", "deeper", "complex"}

# What parameters, by a pattern of "function(parameter)", take of the above, or refuse without their name.
TAKEN = {
    # Paths and columns are looked for when a fit begins.
    r"callbacks\.Checkpoint\(path\)": {"no folder", "folder"},
    r"(callbacks\.EarlyStopping|schedules\.ReduceOnPlateau)\(monitor\)": ANY_STRING,
    # It is the folder that the error names.
    r"plot\._page\.page\(path\)": {"no folder"},
    # Names of the caller's own.
    r"tables\..*\(name\)|tables\.encoders\.Unused\(detail\)|plot\._page\.page\(title\)": ANY_STRING,
    # Without one there is the identity.
    r"layers\.Activation\(name\)": {"None"},
    # A class is called as a function is.
    r"callbacks\.LambdaCallback\(.*\)": {"class"},
    # One item stands for itself.
    r"tables\.preprocessor\..*\((categorical|unused|numeric|names)\)": {"text"},
    r"tables\.targets\.Quantity\((typical|quantiles)\)|tables\.dates\.Date\((mean|scale)\)": {"number"},
    r"tables\.number_formats\.NumberFormat\(words\)": {"text"},
    r"tables\..*\(missing\)": {"text", "number"},
    r"sklearn\..*\((hidden_layer_sizes|sample_weight)\)": {"number"},
    # Numbers are constant rates; several kinds of values are fine.
    r"plot\._schedule\.schedule\(schedule\)": {"number"},
    r"sklearn\..*\((max_seconds|threads)\)": {"number"},
    r"sklearn\..*\(verbose\)": {"number"},
    # Of whatever values: rows are only counted and moved, or hashed.
    r"data\.split\((X|y)\)": {"objects", "nan", "complex", "deeper"},
    r"data\.fingerprint\(.*\)|records\.run_record\((X|y|sample_weight)\)": ANY_ARRAY,
    r"plot\._confusion\.confusion_matrix\(labels\)": {"objects"},
    # The fingerprint tells that data are others, but not which.
    r"reproduction\.reproduce\((X|y|sample_weight)\)": ANY_ARRAY,
    # Any shape; NaN in, NaN out. Of ragged lists NumPy itself tells, in the engine.
    r"_engine\.elementary\..*\(x\)": {"number", "nan", "deeper", "ragged"},
    r"tables\.targets\.Classes\.decode\(numbers\)": {"deeper"},
    # What a network that has diverged gives has to be looked at too.
    r"losses\..*\.predictions\(outputs\)": {"number", "nan", "deeper"},
    r"metrics\..*\((outputs|targets|values)\)|tables\.scores\..*\((probabilities|predicted|y)\)": {"nan"},
}


def is_taken(place, label):
    return any(label in labels and re.fullmatch(pattern, place) for pattern, labels in TAKEN.items())
