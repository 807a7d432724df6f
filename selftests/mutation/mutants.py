"""Every small change of a module that its tests should notice."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}

DELETED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Assert, ast.Raise, ast.Return, ast.Break, ast.Continue)
"""Statements whose absence should show, inside a function."""

WITHOUT_EFFECT = {"annotation", "returns", "decorator_list", "type_comment", "format_spec"}
"""Fields of the syntax tree that are not changed: they do nothing here that a test could see, or too much."""


class Mutant(NamedTuple):
    """A module with one change: `name` says where and what, wherever in the file that is."""

    name: str
    source: str


class _Place(NamedTuple):
    """A node, how to put another in its place, and the statement and function that it belongs to."""

    node: ast.AST
    put: Callable[[Any], None]
    statement: ast.stmt
    function: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module, in the order of the file."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    for node, put, statement, function in list(_places(tree, tree, "module")):
        shown = node if isinstance(node, ast.ExceptHandler) else statement
        before = _shown(shown)
        for change in _changes(node, function):
            put(change)
            after = "nothing" if isinstance(change, ast.Pass) else _shown(change if shown is node else shown)
            name = f"{function}: {before} -> {after}"
            seen[name] += 1
            yield Mutant(name if seen[name] == 1 else f"{name} ({seen[name]})", ast.unparse(tree))
            put(node)


def _places(node: ast.AST, statement: ast.AST, function: str) -> Iterator[_Place]:
    for field, value in ast.iter_fields(node):
        if field in WITHOUT_EFFECT:
            continue
        for number, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_text(node, child):
                continue
            own = child if isinstance(child, ast.stmt) else statement
            inside = function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = child.name if function == "module" else f"{function}.{child.name}"
            if isinstance(own, ast.stmt):
                yield _Place(child, _putting(node, field, number, isinstance(value, list)), own, function)
            yield from _places(child, own, inside)


def _putting(parent: ast.AST, field: str, number: int, in_list: bool) -> Callable[[Any], None]:
    def put(node: Any) -> None:
        if in_list:
            getattr(parent, field)[number] = node
        else:
            setattr(parent, field, node)

    return put


def _is_text(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a node is a docstring, or the wording of a message between its values."""
    return isinstance(node, ast.Constant) and isinstance(parent, ast.Expr | ast.JoinedStr)


def _shown(statement: ast.AST) -> str:
    """A statement in one line; of one that holds others its head."""
    lines = ast.unparse(statement).splitlines()
    return next(line for line in lines if not line.startswith("@"))


def _changes(node: ast.AST, function: str) -> Iterator[ast.AST]:
    """What could replace a node by mistake."""
    match node:
        case ast.Compare():
            for number, operator in enumerate(node.ops):
                if type(operator) in SWAPS:
                    operators = [*node.ops[:number], SWAPS[type(operator)](), *node.ops[number + 1 :]]
                    yield ast.Compare(node.left, operators, node.comparators)  # type: ignore[arg-type]
        case ast.BoolOp():
            yield ast.BoolOp(SWAPS[type(node.op)](), node.values)  # type: ignore[arg-type]
            yield from (ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0] for rest in _shortened(node.values))
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.BinOp() if type(node.op) in SWAPS:
            yield ast.BinOp(node.left, SWAPS[type(node.op)](), node.right)  # type: ignore[arg-type]
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.If() | ast.While() if not isinstance(node.test, ast.Compare | ast.Constant):
            yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        case ast.comprehension(ifs=[_, *_]):
            for rest in _shortened(node.ifs):
                yield ast.comprehension(node.target, node.iter, rest, node.is_async)
        case ast.ExceptHandler(type=ast.Tuple() as kinds):
            for rest in _shortened(kinds.elts):
                yield ast.ExceptHandler(ast.Tuple(rest, ast.Load()), node.name, node.body)
        case ast.Call():
            yield from _calls(node)
        case ast.Constant():
            yield from map(ast.Constant, _values(node.value))
        case ast.stmt() if isinstance(node, DELETED) and function != "module" and not _is_documentation(node):
            yield ast.Pass()


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
        yield node.func.value  # a text that is not stripped, say
    if isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
        yield from node.args
    for rest in _shortened(node.keywords):
        yield ast.Call(node.func, node.args, rest)


def _values(value: object) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1)
    elif isinstance(value, str):
        yield f"XX{value}XX"
        for number in re.finditer(r"(?<=[{,])\d+(?=[,}])", value):  # the bounds of a pattern
            for other in (int(number[0]) + 1, int(number[0]) - 1):
                yield value[: number.start()] + str(other) + value[number.end() :]


def _shortened(nodes: list[Any]) -> Iterator[list[Any]]:
    """A list without each of its members in turn."""
    for number in range(len(nodes)):
        yield nodes[:number] + nodes[number + 1 :]


def _is_documentation(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
