"""What the offloading benchmark says of recorded agents: less by more than half, and nothing out of reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benchmarks.offloading import Figures, Large, large_results, main, measured
from benchmarks.offloading_live import drive
from benchmarks.recorded_conversations import Conversation, conversations

from scrimp.core.offload.reducing import Policy


@pytest.fixture(scope="module")
def recorded(traces: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Conversation]:
    """Some of the recordings: coding agents, customer service, tools of many servers."""
    folder = tmp_path_factory.mktemp("some")
    for name in ("exchanges", "transcripts", "trajectories"):
        (folder / name).mkdir()
    (folder / "exchanges" / "openhands_swebench").symlink_to(traces / "exchanges" / "openhands_swebench")
    for name in ("livemcpbench", "pi_coding_agent", "tau2_bench"):
        (folder / "trajectories" / name).symlink_to(traces / "trajectories" / name)
    sessions = sorted((traces / "transcripts" / "JanDeDobbeleer__oh-my-posh").glob("*.jsonl.xz"))[:4]
    for session in sessions:
        (folder / "transcripts" / session.name).symlink_to(session)
    return list(conversations(folder))


def test_large_results_lose_most_of_their_tokens_and_nothing_that_was_used(
    recorded: list[Conversation],
) -> None:
    total = Figures()
    for one in measured(large_results(recorded, 2_000), Policy()).values():
        total.add(one)
    there, marked = total.present / total.used, total.by_mark / total.used
    print(f"{total.results} results, {total.after / total.before:.1%} of {total.before:,} tokens left")
    print(f"of {total.used:,} names used later {there:.1%} were there, {marked:.1%} behind a mark")
    assert total.results >= 100
    assert total.after <= 0.4 * total.before
    assert total.lost == 0
    assert total.present + total.by_mark + total.by_range + total.by_query == total.used > 1_000
    assert total.whole >= 0.5 * total.results


def test_every_request_stays_valid_and_begins_with_the_one_before_it(recorded: list[Conversation]) -> None:
    found = drive(recorded)
    assert found.valid_before >= 50
    assert (found.refused_after, found.changed_later) == (0, 0)
    assert found.cut >= 0.8 * found.large > 0


def test_what_is_used_is_what_the_model_said_later_and_had_from_there() -> None:
    text = "\n".join(f"row {at} of table_{at}.csv" for at in range(400))
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "look at table_5.csv"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "ls", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]},
        {"role": "assistant", "content": "I take table_5.csv and table_77.csv"},
        {"role": "user", "content": "and table_88.csv"},
    ]
    [large] = large_results([Conversation("s", "n", "m", messages)], 2_000)
    assert large == Large(
        "s", "ls", {}, "look at table_5.csv", text, frozenset({"table_77", "table_77.csv"}) & large.used
    )
    assert "table_77" in {name.partition(".")[0] for name in large.used}
    assert not any("table_5" in name or "table_88" in name for name in large.used)


def test_it_prints_a_table_and_finds_nothing_lost(
    traces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "exchanges").mkdir()
    (tmp_path / "transcripts").mkdir()
    (tmp_path / "trajectories").mkdir()
    (tmp_path / "trajectories" / "tau2_bench").symlink_to(traces / "trajectories" / "tau2_bench")
    assert main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "tau2_bench" in said
    assert "0 refused by the emulator" in said
