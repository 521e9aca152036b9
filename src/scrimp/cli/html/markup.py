"""HTML that cannot be left unescaped by mistake: text becomes markup only through `tag`."""

from __future__ import annotations

from html import escape

import orjson

__all__ = ["Markup", "embedded_json", "tag"]


class Markup(str):
    """Text that already is HTML; every other string is escaped when it becomes part of a tag."""

    __slots__ = ()


def tag(name: str, *children: str | None, **attributes: str | int | bool | None) -> Markup:
    """Return `<name …>children</name>`; None is left out, True is an attribute without a value.

    A trailing underscore in an attribute name is dropped and others become hyphens: `class_`, `aria_label`.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    inside = "".join(child if isinstance(child, Markup) else escape(child) for child in children if child)
    return Markup(f"<{name}{written}>{inside}</{name}>")


def embedded_json(value: object) -> Markup:
    """Return JSON that is safe inside a `<script>` element: it cannot close the element or open a comment."""
    text = orjson.dumps(value).decode()
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
