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
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    trainer = make_trainer()
    with pytest.raises(ImportError, match="pip install tqdm"):
        trainer.fit(X, y, progress=True)
    assert trainer.steps == 0
    trainer.fit(X, y, progress="auto")
