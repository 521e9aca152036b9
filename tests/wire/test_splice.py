"""Spliced markers: the marker is in, and every other byte is the one that came."""

from __future__ import annotations

import copy
import json
import lzma
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.errors import RequestError
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.splice import splice_markers, spliced_parts

if TYPE_CHECKING:
    import random
    from pathlib import Path

M5 = '"cache_control":{"type":"ephemeral"}'
M1 = '"cache_control":{"type":"ephemeral","ttl":"1h"}'


def spliced(raw: str, *edits: tuple[tuple[str | int, ...], Any]) -> str:
    return splice_markers(raw.encode(), [MarkerEdit(*edit) for edit in edits]).decode()


# --- what each edit does, on bytes written out by hand ---


def test_no_edits_give_the_identical_object():
    raw = b'{"messages": []}'
    assert splice_markers(raw, []) is raw


def test_parts_are_those_of_the_request_itself_around_what_is_new():
    raw = b'{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}'
    edits = [MarkerEdit(("messages", 0, "content", 0), "5m")]
    before, new, behind = spliced_parts(raw, edits)
    for part in (before, behind):
        assert isinstance(part, memoryview)
        assert part.obj is raw
    assert new == b"," + M5.encode()
    assert b"".join((before, new, behind)) == splice_markers(raw, edits)
    assert spliced_parts(raw, [])[0] is raw


def test_a_marker_becomes_the_last_member_of_its_block():
    raw = '{ "tools" : [ {"name":"a"} , {"name" : "b" , "x":1e400 } ] }\n'
    assert spliced(raw, (("tools", 1), "1h")) == raw.replace("1e400", f"1e400,{M1}")
    assert spliced(raw, (("tools", 0), "5m")) == raw.replace('{"name":"a"', f'{{"name":"a",{M5}')


def test_an_empty_block_takes_a_marker_without_a_comma():
    assert spliced('{"tools":[{ }]}', (("tools", 0), "5m")) == f'{{"tools":[{{{M5} }}]}}'


def test_the_top_level_marker_of_automatic_caching():
    raw = '{"messages":[],"model":"m"}'
    assert spliced(raw, ((), "5m")) == f'{{"messages":[],"model":"m",{M5}}}'


def test_string_content_becomes_one_block_around_the_same_literal():
    raw = r'{"system" : "a\u00e9\/\ud83d\ude42é" ,"messages":[{"role":"user","content":"\u0068i"}]}'
    expected = raw.replace(
        r'"a\u00e9\/\ud83d\ude42é"', rf'[{{"type":"text","text":"a\u00e9\/\ud83d\ude42é",{M1}}}]'
    ).replace(r'"\u0068i"', rf'[{{"type":"text","text":"\u0068i",{M5}}}]')
    assert spliced(raw, (("messages", 0, "content", 0), "5m"), (("system", 0), "1h")) == expected


def test_a_block_nested_in_a_tool_result_and_the_result_itself():
    raw = '{"messages":[{"content":[{"type":"tool_result","content":[{"type":"text","text":"x"}]}]}]}'
    path = ("messages", 0, "content", 0)
    inner = raw.replace('"text":"x"', f'"text":"x",{M5}')
    assert spliced(raw, ((*path, "content", 0), "5m")) == inner
    both = inner.replace(f"{M5}}}]", f"{M5}}}],{M5}")
    assert spliced(raw, (path, "5m"), ((*path, "content", 0), "5m")) == both


def test_a_tool_result_with_string_content_is_marked_beside_it():
    raw = '{"messages":[{"content":[{"type":"tool_result","content":"out"}]}]}'
    assert spliced(raw, (("messages", 0, "content", 0), "5m")) == raw.replace('"out"', f'"out",{M5}')


