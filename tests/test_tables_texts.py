"""Columns of texts as numbers, truth values or texts: every way of writing numbers, and what is refused."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn import tables
from fastnn._readers.polars_tables import TableFile
from fastnn.tables.cells import CellError, cells
from fastnn.tables.texts import Rules, decided

NAN = float("nan")


def read(values, kind="", **rules):
    return decided(cells("x", values), Rules.of(rules.get("missing"), rules.get("decimal")), kind)


@pytest.mark.parametrize(
    ("texts", "numbers", "note"),
    [
        (["1,234", "742", "12,5"], [1.234, 742, 12.5], "decimal commas"),
        (["5,361", "12.5"], [5361, 12.5], "thousands separated by commas"),
        (["1.234,5", "7"], [1234.5, 7], "thousands separated by points; decimal commas"),
        (["1.234.567", "2"], [1234567, 2], "thousands separated by points"),
        (["1,23,456", "1"], [123456, 1], "thousands separated by commas"),
        (["1 234", "12.5"], [1234, 12.5], "thousands separated by spaces"),
        (["1\u00a0234,5", "2"], [1234.5, 2], "thousands separated by spaces; decimal commas"),
        (["1\u202f234", "1\u2009000"], [1234, 1000], "thousands separated by spaces"),
        (["1'234.5", "1’000"], [1234.5, 1000], "thousands separated by apostrophes"),
        (["1_000", "2"], [1000, 2], "thousands separated by underscores"),
        (["$1,234.5", "-$5", "$-6", "($7)", "8"], [1234.5, -5, -6, -7, 8], "thousands separated by commas; in $"),
        (["5 EUR", "7.5 EUR"], [5, 7.5], "in EUR"),
        (["€ 5", "€7"], [5, 7], "in €"),
        (["5 %", "12,5%"], [5, 12.5], "decimal commas; in %"),
        (["−5", "+4", "- 3"], [-5, 4, -3], ""),
        (["(5)", "3"], [-5, 3], ""),
        ([" 5", "6\t", "1e3", "1E-2", ".5", "5."], [5, 6, 1000, 0.01, 0.5, 5], ""),
        (["1,5e3", "2,5"], [1500, 2.5], "decimal commas"),
        (["5.361", "7.420"], [5.361, 7.42], "points with three digits behind each, taken as decimal points"),
        (["5.361", "742", "0.5"], [5.361, 742, 0.5], ""),
        (["5.361", "74200"], [5.361, 74200], ""),
        (["1", "NA", "?", "-", None, "", "none"], [1] + 6 * [NAN], "missing: '-' 1 time, '?' 1 time, 'NA' 1 time, "
                                                                   "'none' 1 time"),
        (["1"] * 8 + ["unknown"] * 2, [1] * 8 + [NAN] * 2, "missing: 'unknown' 2 times"),
        (["007.5", "1"], [7.5, 1], ""),
    ],
)  # fmt: skip
def test_numbers(texts, numbers, note):
    found = read(texts)
    assert found.kind == "number"
    np.testing.assert_array_equal(found.numbers, numbers)
    assert found.note == note
    # Each cell alone is the same, in the format of the column.
    for text, number in zip(texts, numbers, strict=True):
        alone, problems = found.format.read([text])
        assert not problems
        np.testing.assert_array_equal(alone, [number])


@pytest.mark.parametrize(
    ("texts", "kind", "note"),
    [
        (
            ["00123", "00456", "NA"],
            "text",
            "codes, not numbers, because of zeros in front: '00123'; 'NA' 1 time: taken",
        ),
        (["None", "Mild"], "text", "'None' 1 time: taken as texts, not as missing"),
        ([" a ", "b", ""], "text", ""),
        (["10-19", "20-29"], "text", ""),
        (["555-1234", "12"], "text", ""),
        (["1\n2", "3"], "text", ""),
        (["٣", "1"], "text", ""),
        (["5-", "3"], "text", ""),
        (["(5", "3"], "text", ""),
        (["0x10", "1"], "text", ""),
        (["true", "FALSE", "NA"], "boolean", "missing: 'NA' 1 time"),
        (["", " ", None], "none", ""),
        (["NA", "NA"], "text", "'NA' 2 times: taken as texts, not as missing"),
        (["1", "2", "unknown"], "mixed", ""),
        (["1", "2", "3x"], "mixed", ""),
        (["€5", "$6"], "mixed", ""),
        (["5%", "0.05"], "mixed", ""),
        (["1.234.567", "12.5"], "mixed", ""),
        (["1.5", "2,5"], "mixed", ""),
        ([*map(str, range(100)), *"abcdef"], "mixed", ""),
    ],
)
def test_what_is_no_number(texts, kind, note):
    found = read(texts)
    assert found.kind == kind
    assert found.note.startswith(note)


@pytest.mark.parametrize(
    ("texts", "row", "thousands", "fraction"),
    [
        (["742", "5,361"], 1, 5361, 5.361),
        (["1,234", "5,361"], 0, 1234, 1.234),
        (["$5", "$5,361"], 1, 5361, 5.361),
        (["742", "5.361"], 1, 5361, 5.361),
        (["0", "5.361", "742"], 1, 5361, 5.361),
        (["0 €", "5.361 €"], 1, 5361, 5.361),
        (["12345", "5,361"], 1, 5361, 5.361),
    ],
)
def test_what_may_be_one_number_or_another_is_refused(texts, row, thousands, fraction):
    with pytest.raises(CellError, match=re.escape(f"got {texts[row]!r}: {thousands} if the")) as error:
        read(texts)
    assert error.value.row == row
    sign = "," if "," in texts[row] else "."
    other = "." if sign == "," else ","
    assert f"decimal={other!r}" in str(error.value)
    assert f"{fraction} if it is the decimal sign (decimal={sign!r}; --decimal {sign})" in str(error.value)
    assert read(texts, decimal=other).numbers[row] == thousands
    assert read(texts, decimal=sign).numbers[row] == fraction
    assert read(texts, "text").as_texts() == texts


def test_a_decimal_sign_does_not_overrule_what_the_column_says():
    assert read(["1.5", "2.25"], decimal=",").numbers.tolist() == [1.5, 2.25]
    assert read(["1,5", "2,25"], decimal=".").numbers.tolist() == [1.5, 2.25]


def test_words_by_choice_are_all_words():
    np.testing.assert_array_equal(read(["-999", "5", "-999.0"], missing=["-999"]).numbers, [NAN, 5, NAN])
    np.testing.assert_array_equal(read([-999, 5.0], missing=[-999]).numbers, [NAN, 5])
    assert read(["None", "a", ""], missing="None").texts == [None, "a", None]
    assert read(["NA", "1", "2"], missing=()).kind == "mixed"
    assert read(["1"] * 99 + ["x"], missing=["y"]).kind == "mixed"
    np.testing.assert_array_equal(read(["1", "x"], missing=["x"]).numbers, [1, NAN])


def test_a_column_by_choice():
    assert read(["01", "02"], "number").numbers.tolist() == [1, 2]
    assert read(["1", "1.0", "NA"], "text").as_texts() == ["1", "1", None]
    large = ["9007199254740993", "9007199254740992"]
    assert read(large, "text").as_texts() == large
    with pytest.raises(CellError, match=r"row 1: expected a number; got 'x'; if that means missing, name it"):
        read(["1", "x"], "number")
    for texts in (["inf", "1"], ["1e400"], ["-Infinity", "2"]):
        with pytest.raises(CellError, match="expected a finite number"):
            read(texts)


# --------------------------------------------------------------- any format


def shown(number, decimal, grouping, unit, negative, trailing):
    """A number as text, by the digits of Python's decimal."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).rjust(1 - exponent, "0")
    whole, fraction = (text[:exponent], text[exponent:]) if exponent else (text, "")
    if not trailing:
        fraction = fraction.rstrip("0")
    parts = []
    while len(whole) > 3 and grouping is not None:
        whole, part = whole[:-3], whole[-3:]
        parts.insert(0, part)
    text = (grouping or "").join([whole, *parts]) + (decimal + fraction if fraction else "")
    text = unit.format(text)
    return text if not sign else f"({text})" if negative == "(" else negative + text


