"""What notebooks show: tables that are whole, escaped and plain, of everything that has one; nothing warns."""

import warnings

import numpy as np
import pytest
from pages import VOID

import fastnn as fn
from fastnn import tables
from fastnn._display import notebook

X = np.linspace(-1, 1, 40, dtype=np.float32).reshape(20, 2)
Y = np.arange(20) % 2
HOSTILE = "<script>alert('&')</script>"


def network():
    return fn.Network([fn.Input(2), fn.Dense(3, "relu"), fn.Dense(2)])


def trained(epochs=2):
    trainer = fn.Trainer(network(), "cross_entropy", batch_size=8)
    trainer.fit(X, Y, epochs=epochs, validation_data=(X, Y))
    return trainer


def table_model():
    table = {HOSTILE: [1.0, 2.0, 3.0] * 4, "town": ["Bonn", "Kiel", "Köln"] * 4, "same": ["a"] * 12}
    preprocessor = tables.Preprocessor(min_rows=2).fit(table)
    net = fn.Network([fn.Input(len(preprocessor.features)), fn.Dense(3)])
    return tables.TableModel(preprocessor, net, tables.Classes.fit("kind & more", ["x", "y", "z"] * 4))


def deep():
    return fn.Network([fn.Input(2), *[fn.Dense(2)] * 100])


SHOWN = {
    "Network": network,
    "deep Network": deep,
    "Trainer": trained,
    "new Trainer": lambda: fn.Trainer(network(), "cross_entropy"),
    "History": lambda: trained().history,
    "long History": lambda: trained(60).history,
    "History of a column with markup": lambda: fn.History({HOSTILE: [1.0, float("nan")]}),
    "empty History": fn.History,
    "GradientCheck": lambda: fn.gradient_check(network(), "cross_entropy", X, Y),
    "TableModel": table_model,
}