@pytest.mark.parametrize(
    ("before", "ttl", "after"),
    [
        ('{"type":"ephemeral"}', "5m", None),
        ('{"ttl":"5m", "type":"ephemeral"}', "5m", None),
        ('{"type":"ephemeral","ttl":"1h"}', "1h", None),
        ('{"type":"ephemeral","scope":"global"}', "1h", '{"type":"ephemeral","scope":"global","ttl":"1h"}'),
        ('{ "ttl":"1h" , "scope" : {"a":1.0}, "type":"ephemeral" }', "5m", {"scope": {"a": 1.0}}),
        ('{"type":"ephemeral","ttl":"5m"}', "1h", {"ttl": "1h"}),
        ('{"scope":"x"}', "5m", {"scope": "x"}),
        ("null", "1h", '{"type":"ephemeral","ttl":"1h"}'),
        ('"odd"', "5m", '{"type":"ephemeral"}'),
        ("{}", "5m", {}),
    ],
)
def test_an_existing_marker_changes_its_lifetime_only(before: str, ttl: Any, after: Any):
    raw = f'{{"tools":[{{"cache_control":{before} , "name":"a"}}]}}'
    out = spliced(raw, (("tools", 0), ttl))
    if after is None:
        assert out == raw
    elif isinstance(after, str):
        assert out == raw.replace(before, after)
    else:
        head, tail = raw.split(before)
        assert out.startswith(head)
        assert out.endswith(tail)
        assert json.loads(out)["tools"][0]["cache_control"] == {"type": "ephemeral", **after}


def test_a_marker_that_stays_as_it_is_gives_the_identical_object():
    raw = f'{{"tools":[{{"name":"a",{M5}}}]}}'.encode()
    assert splice_markers(raw, [MarkerEdit(("tools", 0), "5m")]) is raw
    bare = b'{"system":"s","tools":[{"name":"a"}]}'
    assert splice_markers(bare, [MarkerEdit(("tools", 0), None), MarkerEdit(("system", 0), None)]) is bare


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'{{ {M5} , "a":1 }}', '{ "a":1 }'),
        (f'{{"a":1 , {M5} , "b":2}}', '{"a":1 , "b":2}'),
        (f'{{"a":1, {M1} }}', '{"a":1 }'),
        (f"{{ {M1} }}", "{  }"),
        (f'{{{M1},{M5},"a":1,{M5},"b":2,{M1},{M1}}}', '{"a":1,"b":2}'),
    ],
)
def test_a_removed_marker_takes_its_comma_and_nothing_else(before: str, after: str):
    assert spliced(f'{{"tools":[{before}]}}', (("tools", 0), None)) == f'{{"tools":[{after}]}}'


def test_of_repeated_keys_the_last_one_counts():
    raw = (
        '{"tools":[{"name":"old"}],"a":12,"a":1,"tools":[{"name":"n","name":[1,"]}"],'
        '"cache_control":{"type":"ephemeral"},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}'
    )
    out = spliced(raw, (("tools", 0), "5m"))
    assert out == raw.replace(',"ttl":"1h"', "")
    assert (
        spliced(raw, (("tools", 0), None))
        == '{"tools":[{"name":"old"}],"a":12,"a":1,"tools":[{"name":"n","name":[1,"]}"]}]}'
    )


def test_a_key_written_with_escapes_is_the_key_it_spells():
    raw = r'{"t\u006fols":[{"name":"a","cache_\u0063ontrol":{"t\u0074l":"1h","type":"ephemeral"}}]}'
    assert json.loads(spliced(raw, (("tools", 0), "5m")))["tools"][0] == {
        "name": "a",
        "cache_control": {"type": "ephemeral"},
    }


def test_the_last_of_several_edits_of_one_block_counts():
    raw = '{"tools":[{"name":"a"}]}'
    assert spliced(raw, (("tools", 0), "1h"), (("tools", 0), "5m")) == raw.replace('"a"', f'"a",{M5}')


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ('{"tools":[]}', ("tools", 0)),
        ('{"tools":[{}]}', ("tools", -1)),
        ('{"tools":[{}]}', ("system", 0)),
        ('{"tools":{"a":1}}', ("tools", 0)),
        ('{"system":"s"}', ("system", 1)),
        ('{"system":[{}]}', ("system",)),
        ('{"tools":"s"}', ("tools", 0)),
        ('{"messages":[{"content":"s"}]}', ("messages", 0, "content", 0, "content", 0)),
        ('{"system":[1]}', ("system", 0)),
        ('{"system":[null]}', ("system", 0)),
        ('{"messages":[{"content":[]}]}', ("messages", 0, "content")),
        ('{"messages":[{"content":[{"text":"x"}]}]}', ("messages", 0, "content", 0, "text")),
        ('{"messages":[{"content":[{"content":"x"}]}]}', ("messages", 0, "content", 0, "content", 0)),
        ('{"tools":[{"cache_control":{}}]}', ("tools", 0, "cache_control")),
        ('{"model":{}}', ("model",)),
        ('"text"', ()),
        ("[{}]", ()),
        ("", ()),
        ("{", ()),
        ('{"tools":[{"a":1,}]}', ("tools", 0)),
        ('{"tools":[{"a":"\\ud800"}]}', ("tools", 0)),
        ('{"tools":[{}]} x', ("tools", 0)),
        ("[" * 100_000, ()),
    ],
)
def test_what_cannot_be_marked_is_refused_in_one_line(raw: str, path: Any):
    with pytest.raises(RequestError) as refused:
        spliced(raw, (path, "5m"))
    assert "\n" not in str(refused.value)


