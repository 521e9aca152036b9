"""What a workspace remembers is bounded, whatever its callers send: the oldest goes."""

from __future__ import annotations

import gc

import msgspec

from scrimp.core.cache import Cache, Outcome, Write
from scrimp.core.lengths import Lengths
from scrimp.core.prompt import Prompt, Reading, read_prompt
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
