"""Seeded cost bugs: `(name, expected "line: rule" …, code)`. Lines count from 1."""

from __future__ import annotations

WRONG: list[tuple[str, list[str], str]] = []


def _wrong(name: str, *expected: str, code: str) -> None:
    WRONG.append((name, list(expected), code.lstrip("\n")))


_wrong(
    "a beta of 2024 in a header",
    "3: no-op-beta",
    code="""
import anthropic
client = anthropic.Anthropic(
    default_headers={"anthropic-beta": "prompt-caching-2024-07-31"},
)
""",
)
_wrong(
    "two of three betas do nothing",
    "3: no-op-beta",
    "3: no-op-beta",
    code="""
r = client.messages.create(
    model="claude-opus-5-5", max_tokens=10, messages=m,
    extra_headers={"anthropic-beta": "token-counting-2024-11-01,pdfs-2024-09-25,compact-2026-09-04"},
)
""",
)
_wrong(
    "betas on the stable client",
    "1: betas-on-stable",
    "1: no-op-beta",
    code="""
client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m, betas=["prompt-caching-2024-07-31"])
""",
)
_wrong(
    "a live beta on the stable client",
    "4: betas-on-stable",
    code="""
BETAS = ["context-management-2025-06-27"]
def go(client, m):
    return client.messages.stream(
        model="claude-opus-5-5", max_tokens=9, messages=m, betas=BETAS)
""",
)
_wrong(
    "an hour-long TTL needs no beta",
    "1: no-op-beta",
    code="""
BETAS = ["extended-cache-ttl-2025-04-11"]
client.beta.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m, betas=BETAS)
""",
)
_wrong(
    "a header set later",
    "2: no-op-beta",
    code="""
headers = {}
headers["anthropic-beta"] = "token-efficient-tools-2025-02-19"
""",
)
_wrong(
    "the time in the system prompt",
    "5: clock-in-prefix",
    code="""
from datetime import datetime
import anthropic
client = anthropic.Anthropic()
client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m,
    system=f"You are a helper. It is {datetime.now()}.")
""",
)
_wrong(
    "the time through a variable and an alias",
    "3: clock-in-prefix",
    code="""
import datetime as dt
def ask(q):
    now = dt.datetime.now().isoformat()
    system = "You are a helper. Now: " + now
    return client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=system)
""",
)
_wrong(
    "the time through a local function",
    "4: clock-in-prefix",
    code="""
import time

def header():
    return "Request at %d" % time.time()

def ask(m):
    return client.messages.create(model="x", max_tokens=9, messages=m, system=header() + RULES)
""",
)
_wrong(
    "the time through a parameter",
    "5: clock-in-prefix",
    code="""
from datetime import datetime
def ask(system, m):
    return client.messages.create(model="x", max_tokens=9, messages=m, system=system)

ask("Now " + datetime.utcnow().strftime("%Y-%m-%d %H:%M"), [])
""",
)
_wrong(
    "a session id before the marker",
    "5: clock-in-prefix",
    code="""
from uuid import uuid4
def ask(m):
    return client.messages.create(
        model="claude-opus-5-5", max_tokens=9, messages=m, system=[
            {"type": "text", "text": f"session {uuid4()}"},
            {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}},
        ])
""",
)
_wrong(
    "behind the marker of system, but messages are marked",
    "6: clock-in-prefix",
    code="""
import time
def ask(q):
    return client.messages.create(
        model="claude-opus-5-5", max_tokens=9, system=[
            {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": time.ctime()},
        ], messages=[{"role": "user", "content": [
            {"type": "text", "text": q, "cache_control": {"type": "ephemeral"}}]}])
""",
)
_wrong(
    "automatic caching behind a clock",
    "3: clock-in-prefix",
    code="""
import time
client.messages.create(model="x", max_tokens=9, messages=m, cache_control={"type": "ephemeral"},
    system=[{"type": "text", "text": f"t={time.time()}"}])
""",
)
_wrong(
    "a random order of tools",
    "2: clock-in-prefix",
    code="""
import random
client.messages.create(model="x", max_tokens=9, messages=m, tools=random.sample(TOOLS, 5))
""",
)
_wrong(
    "the process in the prompt",
    "2: clock-in-prefix",
    code="""
import os
SYSTEM = "Worker {}".format(os.getpid())
client.messages.create(model="x", max_tokens=9, messages=m, system=SYSTEM)
""",
)
_wrong(
    "the time in params that are spread",
    "4: clock-in-prefix",
    code="""
from datetime import datetime
params = {
    "model": "claude-opus-5-5", "max_tokens": 9, "messages": m,
    "system": "It is " + str(datetime.today()),
}
client.messages.create(**params)
""",
)
_wrong(
    "the time in a body sent by hand",
    "4: clock-in-prefix",
    code="""
import time, requests
requests.post(URL, json={
    "model": "claude-opus-5-5", "max_tokens": 9, "messages": m,
    "system": f"{time.time()}"})
""",
)
_wrong(
    "the time in a marked message",
    "4: clock-in-prefix",
    code="""
import time
client.messages.create(model="x", max_tokens=9, messages=[
    {"role": "user", "content": [
        {"type": "text", "text": f"It is {time.asctime()}. " + BOOK, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": q}]}])
""",
)
_wrong(
    "a time format with minutes",
    "3: clock-in-prefix",
    code="""
from datetime import datetime
now = datetime
client.messages.create(model="x", max_tokens=9, messages=m, system=f"{datetime.now():%Y-%m-%d %H:%M}")
""",
)
_wrong(
    "an attribute set to the time",
    "4: clock-in-prefix",
    code="""
import time
class Agent:
    def __init__(self):
        self.system = f"Started {time.time()}"
    def ask(self, m):
        return self.client.messages.create(model="x", max_tokens=9, messages=m, system=self.system)
""",
)
_wrong(
    "JSON in any order",
    "3: unordered-prefix",
    code="""
import json
def ask(profile, m):
    system = "User: " + json.dumps(profile)
    return client.messages.create(model="x", max_tokens=9, messages=m, system=system)
""",
)
_wrong(
    "JSON that is told not to sort",
    "2: unordered-prefix",
    code="""
from json import dumps
client.messages.create(model="x", max_tokens=9, messages=m, system=dumps(load_config(), sort_keys=False))
""",
)
_wrong(
    "a set of tags",
    "1: unordered-prefix",
    code="""
client.messages.create(model="x", max_tokens=9, messages=m, system="Tags: " + ", ".join(set(tags)))
""",
)
_wrong(
    "tools out of a set",
    "1: unordered-prefix",
    code="""
NAMES = {"read", "write", "grep"}
client.messages.create(model="x", max_tokens=9, messages=m, tools=[TOOLS[name] for name in NAMES])
""",
)
_wrong(
    "cached tokens taken off",
    "2: cached-subtracted",
    code="""
u = response.usage
plain = u.input_tokens - u.cache_read_input_tokens - u.cache_creation_input_tokens
""",
)
_wrong(
    "taken off by key",
    "1: cached-subtracted",
    code="""
regular = usage["input_tokens"] - usage.get("cache_read_input_tokens", 0)
""",
)
_wrong(
    "taken off by names",
    "5: cached-subtracted",
    code="""
def cost(usage):
    total = usage.input_tokens
    read = usage.cache_read_input_tokens or 0
    write = usage.cache_creation_input_tokens or 0
    regular = total - (read + write)
    return regular * 3
""",
)
_wrong(
    "taken off in place",
    "2: cached-subtracted",
    code="""
tokens = usage.input_tokens or 0
tokens -= usage.cache_read_input_tokens or 0
""",
)
_wrong(
    "taken off within max",
    "1: cached-subtracted",
    code="""
plain = max(0, getattr(u, "input_tokens", 0) - getattr(u, "cache_read_input_tokens", 0))
""",
)
_wrong(
    "parameters of that name",
    "2: cached-subtracted",
    code="""
def price(input_tokens, output_tokens, cache_read_input_tokens):
    return (input_tokens - cache_read_input_tokens) * 3 + cache_read_input_tokens * 0.3 + output_tokens * 15
""",
)
_wrong(
    "the last ten messages of a tool loop",
    "3: blind-trim",
    code="""
def step(messages):
    return client.messages.create(
        model="x", max_tokens=9, tools=TOOLS, messages=messages[-10:])
""",
)
_wrong(
    "history cut in place",
    "5: blind-trim",
    code="""
messages = []
while True:
    messages.append({"role": "user", "content": input()})
    if len(messages) > 20:
        messages = messages[-20:]
    r = client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
    messages.append({"role": "assistant", "content": r.content})
""",
)
_wrong(
    "the oldest popped",
    "5: blind-trim",
    code="""
class Agent:
    def ask(self, q):
        self.history.append({"role": "user", "content": q})
        while len(self.history) > 30:
            self.history.pop(0)
        return self.client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=self.history)
""",
)
_wrong(
    "the middle deleted",
    "3: blind-trim",
    code="""
def step(messages):
    if len(messages) > 40:
        del messages[1:21]
    return client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
""",
)
_wrong(
    "first and last kept",
    "2: blind-trim",
    code="""
def step(messages):
    return client.messages.create(model="x", max_tokens=9, tools=T, messages=[messages[0], *messages[-6:]])
""",
)
_wrong(
    "a bounded deque",
    "2: blind-trim",
    code="""
from collections import deque
messages = deque(maxlen=16)
client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=list(messages))
""",
)
_wrong(
    "a helper that cuts",
    "2: blind-trim",
    code="""
def trim(messages, keep=12):
    return messages[-keep:]

client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=trim(history))
""",
)
_wrong(
    "a sliding window under a cache",
    "2: blind-trim",
    code="""
client.messages.create(model="x", max_tokens=9, cache_control={"type": "ephemeral"},
    messages=history[-8:])
""",
)
_wrong(
    "a model of 2024",
    "1: retired-model",
    code="""
client.messages.create(model="claude-3-5-sonnet-20241022", max_tokens=9, messages=m)
""",
)
_wrong(
    "a model by name",
    "1: retired-model",
    code="""
MODEL = "claude-3-haiku-20240307"
client.messages.create(model=MODEL, max_tokens=9, messages=m)
""",
)
_wrong(
    "a default of a parameter",
    "1: retired-model",
    code="""
def ask(q, *, model="claude-sonnet-4-20250514"):
    return client.messages.create(model=model, max_tokens=9, messages=q)
""",
)
_wrong(
    "a model in settings",
    "1: retired-model",
    code="""
settings = {"model": "claude-3-opus-20240229", "temperature": 0}
""",
)
_wrong(
    "a model about to go",
    "1: retired-model",
    code="""
client.messages.create(model="claude-sonnet-4-5", max_tokens=9, messages=m)
""",
)
_wrong(
    "a model when none is given",
    "2: retired-model",
    code="""
def ask(q, model=None):
    return client.messages.create(model=model or "claude-3-7-sonnet-20250219", max_tokens=9, messages=q)
""",
)
_wrong(
    "a marker on a short prompt",
    "2: below-minimum",
    code="""
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=m, system=[
    {"type": "text", "text": "You are a helpful assistant.", "cache_control": {"type": "ephemeral"}}])
""",
)
_wrong(
    "short by its constant",
    "4: below-minimum",
    code="""
SYSTEM = "Answer in JSON. " * 20
def ask(m):
    return client.messages.create(
        system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
        model="claude-opus-5-5", max_tokens=9, messages=m)
""",
)
_wrong(
    "short for every model",
    "2: below-minimum",
    code="""
client.messages.create(model=pick(), max_tokens=9, messages=m, system=[
    dict_of_text := {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])
""",
)
_wrong(
    "a marked tool that is all there is",
    "2: below-minimum",
    code="""
client.messages.create(model="claude-opus-4-6", max_tokens=9, messages=m, tools=[
    {"name": "now", "description": "The time.", "input_schema": {"type": "object"},
     "cache_control": {"type": "ephemeral"}}])
""",
)
_wrong(
    "five markers",
    "8: too-many-markers",
    code="""
C = {"type": "ephemeral"}
client.messages.create(model="x", max_tokens=9, messages=m,
    system=[
        {"type": "text", "text": A, "cache_control": C},
        {"type": "text", "text": B, "cache_control": C},
        {"type": "text", "text": D, "cache_control": C},
        {"type": "text", "text": E, "cache_control": C},
        {"type": "text", "text": F, "cache_control": C},
    ])
""",
)
_wrong(
    "a marker on each document",
    "3: too-many-markers",
    code="""
client.messages.create(model="x", max_tokens=9, messages=m,
    system=[
        {"type": "text", "text": d, "cache_control": {"type": "ephemeral"}} for d in documents])
""",
)
_wrong(
    "markers that pile up",
    "5: too-many-markers",
    code="""
messages = []
for q in questions:
    messages.append({
        "role": "user",
        "content": [{"type": "text", "text": q, "cache_control": {"type": "ephemeral"}}],
    })
    r = client.messages.create(model="x", max_tokens=9, messages=messages)
    messages.append({"role": "assistant", "content": r.content})
""",
)
_wrong(
    "an hour behind five minutes",
    "4: ttl-order",
    code="""
client.messages.create(model="x", max_tokens=9, messages=m, tools=[
    {"name": "a", "input_schema": S, "cache_control": {"type": "ephemeral"}}],
    system=[{"type": "text", "text": LONG,
      "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
""",
)
_wrong(
    "a gather of cold calls",
    "6: cold-fan-out",
    code="""
import asyncio
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}])
async def main(questions):
    return await asyncio.gather(*(ask(q) for q in questions))
""",
)
_wrong(
    "a pool of threads",
    "6: cold-fan-out",
    code="""
from concurrent.futures import ThreadPoolExecutor
def ask(q):
    return client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=RULES, cache_control={"type": "ephemeral"})
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(ask, questions))
""",
)
_wrong(
    "tasks in a loop",
    "4: cold-fan-out",
    code="""
async def main(questions):
    async with asyncio.TaskGroup() as group:
        for q in questions:
            group.create_task(
                client.messages.create(model="x", max_tokens=9, tools=T, messages=q, cache_control=C))
""",
)
_wrong(
    "only text after a compaction",
    "6: text-after-compaction",
    code="""
def loop(messages):
    r = client.beta.messages.create(
        model="claude-opus-5-5", max_tokens=9, messages=messages, betas=["compact-2026-01-12"],
        context_management={"edits": [{"type": "compact_20260112"}]})
    answer = r.content[0].text
    messages.append({"role": "assistant", "content": answer})
""",
)
_wrong(
    "joined text after a compaction",
    "3: text-after-compaction",
    code="""
r = client.beta.messages.create(model="claude-opus-5-5", max_tokens=9, messages=messages,
    compaction={"type": "summarize"}, betas=["compact-2026-09-04"])
messages.append({"role": "assistant", "content": "".join(b.text for b in r.content if b.type == "text")})
""",
)

