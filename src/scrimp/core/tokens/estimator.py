"""How long a prompt will be, before anything was billed: an interval on the whole request.

Every block is counted once (`counts`), remembered by its content digest, and turned into tokens by the
factors of the model's tokenizer family. The interval is on the total: what is uncertain is the ratio of text
to tokens, which is off in the same direction all through a prompt, so shares add up and do not cancel out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from operator import add, mul
from typing import Any, NamedTuple

import msgspec

from scrimp.core.forgetting import forget_oldest
from scrimp.core.tokens.counts import COUNTED, Counts, count_block, count_schema
from scrimp.core.tokens.images import image_tokens
from scrimp.core.tokens.sampling import Sampler
from scrimp.facts.model import Model
from scrimp.facts.tokenizers import TokenFactors, builtin_tokens, hidden_prompt, token_factors
from scrimp.wire.request import Block, Body

__all__ = [
    "Estimate",
    "Estimator",
    "Measured",
    "Ruler",
    "Settings",
    "Sized",
    "Turns",
    "find_turns",
    "read_settings",
]

_REQUEST = 3
"""Tokens of a request without any block: what closes the prompt (seen on every recorded bill)."""
_PAGE_TEXT = (1_500, 2_250, 3_000)
"""Text tokens of a PDF page: least, middle and most ("PDF support", estimating costs)."""
_UNSEEN_DOCUMENT = (500, 15_000, 200_000)
_EXACT_TOKENS = 4
"""What rounding and turn markers may be off, in tokens."""
_REMEMBERED = 10_000
"""Blocks by their content; those of conversations that go on are remembered with them."""
_SHAPES_REMEMBERED = 1_000

_SCHEMA_FROM = COUNTED.index("schema")
"""What comes before it is of running text."""
_STRUCTURE_FROM = COUNTED.index("tools")
_SEALED, _LETTER_RUNS = COUNTED.index("sealed"), COUNTED.index("letter_runs")


class Estimate(msgspec.Struct, frozen=True):
    """Tokens of a whole prompt: at least `low`, probably `mid`, at most `high`."""

    low: int
    mid: int
    high: int


class Sized(msgspec.Struct, frozen=True, gc=False):
    """A measured prompt: tokens per block, tokens the API renders around each, and the whole.

    Turn markers stand at the first block of a turn, hidden prompts at the first turn, what closes the prompt
    at the end. `summed` are the sizes, where they are known already.
    """

    content: Sequence[float]
    around: Sequence[float]
    estimate: Estimate
    summed: list[float] | None = None

    @property
    def sizes(self) -> list[float]:
        """Tokens per position, what surrounds the blocks included but not what closes the prompt."""
        if self.summed is not None:
            return self.summed
        sizes = list(map(add, self.content, self.around))
        if sizes:
            sizes[-1] -= _REQUEST
        return sizes


class Settings(msgspec.Struct, frozen=True):
    """What a request asks for beside its blocks, as far as it is rendered into the prompt.

    `forced` is a `tool_choice` of any or tool, `serial` is `disable_parallel_tool_use`, `thinking` is
    thinking with a budget, `answer` counts the JSON schema of the answer.
    """

    forced: bool = False
    serial: bool = False
    thinking: bool = False
    answer: Counts | None = None


class Turns(NamedTuple):
    """Positions where messages begin that bring something new, and of results beside others of a message."""

    starts: list[int]
    beside: list[int]


class Parts(msgspec.Struct, gc=False):
    """Tokens of a block or a prompt by how well they are known.

    `below` and `above` are spread in tokens, not shares.
    """

    text: float = 0.0
    schema: float = 0.0
    structure: float = 0.0
    below: float = 0.0
    above: float = 0.0

    @property
    def total(self) -> float:
        return self.text + self.schema + self.structure


class Measured(msgspec.Struct, frozen=True, gc=False):
    """Blocks measured so far, so that a prompt that begins with them is measured from there on.

    `sizes` are `content` and `around` together; `sums` run along, turn markers included; `turn` is where the
    first turn starts. What depends on the end of the prompt, or on settings, is not in it.
    """

    content: tuple[float, ...] = ()
    around: tuple[float, ...] = ()
    sizes: tuple[float, ...] = ()
    sums: tuple[Parts, ...] = ()
    turn: int | None = None


class Ruler:
    """Counts of blocks, remembered by content digest; they hold for every model."""

    def __init__(self) -> None:
        self._known: dict[bytes, Counts] = {}
        self._sampler = Sampler()

    def begin(self) -> None:
        """Blocks of another prompt come, which may take as much work as those of the one before."""
        self._sampler.begin()

    def counts(self, block: Block, digest: bytes | None = None) -> Counts:
        """The counts of `block`; its content digest, where the caller has it, saves counting twice."""
        if digest is None:
            return count_block(block, self._sampler)
        found = self._known.get(digest)
        if found is None:
            found = self._known[digest] = count_block(block, self._sampler)
            if len(self._known) > _REMEMBERED:
                forget_oldest(self._known, _REMEMBERED)
        return found


class Estimator:
    """Estimates for one model.

    `spelling` is the id in the request, where dated snapshots differ. `factors` are the family's own unless
    given: whoever judges estimates on recordings passes factors that have not seen them.
    """

    def __init__(
        self,
        model: Model,
        *,
        spelling: str = "",
        factors: TokenFactors | None = None,
        ruler: Ruler | None = None,
    ) -> None:
        self._factors = factors or token_factors(model.tokenizer)
        self._prompt = hidden_prompt(self._factors.tool_prompts, model, spelling)
        self._rule = model.image_rule
        self._ruler = ruler or Ruler()
        self._known: dict[bytes, Parts] = {}
        by_name = self._factors.factors
        per_count = tuple(by_name.get(name, 0.0) for name in COUNTED)
        self._per_text, self._per_other = per_count[:_SCHEMA_FROM], per_count[_SCHEMA_FROM:]
        self._per_run = per_count[_LETTER_RUNS]
        self._shapes: dict[tuple[int, ...], tuple[float, float, float]] = {}
        self._per_message = by_name.get("messages", 0.0)
        self._per_beside = by_name.get("results_beside", 0.0)
        self._per_thinking = by_name.get("thinking_on", 0.0)
        self._per_answer = by_name.get("answers", 0.0), by_name.get("answer_schema", 0.0)
        self._spread = self._factors.spread
        self._loose = self._spread["loose"]

    def measure(
        self, blocks: Sequence[Block], settings: Settings, digests: Sequence[bytes] | None = None
    ) -> Sized:
        """Tokens of the prompt made of `blocks` (those the model sees), per block and in all.

        Content digests, where the caller has them, save counting a block twice.
        """
        return self.finish(self.extend(Measured(), 0, blocks, digests), blocks, settings)

    def extend(
        self, measured: Measured, kept: int, blocks: Sequence[Block], digests: Sequence[bytes] | None = None
    ) -> Measured:
        """The first `kept` blocks as they were measured, the others of `blocks` measured now.

        The first of those others begins a message or a tier. The cost is that of the others.
        """
        if kept == len(blocks) == len(measured.content):
            return measured
        added = blocks[kept:]
        self._ruler.begin()
        turns = find_turns(added)
        around = self._around(len(added), turns)
        named = [None] * len(added) if digests is None else digests[kept:]
        content: list[float] = []
        sums: list[Parts] = []
        running = measured.sums[kept - 1] if kept else Parts()
        for block, digest, outside in zip(added, named, around, strict=True):
            part = self._known_part(block, digest)
            content.append(part.text + part.schema + part.structure)
            running = Parts(
                running.text + part.text,
                running.schema + part.schema,
                running.structure + part.structure + outside,
                running.below + part.below,
                running.above + part.above,
            )
            sums.append(running)
        turn = measured.turn
        if turn is None or turn >= kept:
            turn = kept + turns.starts[0] if turns.starts else None
        return Measured(
            measured.content[:kept] + tuple(content),
            measured.around[:kept] + tuple(around),
            measured.sizes[:kept] + tuple(map(add, content, around)),
            measured.sums[:kept] + tuple(sums),
            turn,
        )

    def finish(self, measured: Measured, blocks: Sequence[Block], settings: Settings) -> Sized:
        """The measured prompt `blocks` as a whole, under the settings of its request."""
        if not blocks:
            return Sized((), (), self._interval(Parts()))
        schema, structure = self._hidden(blocks, settings)
        around, sizes = list(measured.around), list(measured.sizes)
        before = self._prompt.before if blocks[0].section == "tools" else 0.0
        turn = -1 if measured.turn is None else measured.turn
        around[0] += before
        around[turn] += schema + structure - before
        for position in (0, turn):
            sizes[position] = measured.content[position] + around[position]
        around[-1] += _REQUEST  # in no size: where the prompt ends, it does not close when it goes on
        sums = measured.sums[-1]
        structure = sums.structure + (structure + _REQUEST)
        whole = Parts(sums.text, sums.schema + schema, structure, sums.below, sums.above)
        return Sized(measured.content, around, self._interval(whole), summed=sizes)

    def estimate(
        self, blocks: Sequence[Block], settings: Settings, digests: Sequence[bytes] | None = None
    ) -> Estimate:
        """Tokens of the prompt made of `blocks`, in all."""
        return self.measure(blocks, settings, digests).estimate

    def block_size(self, block: Block, digest: bytes | None = None) -> float:
        """Tokens of one block by itself: a function of its content alone."""
        self._ruler.begin()
        return self._known_part(block, digest).total

    def _around(self, length: int, turns: Turns) -> list[float]:
        around = [0.0] * length
        for position in turns.starts:
            around[position] += self._per_message
        for position in turns.beside:
            around[position] += self._per_beside
        return around

    def _known_part(self, block: Block, digest: bytes | None) -> Parts:
        found = None if digest is None else self._known.get(digest)
        if found is None:
            found = self._part(self._ruler.counts(block, digest))
            if digest is not None:
                self._known[digest] = found
                if len(self._known) > _REMEMBERED:
                    forget_oldest(self._known, _REMEMBERED)
        return found

    def _part(self, counts: Counts) -> Parts:
        numbers = counts.numbers
        text = 0.0
        for number, each in zip(numbers, self._per_text):  # noqa: B905 - of all numbers the first
            if number:
                text += number * each
        schema, structure, sealed = self._shape(numbers[_SCHEMA_FROM:])
        text = max(0.0, text)
        loose = (numbers[_LETTER_RUNS] * self._per_run + sealed) * self._loose
        part = Parts(text, schema, structure, loose, loose)
        if counts.builtin:
            self._built_in(part, counts.builtin)
        if counts.images or counts.documents:
            self._attach(part, counts)
        return part

    def _shape(self, numbers: tuple[int, ...]) -> tuple[float, float, float]:
        """Tokens of a schema, of structure, and of those what is sealed; most blocks are alike in these."""
        found = self._shapes.get(numbers)
        if found is None:
            schema, *structure = map(mul, numbers, self._per_other)
            found = self._shapes[numbers] = schema, sum(structure), structure[_SEALED - _STRUCTURE_FROM]
            forget_oldest(self._shapes, _SHAPES_REMEMBERED)
        return found

    def _built_in(self, part: Parts, kind: str) -> None:
        tokens = builtin_tokens(self._factors.builtin, kind)
        part.structure += tokens
        part.below += tokens * self._spread["builtin"]
        part.above += tokens * self._spread["builtin"]

    def _attach(self, part: Parts, counts: Counts) -> None:
        for pixels in counts.images:
            if pixels is not None:
                part.structure += image_tokens(pixels, self._rule)
            else:
                _loosely(part, 1, self._rule.max_tokens // 2, self._rule.max_tokens)
        if counts.documents is not None:
            low, mid, high = _PAGE_TEXT
            page, pages = self._rule.max_tokens, counts.documents.pages
            _loosely(part, low * pages, (mid + page) * pages, (high + page) * pages)
            low, mid, high = _UNSEEN_DOCUMENT
            unseen = counts.documents.unseen
            _loosely(part, low * unseen, mid * unseen, high * unseen)

    def _hidden(self, blocks: Sequence[Block], settings: Settings) -> tuple[float, float]:
        """What the provider adds once: the prompts that tools, thinking and a shaped answer bring.

        Tokens of a schema, and of structure.
        """
        schema = structure = 0.0
        if blocks[0].section == "tools":
            prompt = self._prompt
            structure += prompt.forced if settings.forced else prompt.auto
            structure -= prompt.serial if settings.serial and not settings.forced else 0.0
        if settings.thinking:
            structure += self._per_thinking
        if settings.answer is not None:
            fixed, per_schema = self._per_answer
            structure += fixed
            schema += settings.answer.numbers[_SCHEMA_FROM] * per_schema
        return schema, structure

    def _interval(self, whole: Parts) -> Estimate:
        spread = self._spread
        loose = whole.structure * spread["structure"]
        below, above = _EXACT_TOKENS + whole.below + loose, _EXACT_TOKENS + whole.above + loose
        loose = whole.schema * spread["schema"]
        below += whole.text * spread["text_below"] + loose
        above += whole.text * spread["text_above"] + loose
        total = whole.total
        return Estimate(max(1, floor(total - below)), max(1, round(total)), ceil(total + above))


def read_settings(body: Body) -> Settings:
    """The settings of a request body; what is malformed counts as not set."""
    choice, thinking = _mapping(body.get("tool_choice")), _mapping(body.get("thinking"))
    shape = _mapping(_mapping(body.get("output_config")).get("format")) or _mapping(body.get("output_format"))
    return Settings(
        forced=choice.get("type") in {"any", "tool"},
        serial=choice.get("disable_parallel_tool_use") is True,
        thinking=thinking.get("type") == "enabled",
        answer=count_schema(shape["schema"]) if "schema" in shape else None,
    )


def find_turns(blocks: Sequence[Block]) -> Turns:
    """The turns of a prompt. A message that begins with a tool's result continues the turn that called it."""
    turns, before, with_result = Turns([], []), -1, False
    for position, block in enumerate(blocks):
        if block.message != before:
            before, with_result = block.message, False
            if block.message >= 0 and not block.depth and block.kind != "tool_result":
                turns.starts.append(position)
        if block.kind == "tool_result":
            if with_result:
                turns.beside.append(position)
            with_result = True
    return turns


def _loosely(part: Parts, low: float, mid: float, high: float) -> None:
    part.structure += mid
    part.below += mid - low
    part.above += high - mid


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
