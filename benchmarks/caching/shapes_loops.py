"""Shapes of one agent that goes on with its own conversation."""

from __future__ import annotations

from benchmarks.caching import habits
from benchmarks.caching.traffic import Habit, Json, Population, Scenario, Talk

__all__ = ["LOOPS"]

_MINUTE, _HOUR = 60.0, 3600.0


def coding_agent(made: Population, run: str, habit: Habit, model: str, *, tools: int = 14) -> Talk:
    """An agent with tools and instructions that every run has in common, and a task of its own."""
    shared = made.fixed("agent")
    fixed: Json = {
        "model": model,
        "tools": shared.tools(tools),
        "system": [{"type": "text", "text": shared.prose(7_000)}],
    }
    talk = Talk(made, run, made.name, habit, fixed)
    talk.user(made.texts.prose(made.around(1_500)))
    return talk


def tool_seconds(made: Population) -> float:
    """How long a tool takes: mostly seconds, now and then a test suite."""
    return min(240.0, made.around(4.0, 0.9))


def _quick_loop(made: Population) -> None:
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-opus-5-5")
        for _ in range(made.random.randint(6, 28)):
            at = talk.use_tools(at, made.random.choice([1, 1, 1, 2])) + tool_seconds(made)
        talk.say(at)


def _chat(made: Population, turns: tuple[int, int], gap: tuple[float, float], arrivals: float) -> None:
    for run, start in made.arrivals(arrivals):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-sonnet-5", tools=6)
        for turn in range(made.random.randint(*turns)):
            if turn:
                talk.user(made.texts.prose(made.around(350)))
            for _ in range(made.random.choice([0, 1, 1, 2])):
                at = talk.use_tools(at, 1, result_bytes=3_000) + tool_seconds(made)
            at = talk.say(at, 900) + made.uniform(*gap)


