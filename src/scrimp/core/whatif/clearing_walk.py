"""Calls in time order with their conversations cut as a rule says, and what was missed of it charged.

A rule sees a call before it is sent and what its conversation was before. What it once cut stays cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from scrimp.core.cache import TTL_SECONDS, Cache
from scrimp.core.carry.seen import tail_of
from scrimp.core.carry.worth_account import Account
from scrimp.core.forgetting import forget_oldest
from scrimp.core.prompt import Digest
from scrimp.core.recorded import RecordedCall
from scrimp.core.replay import input_cost, send
from scrimp.core.reproduce import Measured, use
from scrimp.core.whatif.changed import Changed, Removed
from scrimp.core.whatif.clearing_cut import Cut, Shorter, shortened
from scrimp.core.whatif.clearing_threads import Pieces, Thread, Threads, ToolUse, Waited, pieces_of
from scrimp.core.whatif.refetch import Fetched, carrying_cost, fetching_cost, tokens_again
from scrimp.core.whatif.regret import missed
from scrimp.core.whatif.regret_needles import NEEDLES, NeedleReader
from scrimp.wire.request import Block

__all__ = [
    "Books",
    "Decision",
    "Rule",
    "Turn",
    "carried",
    "clears",
    "editable",
    "lifetime_of",
    "static_tokens",
]

_ACCOUNTS_REMEMBERED = 20_000


class Books(msgspec.Struct):
    """What was removed and missed so far, in tokens and picodollars.

    `judged` are the tokens of removed pieces whose text is known, so that they can be missed at all.
    """

    tokens: int = 0
    calls: int = 0
    taken: int = 0
    judged: int = 0
    uses: int = 0
    used: int = 0
    charged: int = 0

    @property
    def removed(self) -> Removed:
        """As a lever reports it."""
        return Removed(self.tokens, self.calls, self.taken, self.uses, self.used, self.charged)


class Turn(msgspec.Struct, frozen=True):
    """A call before it is sent. `thread` is the conversation as its last call left it, `going` the call under
    that conversation's cut, of which `cached` tokens would be read; `entries` are the lengths of all that can
    be. `missed` are the tools of removed results that the last answer needed, and `account` what the
    conversation has cost so far, all its branches together.
    """

    measured: Measured
    thread: Thread
    pieces: Pieces
    going: Measured
    cached: int
    entries: tuple[int, ...]
    missed: tuple[str, ...] = ()
    account: Account = Account()

    @property
    def total(self) -> int:
        """Tokens of input as cut so far."""
        return self.going.call.usage.total_input

    def size(self, position: int) -> int:
        """Tokens of a position as recorded."""
        ends = self.measured.ends
        return ends[position] - (ends[position - 1] if position else 0)

    def takes(self, position: int, left: int) -> int:
        """Tokens fewer when `left` of a position are left."""
        return self.size(position) - max(0, left)


class Decision(msgspec.Struct, frozen=True):
    """The cut the call is sent with (at least that of the call before), what deciding so costs beside the
    call itself (picodollars), and what waiting has cost by now (`Thread.waited`)."""

    cut: Cut
    cost: int = 0
    waited: Waited = Waited()


class Rule(Protocol):
    """When to remove what."""

    def decide(self, turn: Turn) -> Decision:
        """What is cut when this call is sent."""


Allowed = Callable[[RecordedCall], bool]


def carried(
    calls: Sequence[Measured],
    rule: Rule,
    allowed: Allowed,
    *,
    notes: tuple[str, ...] = (),
    announced: bool = False,
) -> Changed:
    """The calls of one source, in time order, as they would have been under `rule`.

    Calls that `allowed` refuses stay as they are. With `announced` a planner knows what a prompt goes on with
    of which something was just taken out; it then expects what it leaves in the cache to be read.
    """
    walk = _Walk(rule, announced=announced)
    done = []
    extra = []
    refused = 0
    for measured in calls:
        if not allowed(measured.call):
            refused += 1
            done.append(measured)
            extra.append(0)
            continue
        changed, cost = walk.take(measured)
        done.append(changed)
        extra.append(cost)
    told = [*notes, *_told(walk.books, refused, len(calls))]
    return Changed(done, extra, walk.books.removed, len(calls) - refused, tuple(told))


def editable(call: RecordedCall) -> bool:
    """Whether a client may change what was said: not where thinking is bound to what precedes it."""
    return call.model.features.thinking_binding == "none"


def clears(call: RecordedCall) -> bool:
    """Whether content can be cleared: by the API itself, or by a client that may change what was said."""
    return call.model.features.context_editing or editable(call)


def lifetime_of(call: RecordedCall) -> int:
    """Seconds for which the call's own last entry lives; five minutes where it marks nothing."""
    return TTL_SECONDS[call.prompt.markers[-1].ttl] if call.prompt.markers else TTL_SECONDS["5m"]


