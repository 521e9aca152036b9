"""What agents were not shown of their conversations, and how it comes back in every later request.

An answer that calls tools is known by the id of its first call, which no other answer has. One that only
speaks is known by what it says and by the whole conversation before it, as the agent has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Protocol

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.offload.hidden_turn import THINKING, Block, Turn, blocks_of, said, woven
from scrimp.core.prompt import Digest
from scrimp.wire.dumps import dumps
from scrimp.wire.loads import loads
from scrimp.wire.request import Body

__all__ = ["Hidden", "HiddenStore", "said_so_far"]

_SIZE = 16
_MOST = 4_096
_MOST_BYTES = 2**26
_MOST_ASKED = 65_536


class HiddenStore(Protocol):
    """Where it is kept beyond this process; `works` says whether it did when it was last asked."""

    works: bool

    def keep(self, key: Digest, kept: bytes) -> None:
        """Keep this under that key; returns when other processes can find it."""

    def find(self, key: Digest) -> bytes | None:
        """What was kept under that key, and not let go since."""


class Hidden:
    """A bounded memory of hidden turns; with a store, one that outlives the process.

    But for `write`, not for several threads at once.
    """

    owner = ""
    """Whose the calls are, where several share a store whose scopes do not tell them apart."""

    def __init__(self, store: HiddenStore | None = None, *, most_bytes: int = _MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._kept: dict[Digest, bytes] = {}
        self._bytes = 0
        self._none: dict[Digest, None] = {}

    def owned(self, scope: str) -> str:
        """A scope of this owner."""
        return f"{self.owner} {scope}" if self.owner else scope

    def remember(self, messages: Sequence[Any], turn: Turn, scope: str) -> tuple[Digest, bytes] | None:
        """Remember what stands behind the answer to `messages`, as the agent sent them.

        What comes back is to be handed to `write`; None where nothing of the answer can come back.
        """
        scope = self.owned(scope)
        key = _called(turn.shown, scope) or _Chain(scope).answer(messages, len(messages), turn.shown)
        return None if key is None else (key, self._remember(key, turn))

    def write(self, key: Digest, data: bytes) -> None:
        """Keep it beyond this process, which may take a while; from any thread."""
        if self._store is not None:
            self._store.keep(key, data)

    def unbind(self, body: Body, scope: str) -> bool:
        """Thinking in this request was refused: leave out all of it from here on; False where there is none.

        Some was thought after what is not remembered. Thinking may be left out from the oldest on
        ("Extended thinking", preserving thinking blocks); which of it is meant, no refusal tells for sure.
        """
        messages = body["messages"]
        at = max((at for at, one in enumerate(messages) if _thinks(one)), default=None)
        if at is None:
            return False
        content, scope = blocks_of(messages[at]["content"]), self.owned(scope)
        key = _called(content, scope) or _Chain(scope).answer(messages, at, content)
        if key is None:
            return False
        turn = self._turn(key) or Turn([])
        self._remember(key, Turn(turn.rounds, unbound=True))
        return True

    def restored(self, body: Body, scope: str) -> Body:
        """`body` with all that was hidden in its place; `body` itself where nothing was."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not (self._kept or self._store is not None):
            return body
        turns = self._turns(messages, self.owned(scope))
        return {**body, "messages": _whole(messages, turns)} if turns else body

    def _turns(self, messages: list[Any], scope: str) -> dict[int, Turn]:
        """The turns behind the answers of a conversation, by where those stand."""
        chain = _Chain(scope)
        found: dict[int, Turn] = {}
        for at, message in enumerate(messages):
            if not isinstance(message, dict) or message.get("role") != "assistant":
                continue
            content = blocks_of(message.get("content"))
            key = _called(content, scope) or chain.answer(messages, at, content)
            turn = None if key is None else self._turn(key)
            if turn is not None:
                found[at] = turn
        return found

    def _turn(self, key: Digest) -> Turn | None:
        data = self._kept.pop(key, None)
        if data is not None:
            self._kept[key] = data  # the oldest are let go, by when they were last asked for
        else:
            data = self._asked(key)
        return None if data is None else msgspec.convert(loads(data), Turn)

    def _asked(self, key: Digest) -> bytes | None:
        """What the store has. It is asked once: whatever is kept is kept before its answer can come back."""
        if self._store is None or key in self._none:
            return None
        data = self._store.find(key)
        if data is not None:
            self._hold(key, data)
        elif self._store.works:
            self._none[key] = None
            forget_oldest(self._none, _MOST_ASKED)
        return data

    def _remember(self, key: Digest, turn: Turn) -> bytes:
        data = dumps(msgspec.to_builtins(turn))
        self._hold(key, data)
        return data

    def _hold(self, key: Digest, data: bytes) -> None:
        self._none.pop(key, None)
        self._bytes += len(data) - len(self._kept.pop(key, b""))
        self._kept[key] = data
        most = _MOST
        while len(self._kept) > most or (self._bytes > self._most_bytes and len(self._kept) > 1):
            most = min(most, len(self._kept) - 1)
            self._bytes -= sum(map(len, forget_oldest(self._kept, most)))


