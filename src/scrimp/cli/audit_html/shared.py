"""What sections of the page are made of: headings, rows with a bar, tables, places to look at."""

from __future__ import annotations

from collections.abc import Sequence

from scrimp.cli.explain_place import typed
from scrimp.cli.html.markup import Markup, tag
from scrimp.cli.html.plot import bar

__all__ = ["anchor", "bar_row", "chip", "figure", "places", "section", "sentences", "table"]


def section(name: str, title: str, basis: str, *children: Markup | None) -> Markup:
    """A section with its heading; `basis` says what its figures rest on."""
    heading = tag("h2", title, chip(basis), id=name)
    return tag("section", heading, *children)


def anchor(name: str) -> str:
    """The name of a place on the page that leads to it: letters, digits and hyphens."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def chip(said: str) -> Markup:
    """The small word that says where a figure comes from."""
    css = "measured" if said.startswith("measured") and "estimated" not in said else "estimated"
    return tag("span", said, class_=f"chip {css}")


def sentences(said: Sequence[str]) -> list[Markup]:
    """Sentences, a paragraph each."""
    return [tag("p", one) for one in said]


def bar_row(
    name: str,
    note: str,
    *,
    value: str,
    below: str,
    share: float,
    css: str,
    spread: tuple[float, float] | None = None,
) -> Markup:
    """A name, a bar `share` of the width long with its interval, and the figure it stands for."""
    low, high = spread or (None, None)
    return tag(
        "div",
        tag("div", tag("b", name), tag("small", note), class_="name"),
        tag("div", bar(share, css, low=low, high=high), class_="track"),
        tag("div", tag("b", value), tag("small", below), class_="usd"),
        class_="bar",
    )


def table(headings: Sequence[str], rows: Sequence[Sequence[str | Markup]], css: str = "what") -> Markup:
    """A table whose first column names the row."""
    head = tag("tr", *(tag("th", text, scope="col") for text in headings))
    body = [
        tag("tr", tag("th", first, scope="row"), *(tag("td", cell) for cell in cells))
        for first, *cells in rows
    ]
    made = tag("table", tag("thead", head), tag("tbody", *body), class_=css)
    return tag("div", made, class_="scroll")


def figure(title: str, basis: str, key: Markup | None, picture: Markup) -> Markup:
    """A plot with its caption."""
    return tag("figure", tag("figcaption", tag("b", title), chip(basis), key), picture)


def places(found: Sequence[tuple[str, str]]) -> Markup | None:
    """Places to look at, as commands: (where, what is there)."""
    if not found:
        return None
    items = [
        tag("li", tag("code", f"scrimp explain {typed(where)}"), tag("div", note) if note else None)
        for where, note in found
    ]
    return tag("details", tag("summary", "Look at the calls behind it"), tag("ul", *items))
