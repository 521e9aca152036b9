"""Write docs/myths.md: run the code of every claim, and put the figures in; a test fails while they differ.

python docs/renew_myths.py
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, fill

sys.path.insert(0, str(Path(__file__).parent))

from myths.breaking import BREAKING
from myths.caching import CACHING
from myths.context import CONTEXT
from myths.counting import COUNTING
from myths.shape import DAY, MODEL, Myth, Ran, money, number, ran

PAGE = Path(__file__).with_name("myths.md")
SECTIONS = {
    "The prompt cache": CACHING,
    "What breaks it": BREAKING,
    "What is counted": COUNTING,
    "Carrying less": CONTEXT,
}
TOP = """# Myths about what Claude costs

Claims and snippets that go round, each run: the code through the official SDK against \
[the emulator](testing.md), the sums through the model that [estimates](estimate.md). Both cache and bill by \
what the provider publishes and recorded bills show. Where neither says anything the emulator had to choose: \
what stands for a cleared tool result and what the trigger of clearing counts, what an answer is billed that \
nobody waited for, how long a prompt is (estimated), and the system prompt that tools bring on models that \
publish none. Every figure below was computed when this page was built, by the prices and rules of {day}; \
where code is shown, a table says what it was billed.

In the code, `client` is an `anthropic.Anthropic()`, `model` is `{model}`, `rules` a text of {rules} tokens, \
`questions` are three short questions, `profiles` one profile with its keys in two orders, `tools` one tool, \
`messages` a long conversation, and `wait` lets time pass. `python docs/renew_myths.py` builds the page anew.
"""
_RULES = """
client.messages.create(
    model=model,
    max_tokens=300,
    system=[{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}],
    messages=[{"role": "user", "content": questions[0]}],
)
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page as it should be."""
    title, *paragraphs = TOP.strip().split("\n\n")
    said = "\n\n".join(paragraphs).format(day=DAY, model=MODEL, rules=number(ran(_RULES).written))
    parts = [
        f"{title}\n",
        _wrapped(said),
        *(_contents(section, myths) for section, myths in SECTIONS.items()),
    ]
    for section, myths in SECTIONS.items():
        parts.append(f"## {section}\n")
        parts += ["\n".join(_entry(myth)) for myth in myths]
    return "\n".join(parts)


def _contents(section: str, myths: tuple[Myth, ...]) -> str:
    lines = [f"- [{myth.title}](#{_anchor(myth.title)})" for myth in myths]
    return "\n".join([f"**{section}**\n", *lines, ""])


def _anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _entry(myth: Myth) -> Iterator[str]:
    yield f"### {myth.title}\n"
    yield _wrapped(f"Said {myth.said}.")
    if myth.told:
        yield from _code(myth.told)
        if myth.rules():
            yield "[`scrimp lint`](lint.md) says: " + ", ".join(f"`{rule}`" for rule in myth.rules()) + "\n"
    yield _wrapped(f"**True:** {myth.true.format(**myth.figures())}")
    if myth.instead:
        yield "Write instead:\n"
        yield from _code(myth.instead)
    bills = {} if myth.unbilled or not myth.told else myth.bills()
    if bills:
        yield from _table(bills)


def _code(code: str) -> Iterator[str]:
    yield f"```python\n{dedent(code).strip()}\n```\n"


def _wrapped(text: str) -> str:
    """Paragraphs as wide as those of other pages; tables as they are."""
    parts = [
        part if part.startswith("|") else fill(part, 120, break_long_words=False, break_on_hyphens=False)
        for part in text.split("\n\n")
    ]
    return "\n\n".join(parts) + "\n"


def _table(bills: dict[str, Ran]) -> Iterator[str]:
    yield "| | calls | plain | written | read | output | USD |"
    yield "|---|---|---|---|---|---|---|"
    for name, billed in bills.items():
        counts = (billed.calls, billed.plain, billed.written, billed.read, billed.output)
        ended = ", then refused" if billed.error else ""
        yield f"| {name}{ended} | {' | '.join(f'{count:,}' for count in counts)} | {money(billed.cost)} |"
    yield ""


if __name__ == "__main__":
    main()
