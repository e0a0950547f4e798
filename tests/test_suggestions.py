"""What errors say of names that are not ours: those of other libraries lead to ours, slips to what is spelt alike."""

import re

import pytest

import fastnn as fn
import fastnn.sklearn
from fastnn import schedules
from fastnn._input import suggestions
from fastnn._input.elsewhere import ELSEWHERE
from fastnn._input.synonyms import LACKING, SYNONYMS
from fastnn.initializers import INITIALIZERS
from fastnn.layers import ACTIVATIONS
from fastnn.losses import LOSSES
from fastnn.metrics import METRICS
from fastnn.optimizers import OPTIMIZERS

NET = fn.Network([fn.Input(3), fn.Dense(4, "relu"), fn.Dense(2)])
TRAINER = fn.Trainer(NET, "cross_entropy")
HISTORY = fn.History({"loss": [2.0, 1.0], "accuracy": [0.5, 0.6]})
X, Y = [[0.0, 1.0, 2.0]] * 4, [0, 1, 0, 1]


def refusal(call):
    with pytest.raises((TypeError, ValueError, AttributeError)) as caught:
        call()
    return str(caught.value)


# Names as values of arguments: the place, a wrong name, the one of ours that is meant, or None.
VALUES = [
    *(("loss", name, "mean_squared") for name in ("mse", "MSE", "MSELoss", "squared_error", "mean_squared_error")),
    *(("loss", name, "mean_absolute") for name in ("mae", "L1Loss", "mean_absolute_error")),
    *(("loss", name, "cross_entropy") for name in ("CrossEntropyLoss", "crossentropy", "NLLLoss", "log_loss")),
    *(("loss", name, "cross_entropy") for name in ("sparse_categorical_crossentropy", "categorical_crossentropy")),
    *(("loss", name, "binary_cross_entropy") for name in ("bce", "BCEWithLogitsLoss", "binary_crossentropy")),
    *(("loss", name, expected) for name, expected in (("SmoothL1Loss", "huber"), ("quantile", "pinball"))),
    *(("loss", name, None) for name in ("hinge", "kl_div", "focal", "zzz", "mean_absolute_percentage_error")),
    *(("activation", name, "silu") for name in ("swish", "SiLU", "Swish")),
    *(("activation", name, "sigmoid") for name in ("logistic", "sigmod")),
    *(("activation", name, "relu") for name in ("ReLU", "rleu")),
    *(("activation", name, "leaky_relu") for name in ("LeakyReLU", "lrelu", "leaky-relu")),
    *(("activation", name, None) for name in ("relu6", "prelu", "celu", "glu", "hard_sigmoid", "log_softmax", "cos")),
    *(("optimizer", name, name.lower()) for name in ("Adam", "SGD", "RMSProp", "AdamW", "NAdam")),
    *(("optimizer", name, None) for name in ("Adamax", "adadelta", "Rprop", "ASGD", "adafactor", "newton")),
    *(("metrics", name, "accuracy") for name in ("acc", "accuracy_score", "sparse_categorical_accuracy", "acuracy")),
    *(("metrics", name, "r2") for name in ("r2_score", "R2")),
    *(("metrics", name, "mae") for name in ("mean_absolute_error", "MAE")),
    *(("metrics", name, None) for name in ("f1", "auc", "precision_score")),
    *(("weight_initializer", name, "glorot_uniform") for name in ("xavier_uniform", "glorot", "GlorotUniform")),
    *(("weight_initializer", name, "he_normal") for name in ("kaiming_normal", "he", "HeNormal")),
    *(("weight_initializer", name, None) for name in ("ones", "truncated_normal")),
    *(("dtype", name, "float64") for name in ("double", "Float64")),
    *(("unit", name, expected) for name, expected in (("epochs", "epoch"), ("batch", "step"), ("week", None))),
    *(("mode", name, expected) for name, expected in (("maximum", "max"), ("minimize", "min"), ("best", None))),
]
PLACES = {
    "loss": lambda name: fn.Trainer(NET, name),
    "activation": lambda name: fn.Dense(3, name),
    "optimizer": lambda name: fn.Trainer(NET, "cross_entropy", name),
    "metrics": lambda name: fn.Trainer(NET, "cross_entropy", metrics=name),
    "weight_initializer": lambda name: fn.Dense(3, weight_initializer=name),
    "dtype": lambda name: fn.Network(NET.layers, dtype=name),
    "unit": lambda name: schedules.Step(0.1, 3, unit=name),
    "mode": lambda name: fn.EarlyStopping(mode=name),
}


