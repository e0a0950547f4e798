"""What a network of a table predicts: classes or a quantity. From a column to targets, and from outputs back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from fastnn import elementary
from fastnn._engine.environment import standard_environment
from fastnn._engine.random import lane_sum
from fastnn._input import checks
from fastnn._storage.descriptions import Description, description
from fastnn.data import Standardizer
from fastnn.tables import cells as _cells
from fastnn.tables import frames, scores
from fastnn.tables.cells import CellError, Cells, known_text, number_text
from fastnn.tables.encoders import WHOLE, Boolean, checked_format, median, read_numbers
from fastnn.tables.number_formats import NumberFormat
from fastnn.tables.target_cells import FEW_CLASSES, as_classes, as_quantity, complete, complete_numbers
from fastnn.tables.texts import Rules, cleaned

KINDS = ("text", "number", "boolean")


class Target(Description):
    """The base of what is predicted."""

    name: str

    @property
    def n_outputs(self) -> int:
        """Outputs that a network needs."""
        raise NotImplementedError

    def present(self, column: Any) -> np.ndarray:
        """Return which rows have a target: bool of shape (n,)."""
        raise NotImplementedError

    def values(self, column: Any) -> np.ndarray:
        """Return the cells of a column as the scores take them: labels, int64 (n,), or numbers, float64 (n,)."""
        raise NotImplementedError

    def encode(self, column: Any) -> np.ndarray:
        """Return the cells of a column as a loss takes them."""
        raise NotImplementedError

    def predicted(self, outputs: np.ndarray, activation: str) -> np.ndarray:
        """Return outputs after ``activation`` as probabilities or quantities, float64 (n, n_outputs)."""
        raise NotImplementedError

    def baseline(self, n: int) -> np.ndarray:
        """Return what is predicted, for ``n`` rows, without a look at them; as `predicted`."""
        raise NotImplementedError

    def scores(self, values: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Return how good predictions are."""
        raise NotImplementedError


