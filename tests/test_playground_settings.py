"""What is chosen in the playground: settings and links, data sets, and tables of the user's own."""

import re

import numpy as np
import playing
import pytest

from fastnn.playground import data_sets, tables
from fastnn.playground.settings import MOST_LAYERS, MOST_UNITS, Settings, SettingsError

# -------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data=xor",
        "data=circles&points=40&noise=0.0&held_out=0.5",
        "layers=",
        "layers=4-2-1&activation=relu&dropout=0.25",
        "optimizer=momentum&learning_rate=3.0&batch=single&seed=4294967295",
        "data=table&table=0123456789abcdef&columns=4-0-2&batch_size=64",
    ],
)
def test_a_link_holds_what_differs_from_the_usual(text):
    settings = Settings.from_query(text)
    assert settings.to_query() == text
    assert Settings.from_query(settings.to_query()) == settings


def test_texts_of_all_settings_make_the_settings():
    settings = Settings.from_query("data=gauss&layers=3&seed=7")
    text = "&".join(f"{name}={value}" for name, value in settings.as_texts().items())
    assert Settings.from_query(text) == settings


BAD = {
    "data=moons": ("data", "data must be one of 'spirals', 'circles', 'xor', 'gauss', 'table'; got 'moons'"),
    "data=spiral": ("data", "did you mean 'spirals'?"),
    "points=19": ("points", "points must be an integer of at least 20 and at most 2000; got 19"),
    "points=many": ("points", "points must be a whole number; got 'many'"),
    "points=1e9": ("points", "points must be a whole number; got '1e9'"),
    "noise=nan": ("noise", "noise must be a finite number at least 0 and at most 0.5; got nan"),
    "held_out=1": ("held_out", "held out must be a finite number at least 0.1 and at most 0.8; got 1.0"),
    "layers=13": ("layers", f"units of a layer must be an integer of at least 1 and at most {MOST_UNITS}; got 13"),
    "layers=0": ("layers", "units of a layer must be an integer of at least 1 and at most 12; got 0"),
    "layers=8-": ("layers", "layers must be units of each hidden layer, such as 8-8; got '8-'"),
    "layers=-1": ("layers", "layers must be units of each hidden layer, such as 8-8; got '-1'"),
    "layers=1-1-1-1-1-1-1": ("layers", f"layers must be at most {MOST_LAYERS} hidden layers; got 7"),
    "columns=1-2": ("columns", "columns must be places of three columns; got (1, 2)"),
    "columns=a": ("columns", "columns must be places of three columns, such as 0-1-4; got 'a'"),
    "activation=softmax": ("activation", "activation must be one of 'identity', 'relu'"),
    "dropout=0.9": ("dropout", "dropout must be a finite number at least 0 and at most 0.8; got 0.9"),
    "optimizer=adaam": ("optimizer", "did you mean 'adam'?"),
    "learning_rate=0": ("learning_rate", "learning rate must be a finite number above 0 and at most 10; got 0.0"),
    "batch=2": ("batch", "batch must be one of 'full', 'mini', 'single'; got '2'"),
    "batch_size=1": ("batch_size", "batch size must be an integer of at least 2 and at most 2000; got 1"),
    "seed=-1": ("seed", "seed must be an integer of at least 0 and at most 4294967295; got -1"),
    "sed=1": ("", "got 'sed' (did you mean 'seed'?)"),
    "seed=1&seed=2": ("seed", "a link may set seed once; it is there twice"),
    "data=table": ("data", "choose the file of the table"),
    "table=00": ("data", "choose the file of the table"),
}


@pytest.mark.parametrize("text", BAD)
def test_what_does_not_fit_is_told(text):
    field, message = BAD[text]
    with pytest.raises(SettingsError, match=re.escape(message)) as caught:
        Settings.from_query(text)
    assert caught.value.field == field


# ------------------------------------------------------------------- data sets


@pytest.mark.parametrize("name", data_sets.DATA_SETS)
def test_data_sets_are_seeded_and_in_the_plane(name):
    draw = data_sets.DATA_SETS[name]
    X, y = draw(300, 0.1, np.random.default_rng(3))
    assert X.shape == (300, 2)
    assert X.dtype == np.float32
    assert 100 < y.sum() < 200
    assert 2 < np.abs(X).max() < 5
    again, _ = draw(300, 0.1, np.random.default_rng(3))
    np.testing.assert_array_equal(X, again)
    other, _ = draw(300, 0.1, np.random.default_rng(4))
    assert not np.array_equal(X, other)


def test_noise_blurs_the_classes():
    clear, y = data_sets.xor(500, 0.0, np.random.default_rng(0))
    assert ((clear[:, 0] * clear[:, 1] > 0) == y).all()
    blurred, y = data_sets.xor(500, 0.5, np.random.default_rng(0))
    assert 0.1 < ((blurred[:, 0] * blurred[:, 1] > 0) != y).mean() < 0.5


def test_normal_numbers_are_normal():
    values = data_sets.normal(np.random.default_rng(0), (20_000,))
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1) < 0.03


# ---------------------------------------------------------------------- tables


@pytest.mark.parametrize("separator", tables.SEPARATORS)
def test_a_table_is_read_whatever_separates_its_cells(separator):
    found = tables.read(playing.table(separator), "my.csv")
    assert found.columns == ("left", "right", "kind")
    assert found.classes == ("a", "b")
    assert found.X.shape == (60, 2)
    assert found.targets.tolist() == [0, 1] * 30
    assert found.key == tables.read(playing.table(separator), "my.csv").key
    assert found.key != tables.read(playing.table(separator), "other.csv").key