def _slow_4_8m(made: Population) -> None:
    for run, start in made.arrivals(6 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-sonnet-5", tools=8)
        for _ in range(made.random.randint(5, 14)):
            at = talk.use_tools(at, 1, result_bytes=2_500) + made.uniform(4 * _MINUTE, 8 * _MINUTE)
        talk.say(at)


def _slow_20_50m(made: Population) -> None:
    for run, start in made.arrivals(25 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-sonnet-5", tools=8)
        for _ in range(made.random.randint(4, 10)):
            at = talk.use_tools(at, 1, result_bytes=2_500) + made.uniform(20 * _MINUTE, 50 * _MINUTE)
        talk.say(at)


def _slow_over_1h(made: Population) -> None:
    for run, start in made.arrivals(80 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-opus-4-8", tools=8)
        for _ in range(made.random.randint(3, 8)):
            at = talk.use_tools(at, 1, result_bytes=2_500) + made.uniform(65 * _MINUTE, 4 * _HOUR)
        talk.say(at)


def _chat_with_pauses(made: Population) -> None:
    _chat(made, (2, 9), (15.0, 12 * _MINUTE), 9 * _MINUTE)


def _long_turns(made: Population) -> None:
    shared = made.fixed("agent")
    fixed: Json = {"model": "claude-sonnet-5", "system": shared.prose(5_000)}
    for run, start in made.arrivals(3 * _MINUTE):
        at = start
        talk = Talk(made, run, made.name, habits.system_and_last, fixed)
        for _ in range(made.random.randint(3, 8)):
            passages = [made.texts.block(made.around(700, 0.4)) for _ in range(made.random.randint(22, 42))]
            talk.user([*passages, made.texts.block(made.around(160))])
            at = talk.say(at, 1_200) + made.uniform(15, 100)


def _parallel_tools(made: Population) -> None:
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-opus-5")
        for _ in range(made.random.randint(4, 10)):
            count = made.random.choice([1, 2, 4, 9, 14, 20, 30, 50])
            at = talk.use_tools(at, count, result_bytes=700) + tool_seconds(made)
        talk.say(at)


def _tools_change(made: Population) -> None:
    extra = made.fixed("late tools").tools(6)
    for number, tool in enumerate(extra):
        tool["name"] = f"mcp_{number}"
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.tools_system_last, "claude-sonnet-5-5")
        steps = made.random.randint(8, 18)
        changes = {made.random.randint(1, steps - 1) for _ in range(made.random.choice([1, 1, 2]))}
        first = talk.fixed["tools"]
        sets = iter([[*first, *extra[:3]], [*first, *extra]])
        for step in range(steps):
            if step in changes:
                talk.fixed["tools"] = next(sets)
            at = talk.use_tools(at, 1) + tool_seconds(made)
        talk.say(at)


def _model_switch(made: Population) -> None:
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-opus-5")
        steps = made.random.randint(8, 18)
        away = made.random.randint(2, steps - 2)
        back = away + made.random.randint(1, 6)
        for step in range(steps):
            talk.fixed["model"] = "claude-sonnet-5" if away <= step < back else "claude-opus-5"
            at = talk.use_tools(at, 1) + tool_seconds(made)
        talk.say(at)


def _thinking_on_off(made: Population) -> None:
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-sonnet-5")
        for _ in range(made.random.randint(2, 5)):
            thinks = made.random.random() < 0.5
            talk.fixed["thinking"] = {"type": "adaptive" if thinks else "disabled"}
            for _ in range(made.random.randint(1, 6)):
                at = talk.use_tools(at, 1) + tool_seconds(made)
            at = talk.say(at) + made.uniform(10, 200)
            talk.user(made.texts.prose(made.around(400)))


def _below_minimum(made: Population) -> None:
    shared = made.fixed("agent")
    fixed: Json = {"model": "claude-haiku-4-5", "system": shared.prose(2_500), "tools": shared.tools(2)}
    for run, start in made.arrivals(2 * _MINUTE):
        at = start
        talk = Talk(made, run, made.name, habits.system_and_last, fixed)
        for _ in range(made.random.randint(1, 9)):
            talk.user(made.texts.prose(made.around(300)))
            at = talk.say(at, made.around(700)) + made.uniform(8, 90)


def _resumed(made: Population) -> None:
    for run, start in made.arrivals(20 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_last, "claude-opus-5-5")
        for session in range(made.random.choice([1, 2, 2, 3])):
            if session:
                at += made.random.choice([made.uniform(12, 45) * _MINUTE, made.uniform(2, 9) * _HOUR])
                talk.user(made.texts.prose(made.around(400)))
            for _ in range(made.random.randint(3, 12)):
                at = talk.use_tools(at, 1) + tool_seconds(made)
            at = talk.say(at)


def _reminder_last(made: Population) -> None:
    for run, start in made.arrivals(4 * _MINUTE):
        at = start
        talk = coding_agent(made, run, habits.system_and_two_last, "claude-opus-5-5")
        for _ in range(made.random.randint(6, 20)):
            turn = talk.messages[-1]
            said = turn["content"]
            blocks = [{"type": "text", "text": said}] if isinstance(said, str) else said
            talk.messages[-1] = {**turn, "content": [*blocks, made.texts.block(400)]}
            last = len(talk.messages) - 1
            at = talk.use_tools(at, 1) + tool_seconds(made)
            talk.messages[last] = turn


LOOPS = (
    Scenario(
        "quick-loop", "a coding agent, 6–28 steps, seconds apart", _quick_loop, habits.system_1h_and_last
    ),
    Scenario("slow-4-8m", "an agent whose tools take 4 to 8 minutes", _slow_4_8m, habits.all_for_1h),
    Scenario("slow-20-50m", "an agent whose tools take 20 to 50 minutes", _slow_20_50m, habits.all_for_1h),
    Scenario("slow-over-1h", "an agent whose tools take 1 to 4 hours", _slow_over_1h, habits.system_1h),
    Scenario(
        "chat-pauses",
        "a person answers after 15 seconds to 12 minutes, tools in between",
        _chat_with_pauses,
        habits.all_for_1h,
    ),
    Scenario(
        "long-turns",
        "every question brings 22–42 retrieved passages, a block each",
        _long_turns,
        habits.system_and_two_last,
    ),
    Scenario(
        "parallel-tools",
        "1 to 50 tools are called in one turn",
        _parallel_tools,
        habits.system_1h_and_two_last,
    ),
    Scenario(
        "tools-change",
        "tools join in the middle of a run, once or twice",
        _tools_change,
        habits.system_1h_and_last,
    ),
    Scenario(
        "model-switch",
        "1–6 steps in the middle go to another model, then back",
        _model_switch,
        habits.system_1h_and_last,
    ),
    Scenario(
        "thinking-on-off",
        "thinking is switched between questions",
        _thinking_on_off,
        habits.system_1h_and_last,
    ),
    Scenario(
        "below-minimum",
        "short chats on a model that caches from 4,096 tokens",
        _below_minimum,
        habits.system_and_last,
    ),
    Scenario(
        "resumed",
        "sessions taken up again after 12–45 minutes or 2–9 hours",
        _resumed,
        habits.system_1h_and_last,
    ),
    Scenario(
        "reminder-last",
        "a reminder ends every request and is dropped from the next",
        _reminder_last,
        habits.before_last,
    ),
)
