"""Prefix lengths read off bills: exact at anchors, in proportion between them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt
from scrimp.wire.response import CacheCreation, Usage
from tests.core.lengths_oracle import LengthsAfresh


def prompt_of(*texts: str, marks: dict[int, str] | None = None) -> Prompt:
    content = [{"type": "text", "text": text} for text in texts]
    prompt = read_prompt({"messages": [{"role": "user", "content": content}]}, Reading(key="m"))
    return prompt.remarked([Marker(p, ttl) for p, ttl in (marks or {}).items()])  # type: ignore[arg-type]  # literals


def test_without_anchors_the_total_is_shared_out_by_size() -> None:
    assert Lengths().ends(prompt_of("a", "b", "c"), [1.0, 2.0, 1.0], 403) == [100, 300, 400]


def test_a_bill_reveals_the_prefix_up_to_its_last_marker() -> None:
    lengths = Lengths()
    prompt = prompt_of("a", "b", "c", marks={1: "5m"})
    lengths.reveal(prompt, Usage(input_tokens=50, cache_creation_input_tokens=350))
    assert lengths.ends(prompt, [1.0, 2.0, 1.0], 400)[1] == 350


def test_a_split_bill_reveals_the_last_hour_marker_too() -> None:
    lengths = Lengths()
    prompt = prompt_of("a", "b", "c", marks={0: "1h", 1: "5m"})
    split = CacheCreation(ephemeral_5m_input_tokens=300, ephemeral_1h_input_tokens=70)
    lengths.reveal(prompt, Usage(input_tokens=30, cache_creation_input_tokens=370, cache_creation=split))
    # Three tokens close every prompt, after its last block.
    assert lengths.ends(prompt, [1.0, 1.0, 1.0], 400) == [70, 370, 397]


def test_a_bill_reveals_where_its_prompt_ends_for_the_step_that_extends_it() -> None:
    lengths = Lengths()
    lengths.reveal(prompt_of("a"), Usage(input_tokens=1003))
    assert lengths.ends(prompt_of("a", "b"), [5.0, 200.0], 1203) == [1000, 1200]


TEXTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=6)


@given(
    st.lists(st.tuples(TEXTS, st.integers(1, 5000)), min_size=1, max_size=6),
    TEXTS,
    st.integers(1, 5000),
)
def test_ends_never_fall_and_never_pass_the_total(
    bills: list[tuple[list[str], int]], texts: list[str], total: int
) -> None:
    lengths = Lengths()
    for others, billed in bills:
        lengths.reveal(prompt_of(*others), Usage(input_tokens=billed))
    ends = lengths.ends(prompt_of(*texts), [float(len(text)) for text in texts], total)
    assert ends == sorted(ends)
    assert ends[0] >= 0
    assert ends[-1] <= total


SEARCH = {"type": "web_search_20250305", "name": "web_search"}
TOOLS = st.sampled_from(
    [[], [], [{"name": "ls"}], [{"name": "ls"}, SEARCH], [{"name": "ls"}, SEARCH, {"name": "rm"}]]
)


SOME_TEXTS = st.lists(st.sampled_from("abc"), max_size=4)


@st.composite
def a_prompt(draw: st.DrawFn, before: list[str]) -> tuple[Prompt, list[str], list[float]]:
    """A prompt that usually goes on from an earlier one, and the estimated sizes of its blocks."""
    kept = draw(st.sampled_from([len(before)] * 5 + [*range(len(before))]))
    texts = before[:kept] + draw(SOME_TEXTS)
    body = {"tools": draw(TOOLS), "messages": [{"role": "user", "content": text} for text in texts]}
    prompt = read_prompt(body, Reading(key="m"))
    sizes = [10.0] * (len(prompt) - len(texts)) + [{"a": 0.0, "b": 7.5, "c": 90.0}[text] for text in texts]
    if draw(st.integers(0, 5)) == 0:
        sizes = [size + 5 for size in sizes]
    places = draw(st.lists(st.integers(0, len(prompt) - 1), max_size=3, unique=True)) if len(prompt) else []
    ttls = ["1h" if draw(st.booleans()) else "5m" for _ in places]
    return prompt.remarked([Marker(p, ttl) for p, ttl in zip(places, ttls, strict=True)]), texts, sizes  # type: ignore[arg-type]  # literals


@st.composite
def a_bill(draw: st.DrawFn, total: int) -> Usage:
    """A bill near `total`, or far from it."""
    total = max(1, total + draw(st.sampled_from([0, 0, 0, 5, -40, 300])))
    written = draw(st.integers(0, total))
    read = draw(st.integers(0, total - written))
    hour = draw(st.sampled_from([0, written // 2, written]))
    return Usage(
        input_tokens=total - written - read,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(written - hour, hour),
    )


@settings(max_examples=120)
@given(st.data())
def test_going_on_from_an_anchor_gives_what_working_it_out_afresh_gives(data: st.DataObject) -> None:
    lengths, afresh = Lengths(), LengthsAfresh()
    conversations: list[list[str]] = [[]]
    for _ in range(data.draw(st.integers(1, 15))):
        before = data.draw(st.sampled_from(conversations[-3:]))
        prompt, texts, sizes = data.draw(a_prompt(before))
        conversations.append(texts)
        total = max(1, round(sum(sizes)) + data.draw(st.sampled_from([3, 3, 3, 40, -60, 500])))
        assert lengths.ends(prompt, sizes, total) == afresh.ends(prompt, sizes, total)
        what = data.draw(st.sampled_from(["bill", "bill", "bill", "nothing", "learn"]))
        if what == "bill":
            usage = data.draw(a_bill(total))
            lengths.reveal(prompt, usage)
            afresh.reveal(prompt, usage)
        elif what == "learn" and len(prompt):
            prefix = prompt.prefixes[data.draw(st.integers(0, len(prompt) - 1))]
            tokens = data.draw(st.integers(1, total))
            lengths.learn(prefix, tokens)
            afresh.learn(prefix, tokens)
        assert lengths.ends(prompt, sizes, total + 9) == afresh.ends(prompt, sizes, total + 9)
