"""Dates in tables: the matrix against plain Python, whatever they come as, and what is said of wrong ones."""

import datetime
import json
import math
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from exact import lane_sum
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnn import elementary, tables
from fastnn.tables import moments

UTC = datetime.UTC
MICROSECOND = datetime.timedelta(microseconds=1)
WHEN = [datetime.datetime(2019, 11, 3, 5, 30) + datetime.timedelta(days=37 * i, hours=7 * i) for i in range(24)]
DAYS = [time.date() for time in WHEN]


def standardised(values, others):
    mean = lane_sum(values) / len(values)
    scale = math.sqrt(lane_sum([(x - mean) * (x - mean) for x in values]) / len(values))
    return [(x - mean) / scale for x in others]


def on_circle(place, n):
    angle = np.array([2 * math.pi * place / n])
    return elementary.sin(angle)[0], elementary.cos(angle)[0]


def expected(training, others):
    """The columns that plain Python makes of times without a zone, by name."""
    present = sorted(time for time in training if time is not None)
    first, fill = present[0], present[(len(present) - 1) // 2]
    trained, filled = ([fill if time is None else time for time in times] for times in (training, others))

    def days(times):
        return [(time - first) // MICROSECOND / (datetime.timedelta(days=1) // MICROSECOND) for time in times]

    result = {
        "days": standardised(days(trained), days(filled)),
        "year": standardised([float(time.year) for time in trained], [float(time.year) for time in filled]),
    }
    cycles = (
        ("month", lambda t: t.month - 1, 12),
        ("weekday", lambda t: t.weekday(), 7),
        ("hour", lambda t: t.hour, 24),
    )
    for name, place, n in cycles:
        points = [on_circle(place(time), n) for time in filled]
        result[f"{name} sin"], result[f"{name} cos"] = zip(*points, strict=True)
    if None in training:
        result["missing"] = [float(time is None) for time in others]
    return result


def assert_matrix(fitted, table, training, others):
    X = fitted.transform(table, "float64")
    wanted = expected(training, others)
    assert fitted.features == tuple(f"when {name}" for name in wanted)
    for column, name in enumerate(wanted):
        assert X[:, column].tolist() == list(wanted[name]), name


@pytest.mark.parametrize("missing", [(), (3, 11)])
def test_the_bits_are_those_of_plain_python(missing):
    training = [None if row in missing else time for row, time in enumerate(WHEN)]
    others = [*training, datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999), None]
    fitted = tables.Preprocessor().fit({"when": training})
    assert_matrix(fitted, {"when": others}, training, others)
    assert np.isfinite(fitted.transform({"when": others})).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.datetimes(), min_size=1, max_size=12))
def test_the_calendar_is_pythons(times):
    found = np.array([moments.of_time(time) for time in times])
    assert moments.years(found).tolist() == [time.year for time in times]
    assert moments.months(found).tolist() == [time.month - 1 for time in times]
    assert moments.weekdays(found).tolist() == [time.weekday() for time in times]
    assert moments.hours(found).tolist() == [time.hour for time in times]
    assert [datetime.datetime.fromisoformat(moments.text(moment)) for moment in found.tolist()] == times
    texts = [time.isoformat() for time in times]
    assert [moments.of_text(text) for text in texts] == moments.of_texts(texts) == found.tolist()
    assert moments.of_texts([f"{text}+00:00" for text in texts]) == found.tolist()
    longer = [text + "789" if "." in text else text for text in texts]  # nanoseconds are rounded down
    assert moments.of_texts(longer) == found.tolist()
    spaced = [text.replace("T", " ") for text in texts]
    assert moments.of_texts(spaced) == found.tolist()
    minutes = [time.replace(second=0, microsecond=0) for time in times]
    assert moments.of_texts([text[:16] for text in texts]) == [moments.of_time(time) for time in minutes]
    assert moments.of_array(np.array(times, dtype="datetime64[us]"))[0].tolist() == found.tolist()


def every_kind(times):
    """The same times, without a zone, as every library has them."""
    texts = [None if time is None else time.isoformat() for time in times]
    series = pd.Series(times, dtype="datetime64[us]")
    yield "objects", times
    yield "texts", texts
    yield "texts with a space", [None if text is None else text.replace("T", " ") for text in texts]
    yield "numpy", np.array(times, dtype="datetime64[us]")
    yield "numpy, objects", [None if time is None else np.datetime64(time, "ms") for time in times]
    for unit in ("s", "ms", "ns"):
        yield f"numpy, {unit}", np.array(times, dtype="datetime64[us]").astype(f"datetime64[{unit}]")
        yield f"pandas, {unit}", series.astype(f"datetime64[{unit}]")
    yield "pandas, objects", series.astype(object)
    yield "pandas, zone", series.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    yield "pandas, arrow", series.astype("timestamp[us][pyarrow]")
    yield "pandas, arrow, zone", series.dt.tz_localize("UTC").astype("timestamp[us, UTC][pyarrow]")
    yield "pandas, category", series.astype("category")
    yield "polars", pl.Series(times)
    yield "polars, zone", pl.Series(times).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    yield "pyarrow", pa.chunked_array([pa.array(times)])
    yield "pyarrow, array", pa.array(times, pa.timestamp("ns"))
    yield "pyarrow, zone", pa.array(times, pa.timestamp("us", "Europe/Berlin"))