@description
class Classes(Target):
    """Classes: texts, numbers or truth values.

    Parameters
    ----------
    name : str
        The column.
    labels : sequence of str
        The classes as text, in the order of the outputs: numbers by size, texts by code points.
    kind : str
        ``"text"``, ``"number"`` or ``"boolean"``: what the labels stand for.
    counts : sequence of int
        Training rows of each class.
    format : NumberFormat, optional
        How numbers are written where they are texts. Of texts only its ``words`` count, which mean missing.
    """

    name: str
    labels: Any
    kind: str
    counts: Any
    format: Any = None

    def __post_init__(self) -> None:
        labels, counts = checks.names(self.labels, "labels"), checks.listed(self.counts, int, "counts")
        checks.text(self.name, "name")
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise ValueError(f"labels must be two different ones at least; got {checks.listing(labels) or 'none'}")
        checks.choice(self.kind, KINDS, "kind")
        counts = tuple(checks.integer(count, "counts", 0) for count in counts)
        if len(counts) != len(labels) or not any(counts):
            raise ValueError(
                f"counts must be one for each of {len(labels)} labels, not all 0; got {checks.described(counts)}"
            )
        known = checked_format(self.format)
        self._set(labels=labels, counts=counts, format=None if known == NumberFormat(usual=False) else known)
        self.decode(np.zeros(0, dtype=np.int64))  # labels that are of the kind

    @classmethod
    def fit(
        cls, name: str, column: Any, training: np.ndarray | None = None, missing: Iterable[str] | None = None
    ) -> Classes:
        """Return the classes of the cells of ``column``; counted in the rows ``training`` (row numbers), or in all.

        The texts ``missing`` mean that there is no class; see `Preprocessor`.
        """
        cells = complete(as_classes(checks.text(name, "name"), column, Rules.of(missing)))
        texts = cells.as_texts()
        if training is not None:
            training = checks.places(training, len(texts), "training")
            if training.ndim != 1:
                raise ValueError(f"training must have shape (k,), numbers of rows; got shape {training.shape}")
        labels = sorted({text for text in texts if text is not None})
        kind = "number" if cells.numbers is not None and cells.kind == "text" else cells.kind  # categories of numbers
        if kind == "number":
            labels.sort(key=_number)
        if len(labels) < 2:
            came = f"every row is {labels[0]!r}" if labels else "there is no row"
            raise ValueError(f"the target {name!r} must have at least two classes; {came}")
        if 2 * len(labels) > len(texts) and len(labels) > FEW_CLASSES:
            raise ValueError(
                f"the target {name!r} must be {'classes' if kind == 'number' else 'classes or numbers'}; got "
                f"{len(labels):,} different values in {len(texts):,} rows"
            )
        places = {label: place for place, label in enumerate(labels)}
        numbers = np.array([places[text] for text in texts if text is not None], dtype=np.int64)
        counted = numbers if training is None else numbers[training]
        frequencies = tuple(np.bincount(counted, minlength=len(labels)).tolist())
        return cls(name, tuple(labels), kind if kind in KINDS else "text", frequencies, cells.format)

    @property
    def n_outputs(self) -> int:
        return len(self.labels)

    def encode(self, column: Any) -> np.ndarray:
        """Return labels 0, 1, … of shape (n,), int64."""
        texts = complete(self._cells(column)).as_texts()
        places: dict[str | None, int] = {label: place for place, label in enumerate(self.labels)}
        found = {text: places.get(known_text(text, places), -1) for text in set(texts)}
        result = np.array([found[text] for text in texts], dtype=np.int64)
        if (result < 0).any():
            row = int((result < 0).argmax())
            listed = _cells.quoted(list(self.labels))
            raise CellError(self.name, row, f"expected one of the classes {listed}; got {texts[row]!r}")
        return result

    def _cells(self, column: Any) -> Cells:
        """Return the cells of a column as `fit` took them."""
        cells = _cells.cells(self.name, column)
        is_known = cells.texts is not None and {*cells.texts} - {None} <= {*self.labels}
        if self.kind != "text" and cells.texts is not None and not is_known:
            truth = Boolean.truth if self.kind == "boolean" else {}
            numbers = read_numbers(cells, self.format, truth=truth)
            whole = [text is not None and bool(WHOLE.fullmatch(text.strip())) for text in cells.texts]
            own = [
                int(text) if is_whole and text else x
                for text, x, is_whole in zip(cells.texts, numbers, whole, strict=True)
            ]
            cells = Cells(self.name, self.kind, numbers, own=frames.objects(own))
        elif cells.texts is not None and not is_known:
            cells = cleaned(cells, () if self.format is None else self.format.words)
        elif cells.numbers is not None and self.format is not None:
            cells = replace(cells, numbers=self.format.without_words(cells.numbers))
        return cells

    def present(self, column: Any) -> np.ndarray:
        return self._cells(column).present

    def values(self, column: Any) -> np.ndarray:
        return self.encode(column)

    def decode(self, numbers: np.ndarray) -> np.ndarray:
        """Return the classes with these numbers: an array of strings, integers, floats or booleans."""
        with standard_environment():
            if self.kind == "text":
                own = np.array(self.labels)
            elif self.kind == "boolean":
                own = np.array([label == "true" for label in self.labels])
            elif all(map(_is_whole, self.labels)):
                own = _whole(self.labels)
            elif all(number_text(float(label)) == label for label in self.labels):
                own = np.array([float(label) for label in self.labels])
            else:  # decimals of more digits than a float has
                own = np.array(self.labels)
        return own[checks.places(numbers, len(own), "numbers")]

    def predicted(self, outputs: np.ndarray, activation: str) -> np.ndarray:
        values = outputs.astype(np.float64)
        if activation == "softmax":
            return values
        with standard_environment():
            if activation != "sigmoid":  # logits
                values = elementary.exp(values - values.max(axis=1)[:, None])
            total = values[:, 0].copy()
            for column in range(1, values.shape[1]):
                total += values[:, column]
            # Sigmoids may all have underflowed.
            uniform = 1.0 / values.shape[1]
            return np.where(total[:, None] > 0, values / np.where(total > 0, total, 1.0)[:, None], uniform)

    def baseline(self, n: int) -> np.ndarray:
        """Return the shares of the classes in the training rows; the most frequent one is predicted."""
        with standard_environment():
            counts = np.array(self.counts, dtype=np.float64)
            shares = counts / lane_sum(counts)
        return np.zeros((n, len(shares))) + shares

    def scores(self, values: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        return scores.of_classes(values, predicted)


@description
class Quantity(Target):
    """A number, standardised for training; predictions are in its own units.

    Parameters
    ----------
    name : str
        The column.
    mean, scale : float
        Of the training rows.
    typical : sequence of float
        The best guesses without a look at a row: the mean or the median of the training rows, or their quantiles.
    quantiles : sequence of float, default ()
        The quantiles that are predicted, one output each; none: one output.
    log : bool, default False
        Learn log(1 + y) instead of y, of which ``mean`` and ``scale`` then are; y is at least 0.
    rate : bool, default False
        Outputs are logarithms of rates, for the loss ``"poisson"``: y is a count, at least 0, and is learnt as a
        multiple of ``scale``; ``mean`` is 0.
    format : NumberFormat, optional
        How the numbers are written where they are texts.
    """

    name: str
    mean: float
    scale: float
    typical: Any
    quantiles: Any = ()
    log: bool = False
    rate: bool = False
    format: Any = None

    def __post_init__(self) -> None:
        typical, quantiles = (
            tuple(checks.number(value, argument) for value in checks.listed(given, (int, float), argument))
            for argument, given in (("typical", self.typical), ("quantiles", self.quantiles))
        )
        checks.text(self.name, "name")
        if len(typical) != max(1, len(quantiles)):
            raise ValueError(
                f"typical must hold a number for each output, {max(1, len(quantiles))}; got {checks.described(typical)}"
            )
        self._set(
            mean=checks.number(self.mean, "mean"),
            scale=checks.number(self.scale, "scale", 0.0, above=True),
            typical=typical,
            quantiles=quantiles,
            log=checks.boolean(self.log, "log"),
            rate=checks.boolean(self.rate, "rate"),
            format=checked_format(self.format),
        )
        if self.rate and (self.log or quantiles or self.mean):
            raise ValueError("rate needs log=False, no quantiles and mean 0: outputs are logarithms already")

    @classmethod
    def fit(
        cls,
        name: str,
        column: Any,
        quantiles: tuple[float, ...] = (),
        absolute: bool = False,
        missing: Iterable[str] | None = None,
        decimal: str | None = None,
        *,
        log: bool = False,
        rate: bool = False,
    ) -> Quantity:
        """Return mean and deviation of the training rows; ``absolute`` takes the median for typical, not the mean.

        With ``log`` they are those of log(1 + y); with ``rate`` the mean is the scale. Both want numbers of at least 0.
        ``missing`` and ``decimal`` say how texts are read; see `Preprocessor`.
        """
        cells = as_quantity(checks.text(name, "name"), column, Rules.of(missing, decimal))
        numbers = complete_numbers(cells)
        absolute = checks.boolean(absolute, "absolute")
        log, rate = checks.boolean(log, "log"), checks.boolean(rate, "rate")
        if (log or rate) and (numbers < 0).any():
            row = int((numbers < 0).argmax())
            what = "to take its logarithm" if log else "as a count"
            raise CellError(name, row, f"expected a number of at least 0, {what}; got {numbers[row]:g}")
        quantiles = tuple(
            checks.number(q, "quantiles", 0.0, 1.0, above=True, below=True)
            for q in checks.listed(quantiles, (int, float), "quantiles")
        )
        if len(numbers) and (numbers == numbers[0]).all():
            raise ValueError(f"the target {name!r} must have different values; every row is {numbers[0]:g}")
        scaler = Standardizer()
        with np.errstate(over="ignore", invalid="ignore"):
            scaler.fit(_logarithms(numbers)[:, None] if log else numbers[:, None])
        mean, scale = float(scaler.mean[0]), float(scaler.scale[0])  # type: ignore[index]
        if not np.isfinite([mean, scale]).all():
            row = int(np.abs(numbers).argmax())
            raise CellError(name, row, f"too large to take mean and deviation of the column; got {numbers[row]}")
        with standard_environment():
            if quantiles:
                typical = tuple(_quantile(numbers, q) for q in quantiles)
            else:
                typical = (median(numbers) if absolute else lane_sum(numbers) / len(numbers) if log else mean,)
        if rate:
            mean, scale = 0.0, mean
        return cls(name, mean, scale, typical, quantiles, log, rate, cells.format)

    @property
    def n_outputs(self) -> int:
        return len(self.typical)

    def _cells(self, column: Any) -> Cells:
        cells = _cells.cells(self.name, column)
        return cells if cells.kind == "date" else Cells(self.name, "number", read_numbers(cells, self.format))

    def present(self, column: Any) -> np.ndarray:
        return self._cells(column).present

    def values(self, column: Any) -> np.ndarray:
        return complete_numbers(self._cells(column))

    def encode(self, column: Any) -> np.ndarray:
        """Return ``(y - mean) / scale``, of log(1 + y) where that is learnt: float64 of shape (n,)."""
        values = self.values(column)
        if (self.log or self.rate) and (values < 0).any():
            row = int((values < 0).argmax())
            raise CellError(self.name, row, f"expected a number of at least 0; got {values[row]:g}")
        with standard_environment():
            return ((_logarithms(values) if self.log else values) - self.mean) / self.scale

    def predicted(self, outputs: np.ndarray, activation: str = "identity") -> np.ndarray:
        with standard_environment():
            values = np.ascontiguousarray(outputs, dtype=np.float64)
            if self.rate:
                return elementary.exp(values) * self.scale
            values = values * self.scale + self.mean
            return np.maximum(elementary.expm1(values), 0.0) if self.log else values

    def baseline(self, n: int) -> np.ndarray:
        return np.zeros((n, self.n_outputs)) + np.array(self.typical)

    def scores(self, values: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        if self.quantiles:
            return scores.of_quantiles(values, predicted, self.quantiles)
        if self.rate:
            return scores.of_rates(values, predicted[:, 0])
        return scores.of_quantities(values, predicted[:, 0])


TARGETS = (Classes, Quantity)


def _logarithms(numbers: np.ndarray) -> np.ndarray:
    return elementary.log1p(np.ascontiguousarray(numbers))


def _quantile(numbers: np.ndarray, q: float) -> float:
    """Return the smallest number that the share ``q`` of them does not exceed."""
    ordered = np.sort(numbers)
    place = q * len(ordered)
    whole = int(place)
    return float(ordered[min(len(ordered) - 1, whole if place > whole else max(0, whole - 1))])


def _is_whole(label: str) -> bool:
    try:
        return str(int(label)) == label
    except ValueError:
        return False


def _number(label: str) -> int | float:
    return int(label) if _is_whole(label) else float(label)


def _whole(labels: tuple[str, ...]) -> np.ndarray:
    """Return whole numbers as int64; as uint64 or objects if they do not fit."""
    numbers = [int(label) for label in labels]
    low, high = min(numbers), max(numbers)
    if low >= -(2**63) and high < 2**63:
        return np.array(numbers, dtype=np.int64)
    return np.array(numbers, dtype=np.uint64 if low >= 0 and high < 2**64 else object)
