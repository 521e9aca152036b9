"""Reductions: short, the same every time, with what a reader needs of each kind of text still in them."""

from __future__ import annotations

import json
import re
from time import process_time
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.offload.answering import answer
from scrimp.core.offload.as_code import _definitions
from scrimp.core.offload.as_html import text_of
from scrimp.core.offload.handles import handle_of
from scrimp.core.offload.kinds import KINDS, kind_of
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.ranges import lines_of
from scrimp.core.offload.reducing import Policy, Reduced, is_reduced, reduce_text, summarized
from scrimp.core.offload.source import NO_HINTS, Hints, hints_of, read_source
from scrimp.errors import InputError
from tests.patience import within

SMALL = Policy(whole=300, share=0.3, most=400)
GAP = re.compile(r"^\[… (chars )?(\d+)(?:-(\d+))?(?:: .*)?\]$")


class Shelf(NamedTuple):
    whole: str

    def text(self, handle: str, scope: str) -> str | None:
        return self.whole


def python_file(functions: int = 120) -> str:
    body = "".join(
        f'def handle_{number}(request):\n    """Handle kind {number}."""\n'
        f"    value_{number} = request.get({number})\n    check(value_{number})\n"
        f"    return value_{number}\n\n\n"
        for number in range(functions)
    )
    return f'"""Handlers."""\n\nimport os\n\nLIMIT = 7\n\n\n{body}'


def numbered(text: str, first: int = 1) -> str:
    return "\n".join(f"{at:6}→{line}" for at, line in enumerate(text.split("\n"), first))


def log_file(lines: int = 800) -> str:
    said = [
        f"2026-03-01 10:{at // 60 % 60:02}:{at % 60:02} INFO served /page/{at} in {at % 17} ms"
        for at in range(lines)
    ]
    said[400] = "2026-03-01 10:06:40 ERROR connection to db-7 refused, job 88213 lost"
    said[401] = '  File "pool.py", line 12, in connect'
    return "\n".join([*said, "finished: 799 served, 1 failed"])


def diff_file(files: int = 12) -> str:
    return "".join(
        f"diff --git a/src/part_{one}.py b/src/part_{one}.py\nindex 1234567..89abcde 100644\n"
        f"--- a/src/part_{one}.py\n+++ b/src/part_{one}.py\n"
        + "".join(
            f"@@ -{at},7 +{at},7 @@ def around_{at}():\n"
            + " same as before here\n" * 6
            + f"-old_{one}_{at} = 1\n+new_{one}_{at} = 2\n"
            for at in range(10, 90, 10)
        )
        for one in range(files)
    )


def csv_file(rows: int = 400) -> str:
    lines = [f"{at},user_{at},{'open' if at % 3 else 'closed'},{at * 1.5}" for at in range(rows)]
    return "\n".join(["id,name,status,amount", *lines])


def page(items: int = 200) -> str:
    rows = "".join(
        f'<li><a href="/item/{at}">Item {at}</a> costs <b>{at}</b> &euro;</li>' for at in range(items)
    )
    return (
        "<!DOCTYPE html><html><head><title>T</title><style>.x{color:red}</style></head><body>"
        "<script>var hidden_words = 1;</script><h1>Shop</h1><p>Open &amp; free</p>"
        f"<ul>{rows}</ul></body></html>"
    )


def listing(files: int = 300) -> str:
    return "\n".join(f"/srv/application/backend/src/module_{at // 20}/file_{at}.py" for at in range(files))


def hits(files: int = 40) -> str:
    return "\n".join(
        f"src/area_{one}/code.py:{line}:    result = compute_{one}_{line}(value)"
        for one in range(files)
        for line in (12, 48, 91)
    )


def prose(parts: int = 60) -> str:
    return "\n\n".join(
        f"## Part {at}\n\nThis part tells of subject {at} at some length, and of nothing else. " * 2
        for at in range(parts)
    )


RECORDS = [
    {"id": at, "name": f"user_{at}", "kind": "a" if at % 2 else "b", "tags": ["x", at]} for at in range(400)
]
TEXTS = {
    "json": json.dumps(RECORDS),
    "html": page(),
    "diff": diff_file(),
    "listing": listing(),
    "table": csv_file(),
    "log": log_file(),
    "code": python_file(),
    "text": prose(),
}


