"""The preprocessor of tables: against scikit-learn, on any table, and on tables that are wrong."""

import datetime
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from exact import lane_sum
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastnn import tables

PEOPLE = {
    "age": [31, 47, None, 28, 60, 31],
    "town": ["Bonn", "Kiel", "Kiel", None, "Kiel", "Bonn"],
    "member": [True, False, None, True, True, False],
}


def made(n=500, seed=0):
    """Numbers with gaps, whole numbers, categories with rare ones and gaps, truth values."""
    random = np.random.default_rng(seed)
    income = random.lognormal(8, 1, n)
    income[random.random(n) < 0.1] = np.nan
    town = random.choice(["Kiel", "Bonn", "Ulm", "Äsch", "Zug"], n, p=[0.5, 0.3, 0.15, 0.04, 0.01]).astype(object)
    town[random.random(n) < 0.07] = None
    return {
        "income": income,
        "rooms": random.integers(1, 6, n),
        "town": town,
        "grade": random.choice(["a", "b"], n).astype(object),
        "owner": random.random(n) < 0.3,
    }


def oracle(train, others):
    """Those tables as scikit-learn encodes them after a look at ``train``."""
    numbers, texts = ["income", "rooms", "owner"], ["town", "grade"]
    encode = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (
                "texts",
                make_pipeline(
                    SimpleImputer(strategy="constant", fill_value="(none)", missing_values=None),
                    OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                ),
                texts,
            ),
        ]
    )
    frames = [pd.DataFrame(table).astype(dict.fromkeys(numbers, float)) for table in (train, *others)]
    frames = [frame.astype(dict.fromkeys(texts, object)) for frame in frames]
    frames = [
        frame.assign(**{name: frame[name].where(frame[name].notna(), None) for name in texts}) for frame in frames
    ]
    encode.fit(frames[0])
    names = [name.split("__")[1] for name in encode.get_feature_names_out()]
    return [pd.DataFrame(encode.transform(frame), columns=names) for frame in frames]


def test_the_matrix_is_that_of_scikit_learn():
    train, test = made(), made(211, seed=1)
    test["town"][3] = "Rom"  # seen by neither
    fitted = tables.Preprocessor(min_rows=1).fit(train)
    for table, expected in zip((train, test), oracle(train, [test]), strict=True):
        X = dict(zip(fitted.features, fitted.transform(table).T, strict=True))
        for name in ("income", "rooms", "owner"):
            np.testing.assert_allclose(X[name], expected[name], rtol=1e-6, atol=1e-6)
        for name in ("town", "grade"):
            for column in [column for column in expected if column.startswith(name + "_")]:
                category = column.removeprefix(name + "_")
                own = f"{name} missing" if category == "(none)" else f"{name}={category}"
                np.testing.assert_array_equal(X[own], expected[column])
        np.testing.assert_array_equal(X["income missing"], np.isnan(table["income"]))
    assert len(fitted.features) == 3 + 1 + 6 + 2


def test_rare_and_unseen_categories_share_a_column():
    values = ["a"] * 10 + ["b"] * 7 + ["c"] * 4 + ["d"] * 2
    fitted = tables.Preprocessor(min_rows=5).fit({"x": values})
    assert fitted.features == ("x=a", "x=b", "x other")
    np.testing.assert_array_equal(
        fitted.transform({"x": ["b", "d", "new", None]}), [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]]
    )
    assert fitted.unseen_categories({"x": ["a", "new", "d", None]}) == {"x": {"new", "d"}}


def test_without_rare_ones_in_training_an_unseen_category_is_zeros():
    fitted = tables.Preprocessor(min_rows=1).fit({"x": ["a", "b", "a", "b"]})
    np.testing.assert_array_equal(fitted.transform({"x": ["new", None, "a"]}), [[0, 0], [0, 0], [1, 0]])


