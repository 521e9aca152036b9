"""The pages under docs/ do what they show: sessions print it, marked code runs, links lead somewhere."""

from __future__ import annotations

import doctest
import gc
import re
import warnings
from pathlib import Path

import pytest

from scrimp.testing import Recording, assert_no_bust
from tests.forks import Forks
from tests.suites import run_pytest

pytest_plugins = ["pytester"]

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(path.name for path in DOCS.glob("*.md"))
CODE = re.compile(r"(?:<!-- (run|pytest) -->\n)?```python\n(.*?)```", re.DOTALL)


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def marked(mark: str) -> list[tuple[str, str]]:
    """Pages with code that is to be run in one way, and the code."""
    return [(page, code) for page in PAGES for found, code in CODE.findall(text(page)) if found == mark]


@pytest.mark.parametrize("page", PAGES)
def test_sessions_print_what_they_show(page: str) -> None:
    test = doctest.DocTestParser().get_doctest(text(page), {}, page, page, 0)
    assert doctest.DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize(("page", "code"), marked("run"))
def test_marked_code_runs(
    page: str, code: str, scrimp_run: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, page, "exec"), {"__name__": page})  # noqa: S102 - our own page
    with warnings.catch_warnings():  # pages do not close their clients, as programs that end do not
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    assert capsys.readouterr().out
    usages = [call.billed.usage for call in scrimp_run.calls]
    assert [at for at, usage in enumerate(usages) if usage.cache_creation_input_tokens > 512] == [0]
    assert_no_bust(scrimp_run)


@pytest.mark.parametrize(("page", "code"), marked("pytest"))
def test_marked_tests_pass(page: str, code: str, pytester: pytest.Pytester, forks: Forks) -> None:
    pytester.makepyfile(code)
    done = run_pytest(forks, pytester.path, "-W", "error", "--scrimp-update-snapshots")
    assert done.parseoutcomes() == {"passed": code.count("\ndef test_")}


@pytest.mark.parametrize("page", ["caching.md", "testing.md"])
def test_every_example_of_these_pages_is_run(page: str) -> None:
    assert all(mark for mark, _ in CODE.findall(text(page)))
    assert CODE.search(text(page))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text(page)):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        assert (DOCS / path).exists(), target
        if anchor and not path:
            headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, target
