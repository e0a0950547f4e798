"""The forward pass of a module, followed by `torch.fx`: its calls, each of the value that the last one gave."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from fastnn.torch.calls import ROWS, UNITS, name_of, read_call
from fastnn.torch.modules import Reading

_HOW = "pass a torch.nn.Sequential, or a part that holds layers in sequence"


def read_forward(
    module: nn.Module,
    reading: Reading,
    is_followed: Callable[[nn.Module], bool],
    read_child: Callable[[nn.Module, str], None],
) -> None:
    """Add what a forward pass computes.

    Parameters
    ----------
    module : Module
    reading : Reading
    is_followed : callable
        Whether the forward pass of a module within it is followed too.
    read_child : callable
        Called with each module that is not, and its name.

    Raises
    ------
    ValueError
        If it is anything but calls in sequence.
    """
    shell = _shell(module, is_followed)
    try:
        graph = _Tracer(is_followed).trace(shell)
    except Exception as error:  # the forward pass is anyone's code, and runs on stand-ins for tensors
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"its forward pass cannot be followed ({reason}); {_HOW}{_parts(module)}") from None
    _Walk(module, shell, graph, reading, read_child).walk()


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # else what a forward pass does to a buffer would be done

    def __init__(self, is_followed: Callable[[nn.Module], bool]) -> None:
        super().__init__()
        self._is_followed = is_followed

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not self._is_followed(m)


def _shell(module: nn.Module, is_followed: Callable[[nn.Module], bool]) -> nn.Module:
    """Return a copy with the same parameters, so that attributes which a forward pass sets are set there."""
    shell = copy.copy(module)
    own = vars(shell)
    for kind in ("_parameters", "_buffers", "_modules"):
        own[kind] = dict(own[kind])
    for name, child in module.named_children():
        if is_followed(child):
            own["_modules"][name] = _shell(child, is_followed)
    return shell


class _Walk:
    """Follows the value from the input to the output."""

    def __init__(
        self,
        module: nn.Module,
        shell: nn.Module,
        graph: fx.Graph,
        reading: Reading,
        read_child: Callable[[nn.Module, str], None],
    ) -> None:
        self.module, self.shell, self.graph = module, shell, graph
        self.reading, self.read_child = reading, read_child
        self.value: fx.Node | None = None
        self.known: dict[fx.Node, Any] = {}  # what does not depend on the input
        self.shapes: dict[fx.Node, tuple[Any, ...]] = {}  # of the values so far

    def walk(self) -> None:
        for node in list(self.graph.nodes):
            if node.op == "placeholder":
                if self.value is None:
                    self._move(node)
                elif node.users:
                    raise ValueError(
                        f"its forward pass has a second input, {node.target!r}; {_HOW}{_parts(self.module)}"
                    )
            elif node.op == "get_attr":
                self.known[node] = self._attribute(str(node.target))
            elif node.op == "output":
                self._end(node.args[0])
            elif all(argument in self.known for argument in node.all_input_nodes):
                self.known[node] = self._computed(node) if node.users else None
            elif not self._is_shape(node):
                self._read(node)

    def _read(self, node: fx.Node) -> None:
        if node.all_input_nodes.count(self.value) != 1 or any(  # type: ignore[arg-type]
            given is not self.value and given not in self.known for given in node.all_input_nodes
        ):
            raise ValueError(
                f"its forward pass is no sequence: {node} takes what came before; {_HOW}{_parts(self.module)}"
            )
        if not node.users:
            raise ValueError(f"its forward pass computes {node}, which nothing takes; {_HOW}{_parts(self.module)}")
        if node.op == "call_module":
            given = (*node.args, *(value for name, value in node.kwargs.items() if name == "input"))
            if given != (self.value,) or len(node.args) + len(node.kwargs) != 1:
                raise ValueError(f"its forward pass passes more than one argument to {node.target!r}")
            self.read_child(self.module.get_submodule(str(node.target)), str(node.target))
        else:
            if self.value in node.kwargs.values() or self.value not in node.args:
                raise ValueError(f"fastnn cannot read the arguments of {node}; {_HOW}{_parts(self.module)}")
            place = node.args.index(self.value)
            before, after = (
                [self._constant(value) for value in part] for part in (node.args[:place], node.args[place + 1 :])
            )
            options = {name: self._constant(value) for name, value in node.kwargs.items()}
            read_call(name_of(node.target), before, after, options, self.reading)
        self._move(node)

    def _end(self, given: Any) -> None:
        if given is self.value:
            return
        if isinstance(given, (tuple, list, dict)):
            kind = type(given).__name__.removeprefix("immutable_")
            what = f"has {len(given)} outputs" if len(given) != 1 else f"gives its output in a {kind}"
            raise ValueError(f"its forward pass {what}; {_HOW}{_parts(self.module)}")
        raise ValueError(f"its output is not what the last of its layers gives; {_HOW}{_parts(self.module)}")

    def _is_shape(self, node: fx.Node) -> bool:
        """Return whether a node asks for the shape of a value, and keep what it gives."""
        shape = self.shapes.get(node.args[0]) if node.args else None  # type: ignore[arg-type]
        if shape is None or node.kwargs:
            return False
        if (node.op, node.target, node.args[1:]) == ("call_function", getattr, ("shape",)):
            self.known[node] = shape
        elif node.op == "call_method" and node.target == "size":
            self.known[node] = shape[node.args[1]] if len(node.args) > 1 else shape  # type: ignore[index]
        else:
            return False
        return True

    def _move(self, node: fx.Node) -> None:
        self.value = node
        self.shapes[node] = (ROWS,) if self.reading.is_flat else (ROWS, self.reading.found.units or UNITS)

    def _computed(self, node: fx.Node) -> Any:
        try:
            arguments = fx.node.map_arg(node.args, self.known.__getitem__)
            options = fx.node.map_arg(node.kwargs, self.known.__getitem__)
            with torch.no_grad():
                if node.op == "call_function":
                    return node.target(*arguments, **options)  # type: ignore[operator]
                if node.op == "call_method":
                    own, *others = arguments
                    return getattr(own, node.target)(*others, **options)  # type: ignore[arg-type]
                return self.module.get_submodule(node.target)(*arguments, **options)  # type: ignore[arg-type]
        except Exception as error:  # anyone's code
            raise ValueError(f"its forward pass cannot be followed ({node}: {error}); {_HOW}") from None

    def _attribute(self, name: str) -> Any:
        """Return a tensor of the module, or one that was made on the way and that fx keeps in the shell."""
        try:
            value = operator.attrgetter(name)(self.module)
        except AttributeError:
            value = operator.attrgetter(name)(self.shell)
        return value.clone() if isinstance(value, torch.Tensor) and not nn.parameter.is_lazy(value) else value

    def _constant(self, value: Any) -> Any:
        return fx.node.map_arg(value, self.known.__getitem__)


def _parts(module: nn.Module) -> str:
    """Return what could be passed: the modules within it, by the names that the user gave them."""
    names = [f"module.{name}" for name, child in module.named_children() if next(child.children(), None) is not None]
    names = names or [f"module.{name}" for name, _ in module.named_children()]
    return f", such as {', '.join(names[:3])}" if names else ""
