"""`scrimp.Offload`: large tool results shortened as they come in, the rest of them within one fetch.

client = anthropic.Anthropic(middleware=[scrimp.Middleware(mode="save", levers=[scrimp.Offload()])])
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from typing import Any

from scrimp.core.bill import day_of
from scrimp.core.carry.worth_lasting import expected_calls
from scrimp.core.forgetting import forget_oldest
from scrimp.core.levers import Answered, Change, Step
from scrimp.core.offload.answering import Fetched
from scrimp.core.offload.conversations import Conversations, Cut, Habits, read_cut
from scrimp.core.offload.fetch_tool import DEFINITION, FETCH, offers, tools_of, with_fetch
from scrimp.core.offload.hidden import Hidden
from scrimp.core.offload.keys import conversation_keys, cut_key, left_key, prefix_key, text_key
from scrimp.core.offload.measuring import tokens_of
from scrimp.core.offload.reducing import Policy, Reduced, reduce_text
from scrimp.core.offload.results import (
    Result,
    beginning,
    find_results,
    has_fetched,
    has_thought,
    hints_around,
    with_texts,
)
from scrimp.core.offload.scopes import scope_of
from scrimp.core.offload.serving import serves
from scrimp.core.offload.worth import Odds, Outlook, saved_by
from scrimp.core.plan import Decision, Mode
from scrimp.errors import InputError
from scrimp.facts.prices import Rates
from scrimp.stores.offload import Kept, Kind, OffloadStore, Retention
from scrimp.stores.offload_keeping import Keeper
from scrimp.wire.request import Body

__all__ = ["Offload"]

_LEAST = 500
"""Characters of a result that may have been cut, under whatever settings there were."""

_HANDLES = 20_000
_REFUSALS = 3
_MODELS = 1_000
_CHARACTERS_PER_TOKEN = 4
_CHARACTERS_PER_TOKEN_AT_MOST = 5
_OF_KIND = "kind "
"""How what is learned of a kind of agents is told from what is of a tool, whose name has no blanks."""

_UNKNOWN = Outlook(context=20_000, calls=5.0)
"""Where a conversation cannot be read."""


class Offload:
    """Shortens large tool results as they come in, and gives the model a tool to read what was left out.

    Results of more than `over` tokens are shortened to `share` of them, at most `most`, where that is
    expected to pay; those of the tools named in `exclude` never are. Full texts are kept for `days` after
    they were last needed, `most_bytes` in all. The tool is offered where its definition is next to nothing,
    or where such agents are known to have large results; with `always`, to all that have tools. Raises
    `InputError` for settings that make no sense.
    """

    name = "offload"
    mode: Mode = "save"

    def __init__(
        self,
        *,
        over: int = 2_000,
        share: float = 0.3,
        most: int = 2_000,
        exclude: Iterable[str] = (),
        days: float = 30.0,
        most_bytes: int = 2**30,
        always: bool = False,
        store: OffloadStore | None = None,
    ) -> None:
        self._policy = Policy(over, share, most).checked()
        if isinstance(exclude, str):
            raise InputError(f"offload: exclude: expected a list of names, such as [{exclude!r}]")
        if days <= 0 or most_bytes <= 0:
            raise InputError("offload: days and most_bytes should be above 0")
        self._keeper = Keeper(store, Retention(days, most_bytes))
        self._always = always
        self._exclude = {FETCH, *exclude}
        self._conversations, self._habits, self._odds = Conversations(), Habits(), Odds()
        self._refused: Counter[str] = Counter()
        self._tools: dict[str, str] = {}
        self._fetched: deque[str] = deque(maxlen=_HANDLES)
        self.hidden = Hidden(self._keeper)

    @property
    def owner(self) -> str:
        """Whose the calls are, where several share a store whose tags do not tell them apart."""
        return self.hidden.owner

    @owner.setter
    def owner(self, owner: str) -> None:
        self.hidden.owner = owner

    def change(self, step: Step) -> Change | None:
        """The request with large results shortened, and with the tool, where its conversation has it."""
        body, scope = step.body, scope_of(step.tags)
        if not isinstance(body.get("messages"), list):
            return None
        body = self.hidden.restored(body, scope)
        scope = self.hidden.owned(scope)
        own, extra = offers(body), -_carried_turns(step, body)
        decisions: list[Decision] = []
        if (own and not self._is_left(step, scope)) or (not own and self._has_tool(step, body, scope)):
            body, decisions, saved = self._shortened(step, with_fetch(body), scope)
            extra += saved
            if not own:
                extra -= _carried_tool(step, body)
        else:
            self._watch(step, body)
        warnings = self._keeper.faults()
        if body is step.body and not warnings:
            return None
        return Change(body, decisions=tuple(decisions), own_extra=extra, warnings=warnings)

    def answer(self, asked: Mapping[str, Any], scope: str) -> Fetched:
        """The result of one use of the tool by a conversation of this scope; never raises.

        May be called by several threads at once, unlike all else here.
        """
        self._fetched.append(str(asked.get("handle")).strip())
        return self._keeper.answer(asked, self.hidden.owned(scope))

    def answered(self, step: Step, answered: Answered) -> None:
        """Bills say nothing that requests do not."""

    def refused(self, step: Step) -> None:
        """The conversation goes on as its caller wrote it; after some, no other of this model begins."""
        names = conversation_keys(self.hidden.owned(scope_of(step.tags)), step.body)
        if not names or not (offers(step.body) or self._conversations.has_tool(names[-1])):
            return  # it was none of our doing
        self._refused[step.model.id] += 1
        forget_oldest(self._refused, _MODELS)
        for name in names:
            self._conversations.begins(name, has_tool=False)
        prefix = prefix_key(self.hidden.owned(scope_of(step.tags)), step.body)
        self._conversations.begins(prefix, has_tool=False)
        self._keeper.put_soon(*(Kept(left_key(name), Kind.ROOT, b"") for name in (*names[1:], prefix)))

    def learned(self) -> Mapping[str, bytes]:
        """How often results of each tool were asked for again, and what kinds of agents have large ones."""
        self._count_fetches()
        kinds = {f"{_OF_KIND}{kind}": data for kind, data in self._habits.learned().items()}
        return {**self._odds.learned(), **kinds}

    def recall(self, kept: Mapping[str, bytes]) -> None:
        """What an earlier process learned."""
        kinds = {key for key in kept if key.startswith(_OF_KIND)}
        self._habits.recall({key.removeprefix(_OF_KIND): kept[key] for key in kinds})
        self._odds.recall({key: data for key, data in kept.items() if key not in kinds})

    def _is_left(self, step: Step, scope: str) -> bool:
        """Whether a conversation whose caller has the tool is left alone all the same."""
        return any(
            self._conversations.has_tool(name) is False for name in conversation_keys(scope, step.body)
        )

    def _has_tool(self, step: Step, body: Body, scope: str) -> bool:
        """Whether this conversation has the tool: decided at its first request, and kept to."""
        names = conversation_keys(scope, step.body) if tools_of(body) and serves(step.body) else ()
        if not names:
            return False
        root, name = names[0], names[-1]
        known = self._conversations.has_tool(name)
        if known is not None and (known or name is not root):
            return known
        prefix = prefix_key(scope, step.body)
        if name is root:
            has = self._begins_with_it(step, body)
            if has:
                self._keeper.put_soon(Kept(root, Kind.ROOT, b""), Kept(prefix, Kind.ROOT, b""))
        else:
            found = self._keeper.get([root, prefix, left_key(name), left_key(prefix)])
            begun = self._begun(root, found)
            # Who was seen to begin without it goes on so; of whom nothing is known, its prefix may tell.
            met = self._conversations.has_tool(root) is None and self._is_like_others(step, prefix, found)
            has = has_fetched(body) or begun or met
            if found is None:
                return has
            has = (has or self._was_cut(body, scope)) and left_key(name) not in found
            if not has:  # other processes must not give it the tool either
                self._keeper.put_soon(Kept(left_key(name), Kind.ROOT, b""))
        self._conversations.begins(name, has_tool=has)
        if has:
            self._conversations.begins(prefix, has_tool=True)
        return has

    def _begun(self, key: bytes, found: Mapping[bytes, bytes] | None) -> bool:
        """Whether what this names was given the tool: as is remembered, else as the store says."""
        known = self._conversations.has_tool(key)
        if known is None:
            return found is not None and key in found and left_key(key) not in found
        return known

    def _is_like_others(self, step: Step, prefix: bytes, found: Mapping[bytes, bytes] | None) -> bool:
        """Whether a conversation met in its middle has the tool since what it begins with has.

        Clients that put the state of things into the first message, or leave out earlier ones, send what
        looks like another conversation each time. Thinking that is bound to tools must not find others.
        """
        bound = step.model.features.thinking_binding != "none" and has_thought(step.body)
        return not bound and self._refused[step.model.id] < _REFUSALS and self._begun(prefix, found)

    def _was_cut(self, body: Body, scope: str) -> bool:
        """Whether some result of a conversation was cut before: its beginning may have been taken away."""
        keys = [cut_key(scope, one) for one in find_results(body, _LEAST)]
        return self._looked_up(keys) and any(self._conversations.cut(key) for key in keys)

    def _begins_with_it(self, step: Step, body: Body) -> bool:
        pays = self._habits.pays(_kind(step, body), _defined(), _prompt(body))
        return (pays or self._always) and self._keeper.works and self._refused[step.model.id] < _REFUSALS

    def _shortened(self, step: Step, body: Body, scope: str) -> tuple[Body, list[Decision], int]:
        """The request with what stands for its large results, why, and what that saves in this step."""
        results = [(one, cut_key(scope, one)) for one in find_results(body, _LEAST)]
        all_known = self._looked_up([key for _, key in results])
        moment = _Moment(step, body)
        cuts: list[tuple[Result, Cut]] = []
        decisions: list[Decision] = []
        for result, key in results:
            cut = self._conversations.cut(key)
            if cut is None and not self._conversations.is_whole(key):
                cut, why = self._decided(moment, result, key, scope) if result.new else (None, None)
                # What the store could not tell of an earlier result it may tell at the next step.
                if cut is None and (result.new or all_known):
                    self._conversations.keep_whole(key)
                decisions += [why] if why is not None else []
            if cut is not None:
                cuts.append((result, cut))
                self._keeper.renew(text_key(scope, cut.handle), result.text, step.now)
                self._knows(cut, result.whose.tool)
        if not cuts:
            return body, decisions, 0
        return with_texts(body, [(result, cut.text) for result, cut in cuts]), decisions, moment.saved(cuts)

    def _watch(self, step: Step, body: Body) -> None:
        """Large results of a conversation that is left alone: others of its kind may be worth the tool."""
        for one in find_results(body, _CHARACTERS_PER_TOKEN * self._policy.whole):
            tokens = len(one.text) // _CHARACTERS_PER_TOKEN
            if one.new and one.whose.tool not in self._exclude and tools_of(body):
                self._habits.saw(_kind(step, body), tokens - self._policy.budget(tokens))

    def _looked_up(self, keys: Sequence[bytes]) -> bool:
        """Whether all is known that the store knows of these."""
        unknown = self._conversations.unknown(keys)
        found = self._keeper.get(unknown)
        for key, data in (found or {}).items():
            cut = read_cut(data)
            if cut is not None:
                self._conversations.keep_cut(key, cut)
        return found is not None

    def _decided(
        self, moment: _Moment, result: Result, key: bytes, scope: str
    ) -> tuple[Cut | None, Decision | None]:
        """What stands for a new result from now on, and why; None where it stays whole."""
        tool = result.whose.tool
        if tool in self._exclude:
            return None, None
        reduced = reduce_text(result.text, self._policy, hints_around(moment.body, result))
        if reduced is None:
            return None, None
        self._count_fetches()
        odds = self._odds.of(tool, reduced.kind)
        saves = saved_by(reduced.before, reduced.after, moment.outlook, moment.rates, odds)
        if saves <= 0:
            why = f"{odds:.0%} odds of a fetch that costs more than {moment.outlook.calls:.0f} calls save"
            return None, Decision(self.name, self.mode, f"{tool or 'a'} result stays whole", why, 0)
        cut = Cut(reduced.text, reduced.handle, reduced.before, reduced.after)
        if not self._keeper.put(_text(reduced, result.text, scope), Kept(key, Kind.CUT, cut.packed())):
            return None, None
        self._conversations.keep_cut(key, cut)
        self._odds.reduced(tool)
        self._habits.saw(_kind(moment.step, moment.body), reduced.before - reduced.after)
        what = f"{tool or 'a'} result from {reduced.before:,} to {reduced.after:,} tokens ({reduced.kind})"
        why = f"carried for some {moment.outlook.calls:.0f} more calls, {odds:.0%} odds of a fetch"
        return cut, Decision(self.name, self.mode, what, why, saves)

    def _knows(self, cut: Cut, tool: str) -> None:
        self._tools[cut.handle] = tool
        forget_oldest(self._tools, _HANDLES)

    def _count_fetches(self) -> None:
        """Take in which tools' results were asked for since."""
        while self._fetched:
            tool = self._tools.get(self._fetched.popleft())
            if tool is not None:
                self._odds.fetched(tool)


