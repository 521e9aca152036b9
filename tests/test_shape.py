"""The shape of the code: caps on the tail, where size does its harm, and purity that imports cannot show.

How things are counted. Lines: from the first (decorators left out) to the last, blank ones and comments
included. Nesting: the bodies of `if`, `for`, `while`, `with`, `try` and `match` that enclose a statement;
`elif`, `else`, `except`, `finally` and the cases of a `match` stand at the level of their statement;
comprehensions do not count; a function inside a function starts anew. Parameters: all but `self` and `cls`;
`*args` and `**kwargs` count one each.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCE = PROJECT / "src" / "scrimp"

MODULE_LINES = 400
FUNCTION_LINES = 50
NESTING = 3
PARAMETERS = 8  # as many settings as the middleware has, each by its own name
POSITIONAL = 2  # once a function takes more than FEW_PARAMETERS
FEW_PARAMETERS = 5

BROAD_EXCEPT_ALLOWED = {
    "src/scrimp/alerting/outbox.py:_deliver",  # a way out that fails is told, and the next alert goes on
    "src/scrimp/caching_tools/flight.py:land",  # a result that cannot be copied is there all the same
    "src/scrimp/cli/app.py:main",  # the boundary of the command line: whatever escapes becomes one clear line
    "src/scrimp/core/flow.py:_prepared",  # whatever ends the wait for a hold, the hold is released
    "src/scrimp/core/flow.py:flow",  # whatever ends a call, it is written down, and raised again
    "src/scrimp/core/flow.py:_followed",  # what was asked once more failed: the answer before it is there
    "src/scrimp/drive.py:adrive",  # hands what sending raised to the flow, which raises it again
    "src/scrimp/drive.py:drive",  # the same
    "src/scrimp/office/call_desk.py:answer",  # our own failures end here: the caller's request goes on
    "src/scrimp/office/reserving.py:reserved",  # whatever keeps a hold from being known: nothing goes out
    "src/scrimp/office/remembering.py:_lone_faults",  # a lever's own failure: others keep what they learned
    "src/scrimp/office/reshaping.py:_asked",  # a lever's own failure: the request goes on without it
    "src/scrimp/office/reshaping.py:tell",  # the same, once the call is over
    "src/scrimp/office/listening.py:_tell",  # a listener's failure is told, and no call suffers
    "src/scrimp/office/listening.py:recorded",  # the same
    "src/scrimp/gateway/app.py:serve",  # the boundary of the gateway: whatever escapes ends as an error
    "src/scrimp/gateway/app.py:_messages",  # our own failure: the caller's request goes on without us
    "src/scrimp/gateway/messages.py:_planned",  # the same
    "src/scrimp/gateway/turns.py:_next",  # our own failure is told, and those behind it have their turn
    "src/scrimp/gateway/lasting.py:lasting",  # work beside the calls begins again, and that it failed is told
    "src/scrimp/gateway/workers/clerk.py:_safely",  # the same: without it nothing would be written
    "src/scrimp/stores/promise.py:_call",  # who waits fails: others are told all the same
    "src/scrimp/shortening.py:_tried",  # a user's own summary failed: the text is shortened without it
    "src/scrimp/middleware/sdk.py:planned",  # the same, where the request of the SDK is edited
}
PURE = ("core", "facts", "wire")
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "breakpoint"}
CLOCKS = {"now", "today", "utcnow"}
IMPURE_PARTS = {"urllib.request", "urllib.robotparser"}  # import contracts see whole packages only
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Nodes = dict[str, list[ast.AST]]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Every module below `src/scrimp`, by its path."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {path.relative_to(PROJECT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def nodes(texts: dict[str, str]) -> Nodes:
    """All nodes of their syntax trees."""
    return {path: list(ast.walk(ast.parse(text))) for path, text in texts.items()}


def pure(nodes: Nodes) -> Nodes:
    """Those of the packages that are pure."""
    return {path: of_one for path, of_one in nodes.items() if path.split("/")[2] in PURE}


@pytest.fixture(scope="module")
def functions(nodes: Nodes) -> list[tuple[str, Function]]:
    """Every function of the source, as `path:line name` and its node."""
    return [
        (f"{path}:{node.lineno} {node.name}", node)
        for path, of_one in nodes.items()
        for node in of_one
        if isinstance(node, FUNCTIONS)
    ]


def depth(node: ast.AST) -> int:
    """How deep the blocks below `node` are nested, functions and classes inside it left out."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def report(faults: list[str], rule: str) -> None:
    """Fail with one line a fault."""
    if faults:
        pytest.fail(f"{rule}:\n  " + "\n  ".join(faults), pytrace=False)


def test_modules_are_short(texts: dict[str, str]) -> None:
    sizes = {path: len(text.splitlines()) for path, text in texts.items()}
    faults = [f"{path}: {size} lines" for path, size in sizes.items() if size > MODULE_LINES]
    report(faults, f"a module has at most {MODULE_LINES} lines")


