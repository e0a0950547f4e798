"""Columns of every library and dtype as numbers, categories and classes: the matrix of plain Python."""

import datetime
import decimal
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn import tables
from fastnn.data import Standardizer

WHOLE = [3, 1, 2, 3, 2, 3, 1, 3, 2, 1, 3, 2]
HUGE = [2**53 + 1 + x for x in WHOLE]
HALVES = [x / 2 for x in WHOLE]
TENTHS = [x / 10 for x in WHOLE]
SECONDS = [datetime.timedelta(seconds=x, microseconds=500_000) for x in WHOLE]
TIMES = [datetime.time(x, 0, 30) for x in WHOLE]
OF_TIMES = [3600.0 * x + 30 for x in WHOLE]


VAST = [x * 10**20 for x in WHOLE]
THREE = [decimal.Decimal(text) for text in ("1.50", "0.5", "1.0")] * 4


def texts_of(values):
    return " ".join(map(str, values[:3]))


def arrow(values, dtype):
    return pd.Series(values, dtype=pd.ArrowDtype(dtype))


# A column, the numbers that it holds, and the texts that name them as categories, of the first three rows.
CASES = {
    "list of int": (WHOLE, WHOLE, "3 1 2"),
    "list of float": (HALVES, HALVES, "1.5 0.5 1"),
    "list of huge int": (HUGE, HUGE, "9007199254740996 9007199254740994 9007199254740995"),
    "objects beyond int64": (VAST, VAST, texts_of(VAST)),
    **{f"numpy {name}": (np.array(WHOLE, name), WHOLE, "3 1 2") for name in ("i1", "u2", "i8", "u8", "f8", ">i4", "O")},
    **{f"numpy huge {name}": (np.array(HUGE, name), HUGE, texts_of(HUGE)) for name in ("i8", "u8", "O", ">i8")},
    "numpy f2": (np.array(TENTHS, "f2"), np.array(TENTHS, "f2").tolist(), "0.3 0.1 0.2"),
    "numpy f4": (np.array(TENTHS, "f4"), np.array(TENTHS, "f4").tolist(), "0.3 0.1 0.2"),
    "numpy huge f8": (np.array(VAST, "f8"), VAST, "3e+20 1e+20 2e+20"),
    "numpy timedelta": (np.array(SECONDS, "m8[ms]"), [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
    "masked": (np.ma.MaskedArray(WHOLE, [0] * 12), WHOLE, "3 1 2"),
    "timedelta objects": (SECONDS, [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
    "times of the day": (TIMES, OF_TIMES, "10830 3630 7230"),
    "Decimal": (THREE, [1.5, 0.5, 1.0] * 4, "1.5 0.5 1"),
    **{f"pandas {name}": (pd.Series(WHOLE, dtype=name), WHOLE, "3 1 2") for name in ("int8", "Int64", "Float32")},
    "pandas huge Int64": (pd.Series(HUGE, dtype="Int64"), HUGE, texts_of(HUGE)),
    "pandas timedelta": (pd.Series(pd.to_timedelta(SECONDS)), [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
    "pandas int64[pyarrow]": (arrow(HUGE, pa.int64()), HUGE, texts_of(HUGE)),
    "pandas decimal[pyarrow]": (arrow(THREE, pa.decimal128(9, 2)), [1.5, 0.5, 1] * 4, "1.5 0.5 1"),
    "pandas duration[pyarrow]": (arrow(SECONDS, pa.duration("us")), [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
    "pandas time64[pyarrow]": (arrow(TIMES, pa.time64("us")), OF_TIMES, "10830 3630 7230"),
    **{f"polars {t}": (pl.Series(WHOLE, dtype=t), WHOLE, "3 1 2") for t in (pl.Int8, pl.UInt64, pl.Int128, pl.Float64)},
    "polars huge Int64": (pl.Series(HUGE), HUGE, texts_of(HUGE)),
    "polars Decimal": (pl.Series(THREE), [1.5, 0.5, 1.0] * 4, "1.5 0.5 1"),
    "polars Duration": (pl.Series(SECONDS), [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
    "polars Time": (pl.Series(TIMES), OF_TIMES, "10830 3630 7230"),
    "polars Float32": (pl.Series(TENTHS, dtype=pl.Float32), np.array(TENTHS, "f4").tolist(), "0.3 0.1 0.2"),
    **{f"pyarrow {t}": (pa.array(WHOLE, t), WHOLE, "3 1 2") for t in (pa.int8(), pa.uint64(), pa.float32())},
    "pyarrow huge": (pa.chunked_array([HUGE]), HUGE, texts_of(HUGE)),
    "pyarrow decimal": (pa.array(THREE), [1.5, 0.5, 1.0] * 4, "1.5 0.5 1"),
    "pyarrow duration": (pa.array(SECONDS), [x + 0.5 for x in WHOLE], "3.5 1.5 2.5"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_as_numbers_categories_and_classes(name):
    column, numbers, texts = CASES[name]
    named = dict(zip(numbers[:3], texts.split(), strict=True))
    fitted = tables.Preprocessor(numeric=["x"]).fit({"x": column})
    wanted = np.array(numbers, dtype=object).astype(float)[:, None]
    assert (
        fitted.transform({"x": column}, "float64").tobytes() == Standardizer().fit(wanted).transform(wanted).tobytes()
    )
    fitted = tables.Preprocessor(categorical=["x"], min_rows=1).fit({"x": column})
    order = sorted(named.values())
    assert fitted.features == tuple(f"x={text}" for text in order)
    assert fitted.transform({"x": column}).tolist() == [[text == named[x] for text in order] for x in numbers]
    target = tables.Classes.fit("x", column)
    assert target.labels == tuple(named[x] for x in sorted(named))
    labels = target.encode(column)
    assert labels.tolist() == [sorted(named).index(x) for x in numbers]
    whole = all(str(int(x)) == text for x, text in named.items())
    back = target.decode(labels)
    assert [str(x) for x in back.tolist()] == [named[x] if whole else str(float(named[x])) for x in numbers]
    assert whole == (back.dtype.kind in "iuO")


def test_decimals_of_more_digits_than_a_float_has():
    texts = ["12345678901234567.25", "12345678901234567.5", "0.12345678901234567890", "-1E-20"]
    column = [decimal.Decimal(text) for text in texts] * 4
    target = tables.Classes.fit("x", column)
    assert set(target.labels) == {*texts[:2], "0.1234567890123456789", "-1e-20"}
    assert target.decode(target.encode(column))[:2].tolist() == texts[:2]
    fitted = tables.Preprocessor(categorical=["x"], min_rows=1).fit({"x": column})
    assert len(fitted.features) == 4
    assert tables.Preprocessor().fit({"x": [*column, decimal.Decimal("NaN")]}).features == ("x", "x missing")


def missing(values, row=2):
    return [None if place == row else value for place, value in enumerate(values)]


WITH_NONE = {
    "list": missing(HUGE),
    "masked": np.ma.MaskedArray(HUGE, [row == 2 for row in range(12)]),
    "pandas Int64": pd.Series(missing(HUGE), dtype="Int64"),
    "pandas int64[pyarrow]": arrow(missing(HUGE), pa.int64()),
    "pandas category": pd.Series(missing(HUGE), dtype="Int64").astype("category"),
    "polars": pl.Series(missing(HUGE)),
    "polars UInt64": pl.Series(missing(HUGE), dtype=pl.UInt64),
    "polars Decimal": pl.Series(missing([decimal.Decimal(x) for x in HUGE]), dtype=pl.Decimal(20, 0)),
    "pyarrow": pa.chunked_array([missing(HUGE)]),
    "pyarrow uint64": pa.array(missing(HUGE), pa.uint64()),
    "pyarrow dictionary": pa.array(missing(HUGE)).dictionary_encode(),
    "pyarrow decimal": pa.array(missing([decimal.Decimal(x) for x in HUGE])),
}


@pytest.mark.parametrize("name", WITH_NONE)
def test_whole_numbers_beyond_2_53_with_a_missing_cell(name):
    fitted = tables.Preprocessor(categorical=["x"], min_rows=1).fit({"x": WITH_NONE[name]})
    assert fitted.features == (*(f"x={x}" for x in sorted(set(HUGE))), "x missing")
    wanted = [[x == own for own in sorted(set(HUGE))] + [x is None] for x in missing(HUGE)]
    assert fitted.transform({"x": WITH_NONE[name]}).tolist() == wanted


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**80), 2**80), min_size=2, max_size=9, unique=True), st.data())
def test_whole_numbers_of_any_size_are_exact(values, data):
    rows = values + data.draw(st.lists(st.sampled_from(values), min_size=10, max_size=20))
    target = tables.Classes.fit("x", rows)
    assert target.labels == tuple(map(str, sorted(values)))
    assert target.decode(target.encode(rows)).tolist() == rows
    fitted = tables.Preprocessor(categorical=["x"], min_rows=1).fit({"x": rows})
    assert fitted.features == tuple(f"x={text}" for text in sorted(map(str, values)))
    assert fitted.transform({"x": rows}).sum(axis=1).tolist() == [1] * len(rows)
    assert fitted.transform({"x": [max(values) + 1]}).sum() == 0
    assert fitted.unseen_categories({"x": [max(values) + 1, values[0]]}) == {"x": {str(max(values) + 1)}}


def test_float32_and_float64_of_one_text_are_one_category():
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(size=40).astype("f4"), np.array([1e10, 16777217, 3e38, 1e-40, 7], "f4")])
    texts = [float(str(x)) for x in values]
    fitted = tables.Preprocessor(categorical=["x"], min_rows=1).fit({"x": values})
    assert fitted.transform({"x": values}).tobytes() == fitted.transform({"x": texts}).tobytes()
    assert set(fitted.transform({"x": texts}).sum(axis=1)) == {1.0}


def test_labels_keep_their_zeros():
    target = tables.Classes.fit("x", ["007", "7", "010"] * 4)
    assert target.labels == ("007", "010", "7")
    assert target.decode(np.array([0, 1, 2])).tolist() == ["007", "010", "7"]


# ------------------------------------------------------------------ categories


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pd.Series(WHOLE).astype("category"), "1 2 3"),
        (pd.Series(pd.Categorical(WHOLE, categories=[3, 2, 1], ordered=True)), "1 2 3"),
        (pd.Series(TENTHS).astype("float32").astype("category"), "0.1 0.2 0.3"),
        (pd.Series(list("cabcbcacbacb")).astype("category"), "a b c"),
        (pd.cut(pd.Series(WHOLE), [0, 1, 2, 3]), "(0,1] (1,2] (2,3]"),
        (pd.Series(pd.IntervalIndex.from_breaks([0, 1, 2, 3]).repeat(4)), "(0,1] (1,2] (2,3]"),
        (arrow(list("cabcbcacbacb"), pa.dictionary(pa.int32(), pa.string())), "a b c"),
        (pd.Series(list("cabcbcacbacb"), dtype="string[pyarrow]"), "a b c"),
        (pl.Series(list("cabcbcacbacb"), dtype=pl.Categorical), "a b c"),
        (pl.Series(list("cabcbcacbacb"), dtype=pl.Enum(["c", "b", "a"])), "a b c"),
        (pa.array(list("cabcbcacbacb")).dictionary_encode(), "a b c"),
        (pa.array(WHOLE).dictionary_encode(), "1 2 3"),
        (np.array(list("cabcbcacbacb")), "a b c"),
        (np.array(list("cabcbcacbacb"), np.dtypes.StringDType()), "a b c"),
    ],
)
def test_what_its_library_calls_categories_or_texts(column, texts):
    fitted = tables.Preprocessor(min_rows=1).fit({"x": column})
    assert tuple(name.replace(" ", "") for name in fitted.features) == tuple(f"x={text}" for text in texts.split())
    assert set(fitted.transform({"x": column}).sum(axis=1)) == {1.0}
    assert tables.Classes.fit("x", column).n_outputs == 3


@pytest.mark.parametrize("values", [WHOLE, HUGE, TENTHS])
def test_classes_that_are_categories_of_numbers_come_back_as_numbers(values):
    for column in (pd.Series(values).astype("category"), pa.array(values).dictionary_encode()):
        target = tables.Classes.fit("x", column)
        assert target == tables.Classes.fit("x", values)
        assert target.decode(target.encode(column)).tolist() == values
        assert tables.Quantity.fit("x", column) == tables.Quantity.fit("x", values)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(list(map(str, WHOLE))).astype("category"),
        pl.Series(list(map(str, WHOLE)), dtype=pl.Categorical),
        pl.Series(list(map(str, WHOLE)), dtype=pl.Enum(["3", "1", "2"])),
        pa.array(list(map(str, WHOLE))).dictionary_encode(),
    ],
)
def test_categories_whose_texts_are_digits_stay_categories(column):
    assert tables.Preprocessor(min_rows=1).fit({"x": column}).features == ("x=1", "x=2", "x=3")
    assert tables.Preprocessor(numeric=["x"]).fit({"x": column}).features == ("x",)
    assert tables.Classes.fit("x", column).labels == ("1", "2", "3")


def test_categories_of_numbers_may_be_numbers_by_choice():
    column = pd.Series(WHOLE).astype("category")
    fitted = tables.Preprocessor(numeric=["x"]).fit({"x": column})
    assert fitted.encoders == tables.Preprocessor().fit({"x": WHOLE}).encoders
    assert fitted.transform({"x": column}).tobytes() == fitted.transform({"x": WHOLE}).tobytes()


def test_missing_cells_of_dictionaries():
    column = pa.array(["a", None, "b"] * 4).dictionary_encode()
    fitted = tables.Preprocessor(min_rows=1).fit({"x": column})
    assert fitted.transform({"x": column})[:3].tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1], [2]] * 6),
        pl.Series([{"a": 1}] * 12),
        pl.Series([b"a"] * 12),
        pl.Series([object()] * 12, dtype=pl.Object),
        pl.Series([[1, 2]] * 12, dtype=pl.Array(pl.Int64, 2)),
        pa.array([[1], [2]] * 6),
        pa.array([{"a": 1}] * 12),
        pa.array([b"a"] * 12),
        arrow([[1], [2]] * 6, pa.list_(pa.int64())),
        np.zeros(12, complex),
        np.array([b"a"] * 12),
    ],
)
def test_what_can_be_no_column_is_left_out_by_its_dtype(column):
    dtype = str(getattr(column, "dtype", getattr(column, "type", None)))
    fitted = tables.Preprocessor().fit({"x": column, "y": WHOLE})
    assert fitted.unused_columns == (tables.Unused("x", "kind", dtype),)
    for choice in ("categorical", "numeric"):
        with pytest.raises(TypeError) as error:
            tables.Preprocessor(**{choice: ["x"]}).fit({"x": column, "y": WHOLE})
        assert f"column 'x' must hold numbers, booleans, texts or dates; got dtype {dtype}" in str(error.value)


