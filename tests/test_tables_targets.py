"""Quantities that are learnt as logarithms, or as rates of counts."""

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import elementary, tables
from fastnn.tables import scores

NUMBERS = st.lists(st.integers(0, 10**6), min_size=3, max_size=20).filter(lambda y: len(set(y)) > 1)


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_a_logarithm_is_taken_and_taken_back(numbers):
    y = np.array(numbers) / 8
    target = tables.Quantity.fit("y", y, log=True)
    logarithms = elementary.log1p(y)
    assert target.mean == pytest.approx(logarithms.mean())
    assert target.scale == pytest.approx(logarithms.std())
    assert target.typical == (pytest.approx(y.mean()),)
    np.testing.assert_allclose(target.encode(y), (logarithms - target.mean) / target.scale, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(target.predicted(target.encode(y)[:, None])[:, 0], y, rtol=1e-9, atol=1e-9)
    assert (target.predicted(np.array([[-1e3]])) == 0).all()


@settings(max_examples=50, deadline=None)
@given(NUMBERS)
def test_rates_are_multiples_of_the_mean(numbers):
    y = np.array(numbers, dtype=float)
    target = tables.Quantity.fit("y", y, rate=True)
    assert (target.mean, target.scale, target.typical) == (0.0, pytest.approx(y.mean()), (pytest.approx(y.mean()),))
    np.testing.assert_array_equal(target.encode(y), y / target.scale)
    assert target.predicted(np.zeros((1, 1))) == target.scale
    assert target.predicted(np.ones((1, 1))) == pytest.approx(np.e * target.scale)
    found = target.scores(y, target.baseline(len(y)))
    assert found["poisson_deviance"] == pytest.approx(sk.mean_poisson_deviance(y, np.full(len(y), y.mean())))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_the_deviance_is_that_of_scikit_learn(seed, n):
    random = np.random.default_rng(seed)
    y, rates = random.poisson(2.0, n).astype(float), random.gamma(2.0, 1.0, n) + 1e-6
    found = scores.of_rates(y, rates)
    assert found["poisson_deviance"] == pytest.approx(sk.mean_poisson_deviance(y, rates), rel=1e-9, abs=1e-12)
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(y, rates))
    assert next(iter(found)) == "poisson_deviance"


def test_a_rate_of_0_has_a_finite_deviance():
    assert np.isfinite(scores.of_rates(np.array([1.0]), np.array([0.0]))["poisson_deviance"])


@pytest.mark.parametrize(("how", "loss"), [({"log": True}, "mean_squared"), ({"rate": True}, "poisson")])
def test_a_model_of_them_is_saved_and_read(tmp_path, how, loss):
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    table, y = {"x": x}, random.poisson(np.exp(1.5 + x)).astype(float)
    target = tables.Quantity.fit("y", y, **how)
    preprocessor = tables.Preprocessor().fit(table)
    net = fn.Network([fn.Input(1), fn.Dense(16, "tanh"), fn.Dense(1)], seed=0)
    fn.Trainer(net, loss, optimizer=fn.Adam(0.01)).fit(preprocessor.transform(table), target.encode(y), epochs=60)
    model = tables.TableModel(preprocessor, net, target)
    assert model.evaluate({"x": x, "y": y})["r2"] > 0.8
    model.save(tmp_path / "m.safetensors")
    again = tables.TableModel.load(tmp_path / "m.safetensors")
    assert again.target == target
    np.testing.assert_array_equal(again.predict(table), model.predict(table))
    np.testing.assert_allclose(model.predict({"x": [0.0]}), np.exp(1.5), rtol=0.3)


def test_a_description_from_before_there_were_logarithms():
    target = tables.Quantity.fit("y", [1.0, 2.0, 4.0])
    assert (target.log, target.rate) == (False, False)
    old = tables.Quantity(name="y", mean=target.mean, scale=target.scale, typical=target.typical, quantiles=())
    assert old == target


def test_values_below_0_are_refused_when_they_are_scored_or_learnt():
    for how in ({"log": True}, {"rate": True}):
        target = tables.Quantity.fit("y", [0.0, 2.0], **how)
        with pytest.raises(ValueError, match="column 'y', row 1: expected a number of at least 0; got -3"):
            target.encode([1.0, -3.0])
