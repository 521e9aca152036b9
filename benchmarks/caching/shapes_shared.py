"""Shapes where different runs begin alike, or where several run at once."""

from __future__ import annotations

from benchmarks.caching import habits
from benchmarks.caching.shapes_loops import coding_agent, tool_seconds
from benchmarks.caching.traffic import Habit, Json, Population, Scenario, Talk

__all__ = ["SHARED"]

_MINUTE, _HOUR = 60.0, 3600.0


def _one_shot(made: Population) -> None:
    for run, at in made.arrivals(25.0):
        talk = Talk(made, run, made.name, habits.nothing, {"model": "claude-sonnet-5-5"})
        talk.user(made.texts.prose(min(60_000, made.around(7_000))))
        talk.say(at)


def _classify(made: Population, arrivals: float, model: str, habit: Habit) -> None:
    shared = made.fixed("agent")
    fixed: Json = {"model": model, "system": [{"type": "text", "text": shared.prose(9_000)}]}
    for run, at in made.arrivals(arrivals):
        talk = Talk(made, run, made.name, habit, fixed)
        talk.user(made.texts.prose(min(60_000, made.around(4_000))))
        talk.say(at, 250)


def _one_shot_shared(made: Population) -> None:
    _classify(made, 20.0, "claude-sonnet-4-6", habits.system)


def _one_shot_shared_slow(made: Population) -> None:
    _classify(made, 12 * _MINUTE, "claude-sonnet-4-6", habits.system)


def _one_shot_shared_rare(made: Population) -> None:
    _classify(made, 2 * _HOUR, "claude-opus-5", habits.system)


def _shared_document(made: Population) -> None:
    shared = made.fixed("agent")
    fixed: Json = {"model": "claude-opus-5", "system": [{"type": "text", "text": shared.prose(2_400)}]}
    document, left = made.texts.block(1), 0
    for run, start in made.arrivals(70.0):
        at = start
        if left == 0:
            document, left = made.texts.block(made.uniform(12_000, 50_000)), made.random.randint(1, 14)
        left -= 1
        talk = Talk(made, run, made.name, habits.document, fixed)
        talk.user([document, made.texts.block(made.around(220))])
        at = talk.say(at, 800)
        if made.random.random() < 0.3:
            talk.user(made.texts.prose(made.around(200)))
            talk.say(at + made.uniform(10, 90), 800)


def _per_user_system(made: Population) -> None:
    shared = made.fixed("agent")
    tools, instructions = shared.tools(6), {"type": "text", "text": shared.prose(8_000)}
    users = [made.texts.block(made.around(1_400, 0.3)) for _ in range(25)]
    for run, start in made.arrivals(90.0):
        at = start
        user = users[min(24, int(made.random.expovariate(1 / 7)))]
        fixed: Json = {"model": "claude-sonnet-4-6", "tools": tools, "system": [instructions, user]}
        talk = Talk(made, run, made.name, habits.system_and_last, fixed)
        for _ in range(made.random.randint(1, 5)):
            talk.user(made.texts.prose(made.around(250)))
            for _ in range(made.random.choice([0, 0, 1, 2])):
                at = talk.use_tools(at, 1) + tool_seconds(made)
            at = talk.say(at) + made.uniform(10, 150)


def _branches(made: Population, trunk: Talk, run: str, at: float, count: int) -> None:
    """`count` calls at once that go on from where `trunk` is, each with a question of its own."""
    for branch in range(count):
        talk = Talk(made, f"{run}.{branch}", made.name, trunk.habit, trunk.fixed)
        talk.messages = list(trunk.messages)
        item = made.texts.block(made.around(300))
        last = talk.messages[-1]
        if last["role"] == "user":
            talk.messages[-1] = {**last, "content": [*last["content"], item]}
        else:
            talk.user([item])
        talk.say(at + 0.002 * branch, 500)


def _fan_out(made: Population, *, warm: bool) -> None:
    shared = made.fixed("agent")
    fixed: Json = {"model": "claude-sonnet-5-5", "system": [{"type": "text", "text": shared.prose(3_000)}]}
    for run, start in made.arrivals(8 * _MINUTE):
        at = start
        trunk = Talk(made, run, made.name, habits.system_and_last, fixed)
        trunk.user([made.texts.block(made.uniform(12_000, 40_000))])
        if warm:
            trunk.messages[-1]["content"].append(made.texts.block(300))
            at = trunk.say(at, 1_500) + made.uniform(0.5, 5)
        _branches(made, trunk, f"{run}-a", at, made.random.choice([4, 6, 8, 12, 16, 24]))