@pytest.mark.parametrize(("place", "name", "expected"), VALUES)
def test_names_as_values(place, name, expected):
    message = refusal(lambda: PLACES[place](name))
    assert re.search(rf"got '{name}'( \(|: |$)", message)
    found = re.search(r"\(did you mean '(\w+)'\?\)$", message)
    assert (found and found[1]) == expected
    assert expected or message.endswith(f"got '{name}'")


# Arguments: a call, its wrong argument, and what the error says of it besides; None: what the call takes.
ARGUMENTS = [
    *((fn.Adam, name, "'learning_rate'") for name in ("lr", "learning_rate_init", "eta", "learnig_rate")),
    *((fn.Adam, "betas", "'beta1' and 'beta2'"), (fn.Adam, "eps", "'epsilon'"), (fn.Adam, "beta_1", "'beta1'")),
    *((fn.Adam, "clipnorm", "'clip_norm'"), (fn.SGD, "gamma", None), (fn.RMSprop, "alpha", "'smoothing'")),
    *((fn.Adam, "alpha", "'l2_total'"), (fn.RMSprop, "rho", "'smoothing'"), (fn.Adam, "rate", "'learning_rate'")),
    *((schedules.Step, "gamma", "'factor'"), (schedules.Step, "step_size", "'every'")),
    *((schedules.Cosine, "epochs", 'unit="epoch"'), (fn.OneCycle, "total_epochs", None)),
    *((schedules.Cosine, "T_max", "'steps'"), (schedules.Cosine, "eta_min", "'minimum'")),
    *((schedules.OneCycle, "max_lr", "'learning_rate'"), (schedules.OneCycle, "pct_start", "'warmup_fraction'")),
    *((schedules.ReduceOnPlateau, "threshold", "'min_delta'"), (schedules.ReduceOnPlateau, "min_lr", "'minimum'")),
    *((fn.Dense, name, "'units'") for name in ("out_features", "n_units", "output_dim", "unit")),
    *((fn.Dense, name, "the layer before says how wide") for name in ("input_dim", "in_features", "input_shape")),
    *((fn.Dense, "kernel_initializer", "'weight_initializer'"), (fn.Dense, "act", "'activation'")),
    *((fn.Dense, "use_bias", "every Dense has a bias"), (fn.Dense, "bias", "every Dense has a bias")),
    *((fn.Dense, "kernel_regularizer", "fn.Adam(l2=…)"), (fn.Dense, "dropout", "fn.Dropout(rate)")),
    *((fn.Input, name, "'features'") for name in ("shape", "units", "input_dim", "n_features")),
    *((fn.Dropout, "p", "'rate'"), (fn.LayerNorm, "eps", "'epsilon'")),
    *((fn.RMSNorm, "normalized_shape", "the layer before says how wide"),),
    *((fn.Network, "random_state", "'seed'"), (fn.Network, "hidden_layer_sizes", "'layers'")),
    *((fn.Network, "loss", "fn.Trainer(net, loss=…)"), (fn.Network, "input_dim", "fn.Input(features)")),
    *((fn.Trainer, name, "optimizer=fn.Adam(learning_rate=…)") for name in ("lr", "learning_rate", "eta")),
    *((fn.Trainer, name, "trainer.fit(X, y, epochs=…)") for name in ("epochs", "max_iter", "n_epochs", "epoch")),
    *((fn.Trainer, "model", "'network'"), (fn.Trainer, "criterion", "'loss'"), (fn.Trainer, "n_jobs", "'threads'")),
    *((fn.Trainer, "lr_scheduler", "fn.schedules.Cosine"), (fn.Trainer, "solver", "'optimizer'")),
    *((fn.Trainer, "alpha", "fn.Adam(l2_total=…)"), (fn.Trainer, "zzz", None)),
    *((TRAINER.fit, name, "'epochs'") for name in ("epoch", "n_epochs", "max_iter", "num_epochs")),
    *((TRAINER.fit, name, "'validation_fraction'") for name in ("validation_split", "val_split")),
    *((TRAINER.fit, name, "fn.Trainer(net, loss=…, batch_size=…)") for name in ("batch_size", "batchsize", "bs")),
    *((TRAINER.fit, "verbose", "'progress'"), (TRAINER.fit, "eval_set", "'validation_data'")),
    *((TRAINER.fit, "early_stopping", "fn.EarlyStopping(patience=…)"), (TRAINER.fit, "zzz", None)),
    *((TRAINER.fit, "class_weight", "fn.Trainer(net, loss=…, class_weight=…)"),),
    *((TRAINER.evaluate, "sample_weights", "'sample_weight'"),),
    *((fn.EarlyStopping, "restore_best_weights", "'restore_best'"), (fn.EarlyStopping, "tol", "'min_delta'")),
    *((fn.Checkpoint, "filepath", "'path'"), (fn.Checkpoint, "save_best_only", 'monitor="val_loss"')),
    *((fn.gradient_check, "eps", "'epsilon'"), (fn.gradient_check, "model", "'network'")),
    *((fn.data.split, "test_size", "'fraction'"), (fn.data.split, "random_state", "'seed'")),
    *((fastnn.sklearn.MLPClassifier, name, "'learning_rate_init'") for name in ("lr", "learnin_rate_init")),
    *((fastnn.sklearn.MLPRegressor, "epochs", "'max_iter'"), (fastnn.sklearn.MLPRegressor, "optimizer", "'solver'")),
]


