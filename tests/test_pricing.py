"""`scrimp.cost` prices whatever holds a usage."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from anthropic.types import Message

import scrimp
from scrimp.errors import ResponseError

BODY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "content": [],
    "stop_reason": "end_turn",
    "usage": {
        # The first test vector of the price list: 0.1158 USD.
        "input_tokens": 200,
        "cache_creation_input_tokens": 15_000,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_1h_input_tokens": 10_000, "ephemeral_5m_input_tokens": 5_000},
        "output_tokens": 500,
    },
}


def test_a_message_a_body_and_a_usage_cost_the_same() -> None:
    expected = Decimal("0.1158")
    assert scrimp.cost(BODY).usd == expected
    assert scrimp.cost(Message.model_validate(BODY)).usd == expected
    assert scrimp.cost(BODY["usage"], model="claude-opus-5-5").usd == expected


def test_a_day_has_its_own_prices() -> None:
    usage = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 1_000_000}
    assert scrimp.cost(usage, model="claude-sonnet-5-5", at=date(2026, 10, 6)).usd == Decimal("0.2")
    assert scrimp.cost(usage, model="claude-sonnet-5-5", at=date(2026, 10, 7)).usd == Decimal("0.1")


@pytest.mark.parametrize(
    ("response", "fault"),
    [("text", "str is not a response"), ({"usage": 3}, "no usage"), ({"usage": {}}, "model is not known")],
)
def test_what_cannot_be_priced_says_what_to_pass(response: object, fault: str) -> None:
    with pytest.raises(ResponseError, match=fault):
        scrimp.cost(response)


def test_what_holds_no_token_count_is_never_free() -> None:
    with pytest.raises(ResponseError, match="no token counts"):
        scrimp.cost({"tokens": 1000}, model="claude-opus-5-5")
