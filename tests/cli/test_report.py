"""The HTML report: complete, self-contained, and made of escaped text only."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.cli.html.markup import Markup, embedded_json, tag
from scrimp.cli.html.report import RunRow, Step, render
from scrimp.cli.html.steps_chart import CARRIED, PLOT_LEFT, PLOT_RIGHT, chart, top_of_scale
from tests.cli.sample import BARS, sample_report, sample_steps

VOID = {"meta", "br", "link", "img", "input"}


class Page(HTMLParser):
    """The page as a browser reads it: its elements, its text, and whether every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.script = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            self.script += data
        else:
            self.text += data + " "


def test_calibration_comes_before_any_bill() -> None:
    text = Page(render(sample_report())).text
    assert text.index("97.8 %") < text.index("$5.40") < text.index("$1.98")


def test_the_headline_states_before_after_and_the_distance_to_the_floor() -> None:
    text = " ".join(Page(render(sample_report())).text.split())
    # 1.9127+2.7701+0.7210 billed, 0.6688+0.9544+0.3550 with scrimp, 0.6671+0.9520+0.3532 at least
    assert "As billed measured $5.40 → scrimp estimated $1.98 −63.4 %" in text
    assert "$1.97; scrimp comes to 1.003 times that" in text


def test_every_bar_is_there_with_its_basis_and_fall() -> None:
    text = " ".join(Page(render(sample_report())).text.split())
    for part in ("No caching estimated", "As billed measured", "−30.9 %", "−61.3 %", "−5.5 %", "−0.3 %"):
        assert part in text


def test_bars_and_what_fell_away_are_drawn_to_scale() -> None:
    widths = [
        float(style.removeprefix("width:").removesuffix("%"))
        for _, attributes in Page(render(sample_report())).elements
        if (style := attributes.get("style"))
    ]
    totals = [7.8257, 5.4038, 2.0928, 1.9782, 1.9723]
    expected = [100.0]
    for above, bar in pairwise(totals):
        expected += [bar / totals[0] * 100, (above - bar) / totals[0] * 100]
    assert widths == pytest.approx(expected, abs=0.006)


def test_the_table_adds_up() -> None:
    rows = re.findall(r"<tr>(.*?)</tr>", render(sample_report()))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    assert cells[0] == ["Run", "Calls", *BARS, "Cache reads"]
    assert cells[1] == ["django__django-11099", "25", "2.810", "1.913", "0.702", "0.669", "0.667", "91.2 %"]
    assert cells[-1] == ["All runs", "71", "7.826", "5.404", "2.093", "1.978", "1.972", ""]


def test_an_amount_nobody_billed_is_a_dash_and_has_no_total() -> None:
    report = sample_report()
    first, *others = report.runs
    unbilled = RunRow(first.run, first.calls, {**first.usd, "As billed": None}, first.read_share)
    rows = re.findall(r"<tr>(.*?)</tr>", render(replace(report, runs=(unbilled, *others))))
    billed = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)[3] for row in rows[1:]]
    assert billed == ["–", "2.770", "0.721", "–"]


def test_nothing_is_loaded_from_anywhere() -> None:
    html = render(sample_report())
    elements = Page(html).elements
    assert not any({"src", "href", "srcset", "action"} & attributes.keys() for _, attributes in elements)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest|https?://", html)
    policy = next(
        a["content"] for name, a in elements if name == "meta" and "content" in a and "http-equiv" in a
    )
    assert policy
    assert policy.startswith("default-src 'none'")


def test_every_text_is_escaped() -> None:
    evil = "</script><script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"
    report = sample_report()
    bars = tuple(replace(bar, name=f"{bar.name}{evil}", note=evil) for bar in report.bars)
    runs = tuple(
        RunRow(evil, row.calls, {n + evil: usd for n, usd in row.usd.items()}, 0.5) for row in report.runs
    )
    page = Page(
        render(
            replace(
                report,
                title=evil,
                bars=bars,
                before=report.before + evil,
                after=report.after + evil,
                floor=None,
                runs=runs,
                steps={evil: sample_steps(2)},
                generated_from=evil,
                scope=evil,
            )
        )
    )
    assert not any(name == "img" or "onerror" in attributes for name, attributes in page.elements)
    assert sum(name == "script" for name, _ in page.elements) == 2
    assert page.text.count(evil) >= 10


@given(st.text())
def test_tags_and_embedded_json_give_back_the_text_they_were_given(text: str) -> None:
    element = tag("p", text, title=text)
    assert json.loads(embedded_json(text)) == text
    assert not set("<>&") & set(embedded_json(text))
    page = Page(element)
    assert page.text.removesuffix(" ") == text
    assert page.elements == [("p", {"title": text})]


