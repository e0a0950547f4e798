"""Models of tables as ONNX files: onnxruntime predicts from raw columns what the model does."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runtime import session_of

import fastnn as fn
from fastnn import tables
from fastnn._storage import descriptions

onnx = pytest.importorskip("onnx", reason="onnx is not installed: nothing to write files with")
import fastnn.onnx  # noqa: E402

TOWNS = ["Bonn", "Kiel", "Zürich", "Ulm, Donau", "東京"]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def table(rng, n, missing=0.2):
    """Columns of every kind, with missing cells."""
    columns = {
        "age": rng.normal(45, 12, n),
        "income (k€)": 10.0 ** rng.normal(3, 1, n),
        "label": rng.integers(0, 5, n).astype(float),  # the name of an output too
        "member": (rng.random(n) < 0.4).astype(float),
        "town": np.array(TOWNS, dtype=object)[rng.integers(0, len(TOWNS), n)],
        "Gemm_0": np.array(["a", "b"], dtype=object)[rng.integers(0, 2, n)],  # like the name of a node
        "code": rng.integers(1, 4, n).astype(float),
        "seen": rng.integers(-(10**9), 2 * 10**9, n).astype("datetime64[s]").astype("datetime64[us]"),
    }
    for name in ("age", "member", "town", "code", "seen"):
        hidden = rng.random(n) < missing
        none = {"O": None, "M": np.datetime64("NaT")}.get(columns[name].dtype.kind, np.nan)
        columns[name][hidden] = none
    columns["member"] = np.array([None if x != x else bool(x) for x in columns["member"]], dtype=object)
    return columns


def preprocessor(rng, missing=0.2):
    columns = table(rng, 400, missing)
    columns["town"][:2] = "Rome"  # rare
    return tables.Preprocessor(min_rows=5, categorical=["code"]).fit(columns)


def model_of(target, rng, dtype="float32", ending="identity", missing=0.2):
    prepared = preprocessor(rng, missing)
    layers = [
        fn.Input(len(prepared.features)),
        fn.Dense(9, "tanh"),
        fn.Dropout(0.2),
        fn.Dense(target.n_outputs, ending),
    ]
    net = fn.Network(layers, seed=3, dtype=dtype)
    net.metadata["note"] = "a test"
    return tables.TableModel(prepared, net, target)


def feeds(model, columns):
    """What a program that knows only the file would pass to onnxruntime."""
    result = {}
    for encoder in model.preprocessor.encoders:
        values = columns[encoder.name]
        if isinstance(encoder, tables.Categorical):
            texts = ["" if x is None or x != x else x if isinstance(x, str) else f"{x:.0f}" for x in values]
            result[encoder.name] = np.array(texts, dtype=object)[:, None]
        elif isinstance(encoder, tables.Date):
            result[encoder.name] = values.astype("datetime64[us]").astype(np.int64)[:, None]
        else:
            result[encoder.name] = np.array([np.nan if x is None else float(x) for x in values])[:, None]
    return result


def run(path, inputs):
    session = session_of(path)
    assert {entry.name: entry.shape for entry in session.get_inputs()} == {name: ["n", 1] for name in inputs}
    return dict(zip([entry.name for entry in session.get_outputs()], session.run(None, inputs), strict=True))


def classes(kind, labels):
    return tables.Classes("bought", tuple(labels), kind, (5,) * len(labels))


TARGETS = {
    "texts": classes("text", ["maybe", "no", "yes, ja"]),
    "whole numbers": classes("number", ["-1", "0", "7", "30"]),
    "numbers": classes("number", ["0.5", "2", "2.5"]),
    "whole numbers beyond int64": classes("number", ["-7", str(10**20), str(10**20 + 1)]),
    "whole numbers beyond 2**53": classes("number", [str(2**53), str(2**53 + 1)]),
    "booleans": classes("boolean", ["false", "true"]),
    "a quantity": tables.Quantity("price", 123.5, 17.25, (120.0,)),
    "a logarithm": tables.Quantity("price", 2.5, 0.75, (12.0,), log=True),
    "a rate": tables.Quantity("price", 0.0, 17.25, (17.25,), rate=True),
    "quantiles": tables.Quantity("price", 123.5, 17.25, (100.0, 120.0, 140.0), (0.1, 0.5, 0.9)),
}


def assert_same(model, path, columns):
    found = run(path, feeds(model, columns))
    outputs, predicted = model.outputs(columns), model.predict(columns)
    predicted = predicted.astype(str) if predicted.dtype.kind == "O" else predicted  # integers beyond int64 are texts
    tolerance = TOLERANCE[model.network.dtype]
    if not model.classifies:
        assert list(found) == ["prediction"]
        assert found["prediction"].dtype == np.float64
        np.testing.assert_allclose(found["prediction"], outputs, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(found["prediction"].reshape(predicted.shape), predicted, rtol=tolerance)
        return
    label, probabilities = found.values()
    np.testing.assert_allclose(probabilities, outputs, rtol=tolerance, atol=tolerance)
    first, second = np.sort(outputs, axis=1)[:, -2:].T[::-1]
    clear = first - second > 10 * tolerance  # rounding may decide the others
    assert clear.mean() > 0.9
    assert label.tolist() == np.where(clear, predicted.astype(object), label.astype(object)).tolist()
    assert label.dtype == (object if predicted.dtype.kind in "UO" else predicted.dtype)


@pytest.mark.parametrize("name", TARGETS)
def test_predictions_from_raw_columns(name, dtype, tmp_path, rng):
    model = model_of(TARGETS[name], rng, dtype)
    path = tmp_path / "table.onnx"
    fn.onnx.export(model, path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    columns = table(rng, 300)
    columns["town"][::7] = "unheard of"
    assert model.preprocessor.unseen_categories(columns)["town"] >= {"unheard of"}
    assert_same(model, path, columns)
    one = {key: values[:1] for key, values in columns.items()}
    assert_same(model, path, one)


@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
def test_networks_that_end_in_probabilities(ending, dtype, tmp_path, rng):
    model = model_of(TARGETS["texts"], rng, dtype, ending)
    fn.onnx.export(model, tmp_path / "table.onnx")
    assert_same(model, tmp_path / "table.onnx", table(rng, 200))


def test_sigmoids_that_have_all_underflowed(tmp_path, rng):
    model = model_of(TARGETS["texts"], rng, "float32", "sigmoid")
    model.network.parameters["3.bias"] = [-200.0, -200.0, -200.0]
    fn.onnx.export(model, tmp_path / "table.onnx")
    columns = table(rng, 20)
    found = run(tmp_path / "table.onnx", feeds(model, columns))
    np.testing.assert_allclose(found["probabilities"], model.outputs(columns), rtol=1e-5)
    np.testing.assert_allclose(found["probabilities"], 1 / 3)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 999), missing=st.sampled_from([0.0, 0.1, 0.9]), name=st.sampled_from(["texts", "a quantity"])
)
def test_preprocessors_of_any_table(tmp_path, seed, missing, name):
    """Missing cells in training or not: with and without columns for what is missing, rare or unseen."""
    rng = np.random.default_rng(seed)
    model = model_of(TARGETS[name], rng, missing=missing)
    fn.onnx.export(model, tmp_path / "table.onnx")
    columns = table(rng, 100, missing=0.3)
    columns["town"][::9] = "unheard of"
    assert_same(model, tmp_path / "table.onnx", columns)


def test_the_matrix_is_the_preprocessors_to_the_last_bit(tmp_path, rng):
    """A network that passes its input on: float64 up to the one rounding, as the preprocessor computes."""
    prepared = preprocessor(rng)
    n = len(prepared.features)
    net = fn.Network([fn.Input(n), fn.Dense(n)])
    net.parameters["0.weight"] = np.eye(n)
    target = tables.Quantity("all", 0.0, 1.0, (0.0,) * n, tuple((np.arange(n) + 0.5) / n))
    model = tables.TableModel(prepared, net, target)
    fn.onnx.export(model, tmp_path / "table.onnx")
    columns = table(rng, 200)
    found = run(tmp_path / "table.onnx", feeds(model, columns))
    np.testing.assert_array_equal(found["prediction"], prepared.transform(columns))


def test_dates_of_all_years_to_the_last_bit(tmp_path, rng):
    """Leap days, ends of years and centuries, and the first and last moment of all."""
    days = np.arange("1895-12-28", "2105-01-05", 3, dtype="datetime64[D]").astype("datetime64[us]")
    ends = [
        f"{year:04}-{day}" for year in (1, 4, 100, 400, 1600, 1900, 2000, 9999) for day in ("02-28", "03-01", "12-31")
    ]
    times = rng.integers(-62_135_596_800_000_000, 253_402_300_799_999_999, 2000).astype("datetime64[us]")
    last = np.array(["0001-01-01", "9999-12-31T23:59:59.999999", "NaT"], "datetime64[us]")
    columns = {"seen": np.concatenate([days, np.array(ends, "datetime64[us]"), times, last])}
    prepared = tables.Preprocessor().fit(columns)
    n = len(prepared.features)
    assert n == 9
    net = fn.Network([fn.Input(n), fn.Dense(n)], dtype="float64")
    net.parameters["0.weight"] = np.eye(n)
    model = tables.TableModel(
        prepared, net, tables.Quantity("all", 0.0, 1.0, (0.0,) * n, tuple((np.arange(n) + 0.5) / n))
    )
    fn.onnx.export(model, tmp_path / "table.onnx")
    found = run(tmp_path / "table.onnx", feeds(model, columns))
    np.testing.assert_array_equal(found["prediction"], prepared.transform(columns, "float64"))


def test_words_that_mean_missing(tmp_path, rng):
    columns = {
        "text": np.array(["", "x", "y", "none", "NA"], dtype=object)[rng.integers(0, 5, 90)],
        "number": np.array([-999.0, 1.0, 2.5, np.nan])[rng.integers(0, 4, 90)],
    }
    prepared = tables.Preprocessor(missing=["none", -999]).fit(columns)
    assert prepared.features == ("text=NA", "text=x", "text=y", "text missing", "number", "number missing")
    net = fn.Network([fn.Input(len(prepared.features)), fn.Dense(1)])
    model = tables.TableModel(prepared, net, TARGETS["a quantity"])
    fn.onnx.export(model, tmp_path / "table.onnx")
    assert_same(model, tmp_path / "table.onnx", columns)


@pytest.mark.parametrize("values", [["", "x"], [None, "x"], ["", None, "x"], ["x", "y"], ["", "x", "x", "x", "x", "y"]])
def test_empty_and_missing_texts_are_the_same(values, tmp_path, rng):
    """ONNX has strings and no nulls among them: whoever has only the file passes an empty one for either."""
    column = np.array(values, dtype=object)[rng.integers(0, len(values), 60)]
    prepared = tables.Preprocessor(min_rows=5).fit({"text": column, "size": rng.normal(size=60)})
    net = fn.Network([fn.Input(len(prepared.features)), fn.Dense(1)], dtype="float64")
    model = tables.TableModel(prepared, net, TARGETS["a quantity"])
    fn.onnx.export(model, tmp_path / "table.onnx")
    cells = np.array(["", None, np.nan, "x", "unheard of"], dtype=object)
    columns = {"text": cells, "size": np.zeros(5)}
    assert_same(model, tmp_path / "table.onnx", columns)
    predicted = model.predict(columns)
    assert predicted[0] == predicted[1] == predicted[2]


def test_an_empty_category_of_an_older_file(tmp_path):
    encoder = tables.Categorical("text", ("", "x"), missing=True)
    prepared = tables.Preprocessor.from_description(
        {"version": 1, "columns": [descriptions.to_data(encoder)], "unused": []}
    )
    net = fn.Network([fn.Input(3), fn.Dense(1)])
    model = tables.TableModel(prepared, net, TARGETS["a quantity"])
    fn.onnx.export(model, tmp_path / "table.onnx")
    assert_same(model, tmp_path / "table.onnx", {"text": np.array(["", "x", "y"], dtype=object)})


def test_it_loads_to_the_last_bit(tmp_path, rng):
    model = model_of(TARGETS["texts"], rng)
    fn.onnx.export(model, tmp_path / "table.onnx")
    loaded = fn.onnx.load(tmp_path / "table.onnx")
    assert isinstance(loaded, tables.TableModel)
    assert loaded.network == model.network
    assert loaded.network.metadata["note"] == "a test"
    assert loaded.describe() == model.describe()
    columns = table(rng, 50)
    np.testing.assert_array_equal(loaded.outputs(columns), model.outputs(columns))
    loaded.save(tmp_path / "table.safetensors")
    fn.onnx.export(tables.TableModel.load(tmp_path / "table.safetensors"), tmp_path / "again.onnx")
    assert fn.onnx.load(tmp_path / "again.onnx").describe() == model.describe()


def test_the_network_alone_takes_the_matrix(tmp_path, rng):
    model = model_of(TARGETS["texts"], rng)
    model.save(tmp_path / "table.safetensors")
    fn.onnx.export(fn.Network.load(tmp_path / "table.safetensors"), tmp_path / "net.onnx")
    assert isinstance(fn.onnx.load(tmp_path / "net.onnx"), fn.Network)


def test_what_another_program_has_changed_is_refused(tmp_path, rng):
    fn.onnx.export(model_of(TARGETS["texts"], rng), tmp_path / "table.onnx")
    model = onnx.load(tmp_path / "table.onnx")
    next(node for node in model.graph.node if node.op_type == "Tanh").op_type = "Sigmoid"
    onnx.save(model, tmp_path / "table.onnx")
    with pytest.raises(ValueError, match=r"table\.onnx': it must have one input; it has 8: 'age', "):
        fn.onnx.load(tmp_path / "table.onnx")


@pytest.mark.parametrize("name", ["", "0.weight"])
def test_columns_whose_names_cannot_be_inputs(name, tmp_path):
    prepared = tables.Preprocessor(categorical=[name]).fit({name: np.arange(20) % 2})
    net = fn.Network([fn.Input(2), fn.Dense(1)])
    with pytest.raises(ValueError, match=f"must have a name, and none like '0.weight'; got {name!r}"):
        fn.onnx.export(tables.TableModel(prepared, net, TARGETS["a quantity"]), tmp_path / "table.onnx")
    assert not list(tmp_path.iterdir())


def test_an_activation_is_for_networks(tmp_path, rng):
    with pytest.raises(ValueError, match="activation is for networks"):
        fn.onnx.export(model_of(TARGETS["texts"], rng), tmp_path / "table.onnx", activation="softmax")
