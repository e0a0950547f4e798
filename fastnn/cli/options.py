"""What options the commands take: their types, and a help page in groups."""

from __future__ import annotations

import csv
import math
import re
from typing import Any

import click

from fastnn._input import suggestions
from fastnn._readers import delimited


class Name(click.Choice):
    """One of several names; a wrong one is told the choices and the nearest of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            choices = [str(choice) for choice in self.choices]
            hint = suggestions.hint(str(value), choices)
            self.fail(f"{value!r} is not one of {', '.join(choices)}{hint}", param, ctx)

    def get_metavar(self, *_args: Any, **_keywords: Any) -> str:
        return "NAME"


class Number(click.ParamType):
    """A finite number from ``low`` to ``high``; ``above`` and ``below`` exclude the ends."""

    name = "number"

    def __init__(self, low: float = 0.0, high: float = math.inf, *, above: bool = False, below: bool = False) -> None:
        self.low, self.high, self.above, self.below = low, high, above, below

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        too_low = number <= self.low if self.above else number < self.low
        too_high = number >= self.high if self.below else number > self.high
        if too_low or too_high or not math.isfinite(number):
            upper = f" and {'below' if self.below else 'at most'} {self.high:g}" if self.high < math.inf else ""
            self.fail(
                f"{value} is not a number {'above' if self.above else 'of at least'} {self.low:g}{upper}", param, ctx
            )
        return number


class Word(click.ParamType):
    """A positive whole number, or one word that stands for something else."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.name = f"whole number or {word}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        if value == self.word:
            return self.word
        try:
            number = int(value)
        except ValueError:
            number = 0
        if number < 1:
            self.fail(f"{value!r} is not a whole number of at least 1, nor {self.word!r}", param, ctx)
        return number


class Units(click.ParamType):
    """Hidden layers: units of each, joined by commas, or ``none``."""

    name = "units"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        if value.strip().lower() == "none":
            return ()
        try:
            units = tuple(int(part) for part in value.split(","))
        except ValueError:
            units = (0,)
        if min(units) < 1:
            self.fail(f"{value!r} is not a list of whole numbers of at least 1, such as 64,64, nor 'none'", param, ctx)
        return units


class Names(click.ParamType):
    """Names of columns, joined by commas; one that holds a comma stands in quotation marks."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(next(csv.reader([value], skipinitialspace=True), []))


class ClassWeights(click.ParamType):
    """``balanced``, or the weights of some classes by name."""

    name = "class weights"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, dict) or value == "balanced":
            return value
        weights: dict[str, float] = {}
        for part in next(csv.reader([value], skipinitialspace=True), []):
            name, _, weight = part.rpartition("=")
            try:
                weights[name] = float(weight) if name else -1.0
            except ValueError:
                weights[name] = -1.0
        if not weights or not all(0 <= weight < math.inf for weight in weights.values()):
            self.fail(f"{value!r} is neither 'balanced' nor weights of classes, such as yes=3,no=1", param, ctx)
        return weights


class Separator(click.ParamType):
    """One character, or a word for one that cannot be seen."""

    name = "separator"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return delimited.separator(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Words(Names):
    """Words, joined by commas; ``none``: no word. One that holds a comma, or is that word, in quotation marks."""

    name = "words"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return () if value == "none" else super().convert(value, param, ctx)


class Quantiles(click.ParamType):
    """Quantiles above 0 and below 1, rising, joined by commas."""

    name = "quantiles"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            quantiles = tuple(float(part) for part in value.split(","))
        except ValueError:
            quantiles = (0.0,)
        if not all(0 < q < 1 for q in quantiles) or list(quantiles) != sorted(set(quantiles)):
            self.fail(f"{value!r} is not a list of rising numbers between 0 and 1, such as 0.1,0.5,0.9", param, ctx)
        return quantiles


SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}  # in a unit of time


class Interval(click.ParamType):
    """How often: a time (``90``, ``30s``, ``5m``, ``2h``) or ``10 epochs``, as `fastnn.Checkpoint` takes it."""

    name = "interval"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?) *(s|m|h|epochs?)?", value.strip().lower())
        number, unit = (float(found[1]), found[2] or "") if found else (0.0, "")
        if unit.startswith("epoch") and number.is_integer() and number:
            return {"epochs": int(number)}
        if unit not in SECONDS or not 0 < number * SECONDS[unit] < math.inf:
            self.fail(f"{value!r} is not a time such as 90, 30s, 5m or 2h, nor epochs such as 10epochs", param, ctx)
        return {"seconds": number * SECONDS[unit]}


class GroupedOption(click.Option):
    """An option that stands under a heading of the help page, with its default in brackets.

    Parameters
    ----------
    group : str
        The heading.
    without : str, optional
        What happens without the option, where its default is None.
    """

    def __init__(self, *args: Any, group: str, without: str | None = None, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.group = group
        self.without = without

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        names = ", ".join(sorted(self.opts, key=len))
        if self.is_flag:
            return names, self.help or ""
        default = self.get_default(ctx) if self.without is None else self.without
        return f"{names} {self.make_metavar(ctx)}", f"{self.help} [{default}]"


class GroupedCommand(click.Command):
    """A command whose help page lists the options by group, in the order in which they were declared."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = None if isinstance(parameter, click.Argument) else parameter.get_help_record(ctx)
            if line is not None:
                groups.setdefault(getattr(parameter, "group", "Help"), []).append(line)
        for heading, lines in groups.items():
            with formatter.section(heading):
                formatter.write_dl(lines, col_max=32)


def group(heading: str) -> Any:
    """Make a decorator like ``click.option`` for the options under ``heading``."""

    def option(*declarations: str, **keywords: Any) -> Any:
        return click.option(*declarations, cls=GroupedOption, group=heading, **keywords)

    return option
