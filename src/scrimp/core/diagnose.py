"""Why a cached prefix was missed: expected read against billed read, for every call.

    watched = watch.expect(call)            # before sending: `watched.foreseen` is a miss known already
    watch.began(watched, first_event_at)    # its response began (or `watch.dropped(watched)`)
    watch.judge(watched, usage)             # the diagnosis, or None when the call read what it should

What a call should read is the deepest entry on its way that somebody wrote; where its prefix was broken,
what the conversation it continues had cached. The conversation is found by the longest shared prefix or,
broken, by the blocks it shares. Live traffic, recordings and tests go through this one object.
"""

from __future__ import annotations

import msgspec

from scrimp.core.causes import Cause, Diagnosis, agreement
from scrimp.core.changes import Change, image_change
from scrimp.core.diagnose_break import Break, find_break
from scrimp.core.diagnose_loss import foreseen_loss, loss
from scrimp.core.diagnose_memory import Call, Entry, Found, Mark, Memory, Talk
from scrimp.core.diagnose_obstacles import nothing_cached, obstacle, shortened, unwritten
from scrimp.core.prompt import Digest
from scrimp.core.tolerance import tolerance
from scrimp.wire.response import Usage

__all__ = ["Call", "Watch", "Watched"]

_ROUGHLY = 0.2
"""How far an estimated length may be off."""

_TOO_LITTLE = 64
_LONG_AGO = 2 * 3600.0
"""Seconds after which a new conversation owes nothing to an older one: no TTL reaches that far."""

_MOST_TOLD = 4096
_ESTIMATED = False


class Watched(msgspec.Struct):
    """What was expected of one call. `promised` tokens should be read; `obstacle` says why they will not be.

    `talk` is the conversation the call continues, `origin` the one it was compared with; `goes_on` says of a
    prompt too short for the cache, of which nothing else is known, whether it goes on with another such one.
    """

    call: Call
    talk: Talk | None = None
    origin: Talk | None = None
    known_to: int = -1
    position: int = -1
    promised: int = 0
    exact: bool = True
    written: bool = True
    survives: int = 0
    obstacle: Cause | None = None
    change: Change | None = None
    also: tuple[Cause, ...] = ()
    detail: str = ""
    foreseen: Diagnosis | None = None
    told_by: tuple[int | Digest, ...] = ()
    new_prefixes: tuple[Digest, ...] = ()
    goes_on: bool | None = None