# ---------------------------------------------------------------------- tables

TABLE = {"n": WHOLE, "x": missing(HALVES, 4), "t": missing(list("abcabcabcabc"), 5), "b": [True, False, None] * 4}


class Stream:
    """A table of a library that has nothing but Arrow's protocol."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


def every_table():
    frame = pd.DataFrame(TABLE)
    yield "pandas", frame
    yield "pandas, numpy_nullable", frame.convert_dtypes()
    yield "pandas, pyarrow", frame.convert_dtypes(dtype_backend="pyarrow")
    yield "polars", pl.DataFrame(TABLE)
    yield "polars, lazy", pl.LazyFrame(TABLE)
    yield "pyarrow", pa.table(TABLE)
    yield "pyarrow, batch", pa.RecordBatch.from_pydict(TABLE)
    yield "a stream", Stream(pa.table(TABLE))
    yield "series in a mapping", {name: pl.Series(values) for name, values in TABLE.items()}


def test_tables_of_every_library_give_the_same():
    first = tables.Preprocessor(min_rows=1).fit(TABLE)
    for name, table in every_table():
        fitted = tables.Preprocessor(min_rows=1).fit(table)
        assert fitted.encoders == first.encoders, name
        assert fitted.transform(table).tobytes() == first.transform(TABLE).tobytes(), name
        assert fitted.unseen_categories(table) == {}


def test_an_array_with_named_fields():
    table = np.array([(1, 0.5, "a"), (2, 1.5, "b")] * 6, dtype=[("n", "i4"), ("x", "f4"), ("t", "U1")])
    fitted = tables.Preprocessor(min_rows=1).fit(table)
    assert fitted.features == ("n", "x", "t=a", "t=b")
    assert fitted.transform(table).shape == (12, 4)


def test_a_column_named_like_an_attribute():
    table = pd.DataFrame({name: WHOLE for name in ("column_names", "column", "collect", "collect_schema", "mask")})
    assert len(tables.Preprocessor().fit(table).names) == 5


def test_a_stream_is_read_by_polars_where_pyarrow_is_not_there_and_by_name_otherwise(monkeypatch):
    stream = Stream(pl.DataFrame(TABLE))
    first = tables.Preprocessor(min_rows=1).fit(TABLE)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert tables.Preprocessor(min_rows=1).fit(stream).encoders == first.encoders
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="a table of the kind Stream needs pyarrow or polars: pip install pyarrow"):
        tables.Preprocessor().fit(stream)


def test_streams_that_are_no_tables():
    with pytest.raises(TypeError, match="table must be a table; got a Stream, whose Arrow stream is none"):
        tables.Preprocessor().fit(Stream(pa.chunked_array([[1, 2]])))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
    for table in (twice, Stream(twice)):
        with pytest.raises(ValueError, match=r"columns of different names; .*'x'"):
            tables.Preprocessor().fit(table)
