"""Tags of a call: from its key, from scrimp's own headers, and from those of Claude Code.

| header | |
|---|---|
| `x-scrimp-run` | a run, or a path of runs: `nightly/reviewer`; each may have an id: `nightly@2f1` |
| `x-scrimp-user`, `x-scrimp-team` | whose money; what the key says counts before them |
| `x-scrimp-task-type`, `x-scrimp-agent` | what kind of work, and what kind of agent |

Claude Code names its session in `x-claude-code-session-id` and the sub-agents inside it; `metadata.user_id`
of its requests says the same in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scrimp.core.record import Tags
from scrimp.stores.keys import Key
from scrimp.wire.loads import loads

__all__ = ["inside", "says_nothing", "tags_of"]

_SESSION = b"x-claude-code-session-id"
_AGENT = b"x-claude-code-agent-id"
_PARENT = b"x-claude-code-parent-agent-id"
_CLAUDE_CODE, _SUB_AGENT = "claude-code", "sub-agent"
_MOST_CHARACTERS = 200
_DEEPEST = 16
_NO_TAGS = Tags()
_READ = frozenset(
    {_SESSION, _AGENT, _PARENT, b"x-scrimp-run", b"x-scrimp-user", b"x-scrimp-team"}
    | {b"x-scrimp-task-type", b"x-scrimp-agent"}
)


def says_nothing(headers: Mapping[bytes, bytes]) -> bool:
    """Whether none of them has a tag."""
    return _READ.isdisjoint(headers)


def tags_of(headers: Mapping[bytes, bytes], body: Mapping[str, Any], key: Key | None) -> Tags:
    """The tags of one request; nobody spends a key's money as somebody else."""
    metadata = body.get("metadata")
    if not metadata and says_nothing(headers):
        return _NO_TAGS if key is None else _of_key(key)
    run, ids = _scrimp_run(headers)
    session, agents = _claude_code(headers, metadata)
    if session is not None:
        run += (_CLAUDE_CODE, *(_SUB_AGENT for _ in agents))
        ids += (session, *agents)
    return Tags(
        run=run,
        run_ids=ids,
        user=_own(key.user if key else None, headers, b"x-scrimp-user"),
        team=_own(key.team if key else None, headers, b"x-scrimp-team"),
        task_type=_own(key.task_type if key else None, headers, b"x-scrimp-task-type"),
        agent=_text(headers, b"x-scrimp-agent"),
        key=key.name if key else None,
    )


def inside(outer: Tags, tags: Tags) -> Tags:
    """`tags` of a call inside a run with the tags `outer`."""
    return Tags(
        run=(*outer.run, *tags.run),
        run_ids=(*outer.run_ids, *tags.run_ids),
        user=tags.user or outer.user,
        task_type=tags.task_type or outer.task_type,
        agent=tags.agent or outer.agent,
        team=tags.team or outer.team,
        key=tags.key,
    )


def _of_key(key: Key) -> Tags:
    return Tags((), (), key.user, key.task_type, None, key.team, key.name)


def _own(said: str | None, headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    return said if said is not None else _text(headers, name)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    if value is None:
        return None
    return value.decode("utf-8", "replace").strip()[:_MOST_CHARACTERS] or None


def _scrimp_run(headers: Mapping[bytes, bytes]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and ids of `x-scrimp-run`, outermost first."""
    path = _text(headers, b"x-scrimp-run")
    if path is None:
        return (), ()
    parts = [part.partition("@") for part in path.split("/")[:_DEEPEST]]
    names = tuple(name.strip() for name, _, _ in parts if name.strip())
    return names, tuple(number.strip() for _, _, number in parts if number.strip())


def _claude_code(headers: Mapping[bytes, bytes], metadata: Any) -> tuple[str | None, tuple[str, ...]]:
    """The session, and the sub-agents from the outermost inwards."""
    agents = tuple(agent for name in (_PARENT, _AGENT) if (agent := _text(headers, name)) is not None)
    session = _text(headers, _SESSION)
    if session is None and isinstance(metadata, Mapping):
        session = _session_of(metadata.get("user_id"))
    return session, agents if session is not None else ()


def _session_of(user_id: Any) -> str | None:
    """`metadata.user_id` as Claude Code writes it: a string of JSON with `session_id` in it."""
    if not isinstance(user_id, str) or not user_id.startswith("{"):
        return None
    try:
        found = loads(user_id.encode())
    except (ValueError, UnicodeEncodeError):
        return None
    session = found.get("session_id") if isinstance(found, dict) else None
    return session[:_MOST_CHARACTERS] if isinstance(session, str) and session else None
