"""Writes under way: known to everyone who has the same prefix, until they are readable or forgotten."""

from __future__ import annotations

from typing import Any

from scrimp.core.cache import Outcome, Write
from scrimp.core.pending import Pending
from scrimp.core.prompt import Prompt, Reading, read_prompt


def prompt(*texts: str) -> Prompt:
    content = [{"type": "text", "text": text} for text in texts]
    return read_prompt({"messages": [{"role": "user", "content": content}]}, Reading(key="model"))


def writing(of: Prompt, **ttls: Any) -> Outcome:
    """An outcome that writes at the positions p0, p1, … for so long."""
    places = {int(name[1:]): ttl for name, ttl in ttls.items()}
    return Outcome(-1, tuple(Write(at, of.prefixes[at], ttl) for at, ttl in places.items()), 0, 0, 0, 0)


def test_what_is_being_written_is_known_to_prompts_with_that_prefix() -> None:
    pending = Pending()
    leader = prompt("document", "example", "question")
    pending.planned(writing(leader, p0="1h", p2="5m"), 0.0)
    assert set(pending.of(leader, 1.0)) == {(0, "1h"), (2, "5m")}
    assert pending.of(prompt("document", "another"), 1.0) == ((0, "1h"),)
    assert pending.of(prompt("another"), 1.0) == ()
    assert pending.of(prompt("example", "document"), 1.0) == ()


def test_once_the_response_began_the_cache_knows() -> None:
    pending = Pending()
    leader = prompt("document", "question")
    outcome = writing(leader, p0="5m", p1="5m")
    pending.planned(outcome, 0.0)
    pending.over(write.prefix for write in outcome.writes)
    assert pending.of(leader, 1.0) == ()
    pending.over(write.prefix for write in outcome.writes)


def test_the_first_of_two_to_begin_is_enough() -> None:
    pending = Pending()
    one, other = prompt("document", "one"), prompt("document", "other")
    assert pending.planned(writing(one, p0="5m", p1="5m"), 0.0) == one.prefixes
    assert pending.planned(writing(other, p0="5m", p1="5m"), 1.0) == other.prefixes[1:]
    pending.over(other.prefixes)
    assert pending.of(one, 2.0) == ((1, "5m"),)
    assert pending.of(other, 2.0) == ()


def test_a_request_never_heard_of_again_is_given_up_after_a_minute() -> None:
    pending = Pending()
    leader = prompt("document")
    pending.planned(writing(leader, p0="5m"), 0.0)
    assert pending.of(leader, 60.0) == ((0, "5m"),)
    assert pending.of(leader, 60.1) == ()
    # Another may write it then, and is waited for as long.
    pending.planned(writing(leader, p0="1h"), 61.0)
    assert pending.of(leader, 120.0) == ((0, "1h"),)