def test_only_markup_passes_a_tag_unescaped() -> None:
    assert tag("p", tag("b", "<"), None, "", Markup("<i></i>"), hidden=True, id=None) == (
        "<p hidden><b>&lt;</b><i></i></p>"
    )


def test_the_readout_has_the_numbers_of_every_step() -> None:
    report = sample_report()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', render(report))
    assert found
    panels = json.loads(found[1])["runs"][0]
    step = report.steps["django__django-11099"][7]
    assert panels[0]["stacks"][7] == [2600, 1900, step.earlier_messages, step.earlier_results, step.new]
    assert panels[1]["stacks"][7] == [step.read, step.write, step.plain, 0]
    assert step.planned
    assert panels[2]["stacks"][7] == [step.planned.read, step.planned.write, step.planned.plain, 0]


def test_a_call_without_a_recorded_split_is_shown_as_such() -> None:
    known, other = sample_steps(2)
    unknown = replace(other, plain=9_000, write=None, read=None, planned=None)
    html = render(replace(sample_report(), steps={"run": (known, unknown)}))
    assert "split not recorded" in Page(html).text
    assert "With scrimp" not in Page(html).text
    assert "[0,0,0,9000]" in html


def test_only_the_first_run_is_shown_at_first() -> None:
    elements = Page(render(sample_report())).elements
    assert [("hidden" in a) for name, a in elements if a.get("class") == "run"] == [False, True, True]
    assert sum(name == "option" for name, _ in elements) == 3


def test_how_often_each_token_was_sent() -> None:
    def step(index: int, *, earlier: int, new: int) -> Step:
        content = {"tools": 100, "system": 100, "earlier_messages": earlier, "earlier_results": 0, "new": new}
        return Step(index=index, plain=0, write=0, read=0, planned=None, **content)

    run = (step(1, earlier=0, new=200), step(2, earlier=200, new=100))
    text = Page(render(replace(sample_report(), steps={"run": run}))).text
    # 400 + 500 tokens sent, 500 of them different
    assert (
        "2 requests carried 900 tokens, about 500 of them different: on average, each was sent 1.8 times"
        in text
    )


def test_a_report_without_runs_or_steps_is_still_a_page() -> None:
    text = Page(render(replace(sample_report(), runs=(), steps={}))).text
    assert "The bill, bar by bar" in text
    assert "Run by run" not in text


def test_columns_are_drawn_to_scale() -> None:
    svg = chart(CARRIED, [(10, 0, 0, 0, 0), (10, 0, 0, 0, 30)], top=40, height=80, label="x")
    tools, new = re.findall(r'<path class="layer (?:tools|new)" d="(.*?)"', svg)
    half = (PLOT_LEFT + PLOT_RIGHT) / 2
    left, right = f"{PLOT_LEFT:.1f}", f"{PLOT_RIGHT:.1f}"
    # 80 px for 40 tokens below an 8 px margin: 10 tokens end at 68, 40 at 8, the ground is 88
    assert tools == f"M{left} 88.0V68.0H{half:.1f}V68.0H{right}V88.0H{half:.1f}V88.0H{left}Z"
    assert new == f"M{left} 68.0V68.0H{half:.1f}V8.0H{right}V68.0H{half:.1f}V68.0H{left}Z"
    assert "system" not in svg


@given(st.lists(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=5), max_size=20))
def test_the_scale_is_round_and_just_high_enough(stacks: list[list[int]]) -> None:
    highest = max(map(sum, stacks), default=0)
    top = top_of_scale(stacks)
    assert top >= highest
    assert top <= max(2 * highest, 10)
    assert len(str(top).rstrip("0")) <= 2


@pytest.mark.parametrize(
    "names", [("nobody", "scrimp", "Floor"), ("scrimp", "nobody", None), (*BARS[1:3], "no")]
)
def test_a_bar_that_is_not_there_is_refused(names: tuple[str, str, str | None]) -> None:
    before, after, floor = names
    with pytest.raises(ValueError, match="must name bars"):
        replace(sample_report(), before=before, after=after, floor=floor)


def test_a_run_without_an_amount_for_a_bar_is_refused() -> None:
    report = sample_report()
    with pytest.raises(ValueError, match="run 'r' has amounts for"):
        replace(report, runs=(RunRow("r", 1, {"scrimp": Decimal(1)}, 0.5),))
