"""`scrimp lint`: files, folders, notebooks and pages; what it says and with which exit status."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from scrimp.cli.app import main
from scrimp.cli.exit_codes import ExitCode
from scrimp.core.lint.finding import FIXES, RULES

BUG = "plain = usage.input_tokens - usage.cache_read_input_tokens\n"
EXAMPLES = Path(__file__).parents[2] / ".sdks" / "examples" / "anthropic-2.11.0.tar.gz"


def said(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["lint", *args])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_folder_is_read_without_environments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("app", ".hidden", "node_modules", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "cost.py").write_text(BUG)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "fine.py").write_text("x = 1\n")
    code, out, err = said(capsys, str(tmp_path))
    assert (code, err) == (ExitCode.BROKEN_PROMISE, "")
    says = "cached-subtracted: `input_tokens` holds nothing that was read or written by the cache"
    assert [line for line in out.splitlines() if "cost.py" in line] == [
        f"{tmp_path}/app/cost.py:1:9: {says}: this bills too little."
    ]
    assert out.endswith("1 cost bug in 2 modules.\n")
    assert " ".join(FIXES["cached-subtracted"].split()) in " ".join(out.split())


def test_nothing_found_is_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fine.py").write_text("x = 1\n")
    assert said(capsys, str(tmp_path)) == (ExitCode.OK, "no cost bugs in 1 module.\n", "")


def test_cells_of_a_notebook_and_fences_of_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = [
        {"cell_type": "markdown", "source": "# Hello"},
        {"cell_type": "code", "source": ["%pip install anthropic\n", "usage = response.usage"]},
        {"cell_type": "code", "source": "print(1)\n" + BUG},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / "b.md").write_text(f"# Costs\n\n```python\nx = 1\n{BUG}```\n\n```sh\nls\n```\n")
    code, out, _ = said(capsys, str(tmp_path / "a.ipynb"), str(tmp_path / "b.md"), "--json")
    found = json.loads(out)
    assert code == ExitCode.BROKEN_PROMISE
    assert [one["where"] for one in found["findings"]] == [
        f"{tmp_path}/a.ipynb: cell 2:2",
        f"{tmp_path}/b.md:5",
    ]
    assert found["modules"] == 2
    assert {one["rule"] for one in found["findings"]} == {"cached-subtracted"}


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(BUG))
    code, out, _ = said(capsys, "-")
    assert code == ExitCode.BROKEN_PROMISE
    assert out.startswith("<stdin>:1:9: cached-subtracted")


def test_rules_can_be_left_out_and_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cost.py").write_text(BUG)
    assert said(capsys, str(tmp_path), "--ignore", "cached-subtracted")[0] == ExitCode.OK
    assert json.loads(said(capsys, "--rules", "--json")[1]) == dict(FIXES)
    assert [line.partition(":")[0] for line in said(capsys, "--rules")[1].splitlines()] == list(RULES)


def test_what_cannot_be_read_is_named_and_the_rest_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00\x01" * 10)
    (tmp_path / "broken.ipynb").write_text("{")
    (tmp_path / "cost.py").write_text(BUG)
    (tmp_path / "deep.py").write_text("(" * 5000)
    (tmp_path / "wrong.py").write_text("x = 1\ndef (\n")
    code, out, err = said(capsys, str(tmp_path))
    assert code == ExitCode.BROKEN_PROMISE
    assert "1 cost bug in 1 module" in out
    lines = err.splitlines()
    assert len(lines) == 4
    for name, reason in {
        "binary.py": "not text in the encoding it states",
        "broken.ipynb": "not a notebook: expected JSON with `cells`",
        "deep.py:1": "not Python",
        "wrong.py:2": "not Python: invalid syntax",
    }.items():
        assert [line for line in lines if line.startswith(f"scrimp: skipped {tmp_path}/{name}: {reason}")], (
            name
        )


@pytest.mark.parametrize(
    ("name", "words"),
    [("missing.py", "no such file or folder"), (".", "no Python was found that can be read")],
)
def test_nothing_to_read(name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, str(tmp_path / name))
    assert (code, out) == (ExitCode.INPUT, "")
    assert words in err
    assert err.count("\n") == 1


def test_the_examples_of_the_sdk_are_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of them does subtract: it prints cached tokens taken off `input_tokens` as the uncached ones."""
    if not EXAMPLES.exists():
        pytest.skip("the SDK's examples are not here: make sdks")
    with tarfile.open(EXAMPLES) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = tmp_path / "anthropic-2.11.0" / "examples"
    assert len(list(folder.rglob("*.py"))) > 20
    _, out, err = said(capsys, str(folder), "--json")
    assert err == ""
    assert [(one["where"], one["rule"]) for one in json.loads(out)["findings"]] == [
        (f"{folder}/memory/basic.py:123", "cached-subtracted")
    ]


def test_cells_that_are_no_python_are_left_out_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Magics and shell commands keep their cell; other languages and broken cells cost only themselves."""
    cells = [
        "%%bash\nls -la | grep foo\n",
        "names = !ls\nclient?\nif names:\n    !pip install \\\n        anthropic\n" + BUG,
        "%%time\n" + BUG,
        "%%writefile notes.txt\nnot (Python\n",
        "def (\n",
        'text = """\n!not a command\n"""\n' + BUG,
        BUG,
    ]
    code = [{"cell_type": "code", "source": cell} for cell in cells]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": code}))
    status, out, err = said(capsys, str(tmp_path / "a.ipynb"), "--json")
    found = json.loads(out)
    assert status == ExitCode.BROKEN_PROMISE
    assert [one["where"].partition("cell ")[2] for one in found["findings"]] == ["2:6", "3:2", "6:4", "7:1"]
    assert found["skipped"] == [f"{tmp_path}/a.ipynb: cell 5:1: not Python: invalid syntax"]
    assert err == f"scrimp: skipped {tmp_path}/a.ipynb: cell 5:1: not Python: invalid syntax\n"


def test_code_that_goes_round_in_circles_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Functions that call one another, names that stand for themselves, and very long chains."""
    (tmp_path / "round.py").write_text(
        "def ask(model, history):\n"
        "    r = client.messages.create(model=model, max_tokens=9, messages=history, system=rules)\n"
        "    return again(model, [*history, r])\n"
        "def again(model, history):\n"
        "    return ask(model, history)\n"
        "rules = rules + rules\n"
        f"total = {' + '.join(['u.input_tokens'] * 300)}\n"
        f"deep = a{'.b' * 900}\nclient.messages.create(messages=m, system=a{'.b' * 900})\n" + BUG
    )
    (tmp_path / "deep.py").write_text(f"x = {'-' * 5000}1\n")
    code, out, err = said(capsys, str(tmp_path))
    assert code == ExitCode.BROKEN_PROMISE
    assert "round.py:10:9: cached-subtracted" in out
    assert err == f"scrimp: skipped {tmp_path}/deep.py:1: nested too deeply to be followed\n"
