"""Tables in files: what is read of each kind, in whatever parts, and what is said of broken ones."""

import datetime
import os
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._readers import polars_writing
from fastnn._readers.polars_tables import TableFile
from fastnn.tables.cells import cells
from fastnn.tables.texts import Rules, decided

FRAME = pl.DataFrame(
    {
        "x": [1.5, None, -3e10, 0.1],
        "n": [3, 4, None, 2**40],
        "town": ["Kiel", "Köln", None, "a, b"],
        "ok": [True, None, False, True],
    }
)
KINDS = {"x": "number", "n": "number", "town": "text", "ok": "boolean"}


def written(folder, content, name="t.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def plain(columns):
    """Columns as lists, a missing cell as None."""
    return {
        name: [None if v is None or v != v else float(v) if isinstance(v, (bool, float)) else v for v in a.tolist()]
        for name, a in columns.items()
    }


def values_of(found):
    return found.numbers if found.numbers is not None else np.array(found.texts, dtype=object)


def every_kind(folder, frame):
    for ending, write in {
        "csv": frame.write_csv,
        "tsv": lambda path: frame.write_csv(path, separator="\t"),
        "txt": lambda path: frame.write_csv(path, separator=";"),
        "parquet": frame.write_parquet,
        "arrow": frame.write_ipc,
        "feather": frame.write_ipc,
    }.items():
        path = str(folder / f"t.{ending}")
        write(path)
        yield TableFile(path)


def test_every_kind_of_file_holds_the_same(tmp_path):
    expected = plain({name: FRAME[name].to_numpy() for name in FRAME.columns})
    for file in every_kind(tmp_path, FRAME):
        assert file.names == ("x", "n", "town", "ok")
        part = file.read()
        assert plain(part.columns) == expected
        assert part.columns["x"].dtype == part.columns["n"].dtype == np.float64
        assert part.rows.tolist() == [1, 2, 3, 4]
        for n in (1, 3, 100):
            parts = list(file.batches(KINDS, n))
            assert np.concatenate([p.rows for p in parts]).tolist() == part.rows.tolist()
            joined = {name: np.concatenate([p.columns[name] for p in parts]) for name in KINDS}
            assert plain(joined) == expected
        assert [len(p.rows) for p in file.batches({"town": "text"}, 3, head=2)] == [2]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)),
            st.one_of(st.none(), st.text("aB ,;\"'\n\r\täß0", min_size=1, max_size=6)),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 7),
)
def test_any_cells_come_back_from_csv_as_from_parquet(tmp_path_factory, rows, n):
    folder = tmp_path_factory.mktemp("t")
    texts = [None if t is None else f"x{t}x" for _, t in rows]
    numbers = [None if x is None else float(x) for x, _ in rows]
    frame = pl.DataFrame({"a": pl.Series(numbers, dtype=pl.Float64), "b": pl.Series(texts, dtype=pl.String), "c": "z"})
    frame.write_csv(folder / "t.csv")
    frame.write_parquet(folder / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        parts = list(TableFile(str(folder / name)).batches({"a": "number", "b": "text"}, n))
        found = np.concatenate([part.columns["a"] for part in parts])
        assert found.tobytes() == np.array([np.nan if x is None else x for x in numbers]).tobytes()
        assert [t for part in parts for t in part.columns["b"].tolist()] == texts


# ------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\ufeffa,b\n1,2\n", {"a": [1], "b": [2]}),  # a byte order mark
        ("a,b\r\n1,2\r\n", {"a": [1], "b": [2]}),
        ("a,b\n1,2", {"a": [1], "b": [2]}),
        ("a;b\n1,5;x\n2;y\n", {"a": [1.5, 2], "b": ["x", "y"]}),  # decimal commas
        ("a\tb\n1\t2,5\n", {"a": [1], "b": [2.5]}),
        ("a|b\n1|2\n", {"a": [1], "b": [2]}),
        ('a,"b,c"\n1,2\n', {"a": [1], "b,c": [2]}),
        ('a,"b\nc"\n1,2\n', {"a": [1], "b\nc": [2]}),
        ('a,b\n1,"x\n""y"""\n2,z\n', {"a": [1, 2], "b": ['x\n"y"', "z"]}),  # a line break in quotation marks
        (" a , b \n 1 , x \n", {"a": [1], "b": ["x"]}),
        ("a,b\nNA,?\n1,null\n,x\n", {"a": [None, 1, None], "b": ["?", "null", "x"]}),
        ("a\n1\n\n3\n", {"a": [1, None, 3]}),  # in one column, a blank line is a missing cell
        ("a,b\n1,2\n\n3,4\n\n\n", {"a": [1, 3], "b": [2, 4]}),
        ("a,b\n1,2\n,\n3,\n", {"a": [1, None, 3], "b": [2, None, None]}),
        ("a,b\nTRUE,true\nfalse,\n", {"a": [1, 0], "b": [1, None]}),
        ("a\n123456789012345678901234567890\n", {"a": [123456789012345678901234567890.0]}),
        ("a\n007\n", {"a": ["007"]}),
        ("a\n2020-01-02\n", {"a": ["2020-01-02"]}),
        ("a,b\n", {"a": [], "b": []}),
    ],
)
def test_text_files(tmp_path, content, expected):
    columns = TableFile(written(tmp_path, content)).read().columns
    read = {name: decided(cells(name, values), Rules()) for name, values in columns.items()}
    assert plain({name: values_of(found) for name, found in read.items()}) == expected


