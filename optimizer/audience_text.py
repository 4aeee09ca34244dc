"""The text of an audience: guarded, brought into a form that Python's parser reads, and parsed.

Python's grammar is used for its precedence and its positions only: the text is parsed, never compiled.
Backticked names and null are replaced by words of equal length, so positions stay those of the text.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from optimizer.audience_terms import Refused

MAX_CHARACTERS = 20_000
MAX_BRACKETS = 40

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
    r"""|(?P<name>`[^`\n]+`)"""
    r"""|(?P<null>\bis\s+(?:not\s+)?null\b)"""
    r"""|(?P<word>[^\W\d]\w*|[\d.][\w.]*)"""
    r"""|(?P<space>\s+)"""
    r"""|(?P<assigned>(?<![=!<>:])=(?!=))"""
    r"""|(?P<stray>['"`#;\\$?@&|{}^~%\0])"""
    r"""|(?P<sign>.)""",
    re.DOTALL,
)
_PREFIX = re.compile(rf"(?:[-+]\s*|\bnot\s+){{{MAX_BRACKETS + 1},}}")


@dataclass(frozen=True)
class Spelling:
    """The text as the parser sees it (UTF-8); quoted names by their byte; blanks before the first word."""

    seen: bytes
    quoted: dict[int, str]
    indent: int

    def name(self, node: ast.Name) -> tuple[str, bool]:
        """Return a name as it was written, and whether it stood in backticks."""
        start, end = node.col_offset + self.indent, (node.end_col_offset or 0) + self.indent
        if start in self.quoted:
            return self.quoted[start], True
        return self.seen[start:end].decode(), False

    def position(self, node: ast.expr) -> int:
        """Return the 1-based character of the text at which a node begins."""
        return len(self.seen[: node.col_offset + self.indent].decode()) + 1


def parse(text: str) -> tuple[ast.Expression, Spelling]:
    """Parse an audience; raises Refused for what is no expression, too long or too deep."""
    if len(text) > MAX_CHARACTERS:
        rule = f"has more than {MAX_CHARACTERS} characters"
        raise Refused(rule, "Make a column of it in the customers table.")
    if not text.strip():
        raise Refused("is empty", "Leave the key out if everybody is meant.")
    spelling = _respelled(text)
    # Python takes blanks before the first word for an indentation.
    source = spelling.seen[spelling.indent :].decode()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as unknown escapes: harmless in a text
            return ast.parse(source, mode="eval"), spelling
    except SyntaxError as error:
        at = None if error.offset is None else error.offset + spelling.indent
        raise Refused("cannot be understood", _HINT, at) from None
    except (ValueError, RecursionError, MemoryError):
        raise Refused("cannot be understood", "Write it more simply.") from None


_HINT = "Check brackets and quotes; put names with blanks, and words such as from or class, in backticks."


def _respelled(text: str) -> Spelling:
    """Replace quoted names and null by words of equal length, and refuse what is not in the language."""
    pieces: list[str] = []
    shape: list[str] = []
    quoted: dict[int, str] = {}
    at = 0
    for match in _TOKEN.finditer(text):
        group, piece = match.lastgroup, match.group()
        if group == "assigned":
            raise Refused("has a single =", "Write == to compare.", match.start() + 1)
        if group == "stray":
            raise Refused(f"has a stray {piece!r}", _HINT, match.start() + 1)
        if group == "name":
            quoted[at] = piece[1:-1]
            piece = "q" * len(piece.encode())
        elif group == "null":
            piece = re.sub(r"\s", " ", piece[:-4]) + "None"
        elif group == "space":
            piece = " " * len(piece)
        pieces.append(piece)
        shape.append("x" if group in ("text", "name") else piece)
        at += len(piece.encode())
    _refuse_deep("".join(shape))
    seen = "".join(pieces)
    return Spelling(seen.encode(), quoted, len(seen) - len(seen.lstrip(" ")))


def _refuse_deep(shape: str) -> None:
    """Refuse deep nesting before the parser, whose stack is finite, sees it."""
    depth = deepest = 0
    for sign in shape:
        depth += (sign in "([") - (sign in ")]")
        deepest = max(deepest, depth)
    if deepest > MAX_BRACKETS or _PREFIX.search(shape):
        raise Refused(f"is nested more than {MAX_BRACKETS} deep", "Write it more simply.")
