"""From PyTorch: the layers that a module consists of, and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from fastnn._input import checks
from fastnn.layers import Dense, Layer
from fastnn.torch.modules import Reading, computes_as, is_layer, read_module
from fastnn.torch.tracing import read_forward

if TYPE_CHECKING:
    from fastnn._input.names import DtypeName


def layers_of(module: nn.Module) -> tuple[list[Layer], list[np.ndarray], DtypeName]:
    """Read a module of layers in sequence; see `fastnn.Network.from_torch`.

    Returns
    -------
    layers : list of Layer
        The input among them.
    tensors : list of ndarray
        Their parameters, in the order of a network's.
    dtype : {"float32", "float64"}
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module; got {checks.described(module)}")
    reading = Reading()
    _read(module, "", reading)
    layers, tensors, dtype = reading.found.complete()
    if not any(isinstance(layer, Dense) for layer in layers):
        raise ValueError("module must hold at least one Linear; got none")
    return layers, tensors, dtype


def _read(module: nn.Module, name: str, reading: Reading) -> None:
    """Add a module and those within it; an error names the one that does not fit."""
    module = _unwrapped(module)
    if _is_plain(module) and computes_as(module, nn.Sequential):
        for key, child in module._modules.items():
            if child is not None:
                _read(child, _joined(name, key), reading)
        return
    if _is_followed(module):
        children: list[ValueError] = []

        def read_child(child: nn.Module, key: str) -> None:
            try:
                _read(child, _joined(name, key), reading)
            except ValueError as error:
                children.append(error)
                raise

        try:
            read_forward(module, reading, _is_followed, read_child)
        except ValueError as error:
            if error in children:
                raise  # it says already where
            raise ValueError(f"{_place(module, name)}: {error}") from None
        return
    try:
        _check(module)
        read_module(module, reading)
    except ValueError as error:
        raise ValueError(f"{_place(module, name)}: {error}") from None


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return what a module was that torch.compile, or a class that spreads it over devices, has wrapped."""
    while _is_plain(module):
        if type(module).__name__ == "OptimizedModule" and type(module).__module__.startswith("torch."):
            module = module.get_submodule("_orig_mod")
        elif isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            module = module.module
        else:
            break
    return module


def _is_plain(module: nn.Module) -> bool:
    return not (module._forward_hooks or module._forward_pre_hooks)


def _is_followed(module: nn.Module) -> bool:
    """Return whether it is the forward pass that says what a module computes."""
    ours = is_layer(module) or computes_as(module, nn.Sequential)
    theirs = type(module).__module__.startswith("torch.") and not isinstance(module, torch.fx.GraphModule)
    special = isinstance(module, (torch.jit.ScriptModule, LazyModuleMixin)) or "forward" in vars(module)
    wrapped = _is_plain(module) and _unwrapped(module) is not module
    return _is_plain(module) and not (ours or theirs or special or wrapped)


def _check(module: nn.Module) -> None:
    if isinstance(module, LazyModuleMixin) and module.has_uninitialized_params():
        raise ValueError("its parameters have no values yet; call the module once on a batch, which gives them shapes")
    if not _is_plain(module):
        raise ValueError("its forward hooks may change what it computes; remove them first")
    if isinstance(module, torch.jit.ScriptModule):
        raise ValueError("it has been traced or scripted; pass the module that it was made of")
    if "forward" in vars(module):
        raise ValueError("its forward pass has been replaced on the object itself, which fastnn cannot read")


def _joined(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _place(module: nn.Module, name: str) -> str:
    return f"module {name!r}, {type(module).__name__}" if name else f"the module, {type(module).__name__}"
