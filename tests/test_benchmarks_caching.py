"""The caching suite: bills add up, strategies see the same calls, and the verdicts say what the rows say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from benchmarks.caching import habits
from benchmarks.caching.lengths import TrueLengths
from benchmarks.caching.peers import PEERS, consult
from benchmarks.caching.peers.blocks import markers_of
from benchmarks.caching.plot import as_svg
from benchmarks.caching.recorded import Recorded
from benchmarks.caching.report import as_json
from benchmarks.caching.stage import Played, Strategy, play
from benchmarks.caching.strategies import Fixed, Scrimp, automatic, callers_own, no_markers
from benchmarks.caching.suite import FIXED, SCENARIOS, STRATEGIES, Paid, Row, run_scenario
from benchmarks.caching.traffic import Call, Scenario
from benchmarks.caching.verdict import judge

from scrimp.core.prompt import Prompt
from scrimp.emulator.measure import PromptLength
from scrimp.errors import InputError, ScrimpError
from scrimp.facts import default
from scrimp.facts.model import Model
from scrimp.wire.markers import MarkerEdit
from scrimp.wire.response import Usage

PROJECT = Path(__file__).parents[1]
NOON = 1_795_262_400.0  # 2026-11-21, 12:00 UTC
QUICK = ("none", "auto", "caller", "expert", "scrimp")
HERE = ("quick-loop", "one-shot-shared", "fan-out-warm")


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {name: run_scenario(SCENARIOS[name], QUICK, seed=3, runs=4) for name in HERE}


def tokens(paid: Paid) -> int:
    return paid.plain + paid.write_5m + paid.write_1h + paid.read


@pytest.mark.parametrize("name", HERE)
def test_no_strategy_is_below_the_floor(rows: dict[str, Row], name: str) -> None:
    row = rows[name]
    assert set(row.learned) == set(row.cold) == set(QUICK)
    bills = [paid.input_cost for paid in (*row.learned.values(), *row.cold.values())]
    assert 0 < row.floor <= min(bills)
    assert row.unplanned == 0


@pytest.mark.parametrize("name", HERE)
def test_strategies_are_billed_for_the_same_tokens(rows: dict[str, Row], name: str) -> None:
    paid = [*rows[name].learned.values(), *rows[name].cold.values()]
    assert len({tokens(one) for one in paid}) == 1
    assert len({one.total_cost - one.input_cost for one in paid}) == 1  # the same answers


def test_no_markers_means_that_every_token_is_plain(rows: dict[str, Row]) -> None:
    nothing = rows["quick-loop"].learned["none"]
    assert nothing.plain == tokens(nothing) > 100_000
    assert nothing.input_cost == nothing.plain * 4_000_000  # claude-opus-5-5 takes $4 a million
    assert rows["quick-loop"].learned["auto"].input_cost < nothing.input_cost / 3


def test_learning_changes_nothing_for_who_learns_nothing(rows: dict[str, Row]) -> None:
    learning, judged = SCENARIOS["quick-loop"].populations(seed=3, runs=4)
    after = play([*learning, *judged], Fixed(automatic), TrueLengths())[len(learning) :]
    assert sum(one.input_cost for one in after) == rows["quick-loop"].learned["auto"].input_cost


def test_the_same_seed_makes_the_same_bills(rows: dict[str, Row]) -> None:
    again = run_scenario(SCENARIOS["fan-out-warm"], QUICK, seed=3, runs=4)
    assert (again.floor, again.learned, again.cold) == (
        rows["fan-out-warm"].floor,
        rows["fan-out-warm"].learned,
        rows["fan-out-warm"].cold,
    )
    assert run_scenario(SCENARIOS["fan-out-warm"], ("none",), seed=4, runs=4).floor != again.floor


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if isinstance(one, Scenario)])
def test_a_shape_has_two_populations_of_one_agent(name: str) -> None:
    learning, judged = SCENARIOS[name].populations(seed=1, runs=3)
    assert {call.key for call in learning}.isdisjoint(call.key for call in judged)
    assert {call.label for call in judged} <= {call.label for call in learning} or name == "interleaved"
    assert max(call.ended_at for call in learning) < min(call.at for call in judged) - 3_600
    for calls in (learning, judged):
        assert [call.at for call in calls] == sorted(call.at for call in calls)
        assert all(call.at < call.first_event_at < call.ended_at for call in calls)
        assert b"cache_control" not in json.dumps([call.body for call in calls]).encode()


@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if isinstance(one, Scenario)])
def test_the_emulator_takes_every_request_under_every_rule(name: str) -> None:
    scenario = SCENARIOS[name]
    _, judged = scenario.populations(seed=1, runs=2)
    lengths = TrueLengths()
    expert = scenario.expert
    assert expert is not None
    rules: list[Callable[[Call], Sequence[MarkerEdit]]] = [
        lambda call: call.own,
        lambda call: expert(call.body),
    ]
    for rule in rules:
        assert all(len(rule(call)) <= 4 for call in judged)
    strategies: list[Strategy] = [Fixed(no_markers), Fixed(callers_own), Scrimp(), Scrimp(callers_own)]
    for strategy in strategies:
        assert len(play(judged, strategy, lengths)) == len(judged)


def call(number: int, at: float, text: str, *, latency: float = 2.0) -> Call:
    """A call of one message whose first block every call shares."""
    shared = {"type": "text", "text": "word " * 2_000}
    body = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": [shared, {"type": "text", "text": text}]}],
    }
    return Call(
        run="r",
        number=number,
        label="test",
        at=at,
        first_event_at=at + latency,
        ended_at=at + latency + 1,
        body=body,
        own=tuple(habits.document(body)),
        answer=({"type": "text", "text": "Done."},),
        output_tokens=10,
    )


def played(*calls: Call) -> list[Played]:
    return play(calls, Fixed(callers_own), TrueLengths())


def test_an_entry_is_read_once_its_writer_has_begun_to_answer() -> None:
    first, second, third, late = played(
        call(0, NOON, "a"), call(1, NOON + 1, "b"), call(2, NOON + 2, "c"), call(3, NOON + 302, "d")
    )
    written = first.usage.cache_creation_input_tokens
    assert written > 512
    assert first.usage.cache_read_input_tokens == second.usage.cache_read_input_tokens == 0
    assert second.usage.cache_creation_input_tokens == written
    assert third.usage.cache_read_input_tokens == written
    assert third.usage.cache_creation_input_tokens == 0
    assert late.usage.cache_creation_input_tokens == written  # five minutes after it was read last


def test_bills_are_usage_times_the_published_prices() -> None:
    # claude-sonnet-5-5: $2 a million, written for 5m $2.50, read $0.10, output $10; picodollars a token.
    for one in played(call(0, NOON, "a"), call(1, NOON + 10, "b")):
        usage = one.usage
        expected = (
            usage.input_tokens * 2_000_000
            + usage.write_5m * 2_500_000
            + usage.cache_read_input_tokens * 100_000
        )
        assert one.input_cost == expected
        assert one.total_cost == expected + 10 * 10_000_000


class _Notes:
    """A strategy that writes down what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int]] = []

    def request(self, call: Call) -> dict[str, object]:
        self.said.append(("start", call.number))
        return call.body

    def began(self, call: Call) -> None:
        self.said.append(("began", call.number))

    def billed(self, call: Call, usage: Usage, message_id: str) -> None:
        assert usage.total_input > 0
        assert message_id.startswith("msg_")
        self.said.append(("billed", call.number))