@pytest.mark.parametrize(("call", "name", "expected"), ARGUMENTS, ids=lambda value: getattr(value, "__name__", None))
def test_names_of_arguments(call, name, expected):
    message = refusal(lambda: call(**{name: 1}))
    assert re.match(rf"[\w.]+\(\) got an unexpected argument '{name}'( \(did you mean |: |; it takes )", message)
    if expected is None:
        assert re.search("; it takes [a-zA-Z0-9_, ]+$", message)
    elif expected.startswith("'"):
        assert message.endswith(f" (did you mean {expected}?)")
    else:
        assert f"'{name}': " in message
        assert expected in message


# Attributes: of what, a name that it has not, and what the error says of it.
ATTRIBUTES = [
    *((NET, name, "fn.Trainer(net, loss=…).fit(X, y)") for name in ("fit", "train", "compile")),
    *((NET, "forward", "net.predict(X)"), (NET, "evaluate", ".evaluate(X, y)"), (NET, "eval", "net.predict(X)")),
    *((NET, name, "net.parameters") for name in ("weights", "state_dict", "get_weights", "coefs_", "load_state_dict")),
    *((NET, "n_params", "net.n_parameters"), (NET, "to_onnx", "fn.onnx.export"), (NET, "zzz", None)),
    *((TRAINER, "predict", "trainer.network.predict(X)"), (TRAINER, "train", "trainer.fit(X, y)")),
    *((TRAINER, "model", "trainer.network"), (TRAINER, "lr", "trainer.optimizer.learning_rate")),
    *((TRAINER, "score", "trainer.evaluate(X, y)"), (TRAINER, "zzz", None)),
    *((fn, "Sequential", "fn.Network([fn.Input"), (fn, "Linear", "'Dense'"), (fn, "MSELoss", "'MeanSquaredError'")),
    *((fn, "CrossEntropyLoss", "'CrossEntropy'"), (fn, "BCEWithLogitsLoss", "'BinaryCrossEntropy'")),
    *((fn, "ReduceLROnPlateau", "'ReduceOnPlateau'"), (fn, "ModelCheckpoint", "'Checkpoint'")),
    *((fn, "ReLU", 'fn.Activation("relu")'), (fn, "MLPClassifier", "fn.sklearn.MLPClassifier")),
    *((fn, "optim", "fn.Adam"), (fn, "StepLR", "fn.schedules.Step"), (fn, "manual_seed", "seed=0")),
    *((fn, "Adamm", "'Adam'"), (fn, "dropout", "'Dropout'"), (fn, "load", "fn.Network.load")),
    *((fn, "Flatten", "X.reshape(len(X), -1)"), (fn, "save", "net.save(path)"), (fn, "InputLayer", "'Input'")),
    *((fn.layers, "Linear", "'Dense'"), (fn.layers, "Sequential", "fn.Network([fn.Input"), (fn.layers, "Conv2D", None)),
    *(
        (fn.losses, "MSELoss", "'MeanSquaredError'"),
        (fn.optimizers, "adam", "'Adam'"),
        (fn.callbacks, "Adam", "fn.Adam"),
    ),
    *((fn.callbacks, "ModelCheckpoint", "'Checkpoint'"), (fn.callbacks, "ReduceLROnPlateau", "fn.ReduceOnPlateau")),
    *((fn.callbacks, "LearningRateScheduler", "fn.schedules.Cosine"), (fn.callbacks, "TensorBoard", None)),
    *((fn.metrics, "accuracy_score", "'Accuracy'"), (fn.data, "train_test_split", "fn.data.split")),
    *((fn.schedules, "StepLR", "'Step'"), (fn.schedules, "CosineAnnealingLR", "fn.schedules.Cosine")),
    *((fn.plot, "history", "'learning_curve'"), (fn.onnx, "save", "'export'"), (fn.tables, "read_csv", None)),
    *((fn.sklearn, name, "'MLPClassifier'") for name in ("MLPClassifer", "NeuralNetClassifier")),
    *((HISTORY, "history", 'history["loss"]'), (HISTORY, "val_loss", 'history["val_loss"]'), (HISTORY, "zzz", None)),
    *((HISTORY, "plot", "fn.plot.learning_curve(history)"), (HISTORY, "to_pandas", "pd.DataFrame(history)")),
    *((fn.Dense(3), "weight", 'net.parameters["0.weight"]'), (fn.Adam(), "lr", "'learning_rate'")),
    *((fn.Callback(), "model", "trainer"), (fn.Callback(), "zzz", None)),
    *((fn, name, None) for name in ("LSTM", "Conv2d", "BatchNorm", "Adamax", "PReLU", "array")),
]


