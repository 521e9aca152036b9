"""The page of an audit: complete, escaped, and sound in a real browser at every width."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from scrimp.cli.audit_html.page import render_audit
from scrimp.cli.audit_html.spend import spend_section
from scrimp.core.audit.checklist_model import Checklist
from tests.browser import look_at
from tests.cli.audit_sample import CENT, sample_audit, sample_finding, sample_spend

VOID = {"meta", "br", "link", "img", "input"}


def page() -> str:
    return render_audit(sample_audit(), sample_spend(), ("model", "project"))


@dataclass
class Reader(HTMLParser):
    """Reads what a page says, and whether its tags are closed in order."""

    open: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if name == "href" and value:
                self.links.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_every_section_is_there_and_links_lead_to_it() -> None:
    found = read(page())
    assert [link for link in found.links if link.startswith("#lever-")] == [
        "#lever-placement",
        "#lever-clearing",
    ]
    assert {link[1:] for link in found.links} <= set(found.ids)
    assert {"spend", "tax", "results", "misses", "ttl", "levers"} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))


def test_calibration_comes_before_every_figure_that_rests_on_it() -> None:
    said = read(page()).text
    assert (
        said.index("how well the model reproduces")
        < said.index("$20.00")
        < said.index("What to change first")
    )
    assert "+1.0 %" in said[: said.index("$20.00")]


def test_figures_stand_with_what_they_rest_on() -> None:
    said = read(page()).text
    assert "Billed, at least measured $20.00" in said  # 7 outputs are placeholders
    assert "With the changes below, together estimated $16.00" in said
    assert "API-equivalent, not a plan's bill" in said
    assert "Tool results estimated between bills" in said


def test_names_from_recordings_stay_text() -> None:
    drawn = page()
    assert "eve/&lt;script&gt;" in drawn
    assert "Read &lt;b&gt;" in drawn
    assert "eve/<script>" not in drawn
    assert "<script" not in drawn


def test_the_changes_are_ranked_and_the_others_named() -> None:
    said = read(page()).text
    order = [
        "1. Let scrimp place the markers",
        "2. Clear old tool results",
        "Would not have paid here",
        "Write for 1h",
    ]
    places = [said.index(words) for words in order]
    assert places == sorted(places)
    assert "a month, $9.00 to $15.00" in said
    assert "3.1 % of what it removes was used again later (9 times)" in said
    assert "Send as batches : No call could wait." in said
    assert "client = anthropic.Anthropic(middleware=[scrimp.Middleware()])" in said


def test_whiskers_of_all_changes_share_one_scale() -> None:
    drawn = page()
    cards = re.findall(r"<article.*?</article>", drawn, re.DOTALL)
    ends = [re.findall(r'class="whisker" x1="([\d.]+)" x2="([\d.]+)" y1="500"', card)[0] for card in cards]
    # 9 to 15 and 1 to 9 dollars, of 15
    assert ends == [("600.0", "1000.0"), ("66.7", "600.0")]


def test_a_day_without_calls_keeps_its_place() -> None:
    spend = sample_spend()
    gone = msgspec.structs.replace(spend, cells=[spend.cells[0], spend.cells[3]])
    titles = re.findall(r"<title>(2026-08-0\d: \$[\d.]+)", spend_section(gone, ()))
    # 5 + 30 (number + 1) + 10 + 40 + 20 cents
    assert titles == ["2026-08-01: $1.05", "2026-08-02: $0.00", "2026-08-03: $0.00", "2026-08-04: $1.95"]


def test_many_days_become_weeks() -> None:
    spend = sample_spend()
    later = spend.cells[0]
    moved = msgspec.structs.replace(
        later, place=msgspec.structs.replace(later.place, quarter=(later.place.quarter or 0) + 120 * 96)
    )
    drawn = spend_section(msgspec.structs.replace(spend, cells=[*spend.cells, moved]), ())
    titles = re.findall(r"<title>(Week of [\d-]+): (\$[\d.]+)", drawn)
    # Seven days from the first, 75 + 30 (number + 1) cents each: 525 + 30 × 28
    assert titles[0] == ("Week of 2026-08-01", "$13.65")
    assert len(titles) == 18


def test_what_was_not_asked_for_is_not_there() -> None:
    bare = sample_audit(tax=None, results=None, ttl=None, levers=None, floor=None, calibration=None)
    found = read(render_audit(bare, None, ()))
    assert {"tax", "results", "ttl", "levers"} & set(found.ids) == set()
    assert "misses" in found.ids
    assert "estimates below are unproven" in found.text


def test_nothing_pays_where_nothing_pays() -> None:
    losing = sample_finding(pays=False, why_not="gaps are short")
    said = read(render_audit(sample_audit(levers=Checklist((losing,), None, 2_000 * CENT)), None, ())).text
    assert "No lever would have paid on these calls." in said
    assert "What to change first" not in said
    assert "Gaps are short." in said


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "audit.html"
    path.write_text(page(), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_a_browser_shows_it_without_a_fault(
    written: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    seen = look_at(written, width=width, scheme=scheme, paper=width == 1280)
    assert seen.console == []
    assert seen.asked == [written.resolve().as_uri()]
    assert seen.wide == width  # nothing to scroll sideways
    assert (seen.small, seen.unnamed) == (0, 0)
    assert seen.high > 3_000
    if width == 1280:
        assert 2 <= seen.paper.count(b"/Type /Page\n") <= 8