def test_the_most_frequent_categories_are_kept_and_ordered_by_code_points():
    values = ["z"] * 9 + ["É"] * 9 + ["a"] * 9 + ["B"] * 8 + ["e"] * 9
    fitted = tables.Preprocessor(max_categories=3).fit({"x": values})
    assert fitted.features == ("x=a", "x=e", "x=z", "x other")
    assert tables.Preprocessor().fit({"x": values}).features == ("x=B", "x=a", "x=e", "x=z", "x=É")


def test_median_of_even_and_odd_counts():
    for values, expected in [([3.0, 1.0, None], 2.0), ([5, 1, 3], 3.0), ([1e308, 1.5e308, None], 1.25e308)]:
        assert tables.encoders.median(np.array([v for v in values if v is not None], float)) == expected


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([None] * 12, "empty"),
        ([float("nan")] * 12, "empty"),
        ([7] * 12, "constant"),
        ([True] * 12, "constant"),
        (["x"] * 12, "constant"),
        ([2**60 + 7 * i * i * 1000 for i in range(12)], "identifier"),
        ([f"user {i}" for i in range(12)], "identifier"),
        ([f"text {i // 2}" for i in range(200)], "text"),
        ([datetime.date(2020, 1, 1)] * 12, "constant"),
        ([2**53, 2**53] * 6, "constant"),
        (np.zeros(12, complex), "kind"),
    ],
)
def test_what_cannot_be_used_is_named(values, reason):
    values = list(values) if not isinstance(values, np.ndarray) else values
    fitted = tables.Preprocessor().fit({"x": values, "y": [0.5 * i * i for i in range(len(values))]})
    (unused,) = fitted.unused_columns
    assert (unused.name, unused.reason) == ("x", reason)
    assert fitted.names == ("y",)
    assert fitted.transform({"y": [1.0]}).shape == (1, 1)  # what is not used need not be there


def test_choice_by_hand():
    table = {"code": [1, 2, 2, 1, None] * 3, "half": [0.5, 1.0] * 7 + [0.5], "x": [0.1 * i * i for i in range(15)]}
    fitted = tables.Preprocessor(categorical=["code", "half"], unused=["x"], min_rows=1).fit(table)
    assert fitted.features == ("code=1", "code=2", "code missing", "half=0.5", "half=1")
    assert fitted.unused_columns == (tables.Unused("x", "chosen"),)
    assert fitted.unused_columns[0].explanation == "left out by choice"
    # The same categories whether the numbers came as integers, floats or objects.
    for dtype in (np.int32, np.float32, object):
        X = fitted.transform({"code": np.array([2, 1]).astype(dtype), "half": [1, 0.5]})
        np.testing.assert_array_equal(X, [[0, 1, 0, 0, 1], [1, 0, 0, 1, 0]])


# -------------------------------------------------------------- kinds of table


def test_mappings_and_frames_of_any_kind_give_the_same_matrix():
    fitted = tables.Preprocessor(min_rows=1).fit(PEOPLE)
    expected = fitted.transform(PEOPLE)
    frame = pd.DataFrame(PEOPLE)
    nullable = frame.astype({"age": "Int64", "member": "boolean", "town": "string"})
    category = frame.astype({"town": "category"})
    polars = pl.DataFrame(PEOPLE)
    enumerated = polars.with_columns(pl.col("town").cast(pl.Categorical), pl.col("age").cast(pl.Float32))
    arrays = {
        "town": np.array(PEOPLE["town"], dtype=object),
        "member": np.ma.MaskedArray([True, False, True, True, True, False], [0, 0, 1, 0, 0, 0]),
        "age": np.array([31, 47, np.nan, 28, 60, 31], ">f4"),
        "more": np.zeros(6),
    }
    for table in (frame, nullable, category, polars, enumerated, arrays, frame[["member", "town", "age"]]):
        assert fitted.transform(table).tobytes() == expected.tobytes()
        again = tables.Preprocessor(min_rows=1, unused=["more"] * ("more" in table)).fit(table)
        assert {e.name: e for e in again.encoders} == {e.name: e for e in fitted.encoders}
    assert fitted.extra_columns(arrays) == ("more",)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_do_not_depend_on_one_another(dtype):
    table = made()
    fitted = tables.Preprocessor().fit(table)
    whole = fitted.transform(table, dtype)
    assert whole.dtype == dtype
    parts = [fitted.transform({n: v[i : i + 37] for n, v in table.items()}, dtype) for i in range(0, 500, 37)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_the_bits_are_those_of_the_contract():
    values = [0.1 * i * i for i in range(100)]
    column = tables.Preprocessor().fit({"x": [*values, None]}).encoders[0]
    filled = [*values, (values[49] + values[50]) / 2]
    mean = lane_sum(filled) / 101
    scale = (lane_sum([(x - mean) * (x - mean) for x in filled]) / 101) ** 0.5
    assert column == tables.Numeric("x", filled[-1], mean, scale, True)


@st.composite
def any_table(draw):
    n = draw(st.integers(2, 30))
    kinds = [st.floats(-1e30, 1e30), st.integers(-9, 9), st.booleans(), st.sampled_from(["a", "ß", "", "a b"])]
    columns = {}
    for number in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(kinds))
        columns[f"c{number}"] = draw(st.lists(st.one_of(st.none(), kind), min_size=n, max_size=n))
    return columns