@pytest.mark.parametrize(("owner", "name", "expected"), ATTRIBUTES)
def test_names_of_attributes(owner, name, expected):
    message = refusal(lambda: getattr(owner, name))
    assert re.match(rf"(module '[\w.]+'|'\w+' object) has no attribute '{name}'", message)
    assert message.endswith(f"'{name}'") if expected is None else expected in message
    assert not hasattr(owner, name)


# Attributes that are set: of what, which, and what the error says of it; None: it is set.
SETTINGS = [
    *((TRAINER, name, "trainer.stop()") for name in ("stop_training", "should_stop")),
    *((TRAINER, name, "trainer.set_learning_rate(rate)") for name in ("learning_rate", "lr", "optimizer")),
    *((TRAINER, "network", "make another Trainer"), (TRAINER, "state", "cannot be set"), (TRAINER, "note", None)),
    *((NET, "layers", "fn.Network(layers)"), (NET, "dtype", "net.astype"), (NET, "seed", "cannot be set")),
    *((NET, "parameters", "net.parameters.update(…)"), (NET, "trainable", "every"), (NET, "note", None)),
]


@pytest.mark.parametrize(("owner", "name", "expected"), SETTINGS)
def test_setting_what_would_change_nothing(owner, name, expected):
    before = getattr(owner, name, None)
    if expected is None:
        setattr(owner, name, 1)
        delattr(owner, name)
        return
    message = refusal(lambda: setattr(owner, name, ()))
    assert re.match(rf"'{name}' of a {type(owner).__name__} cannot be set(: |$)", message)
    assert expected in message
    assert repr(getattr(owner, name, None)) == repr(before)


