"""`scrimp estimate`: figures, files and options, pictures, its page, and one line for a mistake."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scrimp.cli import main
from scrimp.core.estimate.workload import Workload
from tests.test_docs import documented, shape

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "estimate.md").read_text(encoding="utf-8")
EXAMPLE = PROJECT / "examples" / "estimate" / "support.toml"
AT = ("--at", "2026-11-21")
SVG = "{http://www.w3.org/2000/svg}"


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> Any:
    assert main(["estimate", *args, *AT, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def failed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["estimate", *args]) in (2, 3)
    out = capsys.readouterr()
    assert (out.out, out.err.count("\n")) == ("", 1)
    return out.err


def test_the_figures_of_a_quick_loop(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--runs-per-day", "500", "--prefix", "8K")
    # Sonnet 5.5: prompts of 8,500 + 1,900 k, ten of them: 25,600 in the end, 144,900 before that
    first = 25_600 * Decimal("2.50") + 144_900 * Decimal("0.10") + 4_000 * 10
    later = first - 8_000 * Decimal("2.40")  # a later run reads tools and system
    assert Decimal(found["models"][0]["first_run"]["usd"]) * 10**6 == first
    assert Decimal(found["models"][0]["later_run"]["usd"]) * 10**6 == later
    assert Decimal(found["day"]["usd"]) * 10**6 == first + 499 * later
    assert Decimal(found["month"]["usd"]) * 10**6 == first + (15_000 - 1) * later
    assert found["month"]["calls"] == 150_000
    assert found["basis"] == "estimated"


def test_keys_are_those_documented(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--batch", "10")
    said = documented("estimate")
    free = {"prices", "workload", "others"}
    assert {key: shape(item) for key, item in found.items() if key not in free} == {
        key: shape(item) for key, item in said.items() if key not in free
    }
    assert set(found["workload"]) == set(Workload.__struct_fields__)
    text = (PROJECT / "docs" / "json.md").read_text(encoding="utf-8")
    assert all(f"`{key}`" in text for key in found["models"][0])
    row = printed(capsys, "--classics", "thousand-tasks")["classics"][0]["rows"][3]
    assert (row["said"], row["holds"], row["follows"], row["true"]) == ("9.18", False, "11.25", "5.175")
    assert all(f"`{key}`" in text for key in row)


def test_options_stand_above_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, str(EXAMPLE), "--steps", "3", "--model", "claude-haiku-5-5", "--prefix-own")
    said = tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))
    changed = {"steps": 3, "models": {"claude-haiku-5-5": 100}, "prefix_shared": False}
    assert found["workload"] | said | changed == found["workload"]


def test_json_says_the_same_as_toml(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    same = tmp_path / "support.json"
    same.write_text(json.dumps(tomllib.loads(EXAMPLE.read_text(encoding="utf-8"))), encoding="utf-8")
    assert printed(capsys, str(same)) == printed(capsys, str(EXAMPLE))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--steps", "0"), "--steps: expected int >= 1, not 0"),
        (("--steps", "1.5"), "'1.5' is no whole number; write one such as 20000 or 20K"),
        (("--mix", "a=60"), "--mix: the shares are 60 % together; they have to be 100"),
        (("--mix", "a"), "'a' is not MODEL=PERCENT, such as claude-opus-5-5=5"),
        (("--mix", "a=100", "--model", "b"), "--model and --mix: give one of them"),
        (("--ttl", "1h", "--prefix-ttl", "5m"), "--prefix-ttl: 5m before 1h is refused by the API"),
        (("--plot", "cost.png"), "cost.png: end it in .svg or .html"),
        (("--at", "yesterday"), "'yesterday' is not a day; write it as 2026-11-21"),
        (("--classics", "ten"), "no worked example 'ten'; there are ten-steps,"),
        (("--steps", "2", "--classics", "ten-steps"), "--classics: these have inputs of their own"),
        (("--steps", "2.001K"), "--steps: expected int <= 2000, not 2001"),
        (("--mix", "a=50", "--mix", "a=50"), "--mix: a is named more than once; give its share once"),
        (("--mix", "a=100", "--mix", "a=100"), "--mix: a is named more than once; give its share once"),
    ],
)
def test_a_mistake_is_one_line(args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert words in failed(capsys, *args)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--model", "opus"), "--model: no price of 'opus' is published; did you mean claude-opus-5-5,"),
        (("--mix", "opus=5", "--mix", "claude-sonnet-5-5=95"), "--mix: no price of 'opus' is published"),
        (("--at", "2020-01-01"), "--model: claude-sonnet-5-5 was not released until 2026-09-28"),
        (("--model", "claude-opus-5-5", "--at", "2026-01-01"), "--model: claude-opus-5-5 was not released"),
        ((str(EXAMPLE), "--at", "2026-01-01"), "support.toml: models: claude-sonnet-5-5 was not released"),
        (("--classics", "--at", "2026-01-01"), "--at: claude-sonnet-5-5 was not released until 2026-09-28"),
        (("--model", "claude-haiku-4-5", "--steps", "200"), "--steps: call 102 would carry 200,400 tokens"),
    ],
)
def test_input_that_cannot_be_priced_has_the_status_of_input(
    args: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", *args]) == 3
    out = capsys.readouterr()
    assert (out.out, out.err.count("\n")) == ("", 1)
    assert words in out.err


def test_what_makes_it_doubtful_stands_above_the_tables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    drawing, page = tmp_path / "cost.svg", tmp_path / "cost.html"
    for plot in (drawing, page):
        assert main(["estimate", "--model", "claude-v1", "--plot", str(plot), *AT]) == 0
        out = capsys.readouterr().out
        assert out.index("! claude-v1: not in the facts: priced from genai-prices") < out.index("Estimated")
        assert "(claude-v1: not in the facts" in " ".join(out.split())  # and not: from a file of ours
        assert "claude-v1: not in the facts: priced from genai-prices" in plot.read_text(encoding="utf-8")
    found = printed(capsys, "--model", "claude-v1")
    assert len(found["warnings"]) == 1
    assert found["prices"]["claude-v1"] == found["warnings"][0].removeprefix("claude-v1: ").rstrip(".")


def test_options_that_change_nothing_are_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("--batch-hits", "50", "--first-alone", "--prefix-ttl", "1h", "--caching", "auto")
    found = printed(capsys, *args, "--clear-keep", "3", "--runs-per-day", "1")
    (said,) = found["remarks"]
    assert said == (
        "Not used: prefix_ttl with caching auto, clear_keep without clear_above, batch_hits without batch, "
        "first_alone without fanout."
    )


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.toml", b"steps = 0", "a.toml: steps: expected int >= 1, not 0"),
        ("a.toml", b"step = 3", "a.toml: step: nothing of a workload is called so; did you mean steps?"),
        ("a.toml", b"steps 3", "a.toml: "),
        ("a.toml", b"\xff\xfe", "a.toml: not text"),
        ("a.json", b"[]", "a.json: a list, expected the fields of a workload"),
        ("a.json", b"{", "a.json: "),
        ("a.json", b"[" * 1_000 + b"]" * 1_000, "a.json: "),
        ("a.json", b'{"models": {"a": 100, "a": 100}}', "a.json: a stands there more than once"),
        ("a.toml", b"models = {a = nan}", "a.toml: models: a has nan % of the runs; give it a number"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(
    name: str, content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in failed(capsys, str(tmp_path / name))


def test_the_drawing_has_a_column_for_every_call_and_a_bar_for_every_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "cost.svg"
    assert main(["estimate", "--steps", "7", "--plot", str(picture), *AT]) == 0
    drawn = ET.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    texts = [element.text or "" for element in drawn.iter(f"{SVG}text")]
    assert [text for text in texts if text in "1234567"] == list("1234567")
    assert {"as asked", "no cache", "automatic caching, 5m"} <= set(texts)
    capsys.readouterr()
    month = printed(capsys, "--steps", "7")["month"]["usd"]
    assert f"${Decimal(month):,.2f}" in texts


def test_the_page_needs_nothing_beside_it(tmp_path: Path) -> None:
    page = tmp_path / "cost.html"
    mix = ["--mix", "claude-opus-5-5=10", "--mix", "claude-sonnet-5-5=90"]
    assert main(["estimate", *mix, "--plot", str(page), *AT]) == 0
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=|url\(|https?://", text)
    assert text.count("<svg") == 2  # both models look alike: one picture of the calls, one of the months
    assert "claude-opus-5-5, claude-sonnet-5-5" in text
    assert "estimated" in text


def test_the_page_of_the_documentation_shows_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("COLUMNS", "80")
    sessions = re.findall(r"```console\n\$ scrimp ([^\n]*)\n(.*?)```", PAGE, re.DOTALL)
    assert len(sessions) == PAGE.count("$ scrimp ") >= 5
    for command, shown in sessions:
        assert main(shlex.split(command)) == 0
        out = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
        assert out == shown, f"renew it: python docs/renew_pages.py estimate ({command})"


def test_the_page_names_what_reads_are_taken_to_renew() -> None:
    unknown = PAGE[PAGE.index("## What it does not know") :]
    assert "A read is taken to renew the one entry it hit." in unknown


def test_the_table_of_the_page_has_every_field() -> None:
    table = PAGE[PAGE.index("## What a workload says") : PAGE.index("## The picture")]
    assert set(re.findall(r"`(\w+)`", table)) >= set(Workload.__struct_fields__)