@settings(max_examples=150, deadline=None)
@given(any_table(), st.randoms(use_true_random=False))
def test_any_table(table, random):
    table["any"] = [0.5 * i for i in range(len(table["c0"]))]
    fitted = tables.Preprocessor(min_rows=2).fit(table)
    X = fitted.transform(table)
    assert X.shape == (len(table["c0"]), len(fitted.features))
    assert np.isfinite(X).all()
    assert {*fitted.names, *(column.name for column in fitted.unused_columns)} == set(table)
    back = tables.Preprocessor.from_json(fitted.to_json())
    assert back.encoders == fitted.encoders
    assert back.unused_columns == fitted.unused_columns
    names = list(table)
    random.shuffle(names)
    assert back.transform({name: table[name] for name in names}).tobytes() == X.tobytes()
    for encoder in fitted.encoders:
        if isinstance(encoder, tables.Categorical):
            own = [i for i, f in enumerate(fitted.features) if f.startswith(encoder.name)]
            sums = X[:, own].sum(axis=1)
            assert set(sums) <= {0.0, 1.0}
        else:
            column = X[:, fitted.features.index(encoder.name)].astype(float)
            assert abs(column.mean()) < 1e-3
            assert column.std() == pytest.approx(1, abs=1e-3) or column.std() == 0


# -------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1, 2], "table must be a mapping of column names to arrays, or a DataFrame; got list [1, 2]"),
        ({}, "at least one column"),
        ({"x": []}, "at least one row"),
        ({"x": [1, 2], "y": [1]}, "columns of equal length; 'x' has 2 rows, 'y' 1"),
        ({1: [1, 2]}, "column names that are strings; got int 1"),
        ({"x": 3}, "an array for each column; got int 3 for 'x'"),
        ({"x": np.zeros((2, 2))}, "column 'x' must be one-dimensional; got shape (2, 2)"),
        ({"x": np.zeros(2, complex)}, "'x': neither numbers nor booleans nor texts: complex128"),
        ({"x": [1.0, np.inf]}, "column 'x', row 1: expected a finite number; got inf"),
        ({"x": [1, 2, "three"]}, "column 'x', row 2: expected the type int, as in the rows before; got str 'three'"),
        ({"x": ["a", None, 2]}, "column 'x', row 2: expected the type str, as in the rows before; got int 2"),
        ({"x": [1.0, {}]}, "column 'x', row 1: expected a number or a text; got dict {}"),
        ({"x": [1, 10**400]}, "column 'x', row 1: expected a number that fits in float64"),
        ({"x": [1e308, -1e308, 1.7e308, 1.7e308]}, "too large to take mean and deviation"),
        ({"x": [5, 5], "y": [None, None]}, "'x': the same value in every row; 'y': every cell is missing"),
    ],
)
def test_tables_that_cannot_be_fitted(table, message):
    with pytest.raises((TypeError, ValueError)) as error:
        tables.Preprocessor().fit(table)
    assert message in str(error.value)