WAYS = st.tuples(
    st.sampled_from(
        [(".", None), (",", None), *((".", g) for g in ",'’_ \u00a0\u202f"), *((",", g) for g in ".'’_ \u00a0\u202f")]
    ),
    st.sampled_from(["{}", "{}", "${}", "€ {}", "{} USD", "{}€", "{} %", " {} "]),
    st.sampled_from(["-", "\u2212", "("]),
    st.booleans(),
)
NUMBERS = st.lists(
    st.decimals(-(10**9), 10**9, places=3) | st.integers(-2000, 2000).map(Decimal), min_size=1, max_size=8
)


@settings(max_examples=400, deadline=None)
@given(NUMBERS, WAYS, st.sampled_from([None, ".", ","]))
def test_numbers_in_any_format_come_back_or_are_refused(tmp_path_factory, numbers, way, chosen):
    (decimal, grouping), *rest = way
    texts = [shown(number, decimal, grouping, *rest) for number in numbers]
    expected = [float(number) for number in numbers]
    assert read(texts, decimal=decimal).numbers.tolist() == expected
    try:
        found = read(texts, decimal=chosen)
    except CellError:
        with pytest.raises(CellError, match="if it is the decimal sign"):
            read(texts)
        assert chosen is None
        return
    said = "taken as decimal points" in found.note or chosen not in (None, decimal)
    assert found.kind == "number"
    assert found.numbers.tolist() == expected or said
    assert found.format.read(texts)[0].tolist() == found.numbers.tolist()
    # A text file holds the same, whatever separates its cells.
    for separator in ",;\t":
        path = tmp_path_factory.mktemp("t") / "t.csv"
        pl.DataFrame({"x": texts, "y": "z"}).write_csv(path, separator=separator)
        part = TableFile(str(path)).read(Rules.of(None, chosen).format)
        again = decided(cells("x", part.columns["x"]), Rules.of(None, chosen))
        np.testing.assert_array_equal(again.numbers, found.numbers)
        (batch,) = TableFile(str(path)).batches({"x": found.format})
        encoder = tables.Numeric("x", 0.0, 0.0, 1.0, False, found.format)
        out = np.zeros((len(texts), 1))
        encoder.encode(cells("x", batch.columns["x"]), out)
        np.testing.assert_array_equal(out[:, 0], found.numbers)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text("0123456789.,-+ '$%eNAn?x\u2212(\n", max_size=7) | st.none(), min_size=1, max_size=6))
def test_any_texts_are_the_same_from_every_kind_of_file(tmp_path_factory, texts):
    def outcome(values):
        try:
            found = decided(cells("x", values), Rules())
        except CellError as error:
            return str(error)
        content = found.as_texts() if found.kind != "date" else None
        return found.kind, content, found.note

    folder = tmp_path_factory.mktemp("t")
    frame = pl.DataFrame({"x": pl.Series(texts, dtype=pl.String), "y": "z"})
    frame.write_csv(folder / "t.csv", quote_style="non_numeric")
    frame.write_parquet(folder / "t.parquet")
    expected = outcome(texts)
    for name in ("t.csv", "t.parquet"):
        assert outcome(TableFile(str(folder / name)).read().columns["x"]) == expected
    assert outcome(pd.Series(texts, dtype=object).to_numpy()) == expected
    assert outcome(frame["x"].to_numpy()) == expected
