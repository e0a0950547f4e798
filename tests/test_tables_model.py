"""Targets, scores and models of tables: against scikit-learn, through files, and wrong ones."""

import contextlib
import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import tables
from fastnn.tables import scores, target_cells


def made(n=300, seed=0):
    random = np.random.default_rng(seed)
    table = {"x": random.normal(size=n), "k": random.choice(["a", "b", "c"], n).astype(object)}
    table["y"] = 100 + 20 * table["x"] + 5 * (table["k"] == "b")
    table["class"] = np.where(table["x"] > 0.3, "high", np.where(table["k"] == "a", "a", "low")).astype(object)
    return table


def features(table):
    return {name: table[name] for name in ("x", "k")}


def fitted(target, loss, activation=None, dtype="float32", epochs=30):
    table = made()
    preprocessor = tables.Preprocessor().fit(features(table))
    layers = [fn.Input(len(preprocessor.features)), fn.Dense(16, "tanh"), fn.Dense(target.n_outputs, activation)]
    net = fn.Network([layer for layer in layers if layer], seed=1, dtype=dtype)
    fn.Trainer(net, loss, fn.Adam(0.01)).fit(
        preprocessor.transform(features(table), dtype), target.encode(table[target.name]), epochs=epochs
    )
    return tables.TableModel(preprocessor, net, target)


@pytest.fixture(scope="module")
def classifier():
    return fitted(tables.Classes.fit("class", made()["class"]), "cross_entropy", "softmax")


@pytest.fixture(scope="module")
def regressor():
    return fitted(tables.Quantity.fit("y", made()["y"]), "mean_squared")


# ----------------------------------------------------------------------- scores


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 5), st.integers(1, 40), st.integers(0, 2**32 - 1), st.booleans())
def test_scores_of_classes_are_those_of_scikit_learn(n_classes, n, seed, ties):
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, n)
    raw = random.integers(1, 4, (n, n_classes)) if ties else random.random((n, n_classes))
    p = raw / raw.sum(axis=1, keepdims=True)
    found = scores.of_classes(labels, p)
    predicted = p.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(labels, predicted))
    recalls = [np.mean(predicted[labels == c] == c) for c in np.unique(labels)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(labels, p, labels=range(n_classes)))
    if n_classes == 2 and len(np.unique(labels)) == 2:
        assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(labels, p[:, 1]))
    else:
        assert "roc_auc" not in found


def test_a_class_that_was_ruled_out_has_a_finite_loss():
    assert scores.of_classes(np.array([0]), np.array([[0.0, 1.0]]))["log_loss"] == pytest.approx(52 * np.log(2))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_scores_of_quantities_are_those_of_scikit_learn(n, seed):
    random = np.random.default_rng(seed)
    y, predicted = random.normal(size=n) * 1e3, random.normal(size=(n, 2)) * 1e3
    found = scores.of_quantities(y, predicted[:, 0])
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(y, predicted[:, 0]))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, predicted[:, 0]))
    assert found["r2"] == pytest.approx(sk.r2_score(y, predicted[:, 0]))
    found = scores.of_quantiles(y, predicted, (0.1, 0.75))
    for column, q in enumerate((0.1, 0.75)):
        assert found[f"pinball_{q:g}"] == pytest.approx(sk.mean_pinball_loss(y, predicted[:, column], alpha=q))
        assert found[f"coverage_{q:g}"] == np.mean(y <= predicted[:, column])


# ---------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("values", "labels", "kind", "dtype"),
    [
        (["b", "a", "É", "b"], ["a", "b", "É"], "text", "U"),
        ([10, 2, -1, 2], ["-1", "2", "10"], "number", "i"),
        (np.array([10.0, 2.0, 2.0]), ["2", "10"], "number", "i"),
        ([0.5, 2, 0.25], ["0.25", "0.5", "2"], "number", "f"),
        ([True, False, True], ["false", "true"], "boolean", "b"),
        (["02", "10", "02"], ["02", "10"], "text", "U"),
    ],
)
def test_classes_there_and_back(values, labels, kind, dtype):
    target = tables.Classes.fit("t", values)
    assert (list(target.labels), target.kind) == (labels, kind)
    numbers = target.encode(values)
    back = target.decode(numbers)
    assert back.dtype.kind == dtype
    assert back.tolist() == list(np.asarray(values).tolist())
    assert list(target.counts) == np.bincount(numbers).tolist()


def test_classes_are_counted_in_the_training_rows():
    target = tables.Classes.fit("t", ["a", "b", "a", "c"], training=np.array([0, 2, 1]))
    assert target.counts == (2, 1, 0)
    np.testing.assert_allclose(target.baseline(2), [[2 / 3, 1 / 3, 0]] * 2)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["a", "b"], True),
        ([True, None], True),
        ([0, 1] * 10, True),
        ([1.0, 2.0, None] * 10, True),
        ([0, 1, 2], False),  # a row each
        ([0.5, 1.5] * 10, False),
        (list(range(11)) * 10, False),
        ([1e300, 2e300] * 10, True),
    ],
)
def test_what_looks_like_classes(values, expected):
    assert target_cells.is_classes("t", values) is expected


