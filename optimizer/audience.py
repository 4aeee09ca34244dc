"""Audience expressions: a small closed language, parsed, checked against the customers' columns, translated.

    margin_12m > 20 and region == 'north'
    not (tier in ['gold', 'silver'] or `last visit` is null) and 0 <= orders / tenure < 2.5

Comparisons (chained too), and, or, not, in and not in with a list of values, is null and is not null,
+ - * / on numbers, text, numbers, true and false, columns (in backticks where a name is no plain word).
A text compared with a date column is an ISO date. Nothing is ever evaluated but these.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from optimizer.audience_terms import (
    Refused,
    Term,
    all_of,
    any_of,
    arithmetic,
    comparison,
    constant,
    is_null,
    kind_of,
    listed,
    negative,
    opposite,
)
from optimizer.audience_text import Spelling, parse
from optimizer.faults import BadInput, Fault
from optimizer.plan_values import suggestion

if TYPE_CHECKING:
    from optimizer.plan_file import Plan

MAX_DEPTH = 40
"""Expressions nested more deeply than this are refused."""

Audience = Callable[[ir.Table], ir.BooleanValue]

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def compile_audience(
    text: str, columns: Mapping[str, str | dt.DataType], where: str = "audience"
) -> Audience:
    """Translate an audience into a function from a customers table to a condition that is never NULL.

    `columns` are the table's columns with their types. A comparison with an empty cell is neither true
    nor false (as in SQL), and a customer for whom the whole is not true is not in the audience; so is
    one for whom something is divided by 0. Raises BadInput at the path `where`.
    """
    dtypes = {name: dt.dtype(dtype) for name, dtype in columns.items()}
    try:
        tree, spelling = parse(text)
        term = _Translation(dtypes, spelling).term(tree.body, 0)
        if term.kind != "truth":
            raise Refused(f"is {term.named()}, not a condition", "Compare it with something.")
    except Refused as refused:
        rule, remedy = refused.rule, refused.remedy
        raise BadInput([Fault(where, "", rule, remedy)]) from None
    build = term.build

    def audience(table: ir.Table) -> ir.BooleanValue:
        return build(table).fill_null(ibis.literal(False))

    return audience


def check_audiences(plan: Plan, columns: Mapping[str, str | dt.DataType]) -> list[Fault]:
    """Return the faults of all campaigns' audiences against the customers' columns."""
    faults: list[Fault] = []
    for name, campaign in plan.campaigns.items():
        if campaign.audience is not None:
            try:
                compile_audience(campaign.audience, columns, f"campaigns.{name}.audience")
            except BadInput as bad:
                faults.extend(bad.faults)
    return faults


class _Translation:
    """One walk over a parsed expression; what it does not know by name it refuses."""

    def __init__(self, columns: Mapping[str, dt.DataType], spelling: Spelling) -> None:
        self._columns = columns
        self._spelling = spelling

    def term(self, node: ast.expr, depth: int) -> Term:
        """Translate a node; raises Refused."""
        if depth > MAX_DEPTH:
            raise Refused(f"is nested more than {MAX_DEPTH} deep", "Write it more simply.")
        try:
            return self._translated(node, depth + 1)
        except Refused as refused:
            raise refused.at(self._spelling.position(node)) from None

    def _translated(self, node: ast.expr, depth: int) -> Term:
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.Constant):
            return constant(node.value)
        if isinstance(node, ast.BoolOp):
            terms = [self.term(value, depth) for value in node.values]
            return all_of(terms) if isinstance(node.op, ast.And) else any_of(terms)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
            operand = self.term(node.operand, depth)
            return opposite(operand) if isinstance(node.op, ast.Not) else negative(operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            sides = self.term(node.left, depth), self.term(node.right, depth)
            return arithmetic(_OPERATORS[type(node.op)], *sides)
        if isinstance(node, ast.Compare):
            return self._compared(node, depth)
        raise Refused(f"holds {_named(node)}, which is not allowed in an audience", _ALLOWED)

    def _name(self, node: ast.Name) -> Term:
        name, quoted = self._spelling.name(node)
        if not quoted and name in ("true", "false"):
            return constant(name == "true")
        if not quoted and name == "null":
            return constant(None)
        if name not in self._columns:
            remedy = suggestion(name, self._columns)
            raise Refused(f"names {name!r}, and customers have no such column", remedy)
        dtype = self._columns[name]
        kind = kind_of(dtype)
        if kind is None:
            rule = f"uses the column {name!r} of type {dtype}"
            raise Refused(rule, "Only numbers, text, dates and true or false can be used.")

        def build(table: ir.Table) -> ir.Value:
            column = table[name]
            return column.cast("float64") if dtype.is_decimal() else column

        return Term(kind, build)

    def _compared(self, node: ast.Compare, depth: int) -> Term:
        left = self.term(node.left, depth)
        if isinstance(node.ops[0], ast.In | ast.NotIn | ast.Is | ast.IsNot):
            return self._membership(node, left, depth)
        parts = []
        for operator, right_node in zip(node.ops, node.comparators, strict=True):
            if type(operator) not in _OPERATORS:
                raise Refused("mixes in or is with other comparisons", "Join them with and.")
            right = self.term(right_node, depth)
            parts.append(comparison(_OPERATORS[type(operator)], left, right))
            left = right
        return all_of(parts)

    def _membership(self, node: ast.Compare, left: Term, depth: int) -> Term:
        if len(node.ops) > 1:
            raise Refused("mixes in or is with other comparisons", "Join them with and.")
        operator, right = node.ops[0], node.comparators[0]
        if isinstance(operator, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise Refused("uses is for something else than null", "Write == or !=.")
            found = is_null(left)
            return found if isinstance(operator, ast.Is) else opposite(found)
        if not isinstance(right, ast.List | ast.Tuple) or not right.elts:
            raise Refused("uses in without a list", "Write it as region in ['north', 'south'].")
        found = listed(left, [self._value(element, depth) for element in right.elts])
        return found if isinstance(operator, ast.In) else opposite(found)

    def _value(self, node: ast.expr, depth: int) -> Term:
        term = self.term(node, depth)
        if term.literal is None:
            raise Refused("has a list with something else than values", "Put text or numbers into it.")
        return term


_ALLOWED = "Use comparisons, and, or, not, in, is null, + - * /, columns and values."


def _named(node: ast.expr) -> str:
    """Name what stands there, in words that a planner knows."""
    words: dict[type[Any], str] = {
        ast.Call: "a function call",
        ast.Attribute: "a dot (put a column's name in backticks if it has one)",
        ast.Subscript: "square brackets after a name",
        ast.Lambda: "a function",
        ast.IfExp: "an if",
        ast.JoinedStr: "text with braces to fill in",
        ast.NamedExpr: "an assignment",
        ast.List: "a list outside of in",
        ast.Tuple: "a comma outside of a list",
        ast.BinOp: "an operator other than + - * /",
        ast.UnaryOp: "a sign other than -",
    }
    return words.get(type(node), f"something that is no comparison ({type(node).__name__})")