class Watch:
    """Watches the calls of one workspace. Pure apart from its own, bounded memory."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._told: dict[int | Digest, Cause] = {}

    def expect(self, call: Call) -> Watched:
        """What `call` should read, before it is sent."""
        if call.too_short and not self._memory.met(call.prompt):
            return Watched(call, goes_on=self._memory.extends_short(call.prompt))
        found = self._memory.find(call)
        watched = self._broken(call, found)
        if watched is None:
            watched = self._unbroken(call, found)
        watched.told_by = _keys(watched)
        if watched.obstacle is not None and watched.written and watched.promised:
            watched.foreseen = self._foreseen(watched)
        self._await(watched)
        return watched

    def began(self, watched: Watched, first_event_at: float) -> None:
        """The response began: what the request writes can be read from now on."""
        call, memory = watched.call, self._memory
        memory.arrived(watched.new_prefixes)
        for marker in call.prompt.markers:
            prefix = call.prompt.prefixes[marker.position]
            if prefix in watched.new_prefixes and prefix not in memory.entries:
                tokens = call.ends[marker.position]
                memory.put(
                    prefix,
                    Entry(marker.position, tokens, _ESTIMATED, marker.ttl, call.at, call.at, first_event_at),
                )

    def dropped(self, watched: Watched) -> None:
        """The call came to nothing."""
        self._memory.arrived(watched.new_prefixes)

    def judge(self, watched: Watched, usage: Usage, *, provider: str | None = None) -> Diagnosis | None:
        """Why the bill shows less read than expected; None where it does not, or says nothing of the cache.

        `provider` is the API's own verdict as metered. A first call, one without markers or below the
        minimum has a diagnosis too, which is no bust.
        """
        self._memory.arrived(watched.new_prefixes)
        if not usage.reports_cache:
            return None
        if watched.goes_on is not None:
            self._memory.keep_short(watched.call.prompt)
            return _compared(_nothing_promised(watched), provider)
        found = _compared(self._diagnosis(watched, usage), provider)
        missed = found is not None and found.bust
        self._commit(watched, usage, found)
        if found is not None and missed:
            before = watched.foreseen
            found = self._tell(watched, found)
            if before is not None and found.foretold_by(before):
                found = msgspec.structs.replace(found, quiet=before.quiet)
        elif watched.promised and found is None:
            for key in watched.told_by:
                self._told.pop(key, None)
        return found

    def _unbroken(self, call: Call, found: Found) -> Watched:
        watched = Watched(call, known_to=-1)
        if found.talk is not None and found.talk_at >= found.talk.deepest:
            watched.talk = watched.origin = found.talk
            watched.known_to = found.talk_at
        watched.position = found.entry_at
        if found.entry_at >= 0:
            self._promise_entry(watched, found)
        elif watched.talk is not None:
            watched.written, watched.exact = False, False
            missing = unwritten(call, watched.talk, found.talk_at)
            if missing is not None:
                watched.promised, watched.obstacle, watched.detail = missing
        if found.entry_at < 0 and call.predicted:
            watched.promised, watched.exact, watched.written = call.predicted, False, True
            watched.obstacle = None
        return watched

    def _promise_entry(self, watched: Watched, found: Found) -> None:
        call, position = watched.call, found.entry_at
        entry = self._memory.entries.get(call.prompt.prefixes[position])
        if entry is None:
            watched.promised, watched.exact = call.ends[position], False
            watched.obstacle = Cause.CONCURRENT
            watched.detail = "another call is writing this prefix and its response has not begun"
        else:
            watched.obstacle, watched.detail = obstacle(call, entry, position)
            goes_on = watched.talk is not None and watched.known_to < len(call.prompt) - 1
            if not goes_on and call.at - entry.used_at > _LONG_AGO:
                return
            # One prefix is one length, but for the provider's own search tools, which stand outside of it.
            same = entry.position == position
            watched.promised = entry.tokens if same else call.ends[position]
            watched.exact = entry.exact and same
        if watched.obstacle is not None:
            watched.survives = self._tokens(call, self._memory.readable_before(call, position - 1))

    def _broken(self, call: Call, found: Found) -> Watched | None:
        """What was expected of a call whose prefix is not that of the conversation it continues."""
        if found.talk is not None and found.talk_at >= found.talk.deepest:
            return None
        if not self._memory.any_marks:
            return None
        static_known = found.entry_at >= call.prompt.static_end >= 0
        talk = self._memory.similar(call, static_known=static_known)
        broken = find_break(talk, call) if talk is not None else None
        if talk is None or broken is None or _another_prompt(call, talk, broken.cause):
            return None
        survivor = self._memory.readable_before(call, broken.position - 1)
        watched = Watched(
            call,
            talk=talk if broken.continues else None,
            origin=talk,
            known_to=-1,
            position=-1,
            promised=broken.mark.tokens,
            exact=broken.mark.exact,
            survives=self._tokens(call, survivor),
            obstacle=broken.cause,
            change=broken.change,
            also=self._also(talk, call, broken),
        )
        owed = min(watched.promised, call.total)
        worth_it = owed > watched.survives and owed >= call.rules.minimum
        return watched if worth_it else None

    def _also(self, talk: Talk, call: Call, broken: Break) -> tuple[Cause, ...]:
        """What else stood in the way: an entry that had died by then."""
        prefix = talk.call.prompt.prefixes[broken.mark.position]
        entry = self._memory.entries.get(prefix)
        dead = entry is not None and call.at >= entry.dies_at
        return (*broken.also, *([Cause.EXPIRED] if dead else []))

    def _tokens(self, call: Call, position: int) -> int:
        if position < 0:
            return 0
        return self._memory.entries[call.prompt.prefixes[position]].tokens

    def _foreseen(self, watched: Watched) -> Diagnosis | None:
        promised = min(watched.promised, watched.call.total)
        if watched.obstacle is None or promised - watched.survives <= _slack(watched, watched.call.total):
            return None
        found = Diagnosis(
            cause=watched.obstacle,
            promised=promised,
            read=watched.survives,
            lost=foreseen_loss(watched.call, watched.survives, promised),
            detail=watched.detail,
            change=watched.change,
            also=watched.also,
            foreseen=True,
        )
        return self._tell(watched, found) if found.bust else found

    def _tell(self, watched: Watched, found: Diagnosis) -> Diagnosis:
        """The diagnosis, quiet where the same was told before and has not healed."""
        quiet = any(self._told.get(key) is found.cause for key in watched.told_by)
        for key in watched.told_by:
            self._told[key] = found.cause
        while len(self._told) > _MOST_TOLD:
            del self._told[next(iter(self._told))]
        return msgspec.structs.replace(found, quiet=quiet)

    def _await(self, watched: Watched) -> None:
        call, entries, new = watched.call, self._memory.entries, []
        for marker in call.prompt.markers:
            prefix = call.prompt.prefixes[marker.position]
            if prefix not in entries and call.ends[marker.position] >= call.rules.minimum:
                new.append(prefix)
        watched.new_prefixes = tuple(new)
        self._memory.expect(new, call.at)

    def _diagnosis(self, watched: Watched, usage: Usage) -> Diagnosis | None:
        read = usage.cache_read_input_tokens
        if not watched.promised:
            return _nothing_promised(watched)
        promised = min(watched.promised, usage.total_input)
        if read >= promised - _slack(watched, usage.total_input):
            return None
        cause, detail = self._cause(watched, usage)
        change = watched.change
        if cause is Cause.IMAGE and change is None and watched.origin is not None:
            change = image_change(watched.origin.call.prompt, watched.call.prompt)
        lost = loss(watched.call, usage, promised) if watched.written or cause is Cause.NO_MARKER else 0
        return Diagnosis(
            cause=cause,
            promised=promised,
            read=read,
            lost=lost,
            detail=detail,
            change=change,
            also=watched.also,
            written=watched.written,
        )

    def _cause(self, watched: Watched, usage: Usage) -> tuple[Cause, str]:
        call = watched.call
        if nothing_cached(call, usage) and watched.obstacle not in (Cause.NO_MARKER, Cause.BELOW_MINIMUM):
            return Cause.UNCACHED, "markers on a prefix long enough, yet nothing was read and nothing written"
        if watched.obstacle is not None:
            return watched.obstacle, watched.detail
        if watched.position < 0:
            return Cause.UNKNOWN, "a read was foretold, and no earlier call of this watch wrote it"
        return self._unforeseen(watched, usage)

    def _unforeseen(self, watched: Watched, usage: Usage) -> tuple[Cause, str]:
        """Nothing was known to stand in the way of the read."""
        call = watched.call
        entry = self._memory.entries.get(call.prompt.prefixes[watched.position])
        if entry is None:
            return Cause.UNKNOWN, "the entry was not known any more"
        if usage.total_input < watched.promised - _slack(watched, usage.total_input) or call.settings.clears:
            return shortened(usage)
        if call.at < entry.written_at + entry.wrote_for:
            return Cause.CONCURRENT, "the call that wrote this prefix had not been answered"
        if watched.origin is not None and image_change(watched.origin.call.prompt, call.prompt) is not None:
            return Cause.IMAGE, "an image came or went, and messages were not read"
        idle = call.at - entry.used_at
        return Cause.EVICTED, (
            f"nothing changed and the entry was used {idle:,.0f} s before, within its {entry.ttl}"
        )

    def _commit(self, watched: Watched, usage: Usage, found: Diagnosis | None) -> None:
        call, prompt = watched.call, watched.call.prompt
        read = usage.cache_read_input_tokens
        cached = read + usage.cache_creation_input_tokens
        if watched.position >= 0:
            self._settle_read(watched, found)
        if not cached or not prompt.markers:
            for prefix in watched.new_prefixes:
                self._memory.entries.pop(prefix, None)
            kept: tuple[Mark, ...] = ()
        else:
            kept = self._written(watched, usage, read=read, cached=cached)
        talk = self._memory.keep(watched.talk, call, kept, known_to=watched.known_to)
        if found is not None and found.bust:
            # A conversation whose prefix is new each time must not be told of afresh each time.
            watched.told_by = (*watched.told_by, talk.id)

    def _settle_read(self, watched: Watched, found: Diagnosis | None) -> None:
        prefix = watched.call.prompt.prefixes[watched.position]
        entry = self._memory.entries.get(prefix)
        if entry is None:
            return
        if found is None:
            entry.used_at = max(entry.used_at, watched.call.at)
        elif found.bust and prefix not in watched.new_prefixes and watched.obstacle is None:
            del self._memory.entries[prefix]

    def _written(self, watched: Watched, usage: Usage, *, read: int, cached: int) -> tuple[Mark, ...]:
        """The entries this call leaves behind, the deepest as long as billed."""
        call, prompt, memory = watched.call, watched.call.prompt, self._memory
        once = not usage.iterations and usage.server_tool_use is None
        markers = {marker.position: marker for marker in reversed(prompt.markers)}
        places = sorted(markers)
        marks = []
        for position in places:
            prefix = prompt.prefixes[position]
            before = memory.entries.get(prefix)
            living = before if before is not None and call.at < before.dies_at else None
            deepest = position == places[-1]
            exact = deepest and once
            tokens = cached if exact or call.ends[position] > cached else call.ends[position]
            # Markers before what was read write no entry of their own.
            holds = tokens >= call.rules.minimum and (tokens > read or living is not None)
            if not deepest and not holds:
                continue
            if before is not None and before.exact and not exact:
                tokens, exact = before.tokens, True
            if living is not None:
                living.tokens, living.exact = tokens, exact
                if tokens > read:
                    living.used_at = max(living.used_at, call.at)
            else:
                ttl, at = markers[position].ttl, call.at
                memory.put(prefix, Entry(position, tokens, exact, ttl, at, at, at, call.wrote_for))
            marks.append(Mark(position, tokens, exact))
        return tuple(marks)


_SLIPS = frozenset(
    {Cause.TIMESTAMP, Cause.UUID, Cause.RANDOM_ID, Cause.KEY_ORDER, Cause.WHITESPACE, Cause.TOOL_ORDER}
)
"""Differences that nobody means: prompts that are otherwise alike were to be the same."""


def _another_prompt(call: Call, talk: Talk, cause: Cause) -> bool:
    """Whether a call without any history is simply not about what the earlier one was."""
    begins = all(block.message <= 0 for block in call.prompt.blocks[-1:])
    same_run = bool(call.run) and call.run == talk.call.run
    return begins and not same_run and cause not in _SLIPS


_FIRST = Diagnosis(cause=Cause.FIRST, promised=0, read=0, lost=0, written=False)


def _nothing_promised(watched: Watched) -> Diagnosis | None:
    return None if watched.goes_on or watched.origin is not None else _FIRST


def _compared(found: Diagnosis | None, provider: str | None) -> Diagnosis | None:
    """The diagnosis with the API's own verdict beside it."""
    if found is None or provider is None:
        return found
    return msgspec.structs.replace(found, provider=provider, agrees=agreement(found, provider))


def _slack(watched: Watched, total: int) -> float:
    if watched.exact:
        return tolerance(total)
    return max(tolerance(total), _ROUGHLY * watched.promised + _TOO_LITTLE)


def _keys(watched: Watched) -> tuple[int | Digest, ...]:
    """By what it is remembered that this miss was told: the conversation, and the prefix."""
    keys: list[int | Digest] = []
    talk = watched.talk or (watched.origin if watched.change is not None else None)
    if talk is not None:
        keys.append(talk.id)
    if watched.position >= 0 and talk is None:
        keys.append(watched.call.prompt.prefixes[watched.position])
    return tuple(keys)
