"""`scrimp.summarize(…)`: old turns as one message that says what they came to.

messages = scrimp.summarize(messages, model="claude-haiku-4-5", trigger=60_000, keep=30_000)

Without a writer it costs no call: what was asked for, found, decided and left open is kept word for word,
with every path, name and number that was said. With a `SummaryWriter` a model puts it in words.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from scrimp.core.summarize.asking import Asking, asking, own_prompt_is_cheaper
from scrimp.core.summarize.obligations import Obligation
from scrimp.core.summarize.parting import Limits, Sizes, length, parted
from scrimp.core.summarize.state import lost, written
from scrimp.core.trim import WHY_KEPT
from scrimp.errors import RequestError, ScrimpError, ScrimpWarning
from scrimp.facts.models import default
from scrimp.trimming import readable

__all__ = ["Summarized", "SummaryWriter", "summarize", "summarized"]

_TRIGGER = 100_000
_OTHER = "claude-haiku-4-5"

_TOO_LONG = "what must not be lost would be more than half as long as the turns themselves"


class SummaryWriter(msgspec.Struct, frozen=True):
    """Who puts the session state in words: a model, asked by `client`, an Anthropic or AsyncAnthropic.

    The cheaper of two is asked: the agent's own model on its own prompt, if `request` is the agent's last
    request without its messages (model, system, tools, thinking, …), of which the cache holds about `cached`
    tokens (`cache_read_input_tokens + cache_creation_input_tokens` of its last answer); or `model`, which
    reads the old turns alone.
    """

    client: Any
    request: Mapping[str, Any] | None = None
    cached: int = 0
    model: str = _OTHER


class Summarized(msgspec.Struct, frozen=True):
    """What became of a conversation.

    `messages` to go on with; `state` the text that stands for what went (None: nothing went); `obligations`
    what must not be lost, `removed` and `added` the tokens that went and came (estimated). `by_model`: a
    model wrote it. `kept` says why turns that should have gone stayed.
    """

    messages: list[Any]
    state: str | None = None
    obligations: tuple[Obligation, ...] = ()
    removed: int = 0
    added: int = 0
    by_model: bool = False
    kept: str | None = None


def summarize(
    messages: Sequence[Any],
    *,
    model: str,
    trigger: int = _TRIGGER,
    keep: int | None = None,
    keep_turns: int = 3,
    writer: SummaryWriter | None = None,
) -> Any:
    """The messages with one session state in place of old turns, once they are beyond `trigger` tokens.

    Tokens are estimated, of messages alone. Turns go as with `scrimp.trim`: whole, the oldest first, until
    `keep` are left (half of `trigger` unless given); the task, the last `keep_turns` turns and system
    messages stay as they are. A user message behind the task then says what the old turns came to: what was
    asked for, what was found and decided, what is open, and the files, names and numbers that were spoken
    of, word for word. Called with its own result or with the whole history, it gives the same bytes until
    the next cut. What an earlier session state held is taken over.

    With a `writer` a model writes it. What its words leave out is put behind them, so that nothing is lost;
    where it fails, is cut off or refused by a budget, the form that costs no call takes its place, with a
    `ScrimpWarning`. A writer with an asynchronous client gives a coroutine.

    Where turns cannot go (thinking that is bound to its history, a compaction block), or where the state
    would save too little, the messages come back as they are, with a `ScrimpWarning`. Raises `RequestError`
    as `scrimp.trim` does.
    """
    found = summarized(
        messages, model=model, trigger=trigger, keep=keep, keep_turns=keep_turns, writer=writer
    )
    return found.messages if isinstance(found, Summarized) else _messages_of(found)


def summarized(
    messages: Sequence[Any],
    *,
    model: str,
    trigger: int = _TRIGGER,
    keep: int | None = None,
    keep_turns: int = 3,
    writer: SummaryWriter | None = None,
) -> Any:
    """What `summarize` does, with what became of it: a `Summarized`, or a coroutine of one."""
    wanted = trigger // 2 if keep is None else keep
    if not 0 <= wanted <= trigger or keep_turns < 0:
        raise RequestError(
            f"summarize: keep ({wanted:,}) should be between 0 and trigger ({trigger:,}), "
            "keep_turns 0 or more"
        )
    if isinstance(messages, (str, bytes)) or not isinstance(messages, Sequence):
        raise RequestError(f"messages: expected a list of messages, found {type(messages).__name__}")
    session = _Session(list(messages), model, Limits(trigger, wanted, keep_turns))
    if writer is None:
        return session.without_call()
    if hasattr(writer.client, "__aenter__"):
        return session.written_async(writer)
    return session.written(writer)


async def _messages_of(found: Awaitable[Summarized]) -> list[Any]:
    return (await found).messages


class _Session:
    """One conversation while it is summarised."""

    def __init__(self, messages: list[Any], model: str, limits: Limits) -> None:
        self._whole = messages
        self._plain = [readable(message, at) for at, message in enumerate(messages)]
        self._sizes = Sizes(default().resolve(model))
        self._parted = parted(self._plain, self._sizes, limits)
        self._obligations = self._parted.obliges(self._plain) if self._parted.cuts else []

    def without_call(self) -> Summarized:
        """With the session state that costs nothing."""
        return self._kept_as_it_is() or self._with(self._parted.extracted(self._obligations), by_model=False)

    def written(self, writer: SummaryWriter) -> Summarized:
        """With one that a model writes."""
        untouched = self._kept_as_it_is()
        if untouched is not None:
            return untouched
        try:
            answer = writer.client.messages.create(**self._asking(writer).request)
        except _failures() as error:
            return self._fallen_back(type(error).__name__)
        return self._in_words(answer)

    async def written_async(self, writer: SummaryWriter) -> Summarized:
        """The same, asked of an asynchronous client."""
        untouched = self._kept_as_it_is()
        if untouched is not None:
            return untouched
        try:
            answer = await writer.client.messages.create(**self._asking(writer).request)
        except _failures() as error:
            return self._fallen_back(type(error).__name__)
        return self._in_words(answer)

    def _kept_as_it_is(self) -> Summarized | None:
        found = self._parted
        if found.kept is not None:
            _warn(f"nothing was summarised: {WHY_KEPT[found.kept]}")
        return None if found.cuts else Summarized(self._whole, kept=found.kept)

    def _asking(self, writer: SummaryWriter) -> Asking:
        other = default().resolve(writer.model)
        last = self._plain[-1].get("role") == "user"
        own = (
            last
            and writer.request is not None
            and own_prompt_is_cheaper(
                self._parted, self._plain, sizes=self._sizes, cached=writer.cached, other=other
            )
        )
        agent = None if writer.request is None else {"model": self._sizes.model.id, **writer.request}
        return asking(self._parted, self._plain, agent=agent, other=writer.model, own=own)

    def _in_words(self, answer: Any) -> Summarized:
        words = "".join(block.text for block in answer.content if block.type == "text")
        if answer.stop_reason != "end_turn" or not words.strip():
            return self._fallen_back(f"the answer ended with {answer.stop_reason}")
        missing = lost(self._obligations, [words])
        return self._with(written(missing, words), by_model=True)

    def _fallen_back(self, why: str) -> Summarized:
        _warn(f"no model wrote the session state ({why}): it has what was said, word for word")
        return self._with(self._parted.extracted(self._obligations), by_model=False)

    def _with(self, state: str, *, by_model: bool) -> Summarized:
        """The conversation with this state, if that holds all it should and saves enough; else as it is."""
        found, whole = self._parted, self._whole
        obligations = tuple(self._obligations)
        if lost(obligations, [state]):
            raise ScrimpError("a session state lost what it was made of")
        if not found.pays(state, self._sizes):
            if by_model:
                return self._fallen_back("it is too long")
            _warn(f"nothing was summarised: {_TOO_LONG}")
            return Summarized(whole, obligations=obligations, kept="too long")
        message = {"role": "user", "content": [{"type": "text", "text": state}]}
        return Summarized(
            found.left(whole, message),
            state=state,
            obligations=obligations,
            removed=found.removed,
            added=length([message], self._sizes),
            by_model=by_model,
        )


def _failures() -> tuple[type[Exception], ...]:
    """What asking a model may end with: the SDK's errors, and ours where a budget says no."""
    from anthropic import AnthropicError  # noqa: PLC0415 - who asks no model needs no SDK

    return (AnthropicError, ScrimpError)


def _warn(reason: str) -> None:
    """Say it; where warnings are made errors, an agent still goes on."""
    with suppress(ScrimpWarning):
        warnings.warn(reason, ScrimpWarning, stacklevel=5)