def test_a_quantity_there_and_back():
    y = np.array([3.0, 5.0, 100.0, 4.0])
    target = tables.Quantity.fit("t", y)
    assert target.mean == y.mean()
    assert target.scale == pytest.approx(y.std())
    assert target.typical == (y.mean(),)
    np.testing.assert_allclose(target.predicted(target.encode(y)[:, None])[:, 0], y)
    assert tables.Quantity.fit("t", y, absolute=True).typical == (4.5,)
    quantiles = (0.1, 0.25, 0.5, 0.9)
    target = tables.Quantity.fit("t", y, quantiles)
    assert target.typical == tuple(np.quantile(y, quantiles, method="inverted_cdf"))
    assert target.n_outputs == 4


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_probabilities_of_every_kind_of_output(activation):
    net = fn.Network([fn.Input(3), fn.Dense(4, activation)], seed=0)
    X = np.random.default_rng(0).normal(size=(50, 3)) * 20
    outputs = net.predict(X).astype(np.float64)
    target = tables.Classes.fit("t", ["a", "b", "c", "d"])
    p = target.predicted(net.predict(X), net.plan.output_activation)
    expected = np.exp(outputs - outputs.max(axis=1, keepdims=True)) if activation is None else outputs
    np.testing.assert_allclose(p, expected / expected.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)


def test_sigmoids_that_all_underflow_know_nothing():
    target = tables.Classes.fit("t", ["a", "b"])
    np.testing.assert_array_equal(target.predicted(np.zeros((1, 2), np.float32), "sigmoid"), [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tables.Classes.fit("t", ["a", "a"]), "must have at least two classes; every row is 'a'"),
        (lambda: tables.Classes.fit("t", [str(i) for i in range(30)]), "30 different values in 30 rows"),
        (lambda: tables.Classes.fit("t", ["a", None, "b"]), "row 1: expected a value of the target; got a missing"),
        (lambda: tables.Classes.fit("t", ["2020-01-01", "2020-01-02"]), "numbers or classes; got dates"),
        (lambda: tables.Classes.fit("t", ["a", "b"]).encode(["c"]), "one of the classes 'a', 'b'; got 'c'"),
        (lambda: tables.Quantity.fit("t", [1.0, None]), "row 1: expected a value of the target"),
        (lambda: tables.Quantity.fit("t", [1.0, np.inf]), "row 1: expected a finite number"),
        (lambda: tables.Quantity.fit("t", ["a", "b"]), "row 0: expected a number; got 'a'"),
        (lambda: tables.Quantity.fit("t", [2, 2]), "must have different values; every row is 2"),
        (lambda: tables.Quantity.fit("t", []), "at least one row"),
        (lambda: tables.Quantity.fit("t", [1.7e308, -1.7e308, 1.6e308]), "too large to take mean and deviation"),
        (lambda: target_cells.is_classes("t", [None, None]), "has no value in any row"),
        (lambda: target_cells.is_classes("t", ["2020-01-01"]), "got dates"),
        (lambda: tables.Classes("t", ["a"], "text", [1]), "two different ones"),
        (lambda: tables.Classes("t", ["a", "b"], "number", [1, 1]), "could not convert"),
        (lambda: tables.Quantity("t", 0, 1, [1, 2]), "a number for each output"),
    ],
)
def test_targets_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


# ----------------------------------------------------------------------- models


def test_a_classifier_from_table_to_labels(classifier):
    table = made(200, seed=5)
    p = classifier.predict_proba(table)
    X = classifier.preprocessor.transform(table)
    np.testing.assert_array_equal(p, classifier.network.predict(X))
    labels = classifier.predict(table)
    assert labels.tolist() == [classifier.target.labels[i] for i in p.argmax(axis=1)]
    found = classifier.evaluate(table)
    assert found["accuracy"] == np.mean(labels == table["class"])
    assert found["accuracy"] > 0.9
    assert classifier.classifies


def test_a_regressor_predicts_in_the_units_of_the_target(regressor):
    table = made(200, seed=5)
    predicted = regressor.predict(table)
    assert predicted.shape == (200,)
    assert np.abs(predicted - table["y"]).mean() < 2
    assert regressor.evaluate(table)["r2"] > 0.98
    assert not regressor.classifies
    with pytest.raises(ValueError, match="predict_proba is for classes; the target 'y' is a quantity"):
        regressor.predict_proba(table)


def test_quantiles():
    table, quantiles = made(), (0.1, 0.5, 0.9)
    model = fitted(tables.Quantity.fit("y", table["y"], quantiles), fn.Pinball(quantiles), dtype="float64", epochs=60)
    assert model.predict(table).shape == (300, 3)
    found = model.evaluate(table)
    assert set(found) == {f"{kind}_{q:g}" for kind in ("pinball", "coverage") for q in quantiles}
    assert found["coverage_0.1"] < found["coverage_0.5"] < found["coverage_0.9"]


