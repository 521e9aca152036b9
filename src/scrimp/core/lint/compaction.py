"""After a compaction the answer's block stands for the history; its text alone does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from scrimp.core.lint.code import Code
from scrimp.core.lint.finding import Finding, found
from scrimp.core.lint.requests import Request

__all__ = ["compaction"]

_SIGNS = ("compact_20", "compact-20")
_TEXTS = frozenset({"text", "text_stream", "get_final_text"})
_SAYS = (
    "only the text of the answer is kept: the compaction block is lost, and the next call carries, and pays "
    "for, the whole history again"
)


def compaction(code: Code, calls: list[Request]) -> Iterator[Finding]:
    """Answers of which only the text goes into the history, in modules that ask for compaction."""
    if not any(map(_asks, code.nodes)):
        return
    sent = {request.node for request in calls}
    for node in code.nodes:
        if isinstance(node, ast.Dict) and _is_answer(node):
            content = _value(node, "content")
            if content is not None and _is_text_of_answer(code, content, sent):
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


def _is_text_of_answer(code: Code, content: ast.expr, sent: set[ast.expr]) -> bool:
    """Whether a content is read off the `.text` of an answer, and holds no block of it as it came."""
    if isinstance(content, ast.Attribute) and content.attr == "content":
        return False
    return any(
        isinstance(node, ast.Attribute) and node.attr in _TEXTS and _is_of_answer(code, node.value, sent)
        for node in code.reach(content)
    )


def _is_of_answer(code: Code, node: ast.expr, sent: set[ast.expr]) -> bool:
    """Whether a value is an answer or a part of its content."""
    return any(
        one in sent or (isinstance(one, ast.Attribute) and one.attr == "content")
        for one in code.reach(node, skip=lambda node: isinstance(node, (ast.Dict, ast.keyword)))
    )
