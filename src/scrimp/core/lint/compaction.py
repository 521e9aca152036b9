"""After a compaction the answer's block stands for the history; its text alone does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found

__all__ = ["compaction"]

_SIGNS = ("compact_20", "compact-20")
_SAYS = (
    "only the text of the answer is kept: the compaction block is lost, and the next call carries, and pays "
    "for, the whole history again"
)


def compaction(code: Code) -> Iterator[Finding]:
    """Answers of which only the text goes into the history, in modules that ask for compaction."""
    if not any(map(_asks, code.nodes)):
        return
    for node in code.nodes:
        if isinstance(node, ast.Dict) and _is_answer(node):
            content = _value(node, "content")
            if content is not None and _is_text_of_answer(code, content):
                yield found("text-after-compaction", node, _SAYS)


def _asks(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return text.startswith(_SIGNS)
        case ast.keyword(arg="compaction"):
            return True
    return False


def _is_answer(node: ast.Dict) -> bool:
    role = _value(node, "role")
    return isinstance(role, ast.Constant) and role.value == "assistant"


def _value(node: ast.Dict, name: str) -> ast.expr | None:
    pairs = zip(node.keys, node.values, strict=True)
    return next((value for key, value in pairs if isinstance(key, ast.Constant) and key.value == name), None)


def _is_text_of_answer(code: Code, content: ast.expr) -> bool:
    """Whether a content is read off `.text`, and holds no block of the answer as it came."""
    nodes = list(code.reach(content))
    text = any(isinstance(node, ast.Attribute) and node.attr in {"text", "text_stream"} for node in nodes)
    whole = isinstance(content, ast.Attribute) and content.attr == "content"
    return text and not whole