@pytest.mark.parametrize("missing", [(), (3, 11)])
def test_dates_of_every_library_give_the_same(missing):
    times = [None if row in missing else time for row, time in enumerate(WHEN)]
    first = tables.Preprocessor().fit({"when": times})
    for name, values in every_kind(times):
        fitted = tables.Preprocessor().fit({"when": values})
        assert fitted.encoders == first.encoders, name
        assert fitted.transform({"when": values}).tobytes() == first.transform({"when": times}).tobytes(), name


def test_days_of_every_library_give_the_same():
    first = tables.Preprocessor().fit({"when": DAYS})
    assert first.encoders[0].parts == ("days", "year", "month", "weekday")
    for values in (
        [day.isoformat() for day in DAYS],
        np.array(DAYS, dtype="datetime64[D]"),
        pd.Series(DAYS),
        pd.Series(pd.to_datetime(DAYS)),
        pd.Series(pd.to_datetime(DAYS)).dt.to_period("D"),
        pd.Series(DAYS, dtype=pd.ArrowDtype(pa.date32())),
        pl.Series(DAYS),
        pa.array(DAYS),
        pa.array(DAYS, pa.date64()),
    ):
        assert tables.Preprocessor().fit({"when": values}).encoders == first.encoders


def test_a_period_is_its_beginning():
    periods = pd.Series(pd.period_range("2020-01", periods=12, freq="M"))
    days = [datetime.date(2020, month, 1) for month in range(1, 13)]
    assert tables.Preprocessor().fit({"when": periods}).encoders == tables.Preprocessor().fit({"when": days}).encoders


def test_times_with_a_zone_are_taken_in_utc():
    berlin = [time.replace(tzinfo=ZoneInfo("Europe/Berlin")) for time in WHEN]
    utc = [time.astimezone(UTC).replace(tzinfo=None) for time in berlin]
    wanted = tables.Preprocessor().fit({"when": utc}).encoders
    for values in (
        berlin,
        [time.isoformat() for time in berlin],
        [time.isoformat() + "Z" for time in utc],
        [f"{time:%Y-%m-%dT%H:%M:%S%z}" for time in berlin],  # an offset without a colon
        pd.Series(berlin),
        pl.Series(utc).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    ):
        assert tables.Preprocessor().fit({"when": values}).encoders == wanted


def test_only_parts_that_differ_become_features():
    def parts(times):
        (column,) = tables.Preprocessor().fit({"when": times, "x": range(len(times))}).encoders[:1]
        return column.parts

    day = datetime.datetime(2020, 6, 1)
    assert parts([day + datetime.timedelta(days=7 * i) for i in range(4)]) == ("days",)
    assert parts([day + datetime.timedelta(hours=i) for i in range(4)]) == ("days", "hour")
    assert parts([day + datetime.timedelta(seconds=i) for i in range(4)]) == ("days",)
    assert parts([datetime.date(2020 + i, 6, 1) for i in range(4)]) == ("days", "year", "weekday")
    (constant,) = tables.Preprocessor().fit({"when": [day] * 4, "x": range(4)}).unused_columns
    assert constant.reason == "constant"
    (empty,) = tables.Preprocessor().fit({"when": np.array(["NaT"] * 4, "M8[D]"), "x": range(4)}).unused_columns
    assert empty.reason == "empty"


def test_all_missing_later_and_dates_close_together():
    close = [datetime.datetime(2020, 1, 1, 0, 0, 0, i) for i in range(2)]  # a microsecond apart
    fitted = tables.Preprocessor().fit({"when": [*close, None]})
    for values in ([None, None], np.array(["NaT", "NaT"], "M8[s]"), [float("nan")] * 2):
        X = fitted.transform({"when": values})
        assert X[:, -1].tolist() == [1, 1]
        assert X[:, :-1].tolist() == fitted.transform({"when": [close[0]] * 2})[:, :-1].tolist()
    assert np.isfinite(fitted.transform({"when": ["0001-01-01", "9999-12-31T23:59:59.999999"]})).all()


def test_through_json_and_what_is_said():
    fitted = tables.Preprocessor().fit({"when": [*WHEN, None], "x": range(25)})
    back = tables.Preprocessor.from_json(fitted.to_json())
    assert back.encoders == fitted.encoders
    assert json.loads(fitted.to_json())["version"] == 2
    row = fitted.report()[0]
    assert row == {
        "column": "when",
        "used_as": "date",
        "explanation": "from 2019-11-03T05:30:00: days, year, month, weekday, hour; "
        "missing ones 2020-12-17T10:30:00, marked",
        "features": 9,
    }
    assert eval(repr(fitted.encoders[0]), {"Date": tables.Date}) == fitted.encoders[0]


