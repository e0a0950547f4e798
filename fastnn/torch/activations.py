"""The activations that PyTorch has too, by fastnn's names."""

from torch import nn

from fastnn.layers import ACTIVATIONS

MODULES: dict[str, type[nn.Module]] = {
    name: getattr(nn, kind.torch) for name, kind in ACTIVATIONS.items() if kind.torch
}
