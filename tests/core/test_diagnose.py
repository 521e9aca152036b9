"""The watch against conversations with one fault each, and against healthy ones."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

import msgspec
import pytest

from scrimp.core.cache import CacheRules
from scrimp.core.causes import Cause, Diagnosis
from scrimp.core.diagnose import Call, Watch, Watched
from scrimp.core.prompt import read_prompt
from scrimp.core.settings import cache_settings
from scrimp.core.workspace import reading
from scrimp.facts.models import default
from scrimp.wire.response import CacheCreation, Usage
from tests.core.injected_misses import (
    LOOKBACK,
    MINIMUM,
    Bank,
    Case,
    Step,
    World,
    cases,
    healthy_runs,
    rendered,
)

DAY = date(2026, 9, 1)
RULES = CacheRules(lookback=LOOKBACK, minimum=MINIMUM)


def seeded(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - a seed, no secret


def call_of(step: Step, rng: random.Random, *, runs: bool = True) -> Call:
    """The step as a live client knows it: lengths estimated, up to 8 % off."""
    facts = default()
    model = facts.resolve(step.body["model"])
    prompt = read_prompt(step.body, reading(facts, model, DAY))
    blocks, _ = rendered(step.body)
    off = rng.uniform(0.92, 1.08)
    ends, total = [], 0.0
    for _, tokens in blocks:
        total += tokens * off
        ends.append(int(total))
    return Call(
        prompt=prompt,
        settings=cache_settings(step.body, model=prompt.model, default_effort="high"),
        ends=ends,
        total=int(total),
        rules=RULES,
        model=model,
        day=DAY,
        at=step.at,
        run=step.run if runs else None,
    )


def usage_of(billed: dict[str, int]) -> Usage:
    return Usage(
        input_tokens=billed["plain"] + 3,
        cache_creation_input_tokens=billed["write_5m"] + billed["write_1h"],
        cache_read_input_tokens=billed["read"],
        cache_creation=CacheCreation(billed["write_5m"], billed["write_1h"]),
    )


def watched(steps: Iterable[Step], *, runs: bool = True) -> list[tuple[Diagnosis | None, Diagnosis | None]]:
    """What was foreseen and what was found of every step; answers begin and end in the order of time."""
    rng, watch, bank = seeded(1), Watch(), Bank()
    steps = list(steps)
    found: dict[int, tuple[Diagnosis | None, Diagnosis | None]] = {}
    waiting: list[tuple[Step, int, Watched, Usage]] = []
    for number, step in enumerate(steps):
        answered = [one for one in waiting if one[0].first_event_at <= step.at]
        waiting = [one for one in waiting if one not in answered]
        for other in answered:
            settle(watch, other, found)
        expected = watch.expect(call_of(step, rng, runs=runs))
        waiting.append((step, number, expected, usage_of(bank.bill(step))))
    for other in waiting:
        settle(watch, other, found)
    return [found[number] for number in range(len(steps))]


def settle(
    watch: Watch,
    waiting: tuple[Step, int, Watched, Usage],
    found: dict[int, tuple[Diagnosis | None, Diagnosis | None]],
) -> None:
    step, number, expected, usage = waiting
    watch.began(expected, step.first_event_at)
    found[number] = (expected.foreseen, watch.judge(expected, usage))


def named_right(case: Case, *, runs: bool) -> bool:
    found = watched(case.steps, runs=runs)[case.at][1]
    if found is None or found.cause is not case.cause:
        return False
    return case.path is None or found.path == case.path


@pytest.mark.parametrize("runs", [True, False])
def test_at_least_95_of_100_injected_causes_are_named_with_their_block(runs: bool) -> None:
    right: Counter[Cause] = Counter()
    every: Counter[Cause] = Counter()
    for case in cases(15):
        every[case.cause] += 1
        right[case.cause] += named_right(case, runs=runs)
    assert every.total() >= 300
    assert right.total() >= 0.95 * every.total(), every - right
    assert all(right[cause] >= 0.8 * count for cause, count in every.items()), every - right


def test_what_can_be_foreseen_is_said_before_the_call_is_sent() -> None:
    unforeseeable = {Cause.FIRST, Cause.NO_MARKER, Cause.BELOW_MINIMUM}
    foreseen = [
        (case, watched(case.steps)[case.at][0])
        for case in cases(8, seed=3)
        if case.cause not in unforeseeable
    ]
    told = [one for case, one in foreseen if one is not None and one.foreseen and one.cause is case.cause]
    assert len(told) >= 0.95 * len(foreseen)
    assert all(one.lost > 0 and one.read < one.promised for one in told)


@pytest.mark.parametrize("runs", [True, False])
def test_conversations_that_read_what_they_should_raise_no_alarm(runs: bool) -> None:
    judged = 0
    for steps in healthy_runs(40):
        for foreseen, found in watched(steps, runs=runs):
            judged += 1
            assert foreseen is None
            assert found is None or found.cause is Cause.FIRST
    assert judged == 480


class Talk:
    """One conversation of two prompts, billed by hand. Sonnet 5: 3 / 3.75 / 6 / 0.30 USD per million."""

    RATES = (3_000_000, 3_750_000, 6_000_000, 300_000)

    def __init__(self) -> None:
        self.watch = Watch()
        self.rng = seeded(0)
        self.world = World(seeded(5))
        self.model = default().resolve("claude-sonnet-4-6")
        self.world.model = "claude-sonnet-4-6"

    def step(self, usage: Usage, *, gap: float = 10, provider: str | None = None) -> Diagnosis | None:
        step = self.world.send(gap=gap)
        self.world.grow()
        expected = self.watch.expect(call_of(step, self.rng))
        self.watch.began(expected, step.first_event_at)
        return self.watch.judge(expected, usage, provider=provider)


def bill(read: int = 0, write_5m: int = 0, write_1h: int = 0, plain: int = 3) -> Usage:
    return Usage(
        input_tokens=plain,
        cache_creation_input_tokens=write_5m + write_1h,
        cache_read_input_tokens=read,
        cache_creation=CacheCreation(write_5m, write_1h),
    )


def test_the_loss_is_what_was_paid_beyond_reading_at_that_days_rates() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    found = talk.step(bill(read=1000, write_1h=1500, write_5m=2000, plain=800), gap=400)
    assert found is not None
    assert found.cause is Cause.EXPIRED
    assert (found.promised, found.read) == (5000, 1000)
    plain, five, hour, read = Talk.RATES
    # 4,000 tokens were missed: the first 1,500 went to 1h, the next 2,000 to 5m, 500 of the plain ones.
    assert found.lost == 1500 * (hour - read) + 2000 * (five - read) + 500 * (plain - read)


def test_the_same_cause_is_told_once_until_the_conversation_reads_what_it_should() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    first = talk.step(bill(write_5m=5300), gap=400)
    again = talk.step(bill(write_5m=5600), gap=400)
    healed = talk.step(bill(read=5600, write_5m=300))
    anew = talk.step(bill(write_5m=6200), gap=400)
    assert healed is None
    assert [found.quiet for found in (first, again, anew) if found is not None] == [False, True, False]


def test_an_entry_gone_before_its_time_is_said_to_be_with_the_evidence() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    found = talk.step(bill(write_5m=5300), gap=20)
    assert found is not None
    assert (found.cause, found.bust) == (Cause.EVICTED, True)
    assert found.detail == "nothing changed and the entry was used 20 s before, within its 5m"


def test_history_that_the_server_cleared_is_not_called_evicted() -> None:
    talk = Talk()
    talk.step(bill(write_5m=9000))
    found = talk.step(bill(read=1000, write_5m=5000))
    assert found is not None
    assert (found.cause, found.alarming) == (Cause.CLEARED, False)


def test_an_image_that_came_in_last_is_named_where_messages_were_missed() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    talk.world.messages[-1]["content"].insert(0, image)
    found = talk.step(bill(read=2000, write_5m=4000))
    assert found is not None
    assert (found.cause, found.path) == (Cause.IMAGE, "messages.2.content.0")


def test_a_provider_that_caches_nothing_is_no_bust() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    found = talk.step(bill(plain=5300))
    assert found is not None
    assert (found.cause, found.bust) == (Cause.UNCACHED, False)
    assert talk.step(Usage(input_tokens=5600, reports_cache=False)) is None


def test_the_providers_own_verdict_is_compared() -> None:
    for verdict, agrees in (
        ("system_changed, 5,000 tokens", True),
        ("messages_changed", False),
        ("unavailable", None),
    ):
        talk = Talk()
        talk.step(bill(write_5m=5000))
        talk.world.system = talk.world.system.replace("review", "inspect", 1) + " Obey."
        found = talk.step(bill(write_5m=5300), provider=verdict)
        assert found is not None
        assert (found.cause, found.provider, found.agrees) == (Cause.SYSTEM_EDITED, verdict, agrees)


def test_only_who_asks_for_excerpts_sees_a_word_of_the_prompt() -> None:
    talk = Talk()
    talk.step(bill(write_5m=5000))
    talk.world.system = "Secretive " + talk.world.system
    found = talk.step(bill(write_5m=5300))
    assert found is not None
    assert "Secretive" not in found.describe()
    assert "Secretive" in found.describe(excerpts=True)
    assert found.describe().splitlines()[0] == (
        "system edited at system.0, byte 0: 0 of 5,000 tokens were read from the cache, $0.01725 was lost"
    )


def test_a_call_that_came_to_nothing_is_not_waited_for() -> None:
    talk = Talk()
    step = talk.world.send()
    lost = talk.watch.expect(call_of(step, talk.rng))
    waiting = talk.watch.expect(call_of(step, talk.rng))
    assert waiting.foreseen is not None
    assert waiting.foreseen.cause is Cause.CONCURRENT
    talk.watch.dropped(lost)
    talk.watch.dropped(waiting)
    assert talk.watch.expect(call_of(step, talk.rng)).foreseen is None


class Counted(tuple):  # type: ignore[type-arg]  # of digests
    """A tuple that counts how often one item of it is asked for."""

    asked = 0

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # tuple's own
        Counted.asked += isinstance(index, int)
        return super().__getitem__(index)


def test_a_step_of_a_long_conversation_costs_what_is_new_in_it() -> None:
    asked = {}
    for length in (20, 1000):
        talk = Talk()
        for _ in range(length):
            talk.world.grow()
        talk.step(bill(write_5m=50_000))
        call = call_of(talk.world.send(gap=10), talk.rng)
        prefixes = Counted(call.prompt.prefixes)
        call = msgspec.structs.replace(call, prompt=msgspec.structs.replace(call.prompt, prefixes=prefixes))
        Counted.asked = 0
        expected = talk.watch.expect(call)
        talk.watch.judge(expected, bill(read=50_000, write_5m=300))
        asked[length] = Counted.asked
    assert asked[20] == asked[1000]


def test_memory_is_bounded() -> None:
    watch, rng = Watch(), seeded(2)
    for _ in range(300):
        world = World(rng, words=20, tools=1)
        expected = watch.expect(call_of(world.send(), rng))
        watch.judge(expected, bill(write_5m=2000))
    memory = watch._memory
    assert len(memory._talks) == 256
    assert {talk for talks in memory._with.values() for talk in talks} == set(memory._talks)
    assert set(memory._tails.values()) == set(memory._talks)


def said(role: str, text: str) -> dict[str, object]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def test_memory_is_bounded_in_bytes() -> None:
    watch, rng = Watch(), seeded(3)
    for number in range(100):  # a megabyte each: 32 of them at the most
        world = World(rng, words=20, tools=1)
        step = world.send()
        step = replace(step, body={**step.body, "messages": [said("user", f"{number} " + "x" * 2**20)]})
        watch.judge(watch.expect(call_of(step, rng)), bill(write_5m=2000))
    memory = watch._memory
    assert 20 < len(memory._talks) < 33
    assert memory._weight == sum(talk.weight for talk in memory._talks.values()) <= 32 * 2**20


def test_a_conversation_that_grows_weighs_what_its_last_request_says() -> None:
    talk = Talk()
    for _ in range(20):
        talk.world.grow()
        talk.step(bill(read=50_000, write_5m=300))
    [known] = talk.watch._memory._talks.values()
    bytes_said = sum(len(msgspec.msgpack.encode(block.value)) for block in known.call.prompt.blocks)
    assert bytes_said <= known.weight < 1.05 * bytes_said  # markers that were there count on


def test_many_conversations_that_began_alike_and_left_no_entry_are_not_one_for_ever() -> None:
    watch, rng = Watch(), seeded(4)
    world = World(rng, words=20, tools=1)
    first = world.send()
    for number in range(6_000):  # none is marked, so nothing shows that they are several
        for more in ([], [said("assistant", "ok"), said("user", f"{number}")]):
            body = {**first.body, "messages": [*first.body["messages"], *more]}
            call = call_of(replace(first, body=body), rng)
            call = msgspec.structs.replace(call, prompt=call.prompt.remarked([]))
            watch.judge(watch.expect(call), bill(plain=2000))
    memory = watch._memory
    assert len(memory._with) + len(memory._tails) < 8_000
