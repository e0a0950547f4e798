"""Training: the trainer, its loop, and what of a run is saved."""

from fastnn.training.trainer import Trainer as Trainer

__all__ = ["Trainer"]
