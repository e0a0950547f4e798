"""The rows of delimited files: those of Python's csv module, or an error that names the line."""

import csv
import gzip
import io
import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn._readers import delimited_rows
from fastnn._readers.polars_tables import TableFile


@pytest.fixture(params=[3, 40, 2**24])
def chunk(request, monkeypatch):
    """So many bytes are looked at in one go."""
    monkeypatch.setattr(delimited_rows, "CHUNK", request.param)
    monkeypatch.setattr(delimited_rows, "ROWS", max(1, request.param // 10))


def cells(path, separator=None):
    """All cells as texts, row by row; a missing one is an empty one."""
    file = TableFile(str(path), separator)
    frame = pl.concat(file._frames(list(file.names)))
    return [["" if cell is None else cell for cell in row] for row in frame.rows()]


def expected(content, separator=","):
    """The rows below the header by Python's csv module."""
    rows = list(csv.reader(io.StringIO(content, newline=""), delimiter=separator))[1:]
    return [row for row in rows if row]


@settings(max_examples=1500, deadline=None)
@given(st.text('ab ",\\\n\r1ä', max_size=40), st.sampled_from([2, 3, 7, 30, 2**24]))
def test_any_text_is_read_as_by_csv_or_refused(tmp_path_factory, text, size):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    content = f"x,y\n1,2\n{text}"
    path.write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_rows, "CHUNK", size)
        try:
            found, refusal = cells(path, ","), None
        except ValueError as error:
            found, refusal = None, str(error)
    assert found == expected(content) or re.match(re.escape(str(path)) + ": line [0-9]+ ", refusal)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.text('a",;\n\r 1ä|', max_size=6), st.text('b";,\n1', max_size=4)), min_size=1, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([",", ";", "|", "\t"]),
    st.sampled_from([5, 2**24]),
)
def test_all_that_csv_writes_is_read(tmp_path_factory, rows, ending, quoting, separator, size):
    path = tmp_path_factory.getbasetemp() / "written.csv"
    out = io.StringIO(newline="")
    if ending != "\r\n":
        quoting = csv.QUOTE_ALL  # it would not quote the other character that ends lines
    writer = csv.writer(out, lineterminator=ending, quoting=quoting, delimiter=separator)
    writer.writerows([("x", 'the "y"'), *rows])
    path.write_bytes(out.getvalue().encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited_rows, "CHUNK", size)
        assert cells(path, separator) == [list(row) for row in rows]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('x,y\n1,"5\\" pipe"\n2,"b"\n3,"6\\" pipe"\n', [["1", '5\\ pipe"'], ["2", "b"], ["3", '6\\ pipe"']]),
        ('x,y\n1,5" pipe\n2,b\n3,6" pipe\n', [["1", '5" pipe'], ["2", "b"], ["3", '6" pipe']]),
        ('x,y\n1,"5" pipe"\n2,b\n', [["1", '5 pipe"'], ["2", "b"]]),
        ('x,y\n1,2"\n3,4\n', [["1", '2"'], ["3", "4"]]),
        ('x,y\n1,"a ""b"""\n', [["1", 'a "b"']]),
        ("x,y\r1,2\r3,4\r", [["1", "2"], ["3", "4"]]),
        ('x,y\r\n1,"a\r\nb"\r\n2,c', [["1", "a\r\nb"], ["2", "c"]]),
        ("x,y\n\n\r\n1,2\n\n3,4\n\n", [["1", "2"], ["3", "4"]]),
        ("\n\nx,y\n1,2\n", [["1", "2"]]),
        ('x,y\n1, "2"\n', [["1", ' "2"']]),
        ("x,y\n" + "1," + "a" * 300_000 + "\n", [["1", "a" * 300_000]]),
        ("x,y\n# 1,2\n", [["# 1", "2"]]),
        ("x,y\n\u2028,\x0b\n", [["\u2028", "\x0b"]]),
    ],
)
def test_every_row_is_read(tmp_path, chunk, content, rows):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    assert cells(path) == rows
    assert cells(path, ",") == rows


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('x,y\n1,"2\n3,4\n5,"6\n7,8\n', "line 2 has a quotation mark that is not closed, or one within a cell"),
        ('x,y\n1,2\n3,"4\n', "line 3 has a quotation mark that is not closed"),
        ('x,y\n1,2\n3,"4', "line 3 has a quotation mark that is not closed"),
        ('x,y\n1,"a\\", b"\n', "line 2 has 3 cells; the header has 2 columns, separated by commas; a quotation mark"),
        ('x,y\n1,2\n\n"3\n",4\n5\n', "line 6 has 1 cell"),
        ("x,y\r1,2\r3\r", "line 3 has 1 cell"),
        ("x,y\n1,2\n3,4\0\n", "line 3: expected text; got a byte of value 0"),
        ('x,y\n1,"' + "2\n" * 100_000, "line 2"),
        ("# made by hand\nx,y\n1,2\n", "line 2 has 2 cells; the header has 1 column"),
    ],
)
def test_what_cannot_be_read_is_named_by_its_line(tmp_path, chunk, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode())
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        cells(path, ",")
    assert str(error.value).startswith(str(path))


