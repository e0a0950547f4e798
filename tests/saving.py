"""Callbacks that save a trainer while it trains."""

import fastnn as fn


class SaveAt(fn.Callback):
    """Saves the trainer to a file after an update."""

    def __init__(self, step, path):
        self.step, self.path = step, path

    def on_step_end(self, trainer, step):
        if step == self.step:
            trainer.save(self.path)


class SaveDuring(fn.Callback):
    """Saves to a file during one call."""

    def __init__(self, event, number, path):
        self.wanted, self.path = (event, number), path

    def on_epoch_begin(self, trainer, epoch):
        self.maybe_save(trainer, "begin", epoch)

    def on_step_end(self, trainer, step):
        self.maybe_save(trainer, "step", step)

    def on_epoch_end(self, trainer, epoch, values):
        self.maybe_save(trainer, "end", epoch)

    def on_fit_end(self, trainer):
        self.maybe_save(trainer, "fit", 0)

    def maybe_save(self, trainer, *found):
        if found == self.wanted:
            trainer.save(self.path)