def reduced(text: str, hints: Hints = NO_HINTS, policy: Policy = SMALL) -> Reduced:
    found = reduce_text(text, policy, hints)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known_and_shortened(kind: str) -> None:
    found = reduced(TEXTS[kind])
    assert found.kind == kind
    assert (found.before, found.after) == (tokens_of(TEXTS[kind]), tokens_of(found.text))
    assert found.after <= min(SMALL.most, SMALL.share * found.before)
    first, _, _ = found.text.partition("\n")
    assert found.handle == handle_of(TEXTS[kind])
    assert found.handle in first
    assert is_reduced(found.text)
    assert reduce_text(found.text, Policy(whole=1)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_marks_name_ranges_that_bring_what_they_stand_for(kind: str) -> None:
    text, found = TEXTS[kind], reduced(TEXTS[kind])
    whole = lines_of(text)
    for line in found.text.split("\n")[1:]:
        match = GAP.match(line)
        if match is None:
            continue
        first, last = int(match[2]), int(match[3] or match[2])
        part = answer({"handle": found.handle, "range": f"{match[1] or ''}{first}-{last}"}, "", Shelf(text))
        assert not part.is_error
        expected = text[first - 1 : last] if match[1] else "".join(whole[first - 1 : last])
        assert part.text.startswith(expected[:1_000])


@pytest.mark.parametrize("kind", ["code", "log", "diff", "text"])
def test_what_is_shown_and_what_is_marked_is_the_whole_text(kind: str) -> None:
    """Of texts whose lines are shown as they are, every line is either there or in one marked range."""
    text, found = TEXTS[kind], reduced(TEXTS[kind])
    at, lines = 1, text.split("\n")
    for line in found.text.split("\n")[1:]:
        match = GAP.match(line)
        if match is not None:
            assert int(match[2]) == at
            at = int(match[3] or match[2]) + 1
        else:
            assert line.partition("  [×")[0] == lines[at - 1]
            at += 1
    assert at - 1 in (len(lines), len(lines) - 1)


def test_short_texts_stay_whole() -> None:
    assert reduce_text("a word " * 20, SMALL) is None
    assert reduce_text("", SMALL) is None
    assert reduce_text("word " * 1_900, Policy()) is None
    assert reduce_text("word " * 2_100, Policy()) is not None


def test_code_keeps_what_is_defined() -> None:
    text = python_file(30)
    found = reduced(text, policy=Policy(whole=300, share=0.4, most=2_000))
    assert found.kind == "code"
    kept = found.text
    assert sum(f"handle_{number}" in kept for number in range(30)) == 30


def test_code_with_the_numbers_of_a_viewer_is_read_like_any() -> None:
    found = reduced(numbered(python_file(60)))
    assert found.kind == "code"
    assert "def handle_0(request):" in found.text


def test_what_is_looked_for_is_kept_first() -> None:
    text = python_file()
    assert "check(value_77)" not in reduced(text).text
    assert "value_77 = request.get(77)" in reduced(text, hints_of({"pattern": "value_77"})).text


def test_of_a_log_errors_stay_and_lines_alike_are_counted() -> None:
    kept = reduced(log_file()).text
    assert "ERROR connection to db-7 refused, job 88213 lost" in kept
    assert 'File "pool.py", line 12, in connect' in kept
    assert "finished: 799 served, 1 failed" in kept
    assert "alike]" in kept
    assert reduced(log_file()).after < 400


def test_of_a_diff_every_file_stays() -> None:
    kept = reduced(diff_file(), policy=Policy(whole=300, share=0.3, most=1_500)).text
    assert all(f"src/part_{one}.py" in kept for one in range(12))
    assert "+new_0_10 = 2" in kept


def test_of_a_table_the_head_stays_and_columns_are_summed_up() -> None:
    kept = reduced(csv_file()).text
    assert "id,name,status,amount" in kept
    assert "[400 rows]" in kept
    assert "id: 0 to 399, 400 different" in kept
    assert "status: open ×266, closed ×134" in kept
    assert "amount: 0 to 598.5, 400 different" in kept
    assert "399,user_399,closed,598.5" in kept


def test_of_json_shape_samples_and_statistics_stay() -> None:
    kept = reduced(json.dumps(RECORDS)).text
    assert "[ 400 items" in kept
    assert '"user_0"' in kept
    assert '"user_399"' in kept
    assert "all id: 0 to 399, 400 different" in kept
    assert "all kind: b ×200, a ×200" in kept
    assert "all tags: nested" in kept


def test_of_json_items_that_were_looked_for_stay() -> None:
    text = json.dumps(RECORDS)
    assert "user_250" not in reduced(text).text
    assert "user_250" in reduced(text, hints_of({"query": "user_250"})).text


def test_json_line_by_line_and_long_texts_in_it() -> None:
    lines = "\n".join(json.dumps({"n": at, "body": "blah " * 200}) for at in range(50))
    found = reduced(lines)
    assert found.kind == "json"
    assert "chars]" in found.text
    deep = json.dumps({"a": {"b": {"c": [[{"d": "one more word " * 300}]] * 20}}})
    assert reduced(deep).kind == "json"


def test_of_a_page_what_a_reader_sees_stays() -> None:
    kept = reduced(page()).text
    assert "# Shop" in kept
    assert "Open & free" in kept
    assert "Item 0 (/item/0) costs 0 €" in kept
    assert "hidden_words" not in kept
    assert "color:red" not in kept


@given(st.text(st.sampled_from("<>/abp =\"'&;\n!-"), max_size=300))
def test_any_markup_becomes_lines_that_stand_in_it(html: str) -> None:
    lines, starts = text_of(html)
    assert len(lines) == len(starts)
    assert starts == sorted(starts)
    assert all(0 <= start < len(html) for start in starts)
    assert all("\n" not in line for line in lines)


def test_of_a_list_of_files_folders_are_named_once() -> None:
    found = reduced(listing(), policy=Policy(whole=300, share=0.4, most=5_000))
    assert all(f"file_{at}.py" in found.text for at in range(0, 300, 40))
    assert found.text.count("/srv/application/backend/src/module_3/ ") == 1


def test_of_search_hits_files_are_named_once() -> None:
    found = reduced(hits(), policy=Policy(whole=300, share=0.4, most=5_000))
    assert found.kind == "listing"
    assert all(f"src/area_{one}/code.py" in found.text for one in range(40))
    assert found.text.count("src/area_7/code.py\n") == 1
    assert "compute_0_12" in found.text


def test_one_long_line_is_cut_into_pieces() -> None:
    text = (
        "start of it. "
        + "Some words that go on, and on. " * 400
        + "The needle is pin_4711. "
        + "More words follow. " * 200
    )
    found = reduced(text, hints_of("where is pin_4711"))
    assert "pin_4711" in found.text
    assert "[… chars " in found.text


def test_what_was_encoded_takes_no_room() -> None:
    blob = "\n".join("QUJD" * 19 + f"{at:04}" for at in range(200))
    found = reduced(f"# Title\n{blob}\nend of it")
    assert "# Title" in found.text
    assert "end of it" in found.text
    assert "QUJDQUJD" not in found.text


LINES = st.sampled_from(
    [
        "", "plain words here", "def handle(x):", "    return x", "ERROR it failed at 10:00:00", "a,b,c,d",
        "| a | b |", "/srv/app/file.py", "src/a.py:12: found", "@@ -1,2 +1,2 @@", "+added", "-removed",
        '{"a": 1}', "[1, 2]",
        "<html><p>text</p>", "\x1b[31mred\x1b[0m", "é 🦙 漢字", "x" * 900, "  12→numbered", "\t",
        "\r", "\x00", "1" * 40,
    ]
)  # fmt: skip


@settings(max_examples=80)
@given(
    st.lists(st.tuples(LINES, st.integers(1, 60)), min_size=1, max_size=12), st.sampled_from([60, 300, 2_000])
)
def test_whatever_the_text_is_it_is_short_and_the_same_every_time(
    parts: list[tuple[str, int]], whole: int
) -> None:
    text = "\n".join(line for line, times in parts for _ in range(times))
    policy = Policy(whole=whole, share=0.4)
    hints = hints_of({"path": "file.py", "query": "added numbered"}, "plain words")
    found = reduce_text(text, policy, hints)
    assert found == reduce_text(
        str(text.encode(), "utf-8"),
        policy,
        hints_of({"path": "file.py", "query": "added numbered"}, "plain words"),
    )
    if found is None:
        return
    assert found.after == tokens_of(found.text) <= 0.4 * found.before
    assert found.before > whole
    assert kind_of(read_source(text), hints) == found.kind


def test_texts_with_half_characters_stay_whole() -> None:
    assert reduce_text("word \ud800 " * 5_000, Policy()) is None


def test_a_summary_takes_the_place_of_the_reduction_where_it_is_short() -> None:
    found = reduced(prose())
    said = summarized(found, "Sixty parts.", SMALL)
    assert said.text.split("\n")[0] == found.text.split("\n")[0]
    assert said.text.endswith("Summary:\nSixty parts.")
    assert said.after == tokens_of(said.text) < found.after
    for useless in (None, "", "  ", "far too long " * 1_000):
        assert summarized(found, useless, SMALL) is found


@pytest.mark.parametrize(
    ("whole", "share", "most"), [(0, 0.3, 10), (10, 0, 10), (10, 0.41, 10), (10, 0.3, 0), (10, -1, 5)]
)
def test_policies_that_make_no_sense_are_refused(whole: int, share: float, most: int) -> None:
    with pytest.raises(InputError, match="offload"):
        Policy(whole, share, most).checked()
    assert Policy().checked() == Policy()


NASTY = {
    "open tags": "<a " * 20_000,
    "tags": "<p>" * 20_000,
    "backslashes": "\\" * 60_000,
    "escapes": "\\n" * 30_000,
    "underscores": "_" * 60_000,
    "dotted": "a." * 30_000,
    "slashes": "/a" * 30_000,
    "signatures": ("    " + "a b " * 3_000 + "(\n") * 5,
    "modifiers": ("  public static " * 1_000 + "\n") * 5,
    "assignments": ("A" * 3_000 + " : " * 1_000 + "\n") * 10,
    "brackets": "[" * 60_000,
    "quotes": "\"'" * 30_000,
    "blanks": " \t" * 30_000,
    "line feeds": "\n" * 60_000,
    "hits": ("a/b-1-" * 2_000 + "\n") * 5,
    "characters": "漢字" * 30_000,
}


@pytest.mark.parametrize("name", NASTY)
def test_nothing_takes_long_whatever_it_looks_like(name: str) -> None:
    text = NASTY[name]
    begun = process_time()
    hints = hints_of({"said": text}, text)
    found = reduce_text(text, Policy(whole=100), hints)
    answer({"handle": handle_of(text), "query": text}, "", Shelf(text))
    assert within(process_time() - begun, 4.0)
    assert found is None or found.after <= 0.4 * found.before


def test_of_very_long_texts_the_ends_are_gone_through_and_lines_keep_their_numbers() -> None:
    """A megabyte of functions, which took a parser of the whole six seconds."""
    text = "".join(f"def f{at}(a, b):\n    return a + b * {at}\n\n" for at in range(25_000))
    assert len(text) > 1_000_000
    begun = process_time()
    found = reduce_text(text, Policy(most=400))
    assert within(process_time() - begun, 3.0)
    assert found is not None
    assert found.kind == "code"
    total = text.count("\n")
    body = found.text.split("\n")[1:]
    at = 0
    lines = text.split("\n")
    for line in body:
        mark = re.match(r"\[… (\d+)(?:-(\d+))?", line)
        if mark:
            assert int(mark[1]) == at + 1
            at = int(mark[2] or mark[1])
        else:
            assert line == lines[at]
            at += 1
    assert at == total


def test_definitions_are_found_wherever_statements_stand() -> None:
    """By Python's own parser, in each kind of block; each once, however often the text is gone through."""
    heads = [
        "if x:",
        "for x in y:",
        "while x:",
        "with x:",
        "try:",
        "class C:",
        "def g():",
        "match x:\n    case 1:",
    ]
    parts = []
    for number, head in enumerate(heads):
        depth = 8 if head.startswith("match") else 4
        end = "finally:\n    def in_finally(): pass\n" if head == "try:" else ""
        parts.append(f"{head}\n{' ' * depth}def inner_{number}(a): pass\n{end}")
    text = "".join(parts) + "if x:\n    pass\nelse:\n    async def in_else(): pass\n"
    text += "try:\n    pass\nexcept E:\n    def in_except(): pass\n"
    lines = text.split("\n")
    assert {lines[at].split("(")[0].split()[-1] for at in _definitions(text) if "(" in lines[at]} == {
        *(f"inner_{number}" for number in range(len(heads))),
        "in_finally",
        "in_else",
        "in_except",
        "g",
    }
    assert _definitions("def broken(:") == frozenset()