def test_numbers_with_a_few_texts_among_them(tmp_path):
    part = TableFile(written(tmp_path, "a,b\n1,x\n2,1\noops,y\n4,z\nwhat,2\n")).read()
    assert part.columns["a"].tolist() == ["1", "2", "oops", "4", "what"]


def test_names_are_numbers_and_truth_values_written_in_one_way(tmp_path):
    path = written(tmp_path, "a,b\n1,True\n1.0,FALSE\n01,1.50\nx,1.5\n,inf\n")
    expected = {"a": ["1", "1", "1", "x", None], "b": ["true", "false", "1.5", "1.5", "inf"]}
    for n in (1, 2, 10):
        parts = list(TableFile(path).batches({"a": "name", "b": "name"}, n))
        assert {k: [v for part in parts for v in part.columns[k].tolist()] for k in "ab"} == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        ("a,b\n1,2\n".encode("utf-16"), "expected UTF-8; got UTF-16"),
        ("a,ä\n1,2\n".encode("latin-1"), "line 1: expected UTF-8; got the byte 0xe4"),
        (b'a,b\n1,"x\ny"\n2,\xe4\n', "line 4: expected UTF-8; got the byte 0xe4"),
        (b"a,b,a\n1,2,3\n", "the column name 'a' occurs twice in the header"),
        (b"a, a\n1,2\n", "the column name 'a' occurs twice in the header"),
        (b"1,2\n3,4\n", "expected the names of the columns in the first row; got '1,2'"),
        (b"a,b\n1,2,3\n", "line 2 has 3 cells; the header has 2 columns, separated by commas"),
        (b'a,b\n1,"x\ny"\n3\n4,5\n', "line 4 has 1 cell; the header has 2 columns, separated by commas"),
        (b"a;b;c\n1;2;3\n4;5\n", "line 3 has 2 cells; the header has 3 columns, separated by semicolons"),
        (b'a,b\n1,"2\n3,4\n', "line 2 has a quotation mark that is not closed"),
        (b'a,"b\n1,2\n', "the header has a quotation mark that is not closed"),
    ],
)
def test_broken_text_files(tmp_path, content, message):
    path = written(tmp_path, content)
    for read in (lambda file: file.read(), lambda file: list(file.batches(dict.fromkeys(file.names, "text"), 1))):
        with pytest.raises(ValueError, match=re.escape(message)) as error:
            read(TableFile(path))
        assert str(error.value).startswith(path)


def test_a_ragged_row_far_into_a_file_is_found_while_streaming(tmp_path):
    lines = [b"a,b"] + [b"1,2"] * 5000
    lines[4321] = b"1"
    path = written(tmp_path, b"\n".join(lines))
    with pytest.raises(ValueError, match="line 4322 has 1 cell"):
        list(TableFile(path).batches({"a": "number"}, 100))


# ---------------------------------------------------------------- typed files


def test_types_of_parquet(tmp_path):
    frame = pl.DataFrame(
        {
            "small": pl.Series([1, None], dtype=pl.Int8),
            "huge": pl.Series([2**63, 1], dtype=pl.UInt64),
            "decimal": pl.Series(["1.25", None]).cast(pl.Decimal(10, 2)),
            "category": pl.Series(["b", None], dtype=pl.Categorical),
            "enum": pl.Series(["b", "a"], dtype=pl.Enum(["b", "a"])),
            "day": [datetime.date(2020, 1, 1), None],
            "nothing": pl.Series([None, None], dtype=pl.Null),
            "text": ["NA", ""],  # a typed file has missing cells of its own
        }
    )
    frame.write_parquet(tmp_path / "t.parquet")
    part = TableFile(str(tmp_path / "t.parquet")).read()
    assert part.columns["category"].is_named
    columns = part.columns | {name: np.array(part.columns[name].texts, object) for name in ("category", "enum")}
    found = plain({name: values for name, values in columns.items() if name != "day"})
    assert found == {
        "small": [1.0, None],
        "huge": [2**63, 1],
        "decimal": [1.25, None],
        "category": ["b", None],
        "enum": ["b", "a"],
        "nothing": [None, None],
        "text": ["NA", ""],
    }
    assert part.columns["day"].dtype.kind == "M"
    frame = pl.DataFrame({"list": [[1], [2]], "bytes": [b"a", b"b"], "x": [1, 2]})
    frame.write_parquet(tmp_path / "t.parquet")
    part = TableFile(str(tmp_path / "t.parquet")).read()
    assert part.unreadable == {"list": "List(Int64)", "bytes": "Binary"}
    assert plain(part.columns) == {"list": [None, None], "bytes": [None, None], "x": [1, 2]}


