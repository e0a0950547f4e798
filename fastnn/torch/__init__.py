"""To PyTorch and back: ``net.to_torch()`` and ``Network.from_torch(module)``, which call what is here.

A network and the ``torch.nn.Sequential`` of its layers have the same parameters under the same names.
"""

try:
    import torch as _  # noqa: F401
except ImportError as error:
    raise ImportError("fastnn.torch needs PyTorch: pip install torch") from error

from fastnn.torch.reading import layers_of
from fastnn.torch.writing import module_of

__all__ = ["layers_of", "module_of"]
