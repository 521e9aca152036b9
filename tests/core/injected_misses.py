"""Conversations with one fault each, made up from a seed and billed by the naive oracle.

Written from the documents, apart from the detector: a case says what was done to the request, never what the
detector should find in it beyond the name of the cause.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from scrimp.core.causes import Cause
from tests.copies import copied
from tests.core.oracle import Oracle

Body = dict[str, Any]

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0123456789"
MINIMUM = 1024
LOOKBACK = 20
START = 1_790_000_000.0

TEXT = """
review the change against our rules and answer in short clear sentences name each file you read list open
questions first never guess a value keep names as they are prefer small steps report what failed and why
ask before deleting anything use the tools for facts quote lines with numbers follow the plan stop when done
"""
WORDS = re.findall(r"\w+", TEXT)


@dataclass
class Step:
    """One call: its body, start and first event (epoch seconds), whose conversation it is."""

    body: Body
    at: float
    first_event_at: float
    run: str = "run 1"


@dataclass
class Case:
    """`steps[at]` misses by `cause`; the path is of the first changed block where something changed."""

    cause: Cause
    steps: list[Step]
    at: int
    path: str | None = None
    healthy: set[int] = field(default_factory=set)


class World:
    """One agent: its tools, its system prompt, its growing conversation."""

    def __init__(self, rng: random.Random, *, words: int = 900, tools: int = 6) -> None:
        self.rng = rng
        self.now = START + rng.randrange(10**6)
        self.model = "claude-sonnet-5"
        self.settings: Body = {}
        self.tools = [self.tool(n) for n in range(tools)]
        self.system = self.text(words)
        self.messages: list[Body] = [{"role": "user", "content": [self.said(self.text(60))]}]
        self.calls = 0
        self.style = 0
        self.marked_system = rng.random() < 0.7
        self.ttl = "5m"
        self.steps: list[Step] = []

    def text(self, words: int) -> str:
        return " ".join(self.rng.choice(WORDS) for _ in range(words)) + "."

    def said(self, text: str) -> Body:
        return {"type": "text", "text": text}

    def tool(self, number: int) -> Body:
        fields = ["path", "query", "limit", "pattern", "mode"]
        self.rng.shuffle(fields)
        return {
            "name": f"tool_{number}_{self.rng.choice(WORDS)}",
            "description": self.text(25),
            "input_schema": {
                "type": "object",
                "properties": {name: {"type": "string", "description": self.text(5)} for name in fields},
            },
        }

    def grow(self, blocks: int = 1) -> None:
        """A turn of the model, and what answers it."""
        ids = [f"toolu_{self.rng.getrandbits(60):x}" for _ in range(blocks)]
        uses = [
            {"type": "tool_use", "id": id_, "name": self.tools[0]["name"], "input": {"path": self.text(3)}}
            for id_ in ids
        ]
        results = [{"type": "tool_result", "tool_use_id": id_, "content": self.text(40)} for id_ in ids]
        self.messages.append({"role": "assistant", "content": [self.said(self.text(20)), *uses]})
        self.messages.append({"role": "user", "content": results})

    def body(self, *, marked: bool = True) -> Body:
        """The request as it stands, with a marker at its end (and on the system prompt)."""
        body: Body = {
            "model": self.model,
            "max_tokens": 1000,
            "tools": copied(self.tools),
            "system": [self.said(self.system)],
            "messages": copied(self.messages),
            **copied(self.settings),
        }
        if marked:
            control = {"type": "ephemeral", "ttl": self.ttl}
            body["messages"][-1]["content"][-1]["cache_control"] = control
            if self.marked_system:
                body["system"][-1]["cache_control"] = dict(control)
        return body

    def send(self, *, gap: float | None = None, marked: bool = True, wait: float = 1.5) -> Step:
        self.now += self.rng.uniform(5, 120) if gap is None else gap
        step = Step(self.body(marked=marked), self.now, self.now + wait)
        self.steps.append(step)
        return step

    def healthy(self, steps: int) -> None:
        for _ in range(steps):
            self.send()
            self.grow()

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


def _volatile(render: Callable[[World], str], cause: Cause) -> Callable[[random.Random], Case]:
    """A value in the system prompt (or first message, or a tool) that is another one on every call."""

    def make(rng: random.Random) -> Case:
        world = World(rng)
        words = world.system.split(" ")
        spot = rng.randrange(len(words) // 3)
        where = rng.choice(["system", "system", "first message", "tool"])
        first = world.messages[0]["content"][0]["text"]
        about = world.tools[2]["description"]

        def put() -> None:
            value = render(world)
            if where == "system":
                world.system = " ".join([*words[:spot], value, *words[spot:]])
            elif where == "tool":
                world.tools[2]["description"] = f"{about} ({value}) {about[:40]}"
            else:
                world.messages[0]["content"][0]["text"] = f"<context>{value}</context> {first}"

        put()
        world.healthy(rng.randrange(1, 4))
        world.now += rng.uniform(61, 90) if cause is Cause.TIMESTAMP else 0
        put()
        world.send(gap=rng.uniform(1, 100))
        path = {"system": "system.0", "first message": "messages.0.content.0", "tool": "tools.2"}[where]
        return Case(cause, world.steps, len(world.steps) - 1, path)

    return make


def _time(world: World) -> str:
    now = world.clock()
    forms = (
        now.isoformat(),
        now.strftime("%Y-%m-%d %H:%M:%S"),
        now.strftime("%a %b %d %H:%M:%S UTC %Y"),
        now.strftime("%A, %B %d, %Y at %I:%M %p"),
        now.strftime("%d/%m/%Y %H:%M"),
        f"Current time: {now:%H:%M:%S}",
        str(int(world.now)),
        f"{world.now:.3f}",
        now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        (now + timedelta(days=world.calls)).strftime("Today is %Y-%m-%d"),
    )
    style = len(world.system) % len(forms) if world.calls == 0 else world.style
    world.style = style
    world.calls += 1
    return forms[style]


def _uuid(world: World) -> str:
    found = UUID(int=world.rng.getrandbits(128), version=4)
    return f"session {found}"


def _id(world: World) -> str:
    rng = world.rng
    kind = len(world.tools[0]["name"]) % 4
    if kind == 0:
        return f"request req_{rng.getrandbits(80):020x}"
    if kind == 1:
        return "trace " + "".join(rng.choice(LETTERS) for _ in range(22))
    if kind == 2:
        return f"ticket {rng.randrange(10**8, 10**9)}"
    return f"/var/run/job-{rng.getrandbits(48):012x}/out"


def _key_order(rng: random.Random) -> Case:
    world = World(rng)
    data = {word: rng.randrange(1000) for word in sorted(set(WORDS[:12]))}
    where = rng.choice(["system", "tool", "input"])

    def put() -> None:
        keys = list(data)
        while keys == list(data):
            rng.shuffle(keys)
        shuffled = {key: data[key] for key in keys}
        if where == "system":
            world.system = f"{head} {json.dumps(shuffled)} {tail}"
        elif where == "tool":
            old = world.tools[1]["input_schema"]["properties"]
            names = list(old)
            while names == list(old):
                rng.shuffle(names)
            world.tools[1]["input_schema"]["properties"] = {name: old[name] for name in names}
        else:
            world.messages[1]["content"][1]["input"] = shuffled

    head, tail = world.text(500), world.text(400)
    if where == "input":
        world.send()
        world.grow()
        world.messages[1]["content"][1]["input"] = dict(data)
    if where == "system":
        world.system = f"{head} {json.dumps(data)} {tail}"
    world.healthy(rng.randrange(1, 4))
    put()
    world.send()
    path = {"system": "system.0", "tool": "tools.1", "input": "messages.1.content.1"}[where]
    return Case(Cause.KEY_ORDER, world.steps, len(world.steps) - 1, path)


def _whitespace(rng: random.Random) -> Case:
    world = World(rng)
    half = world.text(400)
    world.system = f"{half}\n\n{world.text(500)}"
    world.healthy(rng.randrange(1, 4))
    world.system = rng.choice(
        [
            world.system.replace("\n\n", "\n"),
            world.system.replace("\n\n", "\r\n\r\n"),
            world.system + "\n",
            world.system.replace(". ", ".  ").replace("\n\n", " \n\n"),
        ]
    )
    world.send()
    return Case(Cause.WHITESPACE, world.steps, len(world.steps) - 1, "system.0")


def _changing(cause: Cause, change: Callable[[World], str | None]) -> Callable[[random.Random], Case]:
    """One edit between two calls of a conversation."""

    def make(rng: random.Random) -> Case:
        world = World(rng)
        world.healthy(rng.randrange(2, 5))
        path = change(world)
        world.send()
        return Case(cause, world.steps, len(world.steps) - 1, path)

    return make


def _tools_changed(world: World) -> str:
    rng, tools = world.rng, world.tools
    kind = rng.randrange(3)
    at = rng.randrange(len(tools))
    if kind == 0:
        tools.insert(at, world.tool(99))
    elif kind == 1:
        at = 1 + rng.randrange(len(tools) - 1)
        del tools[at]
    else:
        tools.append(world.tool(99))
        at = len(tools) - 1
    return f"tools.{at}"


def _tool_order(world: World) -> str:
    before = [tool["name"] for tool in world.tools]
    while [tool["name"] for tool in world.tools] == before:
        world.rng.shuffle(world.tools)
    first = next(n for n, (a, b) in enumerate(zip(world.tools, before, strict=True)) if a["name"] != b)
    return f"tools.{first}"


def _tool_edited(world: World) -> str:
    at = world.rng.randrange(len(world.tools))
    if world.rng.random() < 0.5:
        world.tools[at]["description"] += " " + world.text(8)
    else:
        world.tools[at]["input_schema"]["properties"]["depth"] = {"type": "integer"}
    return f"tools.{at}"


def _system_edited(world: World) -> str:
    words = world.system.split(" ")
    at = world.rng.randrange(len(words))
    kind = world.rng.randrange(3)
    if kind == 0:
        words[at:at] = world.text(12).split(" ")
    elif kind == 1:
        words[at] = "absolutely"
    else:
        del words[at : at + 20]
    world.system = " ".join(words)
    return "system.0"


def _message_edited(world: World) -> str:
    at = world.rng.randrange(0, len(world.messages) - 2, 2)
    block = world.messages[at]["content"][0]
    if block["type"] == "text":
        block["text"] = world.text(10) + " " + block["text"]
    else:
        block["content"] = world.rng.choice(["[cleared]", block["content"][:30] + "… cut"])
    return f"messages.{at}.content.0"


def _shortened(world: World) -> str:
    world.healthy(3)
    del world.messages[1:3]
    return "messages.1.content.0"


def _image(world: World) -> str:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo" + "A" * 400},
    }
    at = world.rng.randrange(0, len(world.messages) - 2, 2)
    world.messages[at]["content"].insert(0, image)
    return f"messages.{at}.content.0"


def _switch(cause: Cause, before: Body, after: Body) -> Callable[[random.Random], Case]:
    def make(rng: random.Random) -> Case:
        world = World(rng)
        world.settings = before
        world.healthy(rng.randrange(2, 5))
        world.settings = after
        world.send()
        return Case(cause, world.steps, len(world.steps) - 1)

    return make


def _model_switch(rng: random.Random) -> Case:
    world = World(rng)
    world.healthy(rng.randrange(2, 5))
    world.model = rng.choice(["claude-opus-5", "claude-sonnet-4-6"])
    world.send()
    return Case(Cause.MODEL_SWITCH, world.steps, len(world.steps) - 1)


def _expired(rng: random.Random) -> Case:
    world = World(rng)
    world.ttl = rng.choice(["5m", "1h"])
    world.healthy(rng.randrange(1, 5))
    world.send(gap=rng.uniform(301, 3000) if world.ttl == "5m" else rng.uniform(3601, 20000))
    return Case(Cause.EXPIRED, world.steps, len(world.steps) - 1)


def _lookback(rng: random.Random) -> Case:
    world = World(rng)
    world.healthy(rng.randrange(1, 4))
    world.grow(rng.randrange(10, 25))
    world.send()
    return Case(Cause.LOOKBACK, world.steps, len(world.steps) - 1)


def _below_minimum(rng: random.Random) -> Case:
    world = World(rng, words=60, tools=1)
    for _ in range(2):
        world.send()
        world.grow()
    return Case(Cause.BELOW_MINIMUM, world.steps, 1)


def _no_marker(rng: random.Random) -> Case:
    world = World(rng)
    ever = rng.random() < 0.5
    for _ in range(rng.randrange(1, 4)):
        world.send(marked=ever)
        world.grow()
    world.send(marked=False)
    return Case(Cause.NO_MARKER, world.steps, len(world.steps) - 1)


def _concurrent(rng: random.Random) -> Case:
    world = World(rng)
    world.marked_system = True
    world.send(wait=rng.uniform(2, 6))
    if rng.random() < 0.5:
        world.messages = [{"role": "user", "content": [world.said(world.text(40))]}]
    world.send(gap=rng.uniform(0.0, 1.5))
    return Case(Cause.CONCURRENT, world.steps, 1)


def _first(rng: random.Random) -> Case:
    world = World(rng)
    world.send()
    return Case(Cause.FIRST, world.steps, 0)


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 2000}}

MAKERS: dict[str, Callable[[random.Random], Case]] = {
    "timestamp": _volatile(_time, Cause.TIMESTAMP),
    "uuid": _volatile(_uuid, Cause.UUID),
    "random id": _volatile(_id, Cause.RANDOM_ID),
    "key order": _key_order,
    "whitespace": _whitespace,
    "tool set": _changing(Cause.TOOLS_CHANGED, _tools_changed),
    "tool order": _changing(Cause.TOOL_ORDER, _tool_order),
    "tool edited": _changing(Cause.TOOL_EDITED, _tool_edited),
    "system edited": _changing(Cause.SYSTEM_EDITED, _system_edited),
    "message edited": _changing(Cause.MESSAGE_EDITED, _message_edited),
    "shortened": _changing(Cause.SHORTENED, _shortened),
    "image": _changing(Cause.IMAGE, _image),
    "model": _model_switch,
    "speed": _switch(Cause.SPEED_SWITCH, {}, {"speed": "fast"}),
    "effort": _switch(Cause.EFFORT_SWITCH, {}, {"output_config": {"effort": "low"}}),
    "thinking": _switch(Cause.THINKING_SWITCH, {}, THINKING),
    "tool choice": _switch(Cause.TOOL_CHOICE_SWITCH, {}, {"tool_choice": {"type": "any"}}),
    "expired": _expired,
    "lookback": _lookback,
    "below minimum": _below_minimum,
    "no marker": _no_marker,
    "concurrent": _concurrent,
    "first": _first,
}


def cases(each: int, seed: int = 0) -> Iterator[Case]:
    """`each` cases of every cause; the first calls of half of them among those of another conversation."""
    for name, make in MAKERS.items():
        for number in range(each):
            rng = random.Random(f"{seed} {name} {number}")  # noqa: S311 - a seed, no secret
            case = make(rng)
            alone = case.cause is Cause.CONCURRENT or rng.random() < 0.5
            yield case if alone else _interleaved(case, rng)


def _interleaved(case: Case, rng: random.Random) -> Case:
    """The case with another conversation's calls between its own, of its agent as it was or of another."""
    other = World(rng)
    if rng.random() < 0.5:
        first = case.steps[0].body
        other.tools, other.system = first["tools"], first["system"][0]["text"]
        other.marked_system = "cache_control" in first["system"][0]
        other.tools = [{k: v for k, v in tool.items() if k != "cache_control"} for tool in other.tools]
    fault = case.steps[case.at]
    steps: list[Step] = []
    for step in case.steps:
        if step is not case.steps[0] and rng.random() < 0.7:
            previous = steps[-1].at
            other.now = previous
            body = other.body()
            gap = step.at - previous
            steps.append(Step(body, previous + gap / 3, previous + gap / 2, "run 2"))
            other.grow()
        steps.append(step)
    return Case(case.cause, steps, steps.index(fault), case.path)


