"""What a column of a table is taken for: by its name, its cells, and what was chosen."""

import numpy as np
import pandas as pd
import pytest

from fastnn import tables

N = 300
RANDOM = np.random.default_rng(0)
OTHER = RANDOM.normal(size=N)
SHUFFLED = RANDOM.permutation(9000)[:N]


def names(column, name="x", **choices):
    return tables.Preprocessor(**choices).fit({name: column, "other": OTHER[: len(column)]}).names


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, SHUFFLED) for name in ("id", "ID", "Id", "flat_id", "flat id", "flat-id", "x.id", "UserId", "userID")),
        *((name, SHUFFLED) for name in ("CUSTOMER_ID", "uuid", "row_id", " id ", "ID (id)")),
        ("user_id", [*SHUFFLED[:-1].tolist(), None]),
        ("user_id", SHUFFLED.astype(float)),
        *((name, np.arange(N) + first) for name in ("", "index", "row", "Unnamed: 0", "rownames") for first in (0, 1)),
        ("row_number", RANDOM.permutation(N)),
        ("tweet", 2**60 + SHUFFLED),
        ("tweet", np.uint64(2**63) + SHUFFLED.astype("u8")),
        ("tweet", [10**30 + int(x) for x in SHUFFLED]),
    ],
)
def test_identifiers_are_left_out_and_a_choice_keeps_them(name, values):
    fitted = tables.Preprocessor().fit({name: values, "other": OTHER})
    assert [(column.name, column.reason) for column in fitted.unused_columns] == [(name, "identifier")]
    assert fitted.unused_columns[0].explanation.endswith("(numeric or categorical keeps it)")
    assert names(values, name, numeric=[name]) == (name, "other")
    assert names(values, name, categorical=[name]) == (name, "other")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *(
            (name, SHUFFLED)
            for name in ("AMOUNT_PAID", "COVID", "fluid", "LIPID", "AmountPAID", "idle", "grid", "index")
        ),
        ("year", np.arange(1700, 1700 + N)),
        ("rank", RANDOM.permutation(N) + 1),
        ("nr", np.arange(N)),
        ("mass_kg", 10 ** RANDOM.uniform(23, 28, N)),
        ("distance_m", 10 ** RANDOM.uniform(16.5, 19, N)),
        ("flat_id", SHUFFLED + 0.5),
        ("flat_id", SHUFFLED // 2),
        ("user_id", SHUFFLED[:9]),  # too few rows to tell
        ("tweet", [2**60, *SHUFFLED[:20].tolist()]),
    ],
)
def test_quantities_are_kept(name, values):
    assert names(values, name) == (name, "other")


def test_the_training_rows_teach_and_all_rows_tell_identifiers():
    table = {"row": np.arange(N), "x": OTHER, "town": [["Bonn", "Kiel"][row % 7 > 3] for row in range(N)]}
    for training in (np.arange(0, N, 2), RANDOM.permutation(N)[:40], np.arange(N)[-30:]):
        fitted = tables.Preprocessor().fit(table, training)
        assert [column.name for column in fitted.unused_columns] == ["row"]
        rows = {name: np.array(values, dtype=object)[training].tolist() for name, values in table.items()}
        assert fitted.encoders == tables.Preprocessor(unused=["row"]).fit(rows).encoders
    almost = {"flat_id": [*range(0, 2 * N - 2, 2), 0], "x": OTHER}  # not different in every row
    assert tables.Preprocessor().fit(almost, np.arange(50)).names == ("flat_id", "x")
    assert tables.Preprocessor().fit({"x": OTHER, "y": [*[None] * 50, *OTHER[50:]]}, np.arange(50)).names == ("x",)


@pytest.mark.parametrize(
    ("column", "row", "problem"),
    [
        ([1.0] * 30 + [np.inf] * 10, 30, "expected a finite number; got inf"),
        ([1.0, 1e308] * 20, 21, "too large to take mean and deviation"),
    ],
)
def test_errors_name_the_row_of_the_whole_table(column, row, problem):
    with pytest.raises(tables.CellError, match=problem) as error:
        tables.Preprocessor().fit({"x": column}, np.arange(20, 40))
    assert error.value.row == row


def test_a_choice_overrules_what_the_cells_look_like():
    assert names([3] * 12, numeric=["x"]) == ("x", "other")
    assert names([3] * 12, categorical=["x"]) == ("x", "other")
    assert names([f"user {row}" for row in range(12)], categorical=["x"]) == ("x", "other")
    assert names([True, False] * 6, numeric=["x"]) == ("x", "other")
    assert names([None] * 12, numeric=["x"]) == ("other",)  # there is nothing to learn
    with pytest.raises(tables.CellError, match=r"column 'x', row 1: expected a number; got 'a', and 5 more"):
        names([None, "a"] * 6, numeric=["x"])
    for choice in ("categorical", "unused"):
        with pytest.raises(ValueError, match=f"numeric must not name columns that {choice} names too; got 'x'"):
            tables.Preprocessor(numeric=["x", "y"], **{choice: ["z", "x"]})
    with pytest.raises(ValueError, match=r"numeric must name columns of the table; got 'othr' \(did you mean 'other'"):
        names([1] * 12, numeric=["othr"])


def test_the_report_says_what_each_column_became():
    table = {
        "size": [1.0, 2.0, None, 4.0] * 4,
        "town": ["Bonn", "Kiel", None, "Ulm"] * 3 + ["a", "b", "c", "d"],
        "ok": [True, False] * 8,
        "flat_id": range(0, 160, 10),
        "note": [f"text {row}" for row in range(16)],
        "kept": ["x"] * 16,
    }
    report = tables.Preprocessor(min_rows=2, unused=["kept"]).fit(table).report()
    assert report == [
        {
            "column": "size",
            "used_as": "number",
            "explanation": "mean 2.25, deviation 1.09; missing ones 2, marked",
            "features": 2,
        },
        {
            "column": "town",
            "used_as": "categories",
            "explanation": "Bonn, Kiel, Ulm, (rare), (missing)",
            "features": 5,
        },
        {"column": "ok", "used_as": "true or false", "explanation": "mean 0.5, deviation 0.5", "features": 1},
        {
            "column": "flat_id",
            "used_as": "not used",
            "explanation": "a different value in every row: called an id (numeric or categorical keeps it)",
            "features": 0,
        },
        {
            "column": "note",
            "used_as": "not used",
            "explanation": "a different value in every row (categorical keeps it)",
            "features": 0,
        },
        {"column": "kept", "used_as": "not used", "explanation": "left out by choice", "features": 0},
    ]
    assert pd.DataFrame(report).shape == (6, 4)


def test_models_that_rounded_whole_numbers_know_them_as_before():
    """Their categories and classes are named by the float64 nearest to each number."""
    huge = 23_850_000_000_000_001
    description = {"type": "Categorical", "name": "x", "categories": ["2.385e+16"], "other": False, "missing": False}
    fitted = tables.Preprocessor.from_description({"version": 1, "columns": [description], "unused": []})
    for column in ([huge], np.array([huge]), [str(huge)], [float(huge)]):
        assert fitted.transform({"x": column}).tolist() == [[1]]
        assert fitted.unseen_categories({"x": column}) == {}
    target = tables.Classes("x", ["1e+16", "2.385e+16"], "number", [1, 1])
    assert target.encode([huge, 10**16]).tolist() == [1, 0]
    assert target.decode(np.array([1, 0])).tolist() == [2.385e16, 1e16]
