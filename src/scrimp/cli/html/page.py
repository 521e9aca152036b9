"""One self-contained HTML file from its parts: nothing beside it, and no script unless it is given one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from scrimp.cli.html.markup import Markup, tag

__all__ = ["MEASURED", "bundled", "page"]

MEASURED: tuple[Markup | str, ...] = (
    tag("b", "Measured"),
    ": billed usage at the provider’s published prices. ",
    tag("b", "Estimated"),
)
"""How the line that says what figures rest on begins."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_SCRIPTED = f"{_POLICY}; script-src 'unsafe-inline'"


def page(
    title: str,
    parts: Sequence[Markup | None],
    *,
    styles: Sequence[str],
    source: Markup,
    basis: Sequence[str],
    data: Markup | None = None,
    script: str = "",
) -> str:
    """The page: `parts` below one another, then where it is from and what its figures rest on.

    `data` is JSON that `script` finds under the id `data`; a page without it may run nothing at all.
    """
    scripts = "" if data is None else f"{_json(data)}\n<script>\n{script}</script>\n"
    return Template(bundled("page.html")).substitute(
        policy=_POLICY if data is None else _SCRIPTED,
        title=tag("title", title),
        style="".join(styles),
        body="\n".join(part for part in parts if part),
        source=source,
        basis=tag("p", *basis),
        scripts=scripts,
    )


def bundled(name: str) -> str:
    """The text of a file beside this one."""
    return files("scrimp.cli.html").joinpath(name).read_text(encoding="utf-8")


def _json(data: Markup) -> Markup:
    return tag("script", data, type="application/json", id="data")