def test_a_strategy_hears_of_everything_in_order_of_time() -> None:
    notes = _Notes()
    play(
        [call(0, NOON, "a", latency=5.0), call(1, NOON + 1, "b"), call(2, NOON + 3, "c")],
        notes,
        TrueLengths(),
    )
    assert notes.said == [
        ("start", 0),
        ("start", 1),
        ("began", 1),  # at NOON + 3, before a request that starts then
        ("start", 2),
        ("billed", 1),
        ("began", 0),
        ("began", 2),
        ("billed", 0),
        ("billed", 2),
    ]


def test_a_refused_request_ends_the_play() -> None:
    broken = call(0, NOON, "")
    with pytest.raises(ScrimpError, match="r/0: the emulator refused"):
        played(broken)


class _Noted(TrueLengths):
    """Lengths that are checked against those the same prefix had before."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[bytes, int] = {}

    def __call__(self, prompt: Prompt, body: dict[str, Any], model: Model, name: str) -> PromptLength:
        length = super().__call__(prompt, body, model, name)
        for prefix, end in zip(prompt.prefixes, length.ends, strict=True):
            assert self.seen.setdefault(prefix, end) == end
        return length


def test_a_prefix_has_the_same_length_wherever_it_is() -> None:
    lengths = _Noted()
    play(SCENARIOS["quick-loop"].populations(seed=5, runs=2)[1], Fixed(callers_own), lengths)
    assert len(lengths.seen) > 50


def paid(cost: int) -> Paid:
    return Paid(input_cost=cost, total_cost=cost, plain=0, write_5m=0, write_1h=0, read=0)


def row(name: str, learned: dict[str, int], cold: dict[str, int], floor: int = 1_000) -> Row:
    return Row(
        name=name,
        about="made up",
        runs=1,
        calls=1,
        floor=floor,
        learned={key: paid(cost) for key, cost in learned.items()},
        cold={key: paid(cost) for key, cost in cold.items()},
        skipped={},
        unplanned=0,
        seconds=0.0,
    )


@pytest.mark.parametrize(
    ("learned", "cold", "failing"),
    [
        (
            {"none": 5_000, "auto": 1_040, "scrimp": 1_045},
            {"none": 5_000, "auto": 1_040, "scrimp": 1_071},
            [],
        ),
        ({"none": 5_000, "auto": 1_040, "scrimp": 1_046}, {"auto": 1_040, "scrimp": 1_040}, [0]),
        ({"none": 5_000, "expert": 1_000, "scrimp": 1_006}, {"scrimp": 1_040}, [0]),
        ({"none": 5_000, "scrimp": 1_051}, {"none": 5_000, "scrimp": 1_051}, [1]),
        ({"none": 1_000, "scrimp": 1_011}, {"none": 1_000, "scrimp": 1_011}, [0, 2]),
        ({"auto": 1_040, "scrimp": 1_040}, {"auto": 1_040, "scrimp": 1_072}, [3]),
        ({"auto": 1_040, "scrimp": 1_040}, {"expert": 1_000, "auto": 1_040, "scrimp": 1_071}, []),
    ],
)
def test_verdicts(learned: dict[str, int], cold: dict[str, int], failing: list[int]) -> None:
    verdicts = judge([row("one", learned, cold)])
    assert [number for number, verdict in enumerate(verdicts) if not verdict.passed] == failing


@pytest.mark.parametrize(("cost", "passed"), [(1_010, True), (1_011, False)])
def test_with_the_callers_markers_the_caller_is_the_measure(cost: int, *, passed: bool) -> None:
    learned = {"caller": 1_000, "scrimp": 1_000, "scrimp-over": cost}
    *_, last = judge([row("one", learned, {"scrimp": 1_000})])
    assert "caller's markers" in last.criterion
    assert last.passed is passed


def test_the_median_decides_about_the_floor() -> None:
    ratios = [1_000, 1_049, 3_000]
    rows = [row(str(cost), {"scrimp": cost}, {"scrimp": cost}) for cost in ratios]
    assert judge(rows)[1].passed
    assert not judge([*rows, row("more", {"scrimp": 1_100}, {"scrimp": 1_100})])[1].passed


def test_the_picture_has_a_mark_for_every_bill(rows: dict[str, Row]) -> None:
    picture = ET.fromstring(as_svg(list(rows.values())))  # noqa: S314  # our own
    space = "{http://www.w3.org/2000/svg}"
    for name in ("none", "auto", "caller", "scrimp", "cold"):
        marks = [one for one in picture.iter(f"{space}circle") if one.get("class") == name]
        assert len(marks) == len(rows) + 1  # and the legend's
    shown = {text.text for text in picture.iter(f"{space}text")}
    assert set(HERE) <= shown


def test_json_has_every_bill_as_exact_dollars(rows: dict[str, Row]) -> None:
    found = json.loads(json.dumps(as_json(list(rows.values()), judge(list(rows.values())), seed=3)))
    one = found["scenarios"]["quick-loop"]
    cost = rows["quick-loop"].learned["scrimp"].input_cost
    assert round(float(one["learned"]["scrimp"]["input_usd"]) * 1e12) == cost
    assert one["learned"]["scrimp"]["floors"] == pytest.approx(cost / rows["quick-loop"].floor, abs=1e-4)
    assert len(found["criteria"]) == 4


def test_the_command_writes_what_it_prints(tmp_path: Path) -> None:
    figures, picture = tmp_path / "figures.json", tmp_path / "picture.svg"
    command = [sys.executable, "-m", "benchmarks.caching", "--quick", "--scenario", "one-shot", "--jobs", "1"]
    files = ["--json", str(figures), "--plot", str(picture)]
    done = subprocess.run(
        [*command, "--strategies", "none", "scrimp", *files],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    written = json.loads(figures.read_text())
    assert done.returncode == (0 if all(one["passed"] for one in written["criteria"]) else 1)
    assert written["scenarios"]["one-shot"]["learned"]["none"]["floors"] == 1.0
    assert "one-shot" in done.stdout
    assert picture.read_text().startswith("<svg")


def test_recordings_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = Recorded("rec-none", str(tmp_path / "nowhere"), "none")
    with pytest.raises(InputError, match="recordings are not there"):
        missing.populations(seed=1, runs=2)


def test_recorded_runs_keep_their_own_markers(traces: Path) -> None:
    learning, judged = SCENARIOS["rec-openhands"].populations(seed=1, runs=3)
    assert {one.run for one in learning}.isdisjoint(one.run for one in judged)
    assert len({one.run for one in judged}) == 3
    assert b"cache_control" not in json.dumps(judged[-1].body).encode()
    assert judged[-1].own
    assert judged[-1].body["tools"]


BODY: dict[str, Any] = {
    "model": "claude-sonnet-4-6",
    "max_tokens": 10,
    "tools": [
        {"name": name, "description": "d", "input_schema": {"type": "object", "properties": {}}}
        for name in "ab"
    ],
    "system": [{"type": "text", "text": "instructions"}, {"type": "text", "text": "about this user"}],
    "messages": [
        {"role": "user", "content": "question"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "let me see"},
                {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {"x": 1}},
                {"type": "tool_use", "id": "toolu_2", "name": "b", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": "two"},
                {"type": "text", "text": "and quickly"},
            ],
        },
    ],
}

# As documented: LiteLLM marks the system prompt and the last message, langchain-anthropic the last
# tool and the last system block beside automatic caching; pydantic-ai the same, but only static instructions.
MARKS = {
    "litellm": {("system", 1), ("messages", 2, "content", 2)},
    "langchain": {(), ("tools", 1), ("system", 1)},
    "pydantic-ai": {(), ("tools", 1), ("system", 0)},
}


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_puts_its_markers_by_its_own_code(name: str) -> None:
    asked = Call("r", 0, "test", NOON, NOON + 1, NOON + 2, BODY, (), (), 1)
    advice = consult([name], [asked])[name]
    if isinstance(advice, str):
        pytest.skip(f"{name}: {advice}")
    (edits,) = advice.values()
    assert {edit.path for edit in edits} == MARKS[name]
    assert {edit.ttl for edit in edits} == {"5m"}


def test_a_peer_that_loses_content_is_found_out() -> None:
    shorter = {**BODY, "messages": BODY["messages"][:-1]}
    with pytest.raises(ValueError, match="the content changed"):
        markers_of(shorter, BODY)
    noted = {**BODY, "system": [{"type": "text", "text": "a note of the peer's own"}, *BODY["system"]]}
    assert markers_of({**noted, "cache_control": {"type": "ephemeral"}}, BODY) == [([], "5m")]


def test_every_strategy_has_a_name_of_its_own() -> None:
    assert len(set(STRATEGIES)) == len(STRATEGIES)
    assert set(FIXED) <= set(STRATEGIES)
    assert len(SCENARIOS) >= 14 + 2
    assert all(default().resolve(name).features.caching for name in models())


def models() -> set[str]:
    return {
        str(one.body["model"])
        for scenario in SCENARIOS.values()
        if isinstance(scenario, Scenario)
        for one in scenario.populations(seed=1, runs=2)[1]
    }