@pytest.mark.parametrize("fails", [False, True])
def test_saving_leaves_the_network_as_it_was(regressor, tmp_path, fails):
    network = copy.deepcopy(regressor.network)
    network.metadata = before = {"note": "mine"}
    model = tables.TableModel(regressor.preprocessor, network, regressor.target)
    with pytest.raises(IsADirectoryError) if fails else contextlib.nullcontext():
        model.save(tmp_path if fails else tmp_path / "m.safetensors")
    assert network.metadata is before
    assert before == {"note": "mine"}


def test_one_file_holds_all(classifier, regressor, tmp_path):
    table = made(50, seed=9)
    for model in (classifier, regressor):
        model.network.metadata["note"] = "kept"
        model.save(tmp_path / "m.safetensors")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors"]
        back = tables.TableModel.load(tmp_path / "m.safetensors")
        assert back.outputs(table).tobytes() == model.outputs(table).tobytes()
        assert back.target == model.target
        assert back.preprocessor.encoders == model.preprocessor.encoders
        assert back.network.metadata["note"] == "kept"
        assert fn.Network.load(tmp_path / "m.safetensors") == model.network
        json.dumps(back.describe(), allow_nan=False)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_bits_by_any_number_of_threads(regressor, threads):
    before = fn.get_num_threads()
    fn.set_num_threads(threads)
    try:
        again = fitted(regressor.target, "mean_squared")
    finally:
        fn.set_num_threads(before)
    assert again.network.digest() == regressor.network.digest()


def test_frames_and_rows_without_target(regressor):
    table = pd.DataFrame(made(60, seed=2)).sample(frac=1, random_state=0)[["class", "y", "k", "x"]]
    whole = regressor.evaluate(table[10:])
    table.loc[table.index[:10], "y"] = None
    assert regressor.evaluate(table) == whole
    assert regressor.predict(table.iloc[:0]).shape == (0,)


def test_errors_of_models(classifier, regressor, tmp_path):
    with pytest.raises(ValueError, match=r"table lacks the target 'y' \(did you mean 'yy'\?\)"):
        regressor.evaluate({"x": [1.0], "k": ["a"], "yy": [1.0]})
    with pytest.raises(ValueError, match="has no value in any row"):
        regressor.evaluate({"x": [1.0], "k": ["a"], "y": [None]})
    with pytest.raises(ValueError, match="got 'other'"):
        classifier.evaluate({"x": [1.0], "k": ["a"], "class": ["other"]})
    with pytest.raises(ValueError, match="network must have 1 outputs, as the target 'y' needs; got 3"):
        tables.TableModel(classifier.preprocessor, classifier.network, regressor.target)
    with pytest.raises(ValueError, match="network must have 1 features, as the preprocessor gives; got 4"):
        tables.TableModel(tables.Preprocessor().fit({"x": [1, 2]}), classifier.network, classifier.target)
    net = fn.Network([fn.Input(4), fn.Dense(3, "tanh")])
    with pytest.raises(ValueError, match="must end in logits, 'softmax' or 'sigmoid' to predict classes; got 'tanh'"):
        tables.TableModel(classifier.preprocessor, net, classifier.target)
    for arguments in [(3, classifier.network, classifier.target), (classifier.preprocessor, classifier.network, "y")]:
        with pytest.raises(TypeError, match="must be"):
            tables.TableModel(*arguments)
    net.save(tmp_path / "n.safetensors")
    with pytest.raises(ValueError, match="is a network without a table"):
        tables.TableModel.load(tmp_path / "n.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: 3,
        lambda d: d.pop("target") and d,
        lambda d: d | {"target": d["target"] | {"type": "Quantity"}},
        lambda d: d | {"target": d["target"] | {"type": "os.system"}},
        lambda d: d | {"target": d["target"] | {"labels": ["a"]}},
        lambda d: d | {"target": d["target"] | {"counts": [1, 2, -3]}},
        lambda d: d | {"target": d["target"] | {"kind": "number"}},
        lambda d: d | {"target": [d["target"]]},
        lambda d: d | {"target": "Classes"},
        lambda d: d | {"preprocessor": d["preprocessor"] | {"columns": d["preprocessor"]["columns"][:1]}},
        lambda d: d | {"preprocessor": []},
    ],
)
def test_damaged_models(classifier, tmp_path, change):
    net = classifier.network.astype("float32")
    net.metadata = {"table": change(json.loads(json.dumps(classifier.describe())))}
    net.save(tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match=r"m\.safetensors' is damaged"):
        tables.TableModel.load(tmp_path / "m.safetensors")


def test_importing_fastnn_does_not_import_tables():
    import subprocess
    import sys

    names = ("fastnn.tables", "fastnn._readers.polars_tables", "polars")
    code = f"import fastnn, sys; print([name for name in sys.modules if name.startswith({names})])"
    assert eval(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) == []
    code = "import fastnn.tables, sys; print('polars' in sys.modules, 'pandas' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "False False\n"