class _Walk:
    def __init__(self, rule: Rule, *, announced: bool) -> None:
        self.books = Books()
        self._rule = rule
        self._announced = announced
        self._threads = Threads()
        self._reader = NeedleReader()
        self._accounts: dict[Digest, Account] = {}
        self._cache = Cache()
        self._untouched = Cache()

    def take(self, measured: Measured) -> tuple[Measured, int]:
        """The next call in time, and what it costs beside its input and output."""
        call, books = measured.call, self.books
        thread = self._threads.before(measured)
        pieces = pieces_of(call.prompt, thread.pieces, thread.length)
        going = shortened(
            measured, thread.cut, fresh=len(call.prompt), base=thread.shorter, after=thread.tail
        )
        entries, cached = self._look(going)
        came_back = self._fetch(measured, thread, pieces)
        extra = carrying_cost(thread.fetched, measured.rates, warm=cached > static_tokens(going))
        extra += fetching_cost(came_back, thread.total + tokens_again(thread.fetched), measured.rates)
        books.charged += extra
        root = thread.root or call.prompt.prefixes[-1]
        account = self._accounts.pop(root, Account())
        thread = msgspec.structs.replace(thread, fetched=(*thread.fetched, *came_back))
        missed = tuple(_tool_at(pieces, one.positions[-1]) for one in came_back)
        turn = Turn(measured, thread, pieces, going, cached, entries, missed, account)
        decision = self._rule.decide(turn)
        changed, kept = self._under(turn, decision, root)
        self._threads.keep(call.prompt, kept)
        extra += decision.cost
        alone, paid = _input_cost(self._untouched, measured), _input_cost(self._cache, changed)
        self._accounts[root] = account.after(alone, paid + extra)
        forget_oldest(self._accounts, _ACCOUNTS_REMEMBERED)
        return changed, extra

    def _look(self, going: Measured) -> tuple[tuple[int, ...], int]:
        """The lengths in tokens of what can be read of a call, shortest first, and how much of it is."""
        call, cache = going.call, self._cache
        use(cache, going)
        outcome = cache.outcome(call.prompt, going.ends, call.usage.total_input, call.rules, call.at)
        living = [going.ends[position] for position in cache.living(call.prompt, call.at)]
        return tuple(reversed(living)), outcome.read

    def _under(self, turn: Turn, decision: Decision, root: Digest) -> tuple[Measured, Thread]:
        """The call under what was decided, and its conversation after it."""
        measured, thread, books = turn.measured, turn.thread, self.books
        call, cut, fetched, changed = measured.call, decision.cut, thread.fetched, turn.going
        if cut is not thread.cut:
            fresh = min(
                (place for place in cut.left if place not in thread.cut.left), default=len(call.prompt)
            )
            self._book(turn, cut)
            fetched = tuple(one for one in fetched if one.place > cut.last)
            changed = shortened(measured, cut, fresh=fresh, base=thread.shorter, after=thread.tail)
        total = changed.call.usage.total_input
        removed = call.usage.total_input - total
        books.tokens += removed
        books.calls += removed > 0
        kept = Thread(
            root,
            call.prompt.prefixes[-1],
            cut,
            thread.calls + 1,
            len(call.prompt),
            total,
            turn.pieces,
            decision.waited,
            fetched,
            tail_of(changed.call.prompt.digests) if self._announced else None,
            Shorter(cut, len(call.prompt), changed.call.prompt) if cut else None,
        )
        return changed, kept

    def _fetch(self, measured: Measured, thread: Thread, pieces: Pieces) -> list[Fetched]:
        """What the answer to the conversation's last call needed that this call had not."""
        if not thread.cut:
            return []
        prompt = measured.call.prompt
        back = {position for one in thread.fetched for position in one.positions}
        places = missed(prompt, thread.length, thread.cut, self._reader, back=back)
        begins = {use.result: use.begins for use in pieces.uses} if places else {}
        found = []
        for place in places:
            positions = range(begins.get(place, place), place + 1)
            start = measured.ends[positions.start - 1] if positions.start else 0
            tokens = measured.ends[place] - start
            found.append(Fetched(positions, thread.length, tokens))
            self.books.uses += 1
            self.books.used += tokens - sum(max(0, thread.cut.left[position]) for position in positions)
        return found

    def _book(self, turn: Turn, cut: Cut) -> None:
        blocks = turn.measured.call.prompt.blocks
        for position, left in cut.left.items():
            if position in turn.thread.cut.left:
                continue
            tokens = turn.takes(position, left) if position != cut.summary else turn.size(position)
            self.books.taken += tokens
            if _is_known(blocks[position]):
                self.books.judged += tokens


def static_tokens(measured: Measured) -> int:
    """Tokens of tools and system."""
    end = measured.call.prompt.static_end
    return measured.ends[end] if end >= 0 else 0


def _input_cost(cache: Cache, measured: Measured) -> int:
    return input_cost(send(cache, measured, measured.call.prompt), measured.rates)


def _tool_at(pieces: Pieces, result: int) -> str:
    found: Iterable[ToolUse] = reversed(pieces.uses)
    return next((use.name for use in found if use.result == result), "")


def _is_known(block: Block) -> bool:
    """Whether what the block says was recorded, or at least what it names."""
    value = block.value
    if not isinstance(value, dict):
        return isinstance(value, str)
    return any(field in value for field in (NEEDLES, "text", "content", "input"))


def _told(books: Books, refused: int, calls: int) -> list[str]:
    told = []
    if refused:
        told.append(f"{refused:,} of {calls:,} calls left as they are: their model does not allow it")
    if books.taken and books.judged < books.taken:
        share = round(100 * (1 - books.judged / books.taken))
        told.append(
            f"{share} % of the removed tokens have no recorded text, so nothing of them can be missed"
        )
    return told
