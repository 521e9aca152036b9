"""Assert on cache reads and dollars in your own tests: no key, no network, any language.

    from scrimp.testing import assert_cache_read_share, assert_cost, assert_no_bust

    def test_the_bill(scrimp_client, scrimp_run):      # fixtures of the pytest plugin that comes along
        my_agent.answer(scrimp_client, "How are you?")
        assert_cost(scrimp_run) <= "0.02"
        assert_cache_read_share(scrimp_run) >= 0.8
        assert_no_bust(scrimp_run)

What is here needs no pytest: `Recording(emulator)` is the run of any emulator, in any test framework.

    pytest_plugin.py  the fixtures
    recording.py      what an emulator billed, call by call
    figures.py        the sums of a run, and its table
    asserts.py        what is asserted of them
    busts.py          why prefixes were missed
    snapshot.py       the prompt of a test as block digests, kept beside it
    snapshot_diff.py  what became of the blocks, and what that costs
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrimp.testing.asserts import assert_cache_read_share, assert_cost, assert_no_bust
    from scrimp.testing.recording import Recording

__all__ = ["Recording", "assert_cache_read_share", "assert_cost", "assert_no_bust"]

_HOMES = {
    "Recording": "recording",
    "assert_cache_read_share": "asserts",
    "assert_cost": "asserts",
    "assert_no_bust": "asserts",
}
"""Name → its module, imported when the name is first used: pytest loads this package in every session."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'scrimp.testing' has no attribute {name!r}")
    return getattr(import_module(f"scrimp.testing.{home}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
