"""The options of `scrimp estimate`, and the file that says the same."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from scrimp.core.estimate.workload import DEFAULT_MODEL, Workload, read_workload
from scrimp.errors import InputError

__all__ = ["day_of", "naming", "workload_of", "workload_options"]

F = TypeVar("F", bound=Callable[..., Any])

_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}
_NUMBER = re.compile(r"(\d[\d,_]*(?:\.\d+)?)\s*([kKmM]?)")


class _Count(click.ParamType[Any]):
    """A whole number, also as `20K`, `1.5M` or `20,000`."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        number = _whole(value)
        if number is None:
            self.fail(f"{value!r} is no whole number; write one such as 20000 or 20K", param, ctx)
        return number


class _Share(click.ParamType[Any]):
    """`MODEL=PERCENT`."""

    name = "model=percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        model, equals, percent = value.rpartition("=")
        if not equals or not model or not re.fullmatch(r"\d+(\.\d+)?", percent):
            self.fail(f"{value!r} is not MODEL=PERCENT, such as claude-opus-5-5=5", param, ctx)
        return model, float(percent) if "." in percent else int(percent)


_COUNTS = {
    "steps": "API calls of a run.",
    "prefix": "Tokens of tools and system, which every call begins with.",
    "task": "Tokens a run begins with that are its own.",
    "output": "Tokens of an answer, thinking included; the next call carries them on.",
    "tool-calls": "Tool calls of an answer.",
    "tool-result": "Tokens of a tool result.",
    "growth": "Other new tokens of each later call.",
    "runs-per-day": "Runs of a day, evenly spread.",
    "hours": "Hours of the day they are spread over.",
    "days-per-month": "Days of a month that have runs.",
    "gap": "Seconds from the beginning of one call to that of the next.",
    "first-event": "Seconds until an answer begins.",
    "fanout": "Branches of a run with the same prefix.",
    "clear-above": "Clear old tool results where a prompt is longer than so many tokens.",
    "clear-keep": "Tool results that are never cleared, the newest.",
    "clear-at-least": "Clear only what frees so many tokens.",
    "clear-leaves": "Tokens that stay of a cleared result.",
    "batch": "Per cent of the runs that go through batches.",
    "batch-hits": "Per cent of the calls in batches that find the prefix in the cache.",
}
_CHOICES = {
    "caching": (
        ("none", "prefix", "auto", "full"),
        "Markers: none; after tools and system; automatic; or there and after each call.",
    ),
    "ttl": (("5m", "1h"), "Lifetime of what is cached."),
    "prefix-ttl": (("5m", "1h"), "Lifetime of tools and system, where it is another one."),
}


def workload_options(command: F) -> F:
    """The options of a workload, in the order of its help; none has a value unless it is given."""
    options = [
        click.option("--model", metavar="MODEL", help=f"The model. [default: {DEFAULT_MODEL}]"),
        click.option(
            "--mix",
            type=_Share(),
            multiple=True,
            metavar="MODEL=PERCENT",
            help="A model and its share of the runs; once for each model.",
        ),
        *(
            click.option(f"--{name}", type=_Count(), default=None, help=f"{said}{_default(name)}")
            for name, said in _COUNTS.items()
        ),
        *(
            click.option(f"--{name}", type=click.Choice(names), default=None, help=f"{said}{_default(name)}")
            for name, (names, said) in _CHOICES.items()
        ),
        click.option(
            "--prefix-shared/--prefix-own",
            default=None,
            help="Tools and system are the same in every run, or another in each. [default: shared]",
        ),
        click.option(
            "--first-alone",
            is_flag=True,
            default=None,
            help="The other branches begin once the first one's answer has begun.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def workload_of(file: Path | None, flags: dict[str, Any]) -> tuple[Workload, dict[str, str]]:
    """The workload of a file with what flags say above it, and where each field that was said stands.

    Every mistake is one line that names its place.
    """
    said = _in_file(file) if file is not None else {}
    given = {name: value for name, value in flags.items() if value is not None and name != "mix"}
    if flags["mix"]:
        if "model" in given:
            raise click.UsageError("--model and --mix: give one of them")
        given["models"] = _mix(flags["mix"])
    if {"model", "models"} & set(given):
        said = {name: value for name, value in said.items() if name not in ("model", "models")}
    try:
        work = read_workload({**said, **given})
    except InputError as error:
        name = str(error).partition(":")[0]
        if name in given:
            raise click.UsageError(f"{_flag(name)}{str(error).removeprefix(name)}") from None
        if file is not None:
            raise InputError(f"{file}: {error}") from None
        raise
    places = {name: f"{file}: {name}" for name in said} | {name: _flag(name) for name in given}
    if "model" in places:
        places["models"] = places.pop("model")
    return work, places


@contextmanager
def naming(places: Mapping[str, str]) -> Iterator[None]:
    """Errors that begin with the name of a field name the place where it was said."""
    try:
        yield
    except InputError as error:
        name, colon, words = str(error).partition(":")
        raise InputError(f"{places.get(name, name)}{colon}{words}") from None


def day_of(at: str | None) -> date:
    """The day of `--at`, today without it."""
    if at is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(at)
    except ValueError:
        raise click.BadParameter(f"{at!r} is not a day; write it as 2026-11-21", param_hint="--at") from None


def _mix(shares: Sequence[tuple[str, int | float]]) -> dict[str, int | float]:
    twice = next((model for model, times in Counter(model for model, _ in shares).items() if times > 1), None)
    if twice is not None:
        raise click.UsageError(f"--mix: {twice} is named more than once; give its share once")
    return dict(shares)


def _flag(name: str) -> str:
    return "--mix" if name == "models" else f"--{name.replace('_', '-')}"


def _whole(text: str) -> int | None:
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        return None
    number = Decimal(found[1].replace(",", "").replace("_", "")) * _TIMES[found[2].lower()]
    return int(number) if number == int(number) else None


def _in_file(file: Path) -> dict[str, Any]:
    data = file.read_bytes()
    try:
        said = _json(data) if file.suffix.lower() == ".json" else tomllib.loads(data.decode())
    except UnicodeDecodeError:
        raise InputError(f"{file}: not text; write TOML, or JSON in a file that ends in .json") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: {error}") from None
    if not isinstance(said, dict):
        raise InputError(f"{file}: a {type(said).__name__}, expected the fields of a workload")
    return said


def _json(data: bytes) -> Any:
    """What JSON says; as in TOML, no name stands twice in one object."""
    orjson.loads(data)  # stricter than the reader below
    return json.loads(data, object_pairs_hook=_once)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:
            raise ValueError(f"{name} stands there more than once; give it once")
    return dict(pairs)


def _default(name: str) -> str:
    value = getattr(Workload(), name.replace("-", "_"))
    return "" if value is None else f" [default: {value}]"
