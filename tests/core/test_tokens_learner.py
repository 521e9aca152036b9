"""What bills teach: the next prompt of a run is nearly exact, and drift is followed."""

from __future__ import annotations

from hashlib import blake2b
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrimp.core.tokens import Estimate, Learner, Sized
from scrimp.wire.request import Block, blocks

MODEL = "some-model"


class Run:
    """A conversation of tool steps: what is estimated for it, and the digests of its prefixes."""

    def __init__(self, name: str = "run") -> None:
        self.name = name
        self.sizes: list[float] = [400.0]
        self.roles = ["user"]

    def step(self, answer: float, result: float) -> None:
        self.sizes += [answer, result]
        self.roles += ["assistant", "user"]

    @property
    def blocks(self) -> list[Block]:
        content = {"assistant": "text", "user": "tool_result"}
        messages = [
            {"role": role, "content": [{"type": content[role], "text": "x", "content": "x"}]}
            for role in self.roles
        ]
        messages[0]["content"] = "Go."
        return blocks({"messages": messages})

    @property
    def prefixes(self) -> list[bytes]:
        start = blake2b(self.name.encode(), digest_size=16).digest()
        chain = accumulate(
            self.sizes,
            lambda at, size: blake2b(at + str(size).encode(), digest_size=16).digest(),
            initial=start,
        )
        return list(chain)[1:]

    @property
    def sized(self) -> Sized:
        around = [0.0] * len(self.sizes)
        around[-1] = 3.0
        middle = round(sum(self.sizes)) + 3
        return Sized(
            content=list(self.sizes), around=around, estimate=Estimate(middle - 200, middle, middle + 300)
        )


def foresee(learner: Learner, run: Run) -> Estimate:
    return learner.foresee(MODEL, run.blocks, run.prefixes, run.sized)


def learn(learner: Learner, run: Run, total: int) -> None:
    learner.learn(MODEL, run.blocks, run.prefixes, run.sized, total)


def test_without_a_bill_the_estimate_stands() -> None:
    run = Run()
    assert foresee(Learner(), run) == run.sized.estimate


def test_a_billed_prompt_is_known() -> None:
    learner, run = Learner(), Run()
    learn(learner, run, 461)
    again = foresee(learner, run)
    assert again.mid == 461
    assert again.high - again.low <= 10


def test_a_longer_prompt_costs_the_bill_and_the_new_blocks() -> None:
    learner, run = Learner(), Run()
    learn(learner, run, 10_403)  # far more than estimated: something hidden, which stays hidden
    run.step(answer=50, result=150)
    found = foresee(learner, run)
    assert found.mid == pytest.approx(10_603, abs=60)
    assert found.low < 10_603 < found.high
    assert found.high - found.low < 120


def test_the_ratio_of_a_kind_of_content_is_learned_and_the_interval_tightens() -> None:
    learner, run, total = Learner(), Run(), 403
    widths = []
    for turn in range(40):
        learn(learner, run, total)
        run.step(answer=60, result=1_000 + turn)
        total += 60 + round(1.3 * (1_000 + turn))
        found = foresee(learner, run)
        widths.append(found.high - found.low)
    assert found.mid == pytest.approx(total, rel=0.001)
    assert widths[-1] < widths[0] / 2
    assert learner.learned[MODEL].bills == 40


def test_what_was_learned_helps_the_next_run_and_survives_a_restart() -> None:
    learner, run, total = Learner(), Run(), 403
    for turn in range(40):
        learn(learner, run, total)
        run.step(answer=60, result=1_000 + turn)
        total += 60 + round(1.3 * (1_000 + turn))
    other = Run("another")
    other.step(answer=60, result=2_000)
    fresh = foresee(Learner(learner.learned), other)
    assert fresh.mid > other.sized.estimate.mid + 400
    assert fresh.high - fresh.low <= other.sized.estimate.high - other.sized.estimate.low


def test_one_odd_bill_moves_little() -> None:
    steady, shaken = Learner(), Learner()
    for learner, odd in ((steady, 0), (shaken, 20_000)):
        run, total = Run(), 403
        for turn in range(30):
            learn(learner, run, total)
            run.step(answer=60, result=500 + turn)
            total += 560 + turn + (odd if turn == 15 else 0)
        assert foresee(learner, run).mid == pytest.approx(total, abs=40 if odd else 6)


def test_models_are_learned_apart() -> None:
    learner, run = Learner(), Run()
    learn(learner, run, 900)
    other = Run("elsewhere")
    assert learner.foresee("another-model", other.blocks, other.prefixes, other.sized) == other.sized.estimate


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000), st.integers(1, 20_000)), max_size=12))
def test_intervals_stay_in_order_whatever_is_billed(steps: list[tuple[int, int, int]]) -> None:
    learner, run, total = Learner(), Run(), 403
    for answer, result, billed in steps:
        learn(learner, run, total)
        run.step(answer=answer, result=result)
        total += billed
        found = foresee(learner, run)
        assert 1 <= found.low <= found.mid <= found.high
    ratios = learner.learned[MODEL].ratios if steps else ()
    assert all(0.5 <= ratio <= 2.0 for ratio in ratios)