def test_bytes_that_are_not_utf8_are_refused():
    with pytest.raises(RequestError):
        splice_markers(b'{"\xff\xfe":[{}],"tools":[{}]}', [MarkerEdit(("tools", 0), "5m")])


# --- any request, however it is written ---


class Number(str):
    """A number by its spelling, which decoding and encoding again would lose."""

    __slots__ = ()


JUNK = [None, True, Number("1"), Number("12"), Number("1e400"), "", '"]}\\', [[], {"a": Number("-0")}]]
SPACES = ["", "", "", " ", "\n  ", "\t", " \r\n "]

texts = st.text(max_size=8) | st.sampled_from(['"', "\\", "]}", "{[", '\\"', "é🙂", "\x00\x1f", ",:", "type"])
numbers = st.sampled_from(["0", "-0", "1.0", "1E5", "1e400", "-1.5e-400", "123456789012345678901234567890"])
values = st.recursive(
    st.none() | st.booleans() | numbers.map(Number) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
blocks = st.dictionaries(texts, values, max_size=3)
contents = st.lists(
    st.builds(lambda block, nested: block | {"content": nested}, blocks, st.lists(blocks, max_size=2)),
    max_size=2,
)
bodies = st.fixed_dictionaries(
    {
        "tools": st.lists(blocks, max_size=2),
        "system": st.lists(blocks, max_size=2),
        "messages": st.lists(
            st.builds(lambda items: {"role": "user", "content": items}, contents), max_size=3
        ),
        "model": values,
    }
)


def spelled(value: Any, rng: random.Random) -> str:
    """`value` as JSON in some spelling: spaces, escapes, order of members, repeated keys."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(_character(char, rng) for char in value) + '"'
    if isinstance(value, list):
        return "[" + _listed([spelled(item, rng) for item in value], rng) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    pairs = rng.sample(list(value.items()), len(value))
    if pairs and rng.random() < 0.3:
        pairs.insert(0, (rng.choice(pairs)[0], rng.choice(JUNK)))
    gap = rng.choice
    written = [f"{spelled(k, rng)}{gap(SPACES)}:{gap(SPACES)}{spelled(v, rng)}" for k, v in pairs]
    return "{" + _listed(written, rng) + "}"


def _listed(items: list[str], rng: random.Random) -> str:
    gap = rng.choice
    return gap(SPACES) + ",".join(f"{gap(SPACES)}{item}{gap(SPACES)}" for item in items)


def _character(char: str, rng: random.Random) -> str:
    if rng.random() < 0.7:
        return json.dumps(char, ensure_ascii=False)[1:-1]
    units = char.encode("utf-16-be")
    return "".join(f"\\u{int.from_bytes(units[i : i + 2]):04x}" for i in range(0, len(units), 2))


@st.composite
def edited(draw: st.DrawFn) -> tuple[bytes, list[MarkerEdit]]:
    """A request in some spelling, none of its blocks marked, and up to four markers for it."""
    body = draw(bodies)
    # Of its own chance: Hypothesis would choose space for space, which takes longer and often the same again.
    rng = draw(st.randoms(use_true_random=True))
    raw = rng.choice(SPACES) + spelled(body, rng) + rng.choice(SPACES)
    chosen = draw(st.lists(st.sampled_from([(), *_block_paths(body)]), unique=True, max_size=4))
    return raw.encode(), [MarkerEdit(path, draw(st.sampled_from(["5m", "1h"]))) for path in chosen]


def with_edits(body: Any, edits: list[MarkerEdit]) -> Any:
    """The same edits on decoded JSON, written apart from the code under test."""
    body = copy.deepcopy(body)
    for edit in edits:
        path, ttl = edit.path, edit.ttl
        block = body
        for step in path:
            block = block[step]
        if ttl is None:
            block.pop("cache_control", None)
        else:
            block["cache_control"] = {"type": "ephemeral", **({"ttl": "1h"} if ttl == "1h" else {})}
    return body


@given(edited())
def test_spliced_bytes_mean_the_edited_request(case: tuple[bytes, list[MarkerEdit]]):
    raw, edits = case
    assert json.loads(splice_markers(raw, edits)) == with_edits(json.loads(raw), edits)


@given(edited())
def test_taking_the_markers_out_again_gives_back_the_very_bytes(case: tuple[bytes, list[MarkerEdit]]):
    raw, edits = case
    marked = splice_markers(raw, edits)
    assert len(marked) - len(raw) >= len(edits) * len(M5)
    assert splice_markers(marked, [MarkerEdit(edit.path, None) for edit in edits]) == raw


@given(edited(), st.sampled_from(["5m", "1h"]))
def test_markers_change_lifetime_as_if_set_that_way_at_once(case: tuple[bytes, list[MarkerEdit]], ttl: Any):
    raw, edits = case
    changed = [MarkerEdit(edit.path, ttl) for edit in edits]
    assert splice_markers(splice_markers(raw, edits), changed) == splice_markers(raw, changed)


@given(st.lists(st.booleans(), min_size=1, max_size=5), texts, st.randoms(use_true_random=False))
def test_strings_in_any_spelling_keep_their_literal(marked: list[bool], text: str, rng: random.Random):
    literal, gap = spelled(text, rng), rng.choice(SPACES)
    content = [f'{{"content"{gap}:{gap}{literal}{gap}}}' for _ in marked]
    edits = [(("messages", i, "content", 0), "5m") for i, mark in enumerate(marked) if mark]
    wrapped = f'[{{"type":"text","text":{literal},{M5}}}]'
    expected = [f'{{"content"{gap}:{gap}{wrapped if mark else literal}{gap}}}' for mark in marked]
    assert (
        spliced(f'{{"messages":[{",".join(content)}]}}', *edits) == f'{{"messages":[{",".join(expected)}]}}'
    )


def test_recorded_requests_take_markers_on_every_block(traces: Path):
    seen = 0
    for path in sorted(traces.glob("exchanges/cassettes/*.jsonl.xz")):
        with lzma.open(path, "rt") as lines:
            for line in list(lines)[::10]:
                body = json.loads(line)["request"]["body"] or {}
                edits = [MarkerEdit(where, "1h") for where in _block_paths(body)]
                raw = json.dumps(body, ensure_ascii=seen % 2 == 0).encode()
                marked = splice_markers(raw, edits)
                assert marked.count(M1.encode()) - raw.count(M1.encode()) == len(edits)
                assert splice_markers(marked, [MarkerEdit(edit.path, None) for edit in edits]) == raw
                seen += 1
    assert seen > 200


def _block_paths(body: Any) -> list[tuple[str | int, ...]]:
    """The places of `body` where a block carries no marker yet."""
    found: list[tuple[str | int, ...]] = []
    for section in ("tools", "system"):
        found += _places((section,), body.get(section))
    for number, message in enumerate(body.get("messages") or []):
        for place in _places(("messages", number, "content"), message.get("content")):
            block = message["content"][place[3]]
            found += [place, *_places((*place, "content"), isinstance(block, dict) and block.get("content"))]
    return [path for path in found if _is_bare(body, path)]


def _places(path: tuple[str | int, ...], items: Any) -> list[tuple[str | int, ...]]:
    return [(*path, index) for index in range(len(items))] if isinstance(items, list) else []


def _is_bare(body: Any, path: tuple[str | int, ...]) -> bool:
    for step in path:
        body = body[step]
    return isinstance(body, dict) and "cache_control" not in body
