"""Code without cost bugs, much of it close to one: `(name, code)`."""

from __future__ import annotations

RIGHT: list[tuple[str, str]] = []


def _right(name: str, code: str) -> None:
    RIGHT.append((name, code.lstrip("\n")))


_right(
    "a live beta where it belongs",
    """
client.beta.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m, betas=["compact-2026-01-12"])
""",
)
_right(
    "the name of a beta that is only compared",
    """
OLD = {"prompt-caching-2024-07-31": "generally available"}
if header == "prompt-caching-2024-07-31":
    warn(OLD[header])
""",
)
_right(
    "the day is fine",
    """
from datetime import date, datetime
client.messages.create(model="x", max_tokens=9, messages=m, system=f"Today is {date.today()}.")
client.messages.create(model="x", max_tokens=9, messages=m, system=f"{datetime.now():%A, %Y-%m-%d}")
client.messages.create(model="x", max_tokens=9, messages=m, system=datetime.now().strftime("%d %b"))
client.messages.create(model="x", max_tokens=9, messages=m, system=str(datetime.now().date()))
""",
)
_right(
    "the day through a variable",
    """
from datetime import datetime
now = datetime.now()
client.messages.create(model="x", max_tokens=9, messages=m, system=f"Year {now.year}, {now:%B}")
log(now.isoformat())
""",
)
_right(
    "a clock behind the last marker",
    """
import time
client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=[{"role": "user", "content": q}],
    system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": f"It is {time.ctime()}"}])
""",
)
_right(
    "a clock in the newest message",
    """
from datetime import datetime
client.messages.create(model="x", max_tokens=9, system=LONG, cache_control={"type": "ephemeral"},
    messages=[*history, {"role": "user", "content": f"{datetime.now()}: {q}"}])
""",
)
_right(
    "a clock behind the marker of its message",
    """
import time
client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": [
    {"type": "text", "text": BOOK, "cache_control": {"type": "ephemeral"}},
    {"type": "text", "text": f"At {time.time()}: {q}"}]}])
""",
)
_right(
    "a clock for something else",
    """
import time, uuid
begun = time.time()
r = client.messages.create(model="x", max_tokens=9, system=S, messages=m,
    metadata={"user_id": uuid.uuid4().hex})
print(time.time() - begun, S)
""",
)
_right(
    "an id in a header",
    """
import uuid
client.messages.create(model="x", max_tokens=9, messages=m, extra_headers={"x-id": str(uuid.uuid4())})
""",
)
_right(
    "sorted JSON",
    """
import json
client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(profile, sort_keys=True))
""",
)
_right(
    "JSON of a literal",
    """
import json
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
client.messages.create(model="x", max_tokens=9, messages=m, system="Schema: " + json.dumps(SCHEMA, indent=2))
""",
)
_right(
    "JSON of a model's schema",
    """
import json
client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(Answer.model_json_schema()))
""",
)
_right(
    "JSON in a tool result",
    """
import json
messages.append({"role": "user", "content": [
    {"type": "tool_result", "tool_use_id": use.id, "content": json.dumps(run(use))}]})
client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
""",
)
_right(
    "a sorted set",
    """
client.messages.create(model="x", max_tokens=9, messages=m, system=", ".join(sorted(set(tags))))
""",
)
_right(
    "a set that is only asked",
    """
ALLOWED = {"read", "grep"}
client.messages.create(model="x", max_tokens=9, messages=m, tools=[t for t in TOOLS if t["name"] in ALLOWED])
""",
)
_right(
    "the whole prompt is the sum",
    """
u = response.usage
whole = u.input_tokens + u.cache_read_input_tokens + u.cache_creation_input_tokens
uncached = whole - u.cache_read_input_tokens
""",
)
_right(
    "another provider's count holds the cached",
    """
plain = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens
""",
)
_right(
    "output taken off",
    """
left = limit - usage.input_tokens - usage.output_tokens
""",
)
_right(
    "growth of two steps",
    """
grown = second.usage.input_tokens - first.usage.input_tokens
""",
)
_right(
    "the last message looked at",
    """
last = messages[-1]
tail = messages[-3:]
print(tail)
client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
""",
)
_right(
    "the last one taken back",
    """
messages.pop()
client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages[:-1])
""",
)
_right(
    "a cut that keeps pairs",
    """
def trim(messages, keep):
    cut = len(messages) - keep
    while cut < len(messages) and has(messages[cut], "tool_result"):
        cut += 1
    return messages[cut:]

client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=trim(messages, 10))
""",
)
_right(
    "a chat without tools or cache",
    """
client.messages.create(model="x", max_tokens=9, messages=messages[-10:])
""",
)
_right(
    "the list that is cut is another one",
    """
log = log[-100:]
queue.pop(0)
client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
""",
)
_right(
    "models that are served",
    """
client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=m)
client.messages.create(model="claude-haiku-5-5", max_tokens=9, messages=m)
MODEL = "claude-sonnet-5-5"
""",
)
_right(
    "old models in a price list",
    """
PRICES = {"claude-3-opus-20240229": 15, "claude-3-haiku-20240307": 0.25}
RENAMED = {"old": "claude-3-opus-20240229"}
if name == "claude-3-5-sonnet-20241022":
    raise ValueError(name)
""",
)
_right(
    "another cloud retires on days of its own",
    """
client.messages.create(model="anthropic.claude-3-haiku-20240307-v1:0", max_tokens=9, messages=m)
""",
)
_right(
    "a marker on a long prompt",
    """
SYSTEM = "Rules of the house, one after the other. " * 2000
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=m, system=[
    {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}])
""",
)
_right(
    "a marker on a prompt that is read from a file",
    """
SYSTEM = open("rules.md").read()
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=m, system=[
    {"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}])
""",
)
_right(
    "short system behind tools that cannot be seen",
    """
client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=m, tools=TOOLS, system=[
    {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])
""",
)
_right(
    "counting is free",
    """
client.messages.count_tokens(model="claude-haiku-4-5", messages=m, system=[
    {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}])
""",
)
_right(
    "four markers in order",
    """
H, C = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
client.messages.create(model="x", max_tokens=9,
    tools=[{"name": "a", "input_schema": S, "cache_control": H}],
    system=[{"type": "text", "text": A, "cache_control": H}, {"type": "text", "text": B, "cache_control": C}],
    messages=[{"role": "user", "content": [{"type": "text", "text": q, "cache_control": C}]}])
""",
)
_right(
    "a marker on the last document alone",
    """
blocks = [
    {"type": "text", "text": d, **({"cache_control": C} if d is docs[-1] else {})} for d in docs]
client.messages.create(model="x", max_tokens=9, messages=m, system=blocks)
""",
)
_right(
    "markers that move",
    """
for q in questions:
    for message in messages:
        message["content"][-1].pop("cache_control", None)
    messages.append({"role": "user", "content": [
        {"type": "text", "text": q, "cache_control": {"type": "ephemeral"}}]})
    r = client.messages.create(model="x", max_tokens=9, messages=messages)
""",
)
_right(
    "one first, then the rest",
    """
import asyncio
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=RULES, cache_control={"type": "ephemeral"})
async def main(questions):
    first = await ask(questions[0])
    return [first, *await asyncio.gather(*(ask(q) for q in questions[1:]))]
""",
)
_right(
    "side by side without a cache",
    """
import asyncio
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}])
async def main(questions):
    return await asyncio.gather(*(ask(q) for q in questions))
""",
)
_right(
    "a fan-out that waits for its first",
    """
import scrimp
requests = [dict(model="x", max_tokens=9, messages=m, cache_control={"type": "ephemeral"}) for m in many]
answers = scrimp.fanout(client, requests)
""",
)
_right(
    "the answer as it came after a compaction",
    """
r = client.beta.messages.create(model="claude-opus-5-5", max_tokens=9, messages=messages,
    betas=["compact-2026-01-12"], context_management={"edits": [{"type": "compact_20260112"}]})
messages.append({"role": "assistant", "content": r.content})
print(r.content[0].text)
""",
)
_right(
    "only text where nothing is compacted",
    """
r = client.messages.create(model="claude-opus-5-5", max_tokens=9, messages=messages)
messages.append({"role": "assistant", "content": r.content[0].text})
""",
)
_right(
    "said to be meant",
    """
import time
client.messages.create(model="x", max_tokens=9, messages=m,
    system=str(time.time()))  # scrimp: ignore[clock-in-prefix]
client.messages.create(model="claude-3-opus-20240229", max_tokens=9, messages=m)  # scrimp: ignore
""",
)

