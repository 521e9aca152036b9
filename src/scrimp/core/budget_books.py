"""The books of budgets: what is held, what is spent, what that leaves. Pure: (books, event) → books, answer.

A hold ends in one of four ways: it is settled by its bill, released because nothing was billed, or its lease
runs out, and then its whole amount counts as spent until its bill is known after all. So for every account

    what was ever held = what bills took of it + what they left + what was released + held + unsettled

(A bill of a call that was cut off takes the most that may have been billed; what that is above the estimate
of its record is unsettled, too.)

and as long as no bill is above its hold, spent + held never exceeds the limit. A bill above its hold is
booked in full, and the excess is kept as `overrun`. What records say counts where no money was held, too.

`changes` is what a store has to write down; a store in memory forgets it. Until then an account is looked up
once for all calls that count in the same ones, and is among the changes from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import msgspec

from scrimp.core.budget import Ask, Crossing, Event, EventKind, Held, Refusal, Scope, Settlement, Standing
from scrimp.core.budget_terms import Key, Place, Places, Term, Terms

__all__ = ["Account", "Accounts", "Books", "Changes", "Charge", "Extra", "Hold", "standing"]

_QUARTER = 900.0
"""Windows begin at a full quarter of an hour of UTC in every zone there is."""


@dataclass(slots=True)
class Account:
    """Counts of one member in one window, picodollars. `told` is the highest alert given, per cent.

    Every call changes several: a field of a struct of msgspec takes some ten times as long to set.
    """

    spent: int = 0
    held: int = 0
    unsettled: int = 0
    overrun: int = 0
    told: int = 0


class Accounts(dict[Key, Account]):
    """Accounts by key; one that nothing was booked in is empty. A store may know more of one not here yet."""

    def __missing__(self, key: Key) -> Account:
        account = self[key] = Account()
        return account


class Hold(msgspec.Struct, gc=False):
    """Money held. `booked` is what a record of the same call has counted already, `lapsed` that its lease
    ran out: all of it counts as spent."""

    id: str
    amount: int
    at: float
    lease_until: float
    scopes: tuple[Scope, ...]
    booked: int = 0
    lapsed: bool = False

    @property
    def open(self) -> int:
        """What is held beyond what is booked."""
        return self.amount - self.booked


class Charge(msgspec.Struct, frozen=True, gc=False):
    """A record as budgets see it."""

    id: str
    at: float
    scopes: tuple[Scope, ...]
    cost: int


class Extra(NamedTuple):
    """Money that counts as spent beside the records (negative: that does not, where its record says).

    `feared`: it may have been billed above what the record of a call that was cut off estimates.
    """

    id: str
    at: float
    scopes: tuple[Scope, ...]
    amount: int
    feared: bool = False


Post: TypeAlias = tuple[Account, Place, int, float]
"""An account, where it is, and of its limit what every call is held against: the amount, and that from which
somebody is told."""

Posts: TypeAlias = tuple[Post, ...]
"""Every account a call counts in."""


class Changes(msgspec.Struct):
    """What is new since it was last written down; a hold that is None is gone.

    `posts` are the accounts that were looked up since, for those who count in the same ones.
    """

    accounts: dict[Key, Account] = {}
    posts: dict[Places, Posts] = {}
    holds: dict[str, Hold | None] = {}
    extras: list[Extra] = []
    events: list[Event] = []

    def clear(self) -> None:
        """All of it is written down."""
        self.accounts.clear()
        self.posts.clear()
        self.holds.clear()
        self.extras.clear()
        self.events.clear()


class Books:
    """Limits, accounts and holds. Not thread-safe."""

    def __init__(self, accounts: Accounts | None = None, holds: dict[str, Hold] | None = None) -> None:
        self.terms = Terms()
        self.accounts = Accounts() if accounts is None else accounts
        self.holds: dict[str, Hold] = {} if holds is None else holds
        self.changes = Changes()
        self._quarter = 0.0
        """When the quarter of an hour began that was looked at last."""

    def reserve(self, ask: Ask) -> Held | Refusal:
        """Hold the money in every account it counts in, or in none. Asking again changes nothing."""
        id_, amount, scopes = ask.id, ask.amount, ask.scopes
        places = self.terms.places(scopes, ask.at)
        if not places.all:
            return Held(id_, amount)
        known = self.holds.get(id_)
        if known is not None:
            return Held(known.id, known.amount, places.limits)
        posts = self._posts(places)
        quiet = True
        for account, place, most, first in posts:
            spent = account.spent
            if spent + account.held + amount > most:
                return self._refused(ask, (account, place, most, first))
            if spent >= first or account.told:
                quiet = False
        for account, _, _, _ in posts:
            account.held += amount
        self.holds[id_] = self.changes.holds[id_] = Hold(id_, amount, ask.at, ask.lease_until, scopes)
        return Held(id_, amount, places.limits, () if quiet else self._crossings(posts))

    def release(self, id_: str) -> None:
        """Nothing was billed: the money is free again, if it was held."""
        hold = self._dropped(id_)
        if hold is not None:
            _undo(hold, self._posts_of(hold))

    def extend(self, id_: str, lease_until: float) -> None:
        """The call is still under way. A lease that ran out stays so: its bill will put it right."""
        hold = self.holds.get(id_)
        if hold is not None and not hold.lapsed and lease_until > hold.lease_until:
            hold.lease_until = lease_until
            self.changes.holds[id_] = hold

    def book(self, charge: Charge, settlement: Settlement | None, *, new: bool) -> tuple[Crossing, ...]:
        """Count a record, `new` unless it is in the ledger already. Returns the alerts that sets off."""
        if settlement is not None:
            return self._settle(charge, settlement, new=new)
        if not new:
            return ()
        posts = self._posts_of(charge)
        _spend(posts, charge.cost)
        hold = self.holds.get(charge.id)
        if hold is not None:
            self._absorb(hold, charge.cost)
        return self._crossings(posts)

    def due(self, now: float) -> list[str]:
        """Holds whose lease has run out."""
        return [hold.id for hold in self.holds.values() if not hold.lapsed and hold.lease_until <= now]

    def lapse(self, id_: str, *, recorded: bool) -> bool:
        """A lease ran out: all of the hold counts as spent, unless the bill is recorded; whether it does."""
        hold = self.holds[id_]
        posts = self._posts_of(hold)
        if recorded:
            _undo(hold, posts)
            self._dropped(id_)
            return False
        hold.lapsed = True
        self.changes.holds[id_] = hold
        for post in posts:
            account = post[0]
            account.held -= hold.open
            account.spent += hold.open
            account.unsettled += hold.open
            self._event("unsettled", post, hold.id, hold.amount, hold.lease_until)
        return True

    def begin(self, term: Term, charges: Iterable[Charge], extras: Iterable[Extra]) -> None:
        """Work out the accounts of a limit that is new: from what was spent and held before it was set."""
        for charge in charges:
            _spend(self._looked_up(term.places(charge.scopes, charge.at)), charge.cost)
        for extra in extras:
            posts = self._looked_up(term.places(extra.scopes, extra.at))
            _spend(posts, extra.amount)
            if extra.feared:
                _fear(posts, extra.amount)
        for hold in self.holds.values():
            for account, _, _, _ in self._looked_up(term.places(hold.scopes, hold.at)):
                if hold.lapsed:
                    account.spent += hold.open
                    account.unsettled += hold.open
                else:
                    account.held += hold.open

    def _refused(self, ask: Ask, post: Post) -> Refusal:
        self._event("refusal", post, ask.id, ask.amount, ask.at)
        account, place, _, _ = post
        limit, spent, held = place.term.limit, account.spent, account.held
        return Refusal(limit, place.scope, spent, held, ask.amount, place.resets_at)

    def _settle(self, charge: Charge, settlement: Settlement, *, new: bool) -> tuple[Crossing, ...]:
        cost, amount = charge.cost, settlement.amount
        counted = amount if amount > cost else cost
        hold = self._dropped(settlement.hold)
        if hold is None:
            if not new:
                return ()
            posts = self._posts_of(charge)
            _spend(posts, counted)
            self._count(charge, counted, posts)
            return self._crossings(posts)
        posts = self._posts_of(hold)
        if new:
            quiet = _undo(hold, posts, counted)
            if (
                counted != cost
                or hold.scopes is not charge.scopes
                or not self._within_a_quarter(hold, charge)
            ):
                self._count(charge, counted, posts, hold)
        else:
            quiet = _undo(hold, posts, counted - hold.booked)
            self._count_more(hold, counted, charge.cost, posts)
        crossings = () if quiet else self._crossings(posts)
        if counted > hold.amount:
            self._overran(hold, charge.at, counted, posts)
        return crossings

    def _count(self, charge: Charge, counted: int, posts: Posts, hold: Hold | None = None) -> None:
        """A new record is booked where its money was held; what its row alone would not say is an extra."""
        at, scopes = charge.at, charge.scopes
        if hold is not None and (hold.scopes != scopes or not self._within_a_quarter(hold, charge)):
            self._beside(charge.id, at, scopes, -charge.cost)
            at, scopes = hold.at, hold.scopes
            self._beside(charge.id, at, scopes, charge.cost)
        if counted > charge.cost:
            _fear(posts, counted - charge.cost)
            self._beside(charge.id, at, scopes, counted - charge.cost, feared=True)

    def _within_a_quarter(self, hold: Hold, charge: Charge) -> bool:
        """Whether every window there is holds both times or neither."""
        one, two, since = hold.at, charge.at, self._quarter
        if not since <= one < since + _QUARTER:
            since = self._quarter = one // _QUARTER * _QUARTER
        return since <= two < since + _QUARTER

    def _count_more(self, hold: Hold, counted: int, cost: int, posts: Posts) -> None:
        """A record that was there before is settled at more than it says."""
        amount = counted - hold.booked
        feared = min(counted - cost, max(amount, 0))
        _fear(posts, feared)
        self._beside(hold.id, hold.at, hold.scopes, amount - feared)
        self._beside(hold.id, hold.at, hold.scopes, feared, feared=True)

    def _beside(
        self, id_: str, at: float, scopes: tuple[Scope, ...], amount: int, *, feared: bool = False
    ) -> None:
        if amount:
            self.changes.extras.append(Extra(id_, at, scopes, amount, feared))

    def _overran(self, hold: Hold, at: float, counted: int, posts: Posts) -> None:
        for post in posts:
            post[0].overrun += counted - hold.amount
            self._event("overrun", post, hold.id, counted, at)

    def _absorb(self, hold: Hold, cost: int) -> None:
        """A record of a call whose hold is not settled: no picodollar of it counts twice."""
        posts = self._posts_of(hold)
        if hold.lapsed:
            _undo(hold, posts)
            self._dropped(hold.id)
            return
        part = min(max(cost, 0), hold.open)
        hold.booked += part
        self.changes.holds[hold.id] = hold
        for account, _, _, _ in posts:
            account.held -= part

    def _posts_of(self, within: Hold | Charge) -> Posts:
        return self._posts(self.terms.places(within.scopes, within.at))

    def _posts(self, places: Places) -> Posts:
        posts = self.changes.posts.get(places)
        if posts is None:
            posts = self.changes.posts[places] = self._looked_up(places.all)
        return posts

    def _looked_up(self, places: Iterable[Place]) -> Posts:
        accounts, changed = self.accounts, self.changes.accounts
        found: list[Post] = []
        for place in places:
            account = changed[place.key] = accounts[place.key]
            found.append((account, place, place.term.amount, place.term.first_level))
        return tuple(found)

    def _dropped(self, id_: str) -> Hold | None:
        hold = self.holds.pop(id_, None)
        if hold is not None:
            self.changes.holds[id_] = None
        return hold

    def _crossings(self, posts: Posts) -> tuple[Crossing, ...]:
        """The alert levels that were reached since they were last looked at, each once."""
        crossed: tuple[Crossing, ...] = ()
        for account, place, _, first in posts:
            if account.spent < first and not account.told:
                continue
            spent, reached = account.spent, 0
            for percent, level in place.term.levels:
                if spent < level:
                    break
                reached = percent
            if reached != account.told:
                crossed += _crossed(account, place, reached)
                account.told = reached
        return crossed

    def _event(self, kind: EventKind, post: Post, hold: str, amount: int, at: float) -> None:
        account, place, _, _ = post
        self.changes.events.append(
            Event(kind, at, place.term.limit.id, place.scope, hold, amount, account.spent, account.held)
        )


def _spend(posts: Posts, amount: int) -> None:
    for account, _, _, _ in posts:
        account.spent += amount


def _undo(hold: Hold, posts: Posts, spent: int = 0) -> bool:
    """Take a hold out of its accounts again; so much is `spent` in its place. Whether no account has reached
    what somebody is told of, now or before."""
    amount, quiet = hold.amount - hold.booked, True
    lapsed = hold.lapsed
    for account, _, _, first in posts:
        if lapsed:
            account.spent -= amount
            account.unsettled -= amount
        else:
            account.held -= amount
        now = account.spent = account.spent + spent
        if now >= first or account.told:
            quiet = False
    return quiet


def _fear(posts: Posts, amount: int) -> None:
    """So much of what counts as spent there is no bill."""
    for account, _, _, _ in posts:
        account.unsettled += amount


def _crossed(account: Account, place: Place, reached: int) -> tuple[Crossing, ...]:
    return tuple(
        Crossing(place.term.limit, place.scope, percent, account.spent, place.resets_at)
        for percent, _ in place.term.levels
        if account.told < percent <= reached
    )


def standing(place: Place, account: Account) -> Standing:
    """How a limit stands for one member."""
    return Standing(
        place.term.limit,
        place.scope,
        account.spent,
        account.held,
        account.unsettled,
        account.overrun,
        place.resets_at,
    )