class _Moment:
    """A step as far as money goes; looked at only where something has to be decided."""

    def __init__(self, step: Step, body: Body) -> None:
        self.step = step
        self.body = body
        self._outlook: Outlook | None = None

    @property
    def outlook(self) -> Outlook:
        """How long the prompt is, and how many more calls there will be."""
        if self._outlook is None:
            planned = self.step.look(self.body)
            events = planned.situation.events if planned is not None else ()
            self._outlook = (
                Outlook(planned.plan.total.mid, expected_calls(events[0])) if planned and events else _UNKNOWN
            )
        return self._outlook

    @property
    def rates(self) -> Rates:
        """What tokens cost today."""
        return _rates(self.step)

    def saved(self, cuts: Sequence[tuple[Result, Cut]]) -> int:
        """Picodollars that these save in this step: what is new would be written, what is not read."""
        rates = self.rates
        return sum(
            (cut.before - cut.after) * (rates.write_5m if result.new else rates.read) for result, cut in cuts
        )


def _kind(step: Step, body: Body) -> str:
    """What tells kinds of agents apart: the label of their calls, and which tools they have."""
    names = [str(tool.get("name")) for tool in tools_of(body) if isinstance(tool, Mapping)]
    said = repr([name for name in names if name != FETCH]).encode("utf-8", "surrogatepass")
    return f"{blake2b(said, digest_size=8).hexdigest()} {step.tags.label or ''}"


@cache
def _defined() -> int:
    """Tokens of the tool's definition."""
    return tokens_of(repr(DEFINITION))


def _prompt(body: Body) -> int:
    """Tokens of a request, rather too few."""
    parts = (body.get("system"), body.get("tools"), body["messages"])
    return len(repr(parts)) // _CHARACTERS_PER_TOKEN_AT_MOST


def _rates(step: Step) -> Rates:
    return step.model.rates(day_of(step.now), prompt_tokens=0)


def _carried_turns(step: Step, body: Body) -> int:
    """Picodollars that the turns cost in this step that the caller was not shown."""
    if body is step.body:
        return 0
    hidden = len(repr(body["messages"])) - len(repr(step.body["messages"]))
    return max(0, hidden // _CHARACTERS_PER_TOKEN) * _rates(step).read


def _carried_tool(step: Step, body: Body) -> int:
    """Picodollars that the tool's definition costs in this step."""
    rates = _rates(step)
    return _defined() * (rates.write_5m if beginning(body) is None else rates.read)


def _text(reduced: Reduced, text: str, scope: str) -> Kept:
    return Kept(text_key(scope, reduced.handle), Kind.TEXT, text.encode())