def test_other_encodings(tmp_path):
    for content, message in (
        ("x,y\nä,2\n".encode("latin-1"), "line 2: expected UTF-8; got the byte 0xe4"),
        ("x,y\n1,2\n".encode("utf-16"), "expected UTF-8; got UTF-16"),
        ("x,y\n1,2\n".encode("utf-16-le"), "line 1: expected text; got a byte of value 0"),
    ):
        (tmp_path / "t.csv").write_bytes(content)
        with pytest.raises(ValueError, match=re.escape(message)):
            cells(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes("x,y\nä,2\n".encode("utf-8-sig"))
    assert cells(tmp_path / "t.csv") == [["ä", "2"]]


def test_bytes_that_are_no_text_in_a_column_that_is_not_read(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"x,y\n1,\xe4\n")
    with pytest.raises(ValueError, match="line 2: expected UTF-8"):
        list(TableFile(str(tmp_path / "t.csv")).batches({"x": "number"}))


def test_rows_that_the_fast_reader_would_lose_are_read_by_the_slow_one(tmp_path, monkeypatch):
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    read_csv = pl.read_csv
    monkeypatch.setattr(pl, "read_csv", lambda *args, **keywords: read_csv(*args, **keywords)[:-1])
    assert cells(tmp_path / "t.csv") == [["1", "2"], ["3", "4"], ["5", "6"]]


# --------------------------------------------------------------- separators


@pytest.mark.parametrize(
    ("content", "separator", "names"),
    [
        ("temp, °C;hum, %;wind, m/s\n1.5;1.25;1\n2;3;4\n", ";", ("temp, °C", "hum, %", "wind, m/s")),
        ("a;b\n1,5;2,5\n", ";", ("a", "b")),
        ('"a;b",c\n1,2\n', ",", ("a;b", "c")),
        ("sep=;\na,b;c\n1;2\n", ";", ("a,b", "c")),
        ("\ufeffsep=|\r\na|b\r\n1|2\r\n", "|", ("a", "b")),
        ("sep=\t\na\tb\n1\t2\n", "\t", ("a", "b")),
        ("\n \r\na\tb\n1\t2\n", "\t", ("a", "b")),
        ("a\n1\n", ",", ("a",)),
        ("a, b|c, d\n1|2\n", "|", ("a, b", "c, d")),
        ('"width ""in""",y\n1,2\n', ",", ('width "in"', "y")),
        ('note;x\n"a, ""b"", c";1\n"d, e, f";2\n', ";", ("note", "x")),
    ],
)
def test_the_separator_is_found(tmp_path, content, separator, names):
    (tmp_path / "t.csv").write_text(content, encoding="utf-8", newline="")
    file = TableFile(str(tmp_path / "t.csv"))
    assert (file.separator, file.names) == (separator, names)
    assert len(file.read().rows) == len(content.strip().splitlines()) - (2 if "sep=" in content else 1)


def test_a_separator_that_is_told(tmp_path):
    (tmp_path / "t.csv").write_text("a, b\n1,5\n2,5\n")
    assert TableFile(str(tmp_path / "t.csv"), ";").names == ("a, b",)
    assert TableFile(str(tmp_path / "t.csv"), " ").names == ("a,", "b")
    with pytest.raises(ValueError, match="line 2 has 1 cell; the header has 2 columns, separated by spaces"):
        cells(tmp_path / "t.csv", " ")
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="only text files have a separator"):
        TableFile(str(tmp_path / "t.parquet"), ";")


# -------------------------------------------------------------- kinds of file


def test_a_compressed_file(tmp_path):
    content = "a,b\n" + "1,x\n" * 1000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content.encode()))
    part = TableFile(str(tmp_path / "t.csv.gz")).read()
    assert part.columns["a"].tolist() == [1.0] * 1000
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(content.encode())[:-9])
    with pytest.raises(ValueError, match="expected a file compressed by gzip, and whole"):
        TableFile(str(tmp_path / "t.csv.gz")).read()
    (tmp_path / "t.csv.gz").write_text(content)
    with pytest.raises(ValueError, match="expected a file compressed by gzip, and whole"):
        TableFile(str(tmp_path / "t.csv.gz"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("t.xlsx", r"ends in .csv, .*; this one is a spreadsheet; save it as CSV"),
        ("t.xls", "a spreadsheet"),
        ("t.json", "this one is JSON; write it as CSV or Parquet"),
        ("t.gz", "compressed; unpack it"),
        ("t.parquet.gz", "compressed; unpack it"),
        ("t.doc", r"\.feather$"),
        ("https://example.org/t.csv", "got an address: download it first"),
    ],
)
def test_files_of_other_kinds(name, message):
    with pytest.raises(ValueError, match=message):
        TableFile(name)


def test_rows_have_the_same_numbers_in_every_kind_of_file(tmp_path):
    frame = pl.DataFrame({"a": ["1", "2", "oops", "4"], "b": ["x"] * 4})
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_text('\na,b\n1,"x\n"\n\n2,x\noops,x\n4,x\n')
    for name in ("t.csv", "t.parquet"):
        file = TableFile(str(tmp_path / name))
        assert file.read().rows.tolist() == [1, 2, 3, 4]
        rows = [part.rows for part in file.batches({"b": "text"}, 3)]
        assert np.concatenate(rows).tolist() == [1, 2, 3, 4]
        # A part that is no numbers stays texts: the model, which knows the column, says what is none.
        parts = list(file.batches({"a": "number"}, 1))
        assert [part.columns["a"].tolist() for part in parts] == [[1], [2], ["oops"], [4]]
