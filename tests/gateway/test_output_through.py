"""`[output]` of the gateway: lowered limits, and cut replies that are asked for again unseen."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from scrimp.emulator import Emulator, Fault
from scrimp.errors import InputError
from scrimp.gateway.output_settings import OutputOf, OutputSettings, output_lever
from scrimp.gateway.settings_loading import load
from tests.gateway.doors import Door, door
from tests.patience import eventually

LONG = "word " * 2_400
ASKED: dict[str, Any] = {
    "model": "claude-opus-4-5",
    "max_tokens": 8_000,
    "messages": [{"role": "user", "content": "Say it all."}],
}
RETRYING = OutputSettings(enabled=True, retry_cut=True)


def opened(output: OutputSettings = RETRYING, emulator: Emulator | None = None, **options: Any) -> Any:
    return door(emulator or Emulator([LONG]), serve={"mode": "save"}, tables={"output": output}, **options)


def ask(found: Door, **fields: Any) -> Any:
    return found.sdk(max_retries=0).messages.create(**{**ASKED, **fields})


def test_the_limit_is_lowered() -> None:
    with opened(OutputSettings(enabled=True)) as found:
        assert ask(found).stop_reason == "max_tokens"
        [request] = found.emulator.requests
        [record] = found.records(1)
    assert request.body == {**ASKED, "max_tokens": 1_536}
    assert "output: max_tokens 8,000 → 1,536" in record.notes


def test_a_cut_reply_is_asked_for_once_more_and_both_are_billed() -> None:
    with opened() as found:
        message = ask(found)
        first, second = sorted(found.records(2), key=lambda record: record.attempt)
        requests, billed = found.emulator.requests, found.emulator.total
    assert message.content[0].text == LONG
    assert message.stop_reason == "end_turn"
    assert [one.body["max_tokens"] for one in requests] == [1_536, 8_000]
    assert first.call_id == second.call_id
    assert first.cost + second.cost == billed


@pytest.mark.parametrize("kind", ["overloaded", "disconnect", "rate_limit"])
def test_where_the_second_fails_the_first_is_passed_on(kind: Any) -> None:
    emulator = Emulator([LONG])
    emulator.inject(Fault(kind, times=None, after=1))
    with opened(emulator=emulator) as found:
        message = ask(found)
        [record] = [one for one in found.records(1) if one.outcome == "complete"]
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == record.usage.output_tokens == 1_536


@pytest.mark.filterwarnings("ignore:scrimp. the response could not be metered:scrimp.errors.ScrimpWarning")
def test_an_answer_that_breaks_off_breaks_off_for_the_client_too() -> None:
    emulator = Emulator([LONG])
    emulator.inject(Fault("cut", times=None))
    with opened(emulator=emulator) as found:
        with pytest.raises(anthropic.APIConnectionError):
            ask(found)
        [record] = found.records(1)
    assert record.outcome == "unknown"


def test_what_is_whole_reaches_the_client_as_it_came() -> None:
    """Packed, with the headers of the provider, whether or not it was asked for again."""
    with opened(emulator=Emulator(["short"])) as found:
        response = found.sdk().messages.with_raw_response.create(**ASKED)
        [record] = found.records(1)
    assert response.parse().content[0].text == "short"
    assert response.headers["request-id"].startswith("req_")
    assert record.usage.output_tokens == response.parse().usage.output_tokens


def test_streams_are_relayed_as_they_come() -> None:
    with opened() as found:
        with found.sdk().messages.stream(**ASKED) as stream:
            message = stream.get_final_message()
        assert message.stop_reason == "max_tokens"
        eventually(lambda: len(found.records()) == 1)
        assert len(found.emulator.requests) == 1


def test_the_table_reads_as_documented(tmp_path: Any) -> None:
    path = tmp_path / "scrimp.toml"
    path.write_text(
        '[output]\nenabled = true\nretry_cut = true\n[output.of.triage]\neffort = "low"\nmax_tokens = 300\n'
    )
    output = load(path, {}, {}, keys_needed=False).settings.output
    assert output == OutputSettings(
        enabled=True, retry_cut=True, of={"triage": OutputOf(max_tokens=300, effort="low")}
    )
    assert output_lever(output).follows
    path.write_text('[output.of.triage]\neffort = "least"\n')
    with pytest.raises(InputError, match=r"output\.of\.triage\.effort"):
        load(path, {}, {}, keys_needed=False)
