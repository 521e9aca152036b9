"""`scrimp.LoopGuard`: an agent that goes round in circles is stopped before it pays for another round.

Loops are read off the request itself, which holds the whole conversation, so that neither a restart nor
another process makes a difference to what is one. What is remembered is which conversations were told to come
to an end, and how many answers tasks usually take. Who does not know the former leaves the words out that
were said then, which costs the cache what stands behind them; so no words are said where it would cost more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.loop_guard_limits import DEFAULT, Limits
from scrimp.core.loop_guard_signs import Loop, Signs
from scrimp.core.loop_guard_turns import POLLING, goes_on, is_spoken_to, last_turns, stretch
from scrimp.core.plan import Decision, Mode
from scrimp.errors import InputError, LoopStopped
from scrimp.wire.request import Body

__all__ = ["LoopGuard", "OnLoop"]

OnLoop = Literal["raise", "wrap_up", "warn"]

WRAP_UP = (
    "You have been going round in circles, so this is your last turn: no further tool call will be answered. "
    "Give your best answer now from what you know, and say plainly what is not done or not certain."
)

_CONVERSATIONS = 4_096
_FORCED = ("any", "tool")
_packer = msgspec.msgpack.Encoder()


class LoopGuard:
    """Stops an agent that repeats itself, or that takes far more steps than its kind does.

        scrimp.Middleware(levers=[scrimp.LoopGuard()])

    What counts as a loop: the same tool call with the same result `repeats` times in a row (or the same
    answer to the same words), two to four calls gone through `cycles` times with the same results, the same
    error `errors` times in a row, or more than `max_steps` answers since somebody last wrote. Where results
    say no more than "ok", and for answers without a call, it takes three times as many. Without
    `max_steps` that is 200, or three times what tasks of a label take, once fifty were seen. Tools
    that wait for something are asked the same again for good reason: calls of those in `polling` (patterns
    of names), inputs that speak of waiting and results that say "pending" or the like are not counted as
    repetitions, nor are calls whose results change.

    What happens: `raise` raises `LoopStopped`, and nothing is sent; `warn` says so and goes on; `wrap_up`
    sends one last request that tells the model to answer with what it knows, and raises `LoopStopped` if it
    goes on after that. Models that bind their thinking to what was said are told nothing: their last request
    forbids tools, and raises where there are none. Since `wrap_up` changes the request, it acts in mode
    `save` only.
    """

    name = "loop"

    def __init__(
        self,
        *,
        max_steps: int | None = None,
        repeats: int = 4,
        cycles: int = 3,
        errors: int = 5,
        on_loop: OnLoop = "raise",
        polling: Sequence[str] = POLLING,
        wrap_up: str = WRAP_UP,
    ) -> None:
        """Raises `InputError` for numbers that nothing could stay below."""
        for name, count, least in (
            ("max_steps", DEFAULT if max_steps is None else max_steps, 1),
            ("repeats", repeats, 2),
            ("cycles", cycles, 2),
            ("errors", errors, 2),
        ):
            if count < least:
                raise InputError(f"LoopGuard: {name}={count} would stop every agent; say at least {least}")
        if on_loop not in ("raise", "wrap_up", "warn"):
            raise InputError(f'LoopGuard: on_loop={on_loop!r} should be "raise", "wrap_up" or "warn"')
        if not wrap_up.strip():
            raise InputError("LoopGuard: wrap_up is the text that asks for the last answer; it is empty")
        self.mode: Mode = "save" if on_loop == "wrap_up" else "safe"
        self._max_steps = max_steps
        self._signs = Signs(repeats, cycles, errors)
        self._on_loop = on_loop
        self._polling = tuple(polling)
        self._wrap_up = wrap_up
        self._limits = Limits()
        self._ending: dict[bytes, Loop] = {}
        self._begun: dict[bytes, None] = {}
        self._too_long: dict[bytes, None] = {}

    def change(self, step: Step) -> Change | None:
        """What to make of a step of a conversation that goes round in circles; None of any other."""
        messages = step.body.get("messages")
        if not isinstance(messages, list) or not messages:
            return None
        loop = self._loop(messages, step)
        told = self._told(messages) if self._ending else []
        if told:
            return self._after_last_turn(step, messages, loop, told)
        if loop is None:
            return None
        if self._on_loop == "wrap_up":
            return self._last_turn(step, messages, loop)
        if self._on_loop == "raise":
            return Change(step.body, error=self._stopped(loop, messages, "nothing was sent"))
        label = step.tags.label or "an agent"
        return Change(
            step.body,
            decisions=(self._decision("goes on", loop),),
            warnings=(f"{label} seems to go round in circles ({loop.reason})",),
        )

    def answered(self, step: Step, answered: Answered) -> None:
        """How many answers a task took, once it is over."""
        messages = step.body.get("messages")
        if answered.complete and answered.stop_reason in ("end_turn", "stop_sequence") and messages:
            self._limits.ended(step.tags.label, stretch(messages) + 1)

    def refused(self, step: Step) -> None:
        """A last turn that the API did not take was none."""
        messages = step.body.get("messages")
        if isinstance(messages, list) and self._ending:
            last = _last_said(messages)
            self._ending.pop(b"" if last is None else _chain(messages)[last], None)

    def learned(self) -> Mapping[str, bytes]:
        """How many answers tasks of each label take."""
        return self._limits.learned()

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What an earlier process knew of that."""
        self._limits.recall(kept)

    def _loop(self, messages: Sequence[Any], step: Step) -> Loop | None:
        found = self._signs.found(last_turns(messages, self._signs.turns, self._polling))
        if found is not None:
            return found
        steps = stretch(messages)
        limit = self._limits.limit(step.tags.label) if self._max_steps is None else self._max_steps
        if steps < limit:
            return None
        if steps == limit:
            self._learn_of(messages, steps, step.tags.label)
        return Loop("too many steps", steps, f"{steps} answers since it was last written to, {limit} allowed")

    def _learn_of(self, messages: Sequence[Any], steps: int, label: str | None) -> None:
        """A task that takes more than is allowed took so many at least; the same request counts once."""
        asked = _chain([messages[0], messages[-1]])[-1]
        if asked not in self._too_long:
            self._limits.ended(label, steps)
            self._too_long[asked] = None
            forget_oldest(self._too_long, _CONVERSATIONS)

    def _last_turn(
        self, step: Step, messages: list[Any], loop: Loop, told: Sequence[int] = ()
    ) -> Change | None:
        """The step as the last turn; `told`: behind which messages the words stand already."""
        last = _last_said(messages)
        if last is None or (_binds(step) and not step.body.get("tools")):  # nothing there to end it with
            return Change(step.body, error=self._stopped(loop, messages, "nothing was sent"))
        chain = _chain(messages)
        self._ending[chain[last]], self._begun[chain[0]] = loop, None
        forget_oldest(self._ending, _CONVERSATIONS)
        forget_oldest(self._begun, _CONVERSATIONS)
        return self._asked(step, loop, [*told, last])

    def _after_last_turn(
        self, step: Step, messages: list[Any], loop: Loop | None, told: Sequence[int]
    ) -> Change | None:
        """A conversation that was told to end: the words stay where they are, for the cache lives by that."""
        last = told[-1]
        if last == _last_said(messages):  # the very request that was told to be the last, once more
            return self._asked(step, loop, told)
        spoken_to = is_spoken_to(messages[last + 1 :])
        if not spoken_to and (loop is not None or goes_on(messages[last + 1 :])):
            before = loop or self._ending[_chain(messages)[last]]
            return Change(step.body, error=self._stopped(before, messages, "it went on after its last turn"))
        return self._going_on(step, told) if loop is None else self._last_turn(step, messages, loop, told)

    def _asked(self, step: Step, loop: Loop | None, told: Sequence[int]) -> Change:
        """The last turn: told to answer, and without tools where that is no dearer or nothing may be said."""
        body = self._closed(step, told)
        if body.get("tools") and (_binds(step) or _toolless_is_no_dearer(step, body)):
            body = {**body, "tool_choice": {"type": "none"}}
        return Change(body, decisions=(self._decision("asked to answer", loop),))

    def _going_on(self, step: Step, told: Sequence[int]) -> Change | None:
        """A later step, with the words where they were said."""
        body = self._closed(step, told)
        said = (self._decision("asked to answer", None),)
        return None if body is step.body else Change(body, decisions=said)

    def _told(self, messages: Sequence[Any]) -> list[int]:
        """Indices of the messages behind which this conversation was told to come to an end."""
        if _chain(messages[:1])[0] not in self._begun:
            return []
        return [at for at, digest in enumerate(_chain(messages)) if digest in self._ending]

    def _closed(self, step: Step, told: Sequence[int]) -> Body:
        """The request with the words behind these messages; as it is where thinking is bound to them."""
        if not told or _binds(step):
            return step.body
        messages = list(step.body["messages"])
        for at in told:
            content = messages[at].get("content")
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or ())
            messages[at] = {**messages[at], "content": [*blocks, {"type": "text", "text": self._wrap_up}]}
        return {**step.body, "messages": messages}

    def _decision(self, what: str, loop: Loop | None) -> Decision:
        return Decision(self.name, self.mode, what, loop.what if loop else "it was going in circles", 0)

    def _stopped(self, loop: Loop, messages: Sequence[Any], then: str) -> LoopStopped:
        first = blake2b(_packed(messages[0]), digest_size=6).hexdigest()
        return LoopStopped(
            f"the agent goes round in circles: {loop.what}; {then}",
            reason=loop.reason,
            count=loop.count,
            steps=stretch(messages),
            conversation=first,
        )