class _Chain:
    """A digest of each beginning of a conversation, as far as it was asked for."""

    def __init__(self, scope: str) -> None:
        self._state = blake2b(scope.encode("utf-8", "surrogatepass"), digest_size=_SIZE)
        self._read = 0

    def answer(self, messages: Sequence[Any], at: int, content: list[Block]) -> Digest | None:
        """What stands for an answer that only speaks, after the messages before index `at`."""
        words = _words(content)
        if not words:
            return None
        for message in messages[self._read : at]:
            self._state.update(_packed(message))
        self._read = max(self._read, at)
        state = self._state.copy()
        state.update(b"\0answer\0" + words)
        return state.digest()


def said_so_far(messages: Sequence[Any], scope: str) -> Digest:
    """What stands for a conversation, whatever markers are in it and however its texts are cut."""
    state = blake2b(scope.encode("utf-8", "surrogatepass"), digest_size=_SIZE)
    for message in messages:
        state.update(_packed(message))
    return state.digest()


def _called(content: Sequence[Block], scope: str) -> Digest | None:
    """What stands for an answer that calls tools."""
    for block in content:
        identity = block.get("id") if block.get("type") == "tool_use" else None
        if isinstance(identity, str):
            name = repr((scope, identity)).encode("utf-8", "surrogatepass")
            return blake2b(name, digest_size=_SIZE, person=b"called").digest()
    return None


def _packed(message: Any) -> bytes:
    """A message as it is compared: markers, thinking, and how texts are cut do not count."""
    if not isinstance(message, dict):
        return repr(message).encode("utf-8", "surrogatepass")
    role = str(message.get("role"))
    words = _words(blocks_of(message.get("content")), exact=role != "assistant")
    return b"\0message\0%b\0%b" % (role.encode("utf-8", "surrogatepass"), words) if words else b""


def _words(content: Sequence[Block], *, exact: bool = False) -> bytes:
    """What blocks say, one after the other; blanks, which clients strip from answers, only where `exact`."""
    parts: list[bytes] = []
    for block in content:
        kind = block.get("type")
        if kind == "text":
            text = str(block.get("text") or "")
            parts.append((text if exact else "".join(text.split())).encode("utf-8", "surrogatepass"))
        elif kind == "tool_result":
            parts.append(_result(block))
        elif kind not in THINKING:
            parts.append(b"\0" + said(block))
    return b"".join(parts)


def _result(block: Block) -> bytes:
    name = str(block.get("tool_use_id")).encode("utf-8", "surrogatepass")
    return b"\0%b\0%b\0" % (name, _words(blocks_of(block.get("content")), exact=True))


def _whole(messages: list[Any], turns: dict[int, Turn]) -> list[Any]:
    """The messages with the turns in place of the answers they stand for."""
    found: list[Any] = []
    pending: list[Block] = []
    unbound = max((at for at, turn in turns.items() if turn.unbound), default=-1)
    for at, sent in enumerate(messages):
        message = _unthinking(sent) if at <= unbound else sent
        if pending and _is_user(sent):
            message = {**sent, "content": [*pending, *blocks_of(sent.get("content"))]}
        elif pending:
            found.append({"role": "user", "content": pending})
        pending = []
        turn = turns.get(at)
        rounds = woven(message.get("content"), turn) if turn is not None else None
        if turn is None or not rounds or not _goes_on(messages, at, turn):
            found.append(message)
            continue
        for content, one in zip(rounds, turn.rounds, strict=True):
            if content:
                found.append({**message, "content": content})
            if one is not turn.rounds[-1]:
                found.append({"role": "user", "content": one.results})
        pending = turn.pending
    if pending:
        found.append({"role": "user", "content": pending})
    return found


def _goes_on(messages: list[Any], at: int, turn: Turn) -> bool:
    """Whether what is pending has its place in the next message, or may stand in one of its own."""
    return not turn.pending or turn.waits or (at + 1 < len(messages) and _is_user(messages[at + 1]))


def _is_user(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "user"


def _thinks(message: Any) -> bool:
    """Whether a message holds thinking of the model."""
    content = message.get("content") if isinstance(message, dict) else None
    return any(block.get("type") in THINKING for block in blocks_of(content))


def _unthinking(message: Any) -> Any:
    """A message without the thinking in it; one that holds nothing else stays as it is."""
    if not _thinks(message):
        return message
    content = [block for block in blocks_of(message["content"]) if block.get("type") not in THINKING]
    return {**message, "content": content} if content else message
