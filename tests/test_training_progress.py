"""The progress bar of a run."""

import sys

import pytest


def test_progress_shows_epochs_loss_and_accuracy(blobs, make_trainer, capsys):
    X, y = blobs
    make_trainer().fit(X, y, epochs=3, progress=True, validation_data=(X, y))
    shown = capsys.readouterr().err
    assert "epoch 3/3" in shown
    assert "33/33" in shown
    assert "loss=" in shown
    assert "val_accuracy=" in shown


def test_progress_auto_is_silent_outside_of_terminals(blobs, make_trainer, capsys):
    X, y = blobs
    make_trainer().fit(X, y, progress="auto")
    assert capsys.readouterr().err == ""


def test_progress_without_tqdm_says_how_to_get_it(blobs, make_trainer, monkeypatch):
    X, y = blobs
    monkeypatch.setitem(sys.modules, "tqdm", None)
    trainer = make_trainer()
    with pytest.raises(ImportError, match="pip install tqdm"):
        trainer.fit(X, y, progress=True)
    assert trainer.steps == 0
    trainer.fit(X, y, progress="auto")


class Notebook:
    """What stands for IPython in a notebook: its outputs are kept as a saved notebook keeps them."""

    def __init__(self, config):
        self.config, self.display_pub, self.outputs, self.published = config, self, {}, 0

    def get_ipython(self):
        return self

    def publish(self, data, metadata, *, transient, update):
        self.published += 1
        assert update == (transient["display_id"] in self.outputs)
        self.outputs[transient["display_id"]] = data


@pytest.mark.parametrize("wanted", [True, "auto"])
def test_a_notebook_keeps_the_last_line_as_text(wanted, blobs, make_trainer, monkeypatch, capsys):
    notebook = Notebook({"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    trainer = make_trainer()
    for _ in range(2):
        trainer.fit(*blobs, epochs=3, progress=wanted)
    assert capsys.readouterr() == ("", "")
    assert notebook.published > 2
    first, second = (output["text/plain"] for output in notebook.outputs.values())
    assert first.startswith("epoch 3/3: 100%|██")
    assert "33/33" in first
    assert "loss=" in first
    assert second.startswith("epoch 6/6: 100%")
    assert [list(output) for output in notebook.outputs.values()] == [["text/plain"]] * 2


def test_ipython_in_a_terminal_is_a_terminal(blobs, make_trainer, monkeypatch, capsys):
    notebook = Notebook({"TerminalIPythonApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    make_trainer().fit(*blobs, epochs=3, progress=True)
    assert "epoch 3/3" in capsys.readouterr().err
    assert notebook.published == 0