def test_duplicate_names_in_a_frame():
    frame = pd.DataFrame([[1, 2, 3], [3, 4, 4]], columns=["x", "y", "x"])
    with pytest.raises(ValueError, match="different names; got more than one of 'x'"):
        tables.Preprocessor().fit(frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": None}, "table lacks the column 'age'"),
        ({"age": None, "Age": [1]}, "table lacks the column 'age' (did you mean 'Age'?)"),
        ({"age": None, "town": None}, "table lacks the columns 'age', 'town'"),
        ({"age": ["old"]}, "column 'age', row 0: expected a number; got 'old'"),
        ({"age": [np.inf]}, "column 'age', row 0: expected a finite number; got inf"),
        ({"age": [1e300]}, "column 'age', row 0: too far from the training rows to fit in float32; got 1e+300"),
        ({"member": ["perhaps"]}, "column 'member', row 0: expected true or false; got 'perhaps'"),
        ({"member": [2]}, "column 'member', row 0: expected true or false, or 1 or 0; got 2"),
    ],
)
def test_tables_that_do_not_fit(change, message):
    fitted = tables.Preprocessor(min_rows=1).fit(PEOPLE)
    table = {"age": [3], "town": ["Bonn"], "member": [1]} | change
    with pytest.raises(ValueError, match=r"column") as error:
        fitted.transform({name: values for name, values in table.items() if values is not None})
    assert message in str(error.value)


def test_a_cell_error_says_where():
    with pytest.raises(tables.CellError) as error:
        tables.Preprocessor().fit({"x": [0.0] * 5, "y": [1, 2, np.inf, 3, 4]})
    assert (error.value.column, error.value.row) == ("y", 2)


@pytest.mark.parametrize("arguments", [{"categorical": ["twon"]}, {"unused": "twon"}])
def test_names_that_are_not_there(arguments):
    with pytest.raises(ValueError, match=r"must name columns of the table; got 'twon' \(did you mean 'town'\?\)"):
        tables.Preprocessor(**arguments).fit(PEOPLE)


def test_before_fit():
    for call in (lambda p: p.transform(PEOPLE), lambda p: p.describe(), lambda p: p.to_json()):
        with pytest.raises(ValueError, match="must be fitted"):
            call(tables.Preprocessor())


def damaged():
    described = tables.Preprocessor(min_rows=1).fit(PEOPLE).describe()
    yield "x", "not JSON"
    yield "[" * 100_000, "not JSON"
    yield "[]", "damaged"
    yield "{}", "'version'"
    for change, message in [
        (lambda d: d.update(version=3), "version 3; this fastnn knows 1 to 2"),
        (lambda d: d.pop("unused"), "'unused'"),
        (lambda d: d.update(columns=[]), "different names"),
        (lambda d: d["columns"].append(d["columns"][0]), "different names"),
        (lambda d: d.update(columns=[1]), "different names"),
        (lambda d: d["columns"][0].update(type="os.system"), "must be one of"),
        (lambda d: d["columns"][0].update(scale=0), "scale must be a finite number above 0"),
        (lambda d: d["columns"][0].update(fill=None), "fill must be a number"),
        (lambda d: d["columns"][0].update(name=3), "name must be a string"),
        (lambda d: d["columns"][0].pop("mean"), "missing the argument 'mean'"),
        (lambda d: d["columns"][1].update(categories=["a", "a"]), "different strings"),
        (lambda d: d["columns"][1].update(categories="ab"), "different strings"),
        (lambda d: d["columns"][1].update(missing="yes"), "missing must be True or False"),
    ]:
        copy = json.loads(json.dumps(described))
        change(copy)
        yield json.dumps(copy), message


@pytest.mark.parametrize(("text", "message"), list(damaged()))
def test_damaged_descriptions(text, message):
    with pytest.raises(ValueError, match="description of the preprocessor") as error:
        tables.Preprocessor.from_json(text)
    assert message in str(error.value)
