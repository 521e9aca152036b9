"""`scrimp lint`: the known cost bugs in source code, each with the fix."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from scrimp.cli.exit_codes import ExitCode
from scrimp.cli.lint_sources import Module, find_sources, read_modules
from scrimp.cli.output import console, print_json, progress
from scrimp.core.lint.finding import FIXES, RULES, Finding
from scrimp.core.lint.rules import lint as lint_source
from scrimp.errors import InputError
from scrimp.facts.models import default

__all__ = ["lint"]

_STDIN = "-"


class _Linted(msgspec.Struct):
    """What was found where, in how many modules, and what could not be read."""

    found: list[tuple[str, Finding]] = []
    modules: int = 0
    faults: list[str] = []


@click.command("lint")
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    type=click.Choice(RULES),
    help="A rule to leave out; repeat for more.",
)
@click.option("--rules", "listed", is_flag=True, help="List the rules with their fixes, and stop.")
@click.option("--json", "as_json", is_flag=True, help="The findings as JSON.")
def lint(paths: tuple[str, ...], ignored: tuple[str, ...], *, listed: bool, as_json: bool) -> ExitCode:
    """Find known cost bugs in Python code that calls Claude, and say what to write instead.

    PATH is a Python file, a notebook, a page of Markdown, or a folder of Python files and notebooks (default:
    the current one; `-` reads standard input). Code is read, never run. A line that ends in
    `# scrimp: ignore[rule]` is left alone. Exit status 1: something was found.
    """
    if listed:
        _print_rules(as_json=as_json)
        return ExitCode.OK
    linted = _lint_all(paths or (".",), ignored, datetime.now(UTC).date())
    for fault in linted.faults:
        console(stderr=True).print(f"scrimp: skipped {fault}", soft_wrap=True, markup=False)
    if not linted.modules:
        raise InputError(f"{', '.join(paths or ('.',))}: no Python was found that can be read")
    if as_json:
        print_json(lint_json(linted.found, linted.modules, linted.faults))
    else:
        _print(linted)
    return ExitCode.BROKEN_PROMISE if linted.found else ExitCode.OK


def lint_json(found: Sequence[tuple[str, Finding]], modules: int, faults: Sequence[str]) -> dict[str, Any]:
    """The documented JSON."""
    return {
        "modules": modules,
        "findings": [
            {
                "where": where,
                "line": one.line,
                "column": one.column,
                "rule": one.rule,
                "says": one.says,
                "fix": one.fix,
            }
            for where, one in found
        ],
        "skipped": list(faults),
    }


def _lint_all(paths: Sequence[str], ignored: Sequence[str], day: date) -> _Linted:
    linted = _Linted()
    files = find_sources(path for path in paths if path != _STDIN)
    with progress("reading code", len(files)) as advance:
        if _STDIN in paths:
            _lint_one(Module("<stdin>", sys.stdin.read()), day, linted)
        for path in files:
            _lint_file(path, day, linted)
            advance(1)
    linted.found = [(where, one) for where, one in linted.found if one.rule not in ignored]
    return linted


def _lint_file(path: Path, day: date, linted: _Linted) -> None:
    try:
        for module in read_modules(path):
            _lint_one(module, day, linted)
    except InputError as error:
        linted.faults.append(str(error))
    except OSError as error:
        linted.faults.append(f"{path}: {error.strerror or error}")


def _lint_one(module: Module, day: date, linted: _Linted) -> None:
    linted.faults += module.faults
    try:
        found = lint_source(module.source, day=day, facts=default())
    except SyntaxError as error:
        linted.faults.append(f"{module.where(error.lineno or 1)}: not Python: {error.msg}")
        return
    except ValueError as error:
        linted.faults.append(f"{module.where(1)}: not Python that can be read: {error}")
        return
    except (RecursionError, MemoryError):  # the parser gives up by either
        linted.faults.append(f"{module.where(1)}: nested too deeply to be followed")
        return
    linted.modules += 1
    linted.found += [(module.where(one.line), one) for one in found]


def _print(linted: _Linted) -> None:
    out = console()
    for where, one in linted.found:
        out.print(f"{where}:{one.column}: {one.rule}: {one.says}.", markup=False, soft_wrap=True)
    counts = Counter(one.rule for _, one in linted.found)
    for rule in (rule for rule in RULES if rule in counts):
        out.print(f"\n{rule} ({counts[rule]:,}): {FIXES[rule]}", markup=False)
    if counts:
        out.print()
    out.print(f"{_many(counts.total(), 'cost bug')} in {_many(linted.modules, 'module')}.", markup=False)


def _many(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'' if count == 1 else 's'}"


def _print_rules(*, as_json: bool) -> None:
    if as_json:
        print_json(dict(_rules()))
        return
    for rule, fix in _rules():
        console().print(f"{rule}: {fix}", markup=False, soft_wrap=True)


def _rules() -> Iterator[tuple[str, str]]:
    yield from ((rule, FIXES[rule]) for rule in RULES)