def test_functions_are_short(functions: list[tuple[str, Function]]) -> None:
    sizes = {name: (node.end_lineno or node.lineno) - node.lineno + 1 for name, node in functions}
    faults = [f"{name}: {size} lines" for name, size in sizes.items() if size > FUNCTION_LINES]
    report(faults, f"a function has at most {FUNCTION_LINES} lines")


def test_nesting_is_shallow(functions: list[tuple[str, Function]]) -> None:
    faults = [f"{name}: {depth(node)} deep" for name, node in functions if depth(node) > NESTING]
    report(faults, f"blocks nest at most {NESTING} deep")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = [a for a in b if a]", 0),
        ("if a:\n  pass\nelif b:\n  pass\nelif c:\n  pass\nelse:\n  pass", 1),
        ("if a:\n  pass\nelse:\n  if b:\n    pass\n  x = 1", 2),
        ("for a in b:\n  try:\n    pass\n  except E:\n    with c:\n      pass", 3),
        ("match a:\n  case 1:\n    while b:\n      pass", 2),
        ("if a:\n  def inner():\n    if b:\n      pass", 1),
    ],
)
def test_nesting_is_counted_as_stated(code: str, expected: int) -> None:
    assert depth(ast.parse(code)) == expected


def test_parameters_are_few_and_named(functions: list[tuple[str, Function]]) -> None:
    faults = []
    for name, node in functions:
        args = node.args
        positional = [a.arg for a in (*args.posonlyargs, *args.args) if a.arg not in ("self", "cls")]
        count = len(positional) + len(args.kwonlyargs) + bool(args.vararg) + bool(args.kwarg)
        if count > PARAMETERS:
            faults.append(f"{name}: {count} parameters")
        elif count > FEW_PARAMETERS and len(positional) > POSITIONAL:
            faults.append(f"{name}: {count} parameters, {len(positional)} of them positional")
    report(
        faults,
        f"a function takes at most {PARAMETERS} parameters; "
        f"of more than {FEW_PARAMETERS}, all but {POSITIONAL} are keyword-only",
    )


def test_nothing_is_global(nodes: Nodes) -> None:
    faults = [
        f"{path}:{node.lineno} global {', '.join(node.names)}"
        for path, of_one in nodes.items()
        for node in of_one
        if isinstance(node, ast.Global)
    ]
    report(faults, "no `global`: pass values, return values")


def test_errors_are_caught_by_name(nodes: Nodes) -> None:
    found = {
        f"{path}:{function.name}"
        for path, of_one in nodes.items()
        for handler in of_one
        if isinstance(handler, ast.ExceptHandler) and is_broad(handler)
        for function in of_one
        if isinstance(function, FUNCTIONS)
        and function.lineno <= handler.lineno <= (function.end_lineno or function.lineno)
    }
    report(
        sorted(found - BROAD_EXCEPT_ALLOWED),
        "a broad `except` stands only where BROAD_EXCEPT_ALLOWED names it",
    )
    report(sorted(BROAD_EXCEPT_ALLOWED - found), "named in BROAD_EXCEPT_ALLOWED, but there is none")


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches everything: bare, Exception or BaseException."""
    caught = handler.type
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException"))
        for kind in kinds
    )


def test_pure_layers_call_no_clock_file_or_terminal(nodes: Nodes) -> None:
    faults = []
    for path, of_one in pure(nodes).items():
        for node in of_one:
            found = impure(node)
            if found:
                faults.append(f"{path}:{getattr(node, 'lineno', 0)} {found}")
    report(faults, f"{', '.join(PURE)} are pure: time and text arrive as arguments")


def impure(node: ast.AST) -> str | None:
    """What a node does that a pure module may not, or None."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            return f"{name}()"
        case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
            return f".{name}()"
        case ast.Import(names=names) if IMPURE_PARTS & {alias.name for alias in names}:
            return "import urllib.request"
        case ast.ImportFrom(module=module, names=names) if IMPURE_PARTS & {
            str(module),
            *(f"{module}.{alias.name}" for alias in names),
        }:
            return f"from {module} import …"
        case _:
            return None


@pytest.mark.parametrize(
    ("code", "is_pure"),
    [
        ("open('x')", False),
        ("datetime.now(UTC)", False),
        ("date.today()", False),
        ("import urllib.request", False),
        ("from urllib import request", False),
        ("from urllib.request import urlopen", False),
        ("from urllib.parse import unquote", True),
        ("plan(now, at)", True),
        ("now = state.now", True),
    ],
)
def test_impurity_is_seen(code: str, *, is_pure: bool) -> None:
    assert all(impure(node) is None for node in ast.walk(ast.parse(code))) == is_pure


def test_the_shape_test_sees_the_source(nodes: Nodes) -> None:
    assert len(nodes) >= 10
    assert {path.split("/")[2] for path in pure(nodes)} == set(PURE)
    assert len(pure(nodes)) >= 5