def _fan_out_cold(made: Population) -> None:
    _fan_out(made, warm=False)


def _fan_out_warm(made: Population) -> None:
    _fan_out(made, warm=True)


def _sub_agents(made: Population) -> None:
    shared = made.fixed("sub-agent")
    explorer: Json = {
        "model": "claude-sonnet-5",
        "tools": shared.tools(7),
        "system": [{"type": "text", "text": shared.prose(5_500)}],
    }
    for run, start in made.arrivals(6 * _MINUTE):
        at = start
        lead = coding_agent(made, run, habits.system_and_last, "claude-opus-5-5")
        lead.label = f"{made.name} lead"
        for _ in range(made.random.randint(1, 3)):
            at = lead.use_tools(at, 1) + tool_seconds(made)
            count = made.random.randint(1, 4)
            ends = [_explore(made, f"{run}-{lead.made.texts.name()}", explorer, at) for _ in range(count)]
            at = lead.use_tools(max(ends), count, result_bytes=2_000) + tool_seconds(made)
        lead.say(at)


def _explore(made: Population, run: str, fixed: Json, at: float) -> float:
    talk = Talk(made, run, f"{made.name} explorer", habits.system_and_last, fixed)
    talk.user(made.texts.prose(made.around(900)))
    at += made.uniform(0.05, 2.0)
    for _ in range(made.random.randint(2, 9)):
        at = talk.use_tools(at, made.random.choice([1, 2, 3])) + tool_seconds(made)
    return talk.say(at, 1_500)


def _interleaved(made: Population) -> None:
    shared = made.fixed("support")
    support: Json = {
        "model": "claude-sonnet-5",
        "tools": shared.tools(5),
        "system": [{"type": "text", "text": shared.prose(6_000)}],
    }
    for run, start in made.arrivals(75.0):
        at = start
        kind = made.random.choices(["coder", "support", "extract"], [2, 4, 5])[0]
        if kind == "coder":
            talk = coding_agent(made, run, habits.system_and_last, "claude-opus-5-5")
            talk.label = f"{made.name} coder"
            for _ in range(made.random.randint(4, 14)):
                at = talk.use_tools(at, 1) + tool_seconds(made)
        elif kind == "support":
            talk = Talk(made, run, f"{made.name} support", habits.system_and_last, support)
            for _ in range(made.random.randint(1, 7)):
                talk.user(made.texts.prose(made.around(250)))
                at = talk.say(at) + min(40 * _MINUTE, made.around(70, 1.1))
        else:
            talk = Talk(made, run, f"{made.name} extract", habits.nothing, {"model": "claude-sonnet-5"})
            talk.user(made.texts.prose(min(40_000, made.around(5_000))))
            talk.say(at, 300)


SHARED = (
    Scenario("one-shot", "single calls with nothing in common", _one_shot, habits.nothing),
    Scenario(
        "one-shot-shared",
        "single calls with one system prompt, 20 seconds apart",
        _one_shot_shared,
        habits.system,
    ),
    Scenario(
        "one-shot-slow",
        "single calls with one system prompt, 12 minutes apart",
        _one_shot_shared_slow,
        habits.system_1h,
    ),
    Scenario(
        "one-shot-rare",
        "single calls with one system prompt, 2 hours apart",
        _one_shot_shared_rare,
        habits.nothing,
    ),
    Scenario(
        "shared-document",
        "1–14 runs ask about one document, then about the next",
        _shared_document,
        habits.document,
    ),
    Scenario(
        "per-user-system",
        "shared instructions, then what is known of one of 25 users",
        _per_user_system,
        habits.each_system_and_last,
    ),
    Scenario("fan-out-cold", "4–24 calls at once over one new context", _fan_out_cold, habits.nothing),
    Scenario(
        "fan-out-warm",
        "a call over a new context, then 4–24 at once that go on from it",
        _fan_out_warm,
        habits.document,
    ),
    Scenario(
        "sub-agents",
        "a lead starts one to four sub-agents of one type at a time",
        _sub_agents,
        habits.system_1h_and_last,
    ),
    Scenario(
        "interleaved", "three kinds of agents take turns in one process", _interleaved, habits.loops_only
    ),
)
