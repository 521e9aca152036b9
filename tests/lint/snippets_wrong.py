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
        cache_control={"type": "ephemeral"})
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
                client.messages.create(model="x", max_tokens=9, messages=q, cache_control=C))
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
requests = [{"model": "x", "max_tokens": 9, "messages": [{"role": "user", "content": str(n)}],
    "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]} for n in range(8)]
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(lambda r: client.messages.create(**r), requests))
""",
)
