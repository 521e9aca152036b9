"""Requests longer than any prompt: nothing is planned for them, and budgets hold all the same."""

from __future__ import annotations

import json
import time
from threading import Event, Thread
from typing import Any

import pytest

from scrimp.core.budget import Scope
from scrimp.core.money import picodollars
from scrimp.facts.models import default
from scrimp.gateway.beyond import is_beyond_any_window
from scrimp.gateway.settings import Budget
from tests.gateway.doors import Answered, ask, door, encoded
from tests.patience import within

MEGABYTE = 2**20
REFUSED = b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}'


def is_beyond(body: dict[str, Any], *, escaped: bool = True) -> bool:
    return is_beyond_any_window(json.dumps(body, ensure_ascii=escaped).encode(), body, default())


def test_what_a_million_tokens_may_say_is_planned() -> None:
    assert not is_beyond(ask("Hello."))
    assert not is_beyond(ask("word " * (7 * MEGABYTE // 5)))
    assert not is_beyond(ask("привет " * (3 * MEGABYTE // 7)))  # escaped it is six bytes a letter


def test_longer_texts_and_more_blocks_are_beyond() -> None:
    assert is_beyond(ask("word " * (9 * MEGABYTE // 5)))
    assert is_beyond(ask("привет " * (5 * MEGABYTE // 7)), escaped=False)
    blocks = [{"type": "text", "text": "a"}] * 20_000
    nested = {"type": "tool_result", "tool_use_id": "t", "content": blocks}
    assert is_beyond({**ask(), "messages": [{"role": "user", "content": blocks}]})
    assert is_beyond({**ask(), "messages": [{"role": "user", "content": [nested]}]})
    assert not is_beyond({**ask(), "messages": [{"role": "user", "content": blocks[:19_000]}]})


def test_images_and_documents_are_no_text() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" * MEGABYTE}
    assert not is_beyond(
        {**ask(), "messages": [{"role": "user", "content": [{"type": "image", "source": source}]}]}
    )


@pytest.mark.parametrize("text", ["word and some more text, ", "x", " "])
def test_other_requests_are_answered_while_a_long_one_is_read(text: str) -> None:
    with door(serve={"mode": "safe"}) as found:
        found.raw("POST", "/v1/messages", encoded(ask("größer")))  # the vocabulary is loaded now
        long = encoded(ask(text * (28 * MEGABYTE // len(text))))
        over, waits = Event(), [0.0]

        def look() -> None:
            while not over.wait(0.01):
                began = time.process_time()
                assert found.raw("GET", "/healthz").status == 200
                waits.append(time.process_time() - began)

        looking = Thread(target=look)
        looking.start()
        answer = found.raw("POST", "/v1/messages", long)
        over.set()
        looking.join()
        assert answer.status in (200, 400)
        assert within(max(waits), 1.5)  # of work; it was six seconds and more


def test_a_budget_holds_for_what_is_not_planned() -> None:
    # 200,000 tokens of input at $1 and 60,000 of output at $5 a million: fifty cents

    budget = Budget(scope=Scope("organisation"), amount=picodollars("0.49"))
    with door(budgets=(budget,)) as found:
        answer: Answered = found.raw(
            "POST", "/v1/messages", encoded(ask("word " * (2 * MEGABYTE), max_tokens=60_000))
        )
        assert answer.status == 402
        assert not found.emulator.requests
