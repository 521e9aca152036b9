"""What of a request its bytes do not bound, found without looking at most of its text.

Malformed parts are passed over: the API refuses them, and a refused request costs nothing. What is well
formed but unknown here may be of any size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from scrimp.core.worst_seen import Seen, ServerTool
from scrimp.core.worst_tools import count, look_at_tools, referred_tokens
from scrimp.facts.model import Model
from scrimp.wire.request import Block, Body

__all__ = ["PLAIN", "Looked", "are_plain", "look", "look_at", "look_at_messages", "look_on", "may_shorten"]

_DEFAULT_TRIGGER = 150_000
"""Tokens of a prompt that compaction begins at where the request names none ("Compaction")."""

_LIST, _OBJECT = (list, tuple), (dict, Mapping)  # `list | tuple` would be made anew at each request
_BYTES_BOUND = frozenset({"tool_use", "thinking", "redacted_thinking", "server_tool_use"})
_HOLDING = frozenset(
    {"search_result", "mcp_tool_use", "tool_removal", "fallback", "container_upload"}
    | {"mcp_tool_listing", "browser_state"}
)
"""Kinds of blocks whose bytes, or those of the blocks inside, bound them."""
_RESULTS = ("_result", "_result_error", "_output")

_PLAIN_FIELDS = frozenset(
    {"model", "messages", "system", "tools", "max_tokens", "stream", "temperature", "top_k", "top_p"}
    | {"tool_choice", "thinking", "metadata", "stop_sequences", "cache_control", "service_tier", "speed"}
    | {"inference_geo", "output_config", "output_format", "diagnostics", "betas", "anthropic_version"}
    | {"anthropic_beta", "billing_policy", "fallback_credit_token", "user_profile_id", "workspace_id"}
)
"""Those whose bytes bound them, in the bodies of Messages requests, of providers too that want some more."""

_TELLING_FIELDS = frozenset(
    {"thread", "container", "mcp_servers", "fallbacks", "context_management", "compaction"}
)

_MOST_SHOWN = 40
_MOST_CHUNKED = 200_000
_CHUNK_TOKENS = 24
_LONGEST_CHUNK = 64
_CHUNKED = 8
_WITHIN_SENTENCE = re.compile(r"""[\w ,'"()/-]+""")
"""What no sentence ends with."""


Looked: TypeAlias = Sequence[tuple[int, Seen]]
"""What was found up to the end of the last message, and up to one before it: where a client marks its last
one, that one is another as soon as it is not the last any more. Empty for few messages: looking at them all
is quicker."""

_FEW = 12

PLAIN = Seen()
"""What is found in messages that `are_plain`, but for their characters, of which a bound needs none."""

_PLAIN_BLOCKS = _BYTES_BOUND | {"text", "tool_result"}
_WITH_BLOCKS_INSIDE = frozenset({str, list, tuple, type(None)})
"""Contents of a `tool_result` whose blocks, where they have any, are blocks of the prompt as well."""

_content = itemgetter("content")


def look(body: Body, model: Model, messages: Seen | None = None) -> Seen:
    """Everything in `body` that its bytes do not bound, and its markers.

    `messages` is what `look_at_messages` found in those of `body`, where they were looked at before.
    """
    seen = Seen()
    if "cache_control" in body:
        seen.mark(body)
    tools = body.get("tools")
    if tools:
        look_at_tools(seen, tools, model)
    system = body.get("system")
    if isinstance(system, str):
        seen.chars += len(system)
    elif isinstance(system, _LIST):
        look_at(seen, system)
    if messages is None:
        _look_at_messages(seen, body.get("messages"))
    elif messages is not PLAIN:
        seen.more(messages)
    if seen.inline:
        look_at_tools(seen, seen.inline, model)
    if seen.referenced:
        seen.added += referred_tokens(seen, tools, model)
    if not _PLAIN_FIELDS.issuperset(body):
        _look_at_settings(seen, body)
    return seen


def look_at_messages(messages: Any) -> Seen:
    """Everything in messages that their bytes do not bound, for any model, and their markers."""
    seen = Seen()
    _look_at_messages(seen, messages)
    return seen


def are_plain(blocks: Iterable[Block]) -> bool:
    """Whether blocks of messages are of the usual kinds, and without markers: nobody need look at them."""
    for block in blocks:
        kind = block.kind
        if kind not in _PLAIN_BLOCKS or block.ttl is not None:
            return False
        if kind == "tool_result" and (
            block.depth or block.value.get("content").__class__ not in _WITH_BLOCKS_INSIDE
        ):
            return False
    return True


def look_on(messages: Sequence[Any], before: Looked, common: int) -> Looked:
    """What is found in a conversation that has its first `common` messages from the request `before`."""
    if len(messages) < _FEW:
        return ()
    known = [*before]
    while known and known[-1][0] > common:
        known.pop()
    done, seen = known[-1] if known else (0, Seen())
    last = len(messages)
    # Where the last message stayed what it was nobody marks it, and the next one will stay as well.
    steady = before and len(known) == len(before)
    for end in (last,) if steady else range(max(done, last - 2) + 1, last + 1):
        found = Seen()
        found.more(seen)
        _look_at_messages(found, messages[done:end])
        known.append((end, found))
        done, seen = end, found
    return tuple(known[-2:])


def _look_at_messages(seen: Seen, messages: Any) -> None:
    lists: list[Any] = []
    chars = 0
    for content in _contents(messages):
        if content.__class__ is list:
            lists.append(content)
        elif content.__class__ is str:
            chars += len(content)
        elif isinstance(content, tuple):
            lists.append(content)
    if chars:
        seen.chars += chars
    try:
        # All at once: a call for each message takes longer than looking at what most of them have.
        look_at(seen, chain.from_iterable(lists))
    except RecursionError:
        seen.unseen.append("blocks in blocks, too deep to look at")


def _contents(messages: Any) -> list[Any]:
    """What each message holds."""
    if messages.__class__ is not list and not isinstance(messages, _LIST):
        return []
    try:
        return list(map(_content, messages))
    except (KeyError, TypeError):  # one of them is no message
        return [message.get("content") for message in messages if isinstance(message, _OBJECT)]


def look_at(seen: Seen, content: Iterable[Any]) -> None:
    """Take in blocks of content, and what is nested in them."""
    # On the path of every request: what is usual comes first.
    chars = 0
    for block in content:
        if block.__class__ is not dict and not isinstance(block, Mapping):
            continue
        if "cache_control" in block:
            seen.mark(block)
        try:
            kind = block["type"]
        except KeyError:
            kind = None
        if kind == "text":
            text = block.get("text")
            if text.__class__ is str:
                chars += len(text)
        elif kind in _BYTES_BOUND:
            continue
        elif kind == "tool_result":
            inner = block.get("content")
            if inner.__class__ is str:
                chars += len(inner)
            else:
                _look_within(seen, inner)
        elif kind == "image":
            _look_at_image(seen, block)
        elif kind == "document":
            _look_at_document(seen, block)
        else:
            chars += _look_inside(seen, block, kind)
    seen.chars += chars


def may_shorten(body: Body, model: Model) -> bool:
    """Whether the prompt that is billed may be shorter than `body` says, or another model's.

    The API clears what is old, puts a summary in place of it, holds a part of it, or asks the next model. An
    edit that keeps all thinking clears nothing, of a model at least whose ways are known here.
    """
    if _TELLING_FIELDS.isdisjoint(body):
        return False
    if body.get("compaction") or body.get("fallbacks") or body.get("thread"):
        return True
    editing = body.get("context_management")
    edits = editing.get("edits") if isinstance(editing, _OBJECT) else editing
    if not isinstance(edits, _LIST):
        return bool(edits)
    return bool(edits) and not (model.known and all(map(_keeps_all_thinking, edits)))


def _keeps_all_thinking(edit: Any) -> bool:
    return (
        isinstance(edit, _OBJECT)
        and str(edit.get("type", "")).startswith("clear_thinking_")
        and edit.get("keep") == "all"
    )


def _look_at_image(seen: Seen, block: Mapping[str, Any]) -> None:
    seen.images += 1
    source = block.get("source")
    kind = source.get("type") if isinstance(source, _OBJECT) else None
    data = source.get("data") if isinstance(source, _OBJECT) else None
    if isinstance(data, str):
        seen.media += len(data)
    if kind not in ("base64", "file"):
        seen.remote += 1


def _look_at_document(seen: Seen, block: Mapping[str, Any]) -> None:
    source = block.get("source")
    if not isinstance(source, _OBJECT):
        return
    kind, inner = source.get("type"), source.get("content")
    if kind == "content" and isinstance(inner, _LIST):
        look_at(seen, inner)
    elif kind not in ("text", "content"):
        seen.unseen.append(f"a document by {kind}: its length is not known")
    citations = block.get("citations")
    if isinstance(citations, _OBJECT) and citations.get("enabled"):
        text = source.get("data") if kind == "text" else inner
        seen.added += _cited_tokens(text) if isinstance(text, str) else 0


def _cited_tokens(text: str) -> int:
    """What citations add to a text, at most: each sentence becomes a chunk with a number ("Citations")."""
    if len(text) > _MOST_CHUNKED:
        return _CHUNKED * len(text)
    ends = len(_WITHIN_SENTENCE.sub("", text))
    return _CHUNK_TOKENS * (1 + ends + len(text) // _LONGEST_CHUNK)


def _look_within(seen: Seen, inner: Any) -> None:
    """The content of a block, where it is no text."""
    if inner.__class__ is list or isinstance(inner, tuple):
        look_at(seen, inner)
    elif isinstance(inner, _OBJECT):
        look_at(seen, (inner,))


def _look_inside(seen: Seen, block: Mapping[str, Any], kind: Any) -> int:
    """What is in a block of the rarer kinds; returns the characters of its content where that is a text."""
    if kind == "tool_reference":
        seen.referenced.append(str(block.get("tool_name", block.get("name", ""))))
    elif kind == "tool_addition":
        _look_at_addition(seen, block.get("tool"))
    elif kind == "compaction":
        changes = block.get("tool_changes")
        if isinstance(changes, _LIST):
            look_at(seen, changes)
    else:
        if isinstance(kind, str) and kind not in _HOLDING and not kind.endswith(_RESULTS):
            seen.unseen.append(f"a block of type {_short(kind)}: its length is not known")
        found = block.get("tool_references")
        if isinstance(found, _LIST):
            look_at(seen, found)
        inner = block.get("content")
        if inner.__class__ is str:
            return len(inner)
        _look_within(seen, inner)
    return 0


def _look_at_addition(seen: Seen, tool: Any) -> None:
    """A tool that is there from here on: one of the request's, or one defined here."""
    if not isinstance(tool, _OBJECT):
        return
    kind = tool.get("type")
    if kind == "tool_reference":
        seen.referenced.append(str(tool.get("name", "")))
    elif kind == "tool_definition":
        seen.inline.append(tool.get("definition"))
    else:
        seen.unseen.append(f"a tool added as {_short(kind)}: its definition is not in the request")


def _look_at_settings(seen: Seen, body: Body) -> None:
    """Take in fields that are not as plain as most."""
    strange = sorted(map(str, body.keys() - _PLAIN_FIELDS - _TELLING_FIELDS))
    seen.unseen += [f"the field {_short(name)}: it is not known what it adds" for name in strange]
    thread = body.get("thread")
    if thread and not (isinstance(thread, _OBJECT) and thread.get("type") == "create"):
        seen.unseen.append("a thread: the API holds the rest of the prompt")
    if body.get("mcp_servers"):
        seen.unseen.append("MCP servers: the API fetches their tools")
        seen.server_tools.append(ServerTool("mcp", None, None))
    container = body.get("container")
    if isinstance(container, _OBJECT) and container.get("skills"):
        seen.unseen.append("skills: the API adds their texts")
    _look_at_editing(seen, body)
    fallbacks = body.get("fallbacks")
    if isinstance(fallbacks, _LIST):
        seen.fallbacks += [
            str(item.get("model", "")) if isinstance(item, _OBJECT) else str(item) for item in fallbacks
        ]
    elif fallbacks:
        seen.fallbacks.append(None)


def _look_at_editing(seen: Seen, body: Body) -> None:
    if body.get("compaction"):
        seen.compacts = 0
        return
    editing = body.get("context_management")
    edits = editing.get("edits") if isinstance(editing, _OBJECT) else None
    for edit in edits if isinstance(edits, _LIST) else ():
        if isinstance(edit, _OBJECT) and str(edit.get("type", "")).startswith("compact_"):
            trigger = edit.get("trigger")
            value = count(trigger, "value") if isinstance(trigger, _OBJECT) else None
            seen.compacts = _DEFAULT_TRIGGER if value is None else value


def _short(name: object) -> str:
    """A name of the caller's, as far as it needs to be shown."""
    return repr(str(name)[:_MOST_SHOWN])
