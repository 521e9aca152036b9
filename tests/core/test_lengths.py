"""Prefix lengths read off bills: exact at anchors, in proportion between them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Marker, Prompt, Reading, read_prompt
from scrimp.wire.response import CacheCreation, Usage


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