def test_dates_may_be_categories_or_left_out():
    table = {"when": np.array([f"2020-01-0{1 + row % 3}" for row in range(12)], "M8[D]"), "x": range(12)}
    fitted = tables.Preprocessor(categorical=["when"], min_rows=1).fit(table)
    assert fitted.features[:3] == ("when=2020-01-01", "when=2020-01-02", "when=2020-01-03")
    assert tables.Preprocessor(unused=["when"]).fit(table).names == ("x",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["2020-02-30"], "column 'when', row 0: expected a date; got '2020-02-30', which is none"),
        (["2020-02-03", "2024-02-30"], "column 'when', row 1: expected a date; got '2024-02-30', which is none"),
        (["soon"], "column 'when', row 0: expected a date; got 'soon'"),
        (["2020-02-03", None, "NA", "3.2.2020"], "column 'when', row 3: expected a date; got '3.2.2020'"),
        ([None, 3], "column 'when', row 1: expected a date; got '3'"),
        (np.array([2**63 - 1], "M8[us]"), "row 0: expected a date of the years 1 to 9999; got 294247"),
        (np.array(["2020", "-5000"], "M8[Y]"), "row 1: expected a date of the years 1 to 9999; got -5000"),
        (np.array([2**62], "M8[s]"), "row 0: expected a date of the years 1 to 9999"),
        (["0001-01-01T00:00:00+10:00"], "row 0: expected a date; got '0001-01-01T00"),
    ],
)
def test_what_is_no_date(values, message):
    fitted = tables.Preprocessor().fit({"when": DAYS})
    with pytest.raises(tables.CellError) as error:
        fitted.transform({"when": values})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("words", "missing", "note"),
    [
        (["NA", "null"], None, "missing: 'NA' 1 time, 'null' 1 time"),
        (["0000-00-00", "0000-00-00 00:00:00"], None, "missing: '0000-00-00' 1 time, '0000-00-00 00:00:00' 1 time"),
        (["not yet", "not yet"], ["not yet"], "missing: 'not yet' 2 times"),
        (["9999-12-31", "9999-12-31"], ["9999-12-31"], "missing: '9999-12-31' 2 times"),
    ],
)
def test_words_among_dates_that_mean_missing(words, missing, note):
    """They are what an empty cell is, in training and later; another model reads them as it was told."""
    texts = [day.isoformat() for day in DAYS]
    fitted = tables.Preprocessor(missing=missing).fit({"when": [*texts, *words]})
    plain = tables.Preprocessor().fit({"when": [*texts, None, None]})
    assert fitted.notes == {"when": note}
    assert fitted.features == plain.features
    again = tables.Preprocessor.from_json(fitted.to_json())
    for table in ({"when": [*texts, *words]}, {"when": words[:1]}):
        found = again.transform(table)
        nothing = [None if text in words else text for text in table["when"]]
        np.testing.assert_array_equal(found, plain.transform({"when": nothing}))
    assert "when" not in tables.Preprocessor(missing=()).fit({"when": [*texts, "NA"], "x": range(25)}).names


@pytest.mark.parametrize("text", ["%d.%m.%Y", "%m/%d/%y", "%d-%b-%Y", "%Y/%m/%d %H:%M", "%d %B %Y %I:%M %p"])
def test_dates_in_other_formats_are_called_so(text):
    """Which number is the month is not guessed; what would not be used says why."""
    texts = [time.strftime(text) for time in WHEN]
    (row,) = [row for row in tables.Preprocessor().fit({"x": range(24), "when": texts}).report() if not row["features"]]
    assert row["explanation"] == (
        f"dates or times, but not written like 2024-03-31 or 2024-03-31 18:05: {texts[0]!r} (categorical keeps it)"
    )


@pytest.mark.parametrize("text", ["1.2.{}", "0{}-12-34", "k{}", "{0}:{0}x"])
def test_what_is_like_a_date_but_none(text):
    table = {"x": range(24), "when": [text.format(row) for row in range(24)]}
    assert tables.Preprocessor().fit(table).unused_columns[0].reason == "identifier"


def test_a_scale_that_no_training_rows_give_is_noticed():
    column = tables.Date("when", "2020-01-01", "2020-01-01", ["days"], [0.0], [1e-300])
    description = {"version": 2, "columns": [{"type": "Date", **vars(column)}], "unused": []}
    with pytest.raises(
        tables.CellError, match="row 1: too far from the training rows to fit in float32; got 2021-07-01"
    ):
        tables.Preprocessor.from_description(description).transform({"when": ["2020-01-01", "2021-07-01"]})