_wrong(
    "requests made before, sent at once",
    "5: cold-fan-out",
    code="""
from concurrent.futures import ThreadPoolExecutor
requests = [{"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": str(n)}],
    "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]} for n in range(8)]
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(lambda r: client.messages.create(**r), requests))
""",
)


_wrong(
    "an agent that calls itself",
    "2: retired-model",
    code="""
def turn(history, rules):
    answer = client.messages.create(model="claude-3-opus-20240229", max_tokens=9, messages=history,
        system=rules)
    return turn([*history, answer], rules) if answer.stop_reason == "tool_use" else answer
""",
)
_wrong(
    "names that stand for one another",
    "4: retired-model",
    code="""
rules = rules
more = more + more
client.messages.create(
    model="claude-3-opus-20240229", max_tokens=9, messages=more, system=rules)
""",
)
_wrong(
    "clients of every shape",
    "4: clock-in-prefix",
    "5: clock-in-prefix",
    "6: clock-in-prefix",
    "7: betas-on-stable",
    "8: betas-on-stable",
    "9: betas-on-stable",
    code="""
import time
import anthropic
NOW = {"model": "claude-opus-5-5", "max_tokens": 9}
clients["eu"].messages.create(**NOW, messages=m, system=f"{time.time()}")
anthropic.Anthropic().messages.create(**NOW, messages=m, system=f"{time.time()}")
client.messages.with_streaming_response.create(**NOW, messages=m, system=f"{time.time()}")
make_client().messages.create(**NOW, messages=m, betas=["compact-2026-09-04"])
client.with_options(timeout=9).messages.create(**NOW, messages=m, betas=["compact-2026-09-04"])
client.messages.with_raw_response.create(**NOW, messages=m, betas=["compact-2026-09-04"])
""",
)
_wrong(
    "a method kept under a name",
    "6: clock-in-prefix",
    code="""
from datetime import datetime
class Desk:
    def __init__(self, client):
        self._send = client.messages.create
    def ask(self, m):
        return self._send(model="x", max_tokens=9, messages=m, system=f"{datetime.now()}")
""",
)
_wrong(
    "params put together step by step",
    "4: clock-in-prefix",
    "8: clock-in-prefix",
    code="""
from datetime import datetime
def by_key(m):
    params = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": m}
    params["system"] = f"Now: {datetime.now()}"
    return client.messages.create(**params)
def by_update(m):
    params = dict(model="claude-opus-5-5", max_tokens=9, messages=m)
    params.update(system=f"Now: {datetime.now()}")
    return client.messages.create(**params)
""",
)
_wrong(
    "a body put together step by step",
    "4: clock-in-prefix",
    code="""
import time, httpx
def body(q):
    made = {"model": "claude-opus-5-5", "max_tokens": 9}
    made["system"] = f"It is {time.time()}"
    made["messages"] = [{"role": "user", "content": q}]
    return made
httpx.post(URL, json=body("hi"))
""",
)
_wrong(
    "betas spread on a condition",
    "1: betas-on-stable",
    code="""
more = {"betas": ["compact-2026-09-04"]} if long else {}
client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m, **more)
""",
)
_wrong(
    "what a helper takes as keywords",
    "4: clock-in-prefix",
    code="""
import time
def ask(**rest):
    return client.messages.create(model="x", max_tokens=9, **rest)
ask(messages=m, system=f"{time.time()}")
""",
)
_wrong(
    "a prompt that is a property",
    "5: clock-in-prefix",
    code="""
from datetime import datetime
class Agent:
    @property
    def rules(self):
        return f"It is {datetime.now()}"
    def ask(self, m):
        return self.client.messages.create(model="x", max_tokens=9, messages=m, system=self.rules)
""",
)
_wrong(
    "a session of a dataclass",
    "5: clock-in-prefix",
    code="""
import uuid
from dataclasses import dataclass, field
@dataclass
class Agent:
    session: str = field(default_factory=lambda: uuid.uuid4().hex)
    def ask(self, m):
        return self.client.messages.create(model="x", max_tokens=9, messages=m, system=self.session)
""",
)
_wrong(
    "a prompt given to the base class",
    "9: clock-in-prefix",
    code="""
import time
class Base:
    def __init__(self, rules):
        self.rules = rules
    def ask(self, m):
        return self.client.messages.create(model="x", max_tokens=9, messages=m, system=self.rules)
class Agent(Base):
    def __init__(self):
        super().__init__(f"Begun {time.time()}")
""",
)
_wrong(
    "files in the order of a folder",
    "3: unordered-prefix",
    "4: unordered-prefix",
    code="""
import os
from pathlib import Path
NAMES = ", ".join(os.listdir("rules"))
TEXTS = "".join(one.read_text() for one in Path("rules").glob("*.md"))
client.messages.create(model="x", max_tokens=9, messages=m, system=NAMES + TEXTS)
""",
)
_wrong(
    "beta headers through names and joins",
    "1: no-op-beta",
    "2: no-op-beta",
    code="""
ONE = "prompt-caching-2024-07-31"
MORE = ["pdfs-2024-09-25", "compact-2026-09-04"]
client = Anthropic(default_headers={"anthropic-beta": ",".join(MORE)})
client.messages.create(model="x", max_tokens=9, messages=m, extra_headers={"anthropic-beta": ONE})
""",
)
_wrong(
    "sums in an object, and casts",
    "6: cached-subtracted",
    "8: cached-subtracted",
    code="""
class Meter:
    def add(self, usage):
        self.whole += usage.input_tokens
        self.read += usage.cache_read_input_tokens
    def fresh(self):
        return self.whole - self.read
whole = int(usage["input_tokens"])
fresh = whole - int(usage["cache_read_input_tokens"])
""",
)
_wrong(
    "history cut by islice and in place",
    "3: blind-trim",
    "5: blind-trim",
    code="""
from itertools import islice
client.messages.create(model="x", max_tokens=9, tools=T,
    messages=list(islice(history, len(history) - 10, None)))
def ask(messages):
    messages[:] = messages[-20:]
    return client.messages.create(model="x", max_tokens=9, tools=T, messages=messages)
""",
)
_wrong(
    "a cut that is made into messages again",
    "2: blind-trim",
    code="""
def ask(chat):
    kept = [{"role": one["role"], "content": one["content"]} for one in chat[-12:]]
    return client.messages.create(model="x", max_tokens=9, tools=T, messages=kept)
""",
)
_wrong(
    "defaults of settings",
    "2: retired-model",
    "3: retired-model",
    "4: retired-model",
    "5: retired-model",
    "6: retired-model",
    "7: retired-model",
    code="""
import os
client.messages.create(model=os.environ.get("M", "claude-3-opus-20240229"), max_tokens=9, messages=m)
MODEL = os.getenv("CLAUDE", "claude-3-7-sonnet-20250219")
model = settings.get("model", "claude-3-opus-20240229")
parser.add_argument("--model", default="claude-3-sonnet-20240229")
def main(model: str = typer.Option("claude-3-opus-20240229")): ...
class Settings(BaseSettings): model: str = Field(default="claude-3-opus-20240229")
""",
)
_wrong(
    "names for models",
    "1: retired-model",
    "2: retired-model",
    "3: retired-model",
    code="""
model_name = "claude-3-5-sonnet-latest"
MODEL_ID = "claude-3-opus-latest"
llm = Chat(modelId="claude-3-5-sonnet-20240620")
""",
)
_wrong(
    "whatever a request's model may be",
    "2: retired-model",
    "4: retired-model",
    "5: retired-model",
    code="""
from enum import Enum
TIERS = {"fast": "claude-3-haiku-20240307", "best": "claude-opus-5-5"}
class Kind(str, Enum):
    SMALL = "claude-3-5-haiku-20241022"
FALLBACKS = ["claude-opus-5-5", "claude-3-opus-20240229"]
client.messages.create(model=TIERS["fast"], max_tokens=9, messages=m)
client.messages.create(model=Kind.SMALL.value, max_tokens=9, messages=m)
for each in FALLBACKS:
    client.messages.create(model=each, max_tokens=9, messages=m)
""",
)
_wrong(
    "short with a name filled in",
    "3: below-minimum",
    code="""
WHO = "Ada"
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=m, system=[
    {"type": "text", "text": f"You are {WHO}.", "cache_control": {"type": "ephemeral"}}])
""",
)
_wrong(
    "a whole prompt that is short, under automatic caching",
    "2: below-minimum",
    code="""
client.messages.create(model="claude-haiku-4-5", max_tokens=9, system="Be brief.",
    cache_control={"type": "ephemeral"}, messages=[{"role": "user", "content": "Hello"}])
""",
)
_wrong(
    "a marker on a short message",
    "2: below-minimum",
    code="""
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=[{"role": "user", "content": [
    {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]}])
""",
)
_wrong(
    "a marker set on every message",
    "2: too-many-markers",
    code="""
for message in messages:
    message["content"][-1]["cache_control"] = {"type": "ephemeral"}
client.messages.create(model="x", max_tokens=9, messages=messages)
""",
)
_wrong(
    "markers that pile up through a method",
    "4: too-many-markers",
    code="""
class Chat:
    def say(self, text):
        self.messages.append({"role": "user", "content": [
            {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]})
    def run(self):
        while True:
            self.say(input())
            self.client.messages.create(model="x", max_tokens=9, messages=self.messages)
""",
)
_wrong(
    "an hour behind a marker set later",
    "3: ttl-order",
    code="""
TOOLS[-1]["cache_control"] = {"type": "ephemeral"}
client.messages.create(model="x", max_tokens=9, messages=m, tools=TOOLS, system=[
    {"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}])
""",
)
_wrong(
    "an automatic hour behind five minutes",
    "3: ttl-order",
    code="""
client.messages.create(model="x", max_tokens=9, messages=m,
    system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}],
    cache_control={"type": "ephemeral", "ttl": "1h"})
""",
)
_COLD = """
import asyncio, threading
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}])
async def grade(q):
    return read(await ask(q))
"""
_wrong(
    "a list of coroutines",
    "10: cold-fan-out",
    code=_COLD
    + """
async def main(questions):
    waiting = [ask(q) for q in questions]
    return await asyncio.gather(*waiting)
""",
)
_wrong(
    "coroutines appended",
    "12: cold-fan-out",
    code=_COLD
    + """
async def main(questions):
    waiting = []
    for q in questions:
        waiting.append(ask(q))
    return await asyncio.gather(*waiting)
""",
)
_wrong(
    "tasks made first, gathered then",
    "9: cold-fan-out",
    code=_COLD
    + """
async def main(questions):
    tasks = [asyncio.create_task(ask(q)) for q in questions]
    return [await task for task in tasks]
""",
)
_wrong(
    "through a function that calls another",
    "9: cold-fan-out",
    code=_COLD
    + """
async def main(questions):
    return await asyncio.gather(*(grade(q) for q in questions))
""",
)
_wrong(
    "two in one gather",
    "9: cold-fan-out",
    code=_COLD
    + """
async def main():
    return await asyncio.gather(ask("one"), grade("two"))
""",
)
_wrong(
    "threads in a loop, and joblib",
    "6: cold-fan-out",
    "7: cold-fan-out",
    code="""
import threading, joblib
def ask(q):
    client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}])
for q in questions:
    threading.Thread(target=ask, args=(q,)).start()
joblib.Parallel(n_jobs=8)(joblib.delayed(ask)(q) for q in questions)
""",
)
_wrong(
    "the text of a stream after a compaction",
    "5: text-after-compaction",
    code="""
with client.beta.messages.stream(model="claude-opus-5-5", max_tokens=9, messages=messages,
        betas=["compact-2026-01-12"],
        context_management={"edits": [{"type": "compact_20260112"}]}) as stream:
    text = stream.get_final_text()
messages.append({"role": "assistant", "content": text})
""",
)
_wrong(
    "what is no comment ignores nothing",
    "1: retired-model",
    "2: retired-model",
    "4: retired-model",
    code="""
old = "# scrimp: ignore"; client.messages.create(model="claude-3-opus-20240229", max_tokens=9, messages=m)
client.messages.create(model="claude-3-opus-20240229", max_tokens=9, messages=m)  # scrimp: ignore[]
# scrimp: ignore
client.messages.create(model="claude-3-opus-20240229", max_tokens=9, messages=m)
""",
)

_wrong(
    "a shared prompt joined of its parts",
    "6: cold-fan-out",
    code="""
import asyncio
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=" ".join(one for one in RULES), cache_control={"type": "ephemeral"})
async def main(questions):
    return await asyncio.gather(*[asyncio.to_thread(ask, q) for q in questions])
""",
)