class Html:
    """HTML taken apart: its tables as lists of rows, and what it must not have."""

    def __init__(self, text):
        from html.parser import HTMLParser

        self.tables, self.captions, self.tags, self.open = [], [], set(), []
        parser = HTMLParser()
        parser.handle_starttag, parser.handle_endtag, parser.handle_data = self.begin, self.end, self.read
        parser.feed(text)
        parser.close()
        assert self.open == []

    def begin(self, tag, attributes):
        self.tags.add(tag)
        assert not {name for name, _ in attributes} - {"class", "scope", "colspan"}
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("th", "td"):
            self.tables[-1][-1].append("")
        if tag == "th":
            assert dict(attributes)["scope"] in ("row", "col")
        if tag == "caption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def end(self, tag):
        assert self.open.pop() == tag

    def read(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.tables[-1][-1][-1] += data
        elif "caption" in self.open:
            self.captions[-1] += data


@pytest.mark.parametrize("make", SHOWN.values(), ids=SHOWN)
def test_every_table_is_whole_and_plain(make):
    text = make()._repr_html_()
    html = Html(text)
    allowed = {"div", "style", "table", "caption", "strong", "thead", "tbody", "tfoot", "tr", "th", "td"}
    assert html.tags <= allowed | {"details", "summary"}
    assert len(html.tables) == len(html.captions) >= 1
    assert all(all(row) or len(row) > 2 for table in html.tables for row in table)
    assert "url(" not in text
    assert "http" not in text
    assert max(map(len, html.tables)) <= 30


def test_what_tables_say():
    net = network()
    (rows,) = Html(net._repr_html_()).tables
    assert rows[0] == ["#", "layer", "output shape", "parameters"]
    assert rows[2] == ["1", "Dense(3, 'relu')", "(n, 3)", "9"]
    assert rows[-1] == ["", "total", "", f"{net.n_parameters}"]

    trainer = trained()
    facts = dict(Html(trainer._repr_html_()).tables[0])
    assert facts["network"] == "2 features, 2 outputs, 17 parameters"
    assert facts["trained"] == "2 epochs, 6 steps"
    assert f"val loss {trainer.history['val_loss'][-1]:.4g}" in facts["latest epoch"]
    assert "latest epoch" not in dict(Html(fn.Trainer(net, "cross_entropy")._repr_html_()).tables[0])

    history = Html(trainer.history._repr_html_())
    assert history.captions == ["History · 2 epochs"]
    assert history.tables[0][0] == ["epoch", "loss", "accuracy", "learning rate", "val loss", "val accuracy"]
    assert history.tables[0][2][:2] == ["2", f"{trainer.history['loss'][1]:.4g}"]

    check = fn.gradient_check(net, "cross_entropy", X, Y)
    (rows,) = Html(check._repr_html_()).tables
    assert rows[1:-1] == [[name, f"{value:.1e}"] for name, value in check.items()]
    assert rows[-1] == ["largest", f"{check.max:.1e}"]

    model = Html(table_model()._repr_html_())
    assert model.captions[0] == "TableModel · predicts kind & more (Classes)"
    assert model.tables[0][1] == [HOSTILE, "Numeric", "1"]
    assert any(row[1].startswith("unused: ") for row in model.tables[0])


def test_long_tables_show_both_ends():
    (rows,) = Html(trained(60).history._repr_html_()).tables
    assert [row[0] for row in rows] == ["epoch", *map(str, range(1, 13)), "… 36 more …", *map(str, range(49, 61))]
    assert "more" not in notebook.table("x", {"a": True}, [(1,)] * 24)


# ------------------------------------------------------------ nothing warns


def displayed(value):
    """What a notebook and a terminal may ask of an object."""
    for method in ("__repr__", "__str__", "_repr_html_", "_repr_pretty_", "_repr_markdown_", "_repr_latex_"):
        if hasattr(type(value), method) and method != "_repr_pretty_":
            getattr(value, method)()
    if hasattr(type(value), "_repr_mimebundle_"):
        value._repr_mimebundle_(include=None, exclude=None)
    format(value)


def objects():
    """One of everything public, and what it hands out."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from fastnn import callbacks, initializers, layers, losses, metrics, optimizers, schedules
    from fastnn.sklearn import MLPClassifier, MLPRegressor

    for make in SHOWN.values():
        yield make()
    net, trainer, model = network(), trained(), table_model()
    yield from (net.parameters, net.layers, net.plan, trainer.optimizer, trainer.loss, trainer.state)
    yield from (fn.data.Standardizer(), fn.data.Standardizer().fit(X), tables.Preprocessor(), model.preprocessor)
    yield from (model.target, *model.preprocessor.encoders, *model.preprocessor.unused_columns)
    for module in (callbacks, initializers, layers, losses, metrics, optimizers, schedules):
        for name in dir(module):
            cls = getattr(module, name)
            if isinstance(cls, type) and cls.__module__.startswith("fastnn") and not name.startswith("_"):
                try:
                    yield cls()
                except (AttributeError, TypeError):
                    continue  # it needs arguments, or is abstract
    yield from (fn.Dense(3, "relu"), fn.Dropout(0.1), fn.OneCycle(0.1, 30), fn.Pinball((0.1, 0.9)))
    for cls in (MLPClassifier, MLPRegressor):
        for estimator in (cls(), cls(max_iter=2, early_stopping=True, solver=fn.Adam(1e-3))):
            for holder in (estimator, make_pipeline(StandardScaler(), estimator)):
                yield holder
                yield holder.fit(X, Y)
        yield GridSearchCV(cls(max_iter=1), {"alpha": [0.0, 1.0]}, cv=2)
        yield GridSearchCV(cls(max_iter=1), {"alpha": [0.0, 1.0]}, cv=2).fit(X, Y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_nothing_public_warns_or_fails_when_it_is_shown():
    seen = set()
    for value in objects():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            displayed(value)
        seen.add(type(value).__name__)
    assert {"MLPClassifier", "MLPRegressor", "Pipeline", "GridSearchCV", "TableModel", "Adam", "Huber"} <= seen
    assert len(seen) > 50


def test_the_style_has_no_colour_of_its_own():
    """Themes are light or dark whatever the system is: all colours are those of the text around."""
    style = notebook.shown()
    assert "currentColor" in style
    assert "#" not in style
    assert "rgb(" not in style