_right(
    "attempts taken off their sum",
    """
def rest(usage, attempts):
    attempts = [a for a in attempts if a.cache_read_input_tokens]
    return usage.input_tokens - sum(a.input_tokens for a in attempts)
""",
)

_right(
    "a list taken apart and put together",
    """
def step(messages, at):
    messages = [*messages[:at], NOTE, *messages[at:]]
    return client.messages.create(model="x", max_tokens=9, tools=TOOLS, messages=messages)
""",
)
_right(
    "chance with a seed",
    """
import random
rng = random.Random(7)
client.messages.create(model="x", max_tokens=9, messages=m, system=" ".join(rng.choices(WORDS, k=900)))
""",
)

_right(
    "requests made before, the first one sent first",
    """
from concurrent.futures import ThreadPoolExecutor
requests = [{"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": str(n)}],
    "system": [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]} for n in range(8)]
first = client.messages.create(**requests[0])
with ThreadPoolExecutor(8) as pool:
    answers = [first, *pool.map(lambda r: client.messages.create(**r), requests[1:])]
""",
)

_right(
    "a client that is the beta one by another name",
    """
class Agent:
    def __init__(self, client):
        self.api = client.beta
    def ask(self, m):
        return self.api.messages.create(model="x", max_tokens=9, messages=m, betas=["compact-2026-09-04"])
""",
)
_right(
    "betas where there is one, the stable client where there is none",
    """
def ask(params, betas):
    if betas:
        params["betas"] = betas
        return client.beta.messages.create(**params)
    return client.messages.create(**params)
""",
)
_right(
    "bodies for somebody else",
    """
import json, anthropic
first = {"model": "gpt-4o", "max_tokens": 9, "messages": messages[-10:], "tools": tools}
second = {"model": "gpt-4o", "max_tokens": 9, "messages": m, "system": json.dumps(profile)}
""",
)
_right(
    "bodies in a module that knows no Claude",
    """
def body(model, messages):
    return {"model": model, "max_tokens": 9, "messages": messages[-10:], "tools": TOOLS}
""",
)
_right(
    "the day, cut out of a time",
    """
from datetime import datetime
day = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
client.messages.create(model="x", max_tokens=9, messages=m, system=datetime.now().isoformat()[:10])
client.messages.create(model="x", max_tokens=9, messages=m, system=f"Since {day}")
client.messages.create(model="x", max_tokens=9, messages=m, system=str(datetime.now()).split(" ")[0])
""",
)
_right(
    "a clock put behind the marker later",
    """
import time
rules = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
rules.append({"type": "text", "text": f"Now {time.time()}"})
client.messages.create(model="x", max_tokens=9, messages=m, system=rules)
MARKED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
client.messages.create(model="x", max_tokens=9, messages=m,
    system=MARKED + [{"type": "text", "text": f"Now {time.time()}"}])
""",
)
_right(
    "another class's attribute, another object's method",
    """
import time
class Watch:
    def begin(self):
        self.rules = time.time()
    def get(self, name):
        return time.time()
class Agent:
    def __init__(self):
        self.rules = "Be kind."
    def ask(self, m, settings):
        client.messages.create(model="x", max_tokens=9, messages=m, system=settings.get("rules"))
        return client.messages.create(model="x", max_tokens=9, messages=m, system=self.rules)
""",
)
_right(
    "another key's value",
    """
import time
class Agent:
    def __init__(self):
        self.state = {}
        self.state["begun"] = time.time()
        self.state["rules"] = "Be kind."
    def ask(self, m):
        return client.messages.create(model="x", max_tokens=9, messages=m, system=self.state["rules"])
""",
)
_right(
    "chance with one seed for all",
    """
import random
random.seed(7)
client.messages.create(model="x", max_tokens=9, messages=m, system=" ".join(random.sample(WORDS, 3)))
""",
)
_right(
    "sorted before use",
    """
names = list(set(tags))
names.sort()
client.messages.create(model="x", max_tokens=9, messages=m, system=", ".join(names))
tools = [TOOLS[name] for name in {"read", "grep"}]
tools.sort(key=lambda tool: tool["name"])
client.messages.create(model="x", max_tokens=9, messages=m, tools=tools)
""",
)
_right(
    "a set that a helper asks",
    """
def chosen(tools, names):
    return [tool for tool in tools if tool["name"] in names]
client.messages.create(model="x", max_tokens=9, messages=m, tools=chosen(TOOLS, {"read", "grep"}))
""",
)
_right(
    "a set in what a tool does",
    """
def tools():
    return [Tool(run=lambda: set([1]))]
client.beta.messages.tool_runner(model="x", max_tokens=9, messages=m, tools=tools())
""",
)
_right(
    "a set handed to what is not in sight",
    """
client.messages.create(model="x", max_tokens=9, messages=m, tools=build(TOOLS, only={"read", "grep"}))
ALL = frozenset({"read", "grep"})
client.messages.create(model="x", max_tokens=9, messages=m, tools=build(TOOLS, only=ALL - {"grep"}))
""",
)
_right(
    "JSON with an order of its own",
    """
import json
def rows(rows: list[str], name: str, m):
    client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(rows) + json.dumps(name))
settings = json.load(open("settings.json"))
client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(settings["schema"]))
client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(dict(sorted(d.items()))))
client.messages.create(model="x", max_tokens=9, messages=m,
    system=json.dumps({key: value for key, value in sorted(d.items())}))
client.messages.create(model="x", max_tokens=9, messages=m, system=json.dumps(settings_of(m).to_dict()))
""",
)
_right(
    "counts of two calls",
    """
saved = before.input_tokens - after.cache_read_input_tokens
saved = baseline.input_tokens - cached.cache_read_input_tokens - cached.input_tokens
""",
)
_right(
    "a count put together from another provider's",
    """
def usage_of(answer):
    details = answer["usage"]["prompt_tokens_details"]
    write = details["cache_write_tokens"]
    usage.input_tokens = max(0, usage.input_tokens - write)
""",
)
_right(
    "the system message taken off",
    """
def by_slice(messages):
    return client.messages.create(model="x", max_tokens=9, tools=T, system=messages[0]["content"],
        messages=messages[1:])
def by_pop(messages):
    messages = list(messages)
    rules = messages.pop(0)["content"]
    return client.messages.create(model="x", max_tokens=9, tools=T, system=rules, messages=messages)
""",
)
_right(
    "cuts inside a message",
    """
import sys
def ask(lines):
    return [{"role": "user", "content": "\\n".join(lines)}]
def each(words):
    messages = []
    for word in words:
        messages.append({"role": "user", "content": word})
    return messages
client.messages.create(model="x", max_tokens=9, tools=T, messages=ask(log.splitlines()[-50:]))
client.messages.create(model="x", max_tokens=9, tools=T, messages=ask(line[len("/ask "):]))
client.messages.create(model="x", max_tokens=9, tools=T, messages=each(sys.argv[1:]))
client.messages.create(model="x", max_tokens=9, tools=T, messages=[one for many in EX[5:] for one in many])
""",
)
_right(
    "the model of an answer",
    """
answer = Message(id="m", model="claude-3-opus-20240229", role="assistant", content=[], usage=USAGE)
recorded = {"id": "m", "model": "claude-3-opus-20240229", "usage": {"input_tokens": 9}}
model = response.get("model", "claude-3-opus-20240229")
""",
)
_right(
    "an old model under another key, or asked for only",
    """
TIERS = {"old": "claude-3-haiku-20240307", "new": "claude-haiku-5-5"}
RENAMED = {"claude-3-opus-20240229": "claude-opus-5-5"}
client.messages.create(model=TIERS["new"], max_tokens=9, messages=m)
client.messages.create(model=RENAMED.get(name, name), max_tokens=9, messages=m)
client.messages.create(model="claude-opus-5-5" if old == "claude-3-opus-20240229" else new, max_tokens=9,
    messages=m)
""",
)
_right(
    "a short prompt that grows, under automatic caching",
    """
messages = [{"role": "user", "content": "Hello"}]
while True:
    answer = client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=messages,
        cache_control={"type": "ephemeral"})
    messages.append({"role": "assistant", "content": answer.content})
""",
)
_right(
    "markers on few",
    """
for part in (
    [{"type": "text", "text": one, "cache_control": {"type": "ephemeral"}} for one in (RULES, BOOK)],
    [{"type": "text", "text": one, "cache_control": {"type": "ephemeral"}} for one in documents[:3]],
    [{"type": "text", "text": one, "cache_control": None} for one in documents],
):
    client.messages.create(model="x", max_tokens=9, messages=m, system=part)
for message in messages[-3:]:
    message["content"][-1]["cache_control"] = {"type": "ephemeral"}
client.messages.create(model="x", max_tokens=9, messages=messages)
""",
)
_right(
    "one marker in each of many requests",
    """
many = []
for document in documents:
    messages = []
    messages.append({"role": "user", "content": [
        {"type": "text", "text": document, "cache_control": {"type": "ephemeral"}}]})
    client.messages.create(model="x", max_tokens=9, messages=messages)
    many.append(Request(custom_id=document.id, params=MessageCreateParamsNonStreaming(
        model="x", max_tokens=9, messages=[{"role": "user", "content": [
            {"type": "text", "text": document.text, "cache_control": {"type": "ephemeral"}}]}])))
client.messages.batches.create(requests=many)
""",
)
_COLD = """
import asyncio
RULES = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]
async def ask(q):
    return await client.messages.create(model="x", max_tokens=9, system=RULES,
        messages=[{"role": "user", "content": q}])
"""
_right(
    "one after the other",
    """
def ask(q):
    return client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": q}],
        system=[{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}])
answers = list(map(ask, questions))
table["answer"] = table["question"].map(ask)
for q in questions:
    answers.append(pool.submit(ask, q).result())
""",
)
_right(
    "a task that is waited for",
    _COLD
    + """
async def main():
    while True:
        await asyncio.create_task(ask(await queue.get()))
""",
)
_right(
    "one beside something else",
    _COLD
    + """
async def main():
    return await asyncio.gather(ask("one"), write_log(), asyncio.sleep(1))
""",
)
_right(
    "warmed first",
    _COLD
    + """
async def main(questions):
    await client.messages.create(model="x", max_tokens=0, system=RULES, messages=[NOTHING])
    return await asyncio.gather(*(ask(q) for q in questions))
""",
)
_right(
    "each with a document of its own",
    """
import asyncio
async def read(document):
    return await client.messages.create(model="x", max_tokens=9, messages=[{"role": "user", "content": [
        {"type": "text", "text": document, "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "Sum it up."}]}])
async def main(documents):
    await asyncio.gather(*(read(one) for one in documents))
    waiting = [read(one) for one in documents]
    return await asyncio.gather(*waiting)
""",
)
_right(
    "the text of something else where something is compacted",
    """
messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": examples[0].text}]
r = client.beta.messages.create(model="claude-opus-5-5", max_tokens=9, messages=messages,
    betas=["compact-2026-01-12"], context_management={"edits": [{"type": "compact_20260112"}]})
messages.append({"role": "assistant", "content": r.content})
""",
)
_right(
    "said behind the line that opens a block",
    """
with client.messages.stream(
    model="claude-3-opus-20240229", max_tokens=9, messages=m,
) as stream:  # scrimp: ignore[retired-model]
    read(stream)
""",
)

_right(
    "a cut at a place that is sought",
    """
def trim(messages):
    start = max(0, len(messages) - 20)
    while start < len(messages) and messages[start]["role"] != "user":
        start += 1
    return messages[start:]
client.messages.create(model="x", max_tokens=9, tools=T, messages=trim(history))
""",
)
