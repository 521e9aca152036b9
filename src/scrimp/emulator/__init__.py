"""A local Messages API that caches, bills, refuses and streams as the provider does.

    from scrimp.emulator import Emulator, Fault, Scripted, tool_use

    with Emulator(Scripted([tool_use("search", {"q": "llamas"}), "Found."])) as emulator:
        client = anthropic.Anthropic(base_url=emulator.url, api_key="any")
        client.messages.create(...)
        emulator.bill                # what was billed: usage and exact money, one entry per billed attempt
        emulator.total               # picodollars
        emulator.requests            # what was received, refused attempts included
        emulator.clock.set(t)        # from here on time moves only by `set` and `advance`
        emulator.inject(Fault("rate_limit", times=2))

`emulator.app` is the plain ASGI application, for servers and clients of your own.

Where answers come from (first argument of `Emulator`):

* `Scripted([...])`: texts, blocks, lists of blocks or `Answer`s, in order; the last one repeats.
* `Replayed(calls)`: recorded answers and recorded lengths, matched by the content of the prompt.
* `Agent()`: a small deterministic agent that calls the tools it is given, then answers.
* any function from the request body to one of the things `Scripted` takes.

The map, from the socket inwards:

    server.py     a thread with uvicorn; one write per answer, and a way to hang up; line.py: one exchange
    app.py        routes, keys, bodies; sends answers, streams, errors and faults
    bodies.py     request bodies: their size, their packing, their JSON
    faults.py     what goes wrong, and when
    provider.py   one request from its body to its usage: validate, measure, cache, answer, bill
    validate/     the API's own checks, one table of pure functions from a request to an error
    context/      clearing, compaction, bound thinking: what the model reads of what was sent
    room.py       what is left of the window for an answer
    threads.py    conversations the API holds between turns
    measure.py    how long a prompt is
    replies.py    scripted answers (replayed.py, agent.py: the other two sources)
    diagnostics.py  why a cached prefix was missed, as the API tells it
    messages.py   the JSON of messages and usage;  sse.py: of streams;  catalogue.py: of models
    books.py      what was billed and what was received;  limits.py: rate-limit headers
    clock.py      the time, real or set;  ids.py: identifiers;  refusals.py: errors as values
"""

from scrimp.emulator.agent import Agent
from scrimp.emulator.books import Billed, Received
from scrimp.emulator.clock import Clock
from scrimp.emulator.emulator import Emulator
from scrimp.emulator.faults import Fault
from scrimp.emulator.measure import Measure, PromptLength
from scrimp.emulator.refusals import Refusal
from scrimp.emulator.replayed import Replayed
from scrimp.emulator.replies import Answer, Replies, Scripted, text, thinking, tool_use

__all__ = [
    "Agent",
    "Answer",
    "Billed",
    "Clock",
    "Emulator",
    "Fault",
    "Measure",
    "PromptLength",
    "Received",
    "Refusal",
    "Replayed",
    "Replies",
    "Scripted",
    "text",
    "thinking",
    "tool_use",
]