def healthy_runs(count: int, seed: int = 0) -> Iterator[list[Step]]:
    """Conversations that read what they should, several at a time, some of one agent."""
    for number in range(count):
        rng = random.Random(f"{seed} healthy {number}")  # noqa: S311 - a seed, no secret
        worlds = [World(rng) for _ in range(rng.randrange(1, 4))]
        if rng.random() < 0.5:
            for world in worlds[1:]:
                world.tools, world.system = worlds[0].tools, worlds[0].system
        now = START
        steps: list[Step] = []
        for _ in range(12):
            now += rng.uniform(3, 60)
            world = rng.choice(worlds)
            world.now = now
            steps.append(world.send(gap=0.0))
            steps[-1].run = f"run {worlds.index(world)}"
            world.grow(rng.randrange(1, 5))
        yield steps


class Bank:
    """Bills steps by the oracle. Token sizes are a quarter of the rendered text."""

    def __init__(self) -> None:
        self.oracle = Oracle(LOOKBACK, MINIMUM)

    def bill(self, step: Step) -> dict[str, int]:
        blocks, markers = rendered(step.body)
        return self.oracle.call(blocks, markers, step.at, step.first_event_at)


def rendered(body: Body) -> tuple[list[tuple[str, int]], dict[int, str]]:
    """The prompt as text blocks with tokens, each tier opened by what it depends on, and its markers."""
    config = body.get("output_config", {})
    tiers = {
        "tools": body["model"],
        "system": body.get("speed", "standard"),
        "messages": json.dumps([body.get("tool_choice"), body.get("thinking"), config.get("effort", "high")]),
    }
    content = {
        "tools": body.get("tools", []),
        "system": body.get("system", []),
        "messages": [block for message in body["messages"] for block in message["content"]],
    }
    blocks: list[tuple[str, int]] = []
    markers: dict[int, str] = {}
    for tier, values in content.items():
        for number, value in enumerate(values):
            plain = {key: item for key, item in value.items() if key != "cache_control"}
            text = json.dumps(plain)
            if "cache_control" in value:
                markers[len(blocks)] = value["cache_control"]["ttl"]
            salt = tiers[tier] if number == 0 else ""
            blocks.append((f"{tier} {salt} {text}", max(1, len(text) // 4)))
    return blocks, markers