def test_quotes_blank_lines_marks_and_spaces_are_no_matter():
    lines = ['\ufeff"the, left", right ,kind', "", *(f'" {i}",{i * i},"yes ""{i % 2}"""' for i in range(12)), ""]
    found = tables.read("\r\n".join(lines).encode(), "my.csv")
    assert found.columns == ("the, left", "right", "kind")
    assert found.classes == ('yes "0"', 'yes "1"')
    assert found.X[3].tolist() == [3, 9]


def test_few_different_numbers_are_classes_and_many_are_a_regression():
    rows = [f"{i},{-i},{{}}" for i in range(20)]

    def read(target):
        lines = ["x,y,z", *(row.format(target(i)) for i, row in enumerate(rows))]
        return tables.read("\n".join(lines).encode(), "my.csv")

    assert read(lambda i: i % 2).classes == ("0", "1")
    assert read(lambda i: ("10", "9.50", "1e1")[i % 3]).classes == ("9.5", "10")
    many = read(lambda i: i / 4)
    assert many.classes == ()
    assert many.targets.dtype == np.float32
    assert many.targets.tolist() == [i / 4 for i in range(20)]


WIDE = b"id,length,n,width,kind\n" + b"a,1,2,3,yes\nb,2,1,5,no\n" * 8


def test_of_many_columns_two_and_a_target_are_chosen():
    found = tables.read(WIDE, "my.csv")
    assert (found.columns, found.classes) == (("length", "n", "kind"), ("no", "yes"))
    found = tables.read(WIDE, "my.csv", (3, 1, 0))
    assert (found.columns, found.classes) == (("width", "length", "id"), ("a", "b"))
    assert found.X[0].tolist() == [3, 1]
    for chosen, names in (((0, 1, 5), "id, length"), ((1, 1, 2), "length, length, n")):
        with pytest.raises(ValueError, match=f"columns must be three different ones of the 5; got {names}$"):
            tables.read(WIDE, "my.csv", chosen)
    with pytest.raises(ValueError, match="line 2: 'id' must hold numbers; got 'a'"):
        tables.read(WIDE, "my.csv", (0, 1, 2))


def lines(*rows, n=20):
    return "\n".join([*rows, *(f"{i},{i + 1},{'ab'[i % 2]}" for i in range(n))]).encode()


BAD_TABLES = {
    "the file must be a CSV file in UTF-8; it is empty": b" \n",
    "the file must be a CSV file in UTF-8: save it as one": "x,y,größe\n".encode("latin-1"),
    "the file must be a CSV file in UTF-8; it is no text": b"PK\0\0",
    "the file must have at most 1,000 kB; it has 1,200 kB": b"x" * 1_200_000,
    "separated by commas there are 2: x, y": b"x,y\n1,2\n",
    "separated by semicolons there are 2: a, b": b"a;b\n1;2\n",
    "two columns of numbers beside the last; there are 1 without": b"a,b,c,d\n" + b"1,x,,0\n2,y,1,1\n" * 8,
    "the first line must name the columns; it holds numbers: 1, 2, 3": lines("1,2,3"),
    "the first line must name the columns, each otherwise; got x, x, y": lines("x,x,y"),
    "line 3 must have 3 cells, as the first line has; it has 4": lines("x,y,z", "1,2,a", "1,2,a,"),
    "line 2 must have 1 cell, as the first line has; it has 3": lines("# mine", "x,y,z"),
    "line 2: 'y' must hold numbers; got 'two'": lines("x,y,z", "1,two,a"),
    "line 2: 'y' must hold numbers; it is empty: fill it in": lines("x,y,z", "1,,a"),
    "line 2: 'y' must hold numbers; got 'nan'": lines("x,y,z", "1,nan,a"),
    "line 2: 'y' must hold numbers; got '1_000'": lines("x,y,z", "1,1_000,a"),
    "line 2: 'x' must hold numbers; got '1,5': write decimals with a point": lines("x,y,z", '"1,5",2,a'),
    "line 2: 'x' must hold numbers up to 1e30; got '1e31'": lines("x,y,z", "1e31,2,a"),
    "line 2: 'z' is empty; what is to be predicted must be there in every row": lines("x,y,z", "1,2,"),
    "the table must have from 10 to 5,000 rows; it has 4": lines("x,y,z", n=4),
    "the table must have from 10 to 5,000 rows; it has 5,001": lines("x,y,z", n=5001),
    "'z' must hold at least two classes; it is 'a' in every row": b"x,y,z\n" + b"1,2,a\n2,1,a\n" * 8,
    "'x' must vary; it is 1 in every row": b"x,y,z\n" + b"1,2,a\n1,1,b\n" * 8,
    "'z' must hold numbers, or at most 8 classes; it has 12": "\n".join(
        ["x,y,z", *(f"{i},{i * i},class {i}" for i in range(12))]
    ).encode(),
    "line 22: unexpected end of data": lines("x,y,z") + b'\n1,2,"a\n',
}


@pytest.mark.parametrize("message", BAD_TABLES)
def test_what_is_wrong_with_a_table_is_told(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        tables.read(BAD_TABLES[message], "my.csv")