def _binds(step: Step) -> bool:
    """Whether words in a message might end the conversation: thinking that is bound to what was said stands
    only for as long as everybody who goes on with it says the same, after a restart and elsewhere."""
    return not step.model.known or step.model.features.thinking_binding != "none"


def _toolless_is_no_dearer(step: Step, body: Body) -> bool:
    """Whether forbidding tools costs nothing: it takes the messages out of the cache (claimed by "Prompt
    caching"), and the words alone do mostly. Where the caller forces a tool, it has to be."""
    chosen = body.get("tool_choice")
    if isinstance(chosen, Mapping) and chosen.get("type") in _FORCED:
        return True
    with_tools, without = step.look(body), step.look({**body, "tool_choice": {"type": "none"}})
    if with_tools is None or without is None:
        return False
    return without.plan.input_cost.mid <= with_tools.plan.input_cost.mid


def _last_said(messages: Sequence[Any]) -> int | None:
    """The message that an answer is to: the last of a user, if nothing but system messages follow it."""
    for at in range(len(messages) - 1, -1, -1):
        role = messages[at].get("role") if isinstance(messages[at], Mapping) else None
        if role != "system":
            return at if role == "user" else None
    return None


def _chain(messages: Sequence[Any]) -> list[bytes]:
    """A digest of each beginning of a conversation, whatever order fields are in: see `_plain`."""
    chain: list[bytes] = []
    state = b""
    for message in messages:
        state = blake2b(state + _packed(message), digest_size=16).digest()
        chain.append(state)
    return chain


def _packed(message: Any) -> bytes:
    try:
        return _packer.encode(_plain(message))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return b""


def _plain(value: Any) -> Any:
    """A message in one spelling: markers left out, a text as a list of one block."""
    if isinstance(value, Mapping):
        plain = {name: _plain(item) for name, item in value.items() if name != "cache_control"}
        if isinstance(plain.get("content"), str):
            plain["content"] = [{"type": "text", "text": plain["content"]}]
        return plain
    return [_plain(item) for item in value] if isinstance(value, list) else value