def test_texts_where_numbers_are_expected_are_left_to_others(tmp_path):
    for name in ("t.csv", "t.parquet"):
        frame = pl.DataFrame({"a": ["1", "2.5", "nan", "x"], "b": ["true", "0", "maybe", "1"]})
        (frame.write_csv if name == "t.csv" else frame.write_parquet)(tmp_path / name)
        file = TableFile(str(tmp_path / name))
        (part,) = file.batches({"a": "number", "b": "boolean"})
        assert part.columns["a"].tolist() == ["1", "2.5", "nan", "x"]
        assert part.columns["b"].tolist() == ["true", "0", "maybe", "1"]
        parts = list(file.batches({"a": "number", "b": "boolean"}, 2))
        assert parts[0].columns["a"].tolist() == [1, 2.5]
        assert parts[0].columns["b"].tolist() == [1, 0]
        assert parts[1].columns["a"].tolist() == ["nan", "x"]


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
@pytest.mark.parametrize("content", [b"", b"PAR1 is not all", b"a,b\n1,2\n"])
def test_broken_typed_files(tmp_path, name, content):
    path = written(tmp_path, content, name)
    with pytest.raises(ValueError, match=re.escape(path)):
        TableFile(path).read()


def test_truncated_parquet(tmp_path):
    FRAME.write_parquet(tmp_path / "t.parquet")
    path = written(tmp_path, (tmp_path / "t.parquet").read_bytes()[:-20], "u.parquet")
    with pytest.raises(ValueError, match=re.escape(path)):
        TableFile(path).read()


def test_files_that_are_not_there_or_of_no_known_kind(tmp_path):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(FileNotFoundError, match=name):
            TableFile(str(tmp_path / name))
    with pytest.raises(ValueError, match=r"expected a file that ends in \.csv, \.tsv"):
        TableFile(written(tmp_path, "a\n1\n", "t.xlsx"))
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(OSError, match="directory"):
        TableFile(str(tmp_path / "d.csv"))


def test_a_name_is_no_pattern(tmp_path):
    written(tmp_path, "a\n1\n", "t1.csv")
    assert TableFile(written(tmp_path, "a\n2\n", "t[1].csv")).read().columns["a"].tolist() == [2]


# ---------------------------------------------------------------------- writing

WRITTEN = {"label": "text", "n": "integer", "p": "number", "ok": "boolean"}


def batches(n=5):
    for i in range(n):
        yield {
            "label": np.array(["a", 'q"x,\n']),
            "n": np.array([i, -i]),
            "p": np.array([0.1, 1 / 3]),
            "ok": np.array([True, False]),
        }


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "arrow"])
def test_what_is_written_is_read_back(tmp_path, ending):
    path = str(tmp_path / f"t.{ending}")
    polars_writing.write(path, WRITTEN, batches())
    assert os.listdir(tmp_path) == [f"t.{ending}"]
    readers = {
        "csv": pl.read_csv,
        "tsv": lambda p: pl.read_csv(p, separator="\t"),
        "parquet": pl.read_parquet,
        "arrow": pl.read_ipc,
    }
    frame = readers[ending](path)
    assert frame.to_dict(as_series=False) == {
        "label": ["a", 'q"x,\n'] * 5,
        "n": [0, 0, 1, -1, 2, -2, 3, -3, 4, -4],
        "p": [0.1, 1 / 3] * 5,
        "ok": [True, False] * 5,
    }


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_an_error_on_the_way_leaves_the_old_file(tmp_path, ending):
    path = tmp_path / f"t.{ending}"
    path.write_text("old")

    def broken():
        yield from batches()
        raise ValueError("column 'a', row 7: no")

    with pytest.raises(ValueError, match=r"^column 'a', row 7: no$"):
        polars_writing.write(str(path), WRITTEN, broken())
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_folders_that_are_not_there(tmp_path):
    path = str(tmp_path / "none" / "t.csv")
    with pytest.raises(FileNotFoundError, match=re.escape(path)):
        polars_writing.write(path, WRITTEN, batches())


def test_csv_text():
    (batch,) = batches(1)
    assert polars_writing.csv_text(WRITTEN, batch, header=True).startswith(
        'label,n,p,ok\na,0,0.1,true\n"q""x,\n",0,0.333'
    )
    assert polars_writing.csv_text(WRITTEN, batch, header=False).startswith("a,0,0.1,true\n")
