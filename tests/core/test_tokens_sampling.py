"""Counting texts in bounded time: what is looked at of a text, and how near that comes to all of it."""

from __future__ import annotations

from itertools import cycle, islice
from random import Random
from string import ascii_lowercase

import pytest

from scrimp.core.prompt import Reading, read_prompt
from scrimp.core.tokens import Estimator, read_settings
from scrimp.core.tokens.sampling import Sampler
from scrimp.facts.models import resolve
from scrimp.facts.vocabulary import vocabulary_count

MEGABYTE = 2**20
PROSE = "The quick brown fox, 12 years old, jumps over parseHTML and compatibility.\n  Why?\n"


class Counter:
    """Counts spaces, each one a token, and the characters it was shown."""

    def __init__(self) -> None:
        self.shown = 0

    def __call__(self, text: str) -> tuple[int, ...]:
        self.shown += len(text)
        return text.count(" "), len(text)


def long_text(length: int, piece: str = PROSE) -> str:
    return "".join(islice(cycle(piece), length))


def busy() -> Sampler:
    """A sampler that has looked at much of its prompt."""
    sampler = Sampler()
    sampler.count(long_text(4_096), Counter())
    return sampler


@pytest.mark.parametrize("length", [1, 500, 4_096])
def test_short_texts_are_counted_as_they_are(length: int) -> None:
    counter, text = Counter(), long_text(length)
    assert Sampler().count(text, counter) == (text.count(" "), length)
    assert counter.shown == length


@pytest.mark.parametrize("length", [4_097, 6_000, 20_000, 300_000])
def test_of_a_longer_text_an_eighth_is_looked_at_beside_what_a_short_one_has(length: int) -> None:
    counter, text = Counter(), long_text(length)
    spaces, scaled = Sampler().count(text, counter)
    assert counter.shown <= 4_096 + (length - 4_096) / 8
    assert counter.shown > 0.99 * (4_096 + (length - 4_096) / 8) - 512
    assert spaces == pytest.approx(text.count(" "), rel=0.05)
    assert scaled == length


@pytest.mark.parametrize("before", [0, 1, 500, 4_095])
def test_a_text_counts_the_same_whatever_few_come_before_it(before: int) -> None:
    sampler, text = Sampler(), long_text(8_000)
    sampler.count(long_text(before), Counter())
    assert sampler.count(text, Counter()) == Sampler().count(text, Counter())


@pytest.mark.parametrize("length", [641, 4_096, 8_000, 60_000])
def test_of_many_texts_less_is_looked_at_and_about_as_much_is_found(length: int) -> None:
    sampler, text = busy(), long_text(length)
    counters = [Counter() for _ in range(4)]
    counts = {sampler.count(text, counter) for counter in counters}
    assert len(counts) == 1
    spaces, scaled = counts.pop()
    for counter in counters:
        assert counter.shown == pytest.approx(640 + (length - 640) / 16, rel=0.16)  # in parts of 96
    assert spaces == pytest.approx(text.count(" "), rel=0.06)
    assert scaled == length


@pytest.mark.parametrize("seed", range(20))
def test_parts_of_one_text_among_many_begin_and_end_with_words(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secrets
    words = ["".join(random.choices(ascii_lowercase, k=random.randrange(1, 15))) for _ in range(2_000)]
    shown: list[str] = []

    def counted(text: str) -> tuple[int, ...]:
        shown.append(text)
        return (len(text.split()),)

    busy().count(" ".join(words), counted)
    assert set(shown[0].split()) <= set(words)
    assert len(shown[0]) < 2_500


def test_texts_without_blanks_are_looked_at_all_the_same() -> None:
    counter = Counter()
    assert busy().count("\u6771\u4eac" * 5_000, counter) == (0, 10_000)
    assert 1_000 < counter.shown < 1_300


def test_short_texts_are_counted_as_they_are_however_many_there_are() -> None:
    sampler, text = Sampler(), long_text(640)
    for _ in range(100):
        assert sampler.count(text, Counter()) == (text.count(" "), 640)


def test_a_short_text_that_comes_again_is_not_looked_at_again() -> None:
    sampler, counter, other = Sampler(), Counter(), Counter()
    assert [sampler.count("a b c", counter) for _ in range(9)] == [(2, 5)] * 9
    assert counter.shown == 5
    assert sampler.count("a b c", other) == (2, 5)
    assert other.shown == 5


def test_short_texts_take_work_however_often_they_come() -> None:
    sampler, counter = Sampler(), Counter()
    for _ in range(MEGABYTE // 100):
        sampler.count(" " * 100, counter)
    assert sampler.count(long_text(10_000), counter) == (10_000, 10_000)  # taken to be like those before


@pytest.mark.parametrize("megabytes", [1, 30])
def test_of_a_long_text_no_more_is_looked_at_than_of_one_at_the_bound(megabytes: int) -> None:
    counter, text = Counter(), long_text(megabytes * MEGABYTE)
    spaces, length = Sampler().count(text, counter)
    assert counter.shown <= 128 * 1024
    assert spaces == pytest.approx(text.count(" "), rel=0.01)
    assert length == len(text)


def test_beginning_middle_and_end_of_a_long_text_are_looked_at() -> None:
    text = " " * MEGABYTE + "x" * MEGABYTE + " x" * (MEGABYTE // 2)
    spaces, _ = Sampler().count(text, Counter())
    assert spaces == pytest.approx(1.5 * MEGABYTE, rel=0.15)


def test_many_texts_of_one_prompt_take_no_more_work_than_one_prompt_may() -> None:
    counter, sampler = Counter(), Sampler()
    text = long_text(100_000)
    counts = [sampler.count(text, counter) for _ in range(300)]
    assert counter.shown <= 1.2 * MEGABYTE
    assert all(length == len(text) for _, length in counts)
    assert all(spaces == pytest.approx(text.count(" "), rel=0.01) for spaces, _ in counts)


def test_texts_of_many_tokens_take_more_work() -> None:
    counter, sampler = Counter(), Sampler()
    for _ in range(300):
        sampler.count(" " * 10_000, counter)
    assert counter.shown <= MEGABYTE // 4 + 10_000


def test_the_next_prompt_may_take_work_again() -> None:
    counter, sampler = Counter(), Sampler()
    for _ in range(100):
        sampler.count(long_text(100_000), counter)
    before = counter.shown
    sampler.begin()
    assert sampler.count("a b c", counter) == (2, 5)
    assert counter.shown == before + 5


def test_a_prompt_of_one_long_text_has_about_the_tokens_of_its_text() -> None:
    text = long_text(3 * MEGABYTE)
    body = {"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": text}]}
    model = resolve("claude-haiku-4-5")
    prompt = read_prompt(body, Reading(model.id))
    piece = Estimator(model).estimate(
        read_prompt(
            {**body, "messages": [{"role": "user", "content": PROSE * 100}]}, Reading(model.id)
        ).blocks,
        read_settings(body),
    )
    whole = Estimator(model).estimate(prompt.blocks, read_settings(body), prompt.digests)
    assert whole.mid == pytest.approx(piece.mid * len(text) / (100 * len(PROSE)), rel=0.02)
    assert vocabulary_count(text) / 2 < whole.mid < vocabulary_count(text) * 2
