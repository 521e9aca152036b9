"""What a workspace remembers is bounded, whatever its callers send: the oldest goes."""

from __future__ import annotations

import gc

import msgspec
import pytest

from scrimp.core import diagnose_memory
from scrimp.core.cache import Cache, CacheRules, Outcome, Write
from scrimp.core.diagnose_memory import Call, Memory
from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Prompt, Reading, read_prompt
from scrimp.core.settings import cache_settings
from scrimp.core.tokens import Estimate, Learner, Sized
from scrimp.core.tokens.estimator import Estimator
from scrimp.core.workspace import Workspace
from scrimp.facts.models import default
from scrimp.wire.response import Usage

MANY = 40_000


def prompt_of(*texts: str) -> Prompt:
    content = [{"type": "text", "text": text} for text in texts]
    return read_prompt({"messages": [{"role": "user", "content": content}]}, Reading(key="m"))


def number(n: int) -> bytes:
    return n.to_bytes(16)


def test_of_lengths_learned_the_oldest_are_forgotten() -> None:
    lengths = Lengths()
    first, kept = prompt_of("a", "b"), prompt_of("c", "d")
    lengths.learn(first.prefixes[0], 700)
    lengths.learn(kept.prefixes[0], 700)
    for n in range(MANY):
        lengths.learn(number(n), 5)
        if n == MANY // 2:
            lengths.learn(kept.prefixes[0], 700)  # shown again, though nothing new
    assert lengths.ends(first, [1.0, 1.0], 1003) == [500, 1000]
    assert lengths.ends(kept, [1.0, 1.0], 1003) == [700, 1000]


def test_of_prompts_billed_as_a_whole_the_oldest_are_forgotten() -> None:
    lengths = Lengths()
    lengths.reveal(prompt_of("a"), Usage(input_tokens=703))
    assert lengths.ends(prompt_of("a", "b"), [1.0, 1.0], 1003) == [700, 1000]
    other = prompt_of("x")
    for n in range(MANY):
        # Another prompt each time: only the digest of all of it tells them apart.
        lengths.reveal(msgspec.structs.replace(other, prefixes=(number(n),)), Usage(input_tokens=10))
    assert lengths.ends(prompt_of("a", "b"), [1.0, 1.0], 1003) == [500, 1000]


def test_spellings_that_callers_make_up_are_forgotten() -> None:
    workspace = Workspace(default())
    for n in range(100):
        body = {"model": f"made-up-{n}", "messages": [{"role": "user", "content": "Hello."}]}
        workspace.plan(body, 1_790_000_000.0)
    gc.collect()
    assert sum(type(one) is Estimator for one in gc.get_objects()) <= 32


def test_of_entries_that_live_the_last_used_are_known() -> None:
    cache, prompt = Cache(), prompt_of("a")
    for n in range(2 * MANY):
        outcome = Outcome(-1, (Write(0, number(n), "1h"),), 0, 0, 9, 0)
        cache.commit(prompt, outcome, n / 100, n / 100)
    assert len(cache) <= MANY
    assert cache.alive(number(2 * MANY - 1), 900.0) is not None
    assert cache.alive(number(0), 900.0) is None


def test_of_models_that_callers_make_up_the_oldest_ratios_are_forgotten() -> None:
    learner, prompt = Learner(), prompt_of("a")
    sized = Sized(content=[400.0], around=[3.0], estimate=Estimate(300, 403, 500))
    for n in range(3_000):
        learner.learn(f"made-up-{n}", prompt.blocks, (number(n),), sized, 450)
    assert len(learner.learned) <= 1_000
    assert "made-up-2999" in learner.learned


def test_of_a_long_prompt_only_what_its_lengths_are_known_of_is_kept() -> None:
    lengths, prompt = Lengths(), prompt_of(*map(str, range(500)))
    lengths.learn(prompt.prefixes[1], 700, 1)
    sizes = [1.0] * len(prompt)
    found = lengths.ends(prompt, sizes, 1700)
    assert found[1] == 700
    assert [len(settled.prefixes) for settled in lengths._settled.values()] == [2]
    assert lengths.ends(prompt, sizes, 1700) == found


def test_conversations_that_begin_alike_and_go_on_for_ever_are_forgotten_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of them counts as one, however often its beginning is gone on with."""
    monkeypatch.setattr(diagnose_memory, "_MOST_KEYS", 4_000)
    memory, facts = Memory(), default()
    model = facts.resolve("claude-sonnet-4-5")
    settings = cache_settings({}, model="m", default_effort="high")
    opened = [prompt_of(f"agent {agent}", "go") for agent in range(20)]

    def call(prompt: Prompt) -> Call:
        ends = range(10, 10 * len(prompt) + 1, 10)
        return Call(prompt, settings, ends, ends[-1], CacheRules(20, 1024), model, None, 0.0)

    talks = [memory.keep(None, call(prompt), (), known_to=-1) for prompt in opened]
    for step in range(150):
        for agent, prompt in enumerate(opened):
            said, last = (number(step * 1_000 + agent * 2 + n) for n in (1_000_000, 1_000_001))
            longer = msgspec.structs.replace(
                prompt,
                blocks=(*prompt.blocks, *prompt.blocks[:2]),
                digests=(*prompt.digests, said, last),
                prefixes=(*prompt.prefixes, said, last),
            )
            talks[agent] = memory.keep(talks[agent], call(longer), (), known_to=1)
    assert len(memory._with) <= memory._keys <= 4_000
    assert sum(len(talk.indexed) + len(talk.tails) for talk in memory._talks.values()) == memory._keys
    assert len(memory._talks) > 5
