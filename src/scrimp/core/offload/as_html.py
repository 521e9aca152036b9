"""HTML: what a reader of the page sees, with headings, lists, rows of tables and where links lead."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import accumulate

from scrimp.core.offload import as_text
from scrimp.core.offload.source import Hints, Source

__all__ = ["TAG", "reduced", "text_of"]

TAG = re.compile(
    r"<(?:!doctype|html|head|body|div|span|p|a|table|tr|td|ul|li|h[1-6]|script|style|meta|link)\b",
    re.IGNORECASE,
)
"""The tags by which a page is known."""

_UNSEEN = frozenset({"script", "style", "noscript", "svg", "template", "head", "iframe"})
_ENDS_LINE_WORDS = (
    "p div section article header footer main aside nav li ul ol dl dt dd tr table thead tbody h1 h2 h3 "
    "h4 h5 h6 br hr pre blockquote form fieldset figure figcaption details summary option title"
)
_ENDS_LINE = frozenset(_ENDS_LINE_WORDS.split())
_CELLS = frozenset({"td", "th"})
_HEADINGS = {f"h{level}": f"{'#' * level} " for level in range(1, 7)}
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "source", "wbr", "area", "base", "col", "embed"}
)
_BLANKS = re.compile(r"\s+")


def reduced(source: Source, hints: Hints, budget: int) -> str:
    """A page as text, in some `budget` tokens."""
    lines, starts = text_of(source.text)
    if not lines:
        return as_text.reduced(source, hints, budget)
    return as_text.reduced(source.rendered(lines, starts), hints, budget)


def text_of(html: str) -> tuple[list[str], list[int]]:
    """The lines of a page, and the character of the page at which each begins."""
    reader = _Page(html)
    reader.feed(html)
    reader.close()
    reader.end_line()
    return reader.lines, reader.starts


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self.starts: list[int] = []
        self._rows = list(accumulate((len(line) + 1 for line in html.split("\n")), initial=0))
        self._parts: list[str] = []
        self._begun = 0
        self._hidden = 0
        self._preformatted = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        if tag in _UNSEEN:
            self._hidden += 1
        if self._hidden:
            return
        if tag in _ENDS_LINE:
            self.end_line()
        self._preformatted += tag == "pre"
        given = dict(attrs)
        if tag in _HEADINGS or tag == "li":
            self._say(_HEADINGS.get(tag, "- "))
        elif tag in _CELLS and self._parts:
            self._say(" | ")
        elif tag == "a":
            self._links.append(given.get("href") or "")
        elif tag == "img" and given.get("alt"):
            self._say(f"[{given['alt']}]")

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        if tag in _UNSEEN:
            self._hidden = max(0, self._hidden - 1)
            return
        if self._hidden or tag in _VOID:
            return
        if tag == "a" and self._links:
            href = self._links.pop()
            if href and not href.startswith(("#", "javascript:")):
                self._say(f" ({href})")
        self._preformatted -= tag == "pre" and self._preformatted > 0
        if tag in _ENDS_LINE:
            self.end_line()

    def handle_data(self, data: str) -> None:
        """Text of the page."""
        if self._hidden:
            return
        if not self._preformatted:
            self._say(_BLANKS.sub(" ", data))
            return
        for number, line in enumerate(data.split("\n")):
            if number:
                self.end_line()
            self._say(line)

    def end_line(self) -> None:
        """What was said so far is a line, unless it says nothing."""
        line = "".join(self._parts).rstrip()
        self._parts.clear()
        if line.strip(" -#|"):
            self.lines.append(line if self._preformatted else line.strip())
            self.starts.append(self._begun)

    def _say(self, text: str) -> None:
        if not self._parts:
            row, column = self.getpos()
            self._begun = self._rows[min(row, len(self._rows)) - 1] + column
        self._parts.append(text)
