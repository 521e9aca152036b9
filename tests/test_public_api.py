"""The public surface: few names, sorted, and an import that costs nothing and does nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import scrimp

HEAVY = {
    "aiohttp",
    "anthropic",
    "genai_prices",
    "httpx",
    "httpx2",
    "jinja2",
    "kitoken",
    "pydantic",
    "rich",
    "starlette",
}


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after one statement."""
    listing = "import json, sys\njson.dump(sorted({name.split('.')[0] for name in sys.modules}), sys.stderr)"
    code = f"{statement}\n{listing}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


def test_all_names_what_is_public() -> None:
    assert list(scrimp.__all__) == sorted(scrimp.__all__)
    assert dir(scrimp) == scrimp.__all__
    for name in scrimp.__all__:
        assert getattr(scrimp, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        scrimp.nonsense  # noqa: B018 - looking is the test


def test_importing_scrimp_loads_nothing_heavy() -> None:
    assert modules_after("import scrimp") & (HEAVY | {"click", "asyncio", "logging", "sqlite3"}) == set()


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["no-such-command"]])
def test_the_quick_paths_of_the_command_load_click_and_nothing_heavier(args: list[str]) -> None:
    quiet = "import contextlib, io\nwith contextlib.redirect_stderr(io.StringIO()):"
    loaded = modules_after(f"{quiet}\n  from scrimp.cli import main\n  main({args!r})")
    assert "click" in loaded
    assert loaded & (HEAVY | {"msgspec", "orjson"}) == set()


def test_the_pure_layers_load_no_sdk_and_no_http() -> None:
    pure = ("wire.request", "wire.response", "facts.models", "core.prompt", "core.cache")
    loaded = modules_after("\n".join(f"import scrimp.{name}" for name in pure))
    assert "msgspec" in loaded
    assert loaded & (HEAVY - {"kitoken"} | {"click", "asyncio", "socket", "ssl"}) == set()