def test_objects_of_other_libraries():
    CrossEntropyLoss = type("CrossEntropyLoss", (), {})
    assert refusal(lambda: fn.Trainer(NET, CrossEntropyLoss())).endswith(" (did you mean 'cross_entropy'?)")
    assert refusal(lambda: fn.Trainer(NET, CrossEntropyLoss)).endswith(" (did you mean 'cross_entropy'?)")
    assert refusal(lambda: fn.Trainer(NET, ["mse"])).endswith("got list ['mse']")
    assert refusal(lambda: fn.Trainer(NET, "adam")).endswith("got 'adam': it is an optimizer, optimizer='adam'")


@pytest.mark.parametrize("rate", ["cosine", lambda epoch: 0.1, "0.1"])
def test_a_learning_rate_that_is_neither_a_number_nor_a_schedule(rate):
    message = refusal(lambda: fn.Adam(rate))
    assert message.startswith("learning_rate must be a number or a schedule; got ")
    assert message.endswith(": schedules are objects, fn.schedules.Cosine(1e-3, steps)")


@pytest.mark.parametrize(
    ("name", "hint"), [("acc", "(did you mean 'accuracy'?)"), ("val_loss", "no validation data"), (0, "got 0")]
)
def test_columns_of_a_history(name, hint):
    with pytest.raises(KeyError) as caught:
        HISTORY[name]
    assert caught.value.args[0].endswith(hint)


def test_parameters_are_not_called():
    assert "net.parameters.items()" in refusal(lambda: NET.parameters())


def test_no_hint_leads_to_a_name_that_is_refused_too():
    for estimator in (fastnn.sklearn.MLPClassifier, fastnn.sklearn.MLPRegressor):
        assert refusal(lambda: estimator(loss="rmse").fit(X, Y)).endswith("got 'rmse'")  # noqa: B023
    assert refusal(lambda: fastnn.sklearn.MLPClassifier(loss="mse").fit(X, Y)).endswith("got 'mse'")


@pytest.mark.parametrize(
    ("parameters", "hint"),
    [
        ({"learning_rate": 0.01}, "got float 0.01: learning_rate_init is the rate"),
        ({"learning_rate": schedules.Cosine(0.1, 9)}, "solver=fn.Adam(Cosine(0.1, 9)) has it"),
        ({"hidden_layer_sizes": "64"}, "one for each hidden layer; got str '64'"),
    ],
)
def test_parameters_of_estimators(parameters, hint):
    assert refusal(lambda: fastnn.sklearn.MLPClassifier(**parameters).fit(X, Y)).endswith(hint)


def test_nothing_known_is_refused():
    """A synonym of a place that is a name there would never be read; what is lacking is not there."""
    for registry in (LOSSES, ACTIVATIONS, OPTIMIZERS, METRICS, INITIALIZERS):
        assert not {suggestions.plain(name) for name in registry} & LACKING
    for foreign, names in SYNONYMS.items():
        assert foreign == suggestions.plain(foreign)
        assert foreign not in LACKING
        assert names
    assert {suggestions.plain(name) for name in LACKING} == LACKING


def test_what_is_suggested_exists():
    """Sentences name what there is."""
    sentences = [text for place in ELSEWHERE.values() for text in place.values()]
    named = {name for text in sentences for name in re.findall(r"\bfn\.([\w.]+\w)", text)}
    assert {"Network", "sklearn.MLPClassifier", "schedules.Step"} <= named
    for name in named:
        found = fn
        for part in name.split("."):
            found = getattr(found, part)
    for owner, prefix in ((NET, "net"), (TRAINER, "trainer")):
        for name in {name for text in sentences for name in re.findall(rf"(?<!\w){prefix}\.(\w+)", text)}:
            assert hasattr(owner, name), name


def test_places_are_calls_classes_or_arguments():
    calls = {"Trainer.fit()": fn.Trainer.fit}
    for place in ELSEWHERE:
        name = place.removesuffix("()")
        if place.endswith("()"):
            assert callable(calls.get(place) or getattr(fn, name, None) or getattr(schedules, name)), place
        else:
            assert place in {*("fastnn", "Network", "Trainer", "History", "Layer", "Callback"), "loss", "optimizer"}
