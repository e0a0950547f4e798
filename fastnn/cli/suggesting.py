"""What the command says to options and commands that it has not: the one that was meant."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import click

from fastnn._input import suggestions


class SuggestingGroup(click.Group):
    """A group of commands; names of other libraries lead to its own, ``--lr`` to ``--learning-rate``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with _suggesting():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        with _suggesting():  # the command's own options are read within
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            hint = suggestions.hint(name, self.list_commands(ctx))
            if not hint and os.path.isfile(name):
                hint = f": fastnn train {name}"
            ctx.fail(f"No such command {name!r}{hint or '; see fastnn --help'}")
        return super().resolve_command(ctx, args)


@contextlib.contextmanager
def _suggesting() -> Iterator[None]:
    try:
        yield
    except click.NoSuchOption as error:
        meant = " and ".join(map(repr, _options_meant(error)))
        hint = f" (did you mean {meant}?)" if meant else ""
        raise click.UsageError(f"No such option {error.option_name!r}{hint}", error.ctx) from None


def _options_meant(error: click.NoSuchOption) -> list[str]:
    """Return the options that an unknown one was meant for."""
    if error.ctx is None:
        return []
    options = [option for parameter in error.ctx.command.get_params(error.ctx) for option in parameter.opts]
    by_name = {option.lstrip("-").replace("-", "_"): option for option in options if option.startswith("--")}
    meant = suggestions.meant(error.option_name.lstrip("-").replace("-", "_"), by_name)
    return [by_name[name] for name in meant]
