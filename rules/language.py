"""The grammar of rules: text to a syntax tree whose every node knows its line and column.

Bounded: 4 KiB of text, depth 32, 200 nodes. What the words mean is `rules.check`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedEOF, UnexpectedToken

LONGEST: Final = 4096  # bytes of UTF-8
DEEPEST: Final = 32
MOST_NODES: Final = 200


class LanguageError(ValueError):
    """What is wrong with a rule's text, where (line and column from 1), what was expected, and what to do."""

    def __init__(self, message: str, line: int = 1, column: int = 1, remedy: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.remedy = remedy
        self.line = line
        self.column = column


@dataclass(frozen=True, slots=True)
class Syntax:
    """One construct as written. kind: either both negation compare arithmetic signed quantity label name call between setting."""

    kind: str
    text: str  # the operator, the function's name, or the token itself
    parts: tuple[Syntax, ...]
    line: int
    column: int
    depth: int
    nodes: int

    def error(self, message: str, remedy: str = "") -> LanguageError:
        return LanguageError(message, self.line, self.column, remedy)


@lru_cache(maxsize=4096)
def parse(text: str) -> Syntax:
    """The syntax tree of one condition; raises LanguageError."""
    size = len(text.encode())
    if size > LONGEST:
        raise LanguageError(f"a condition is at most {LONGEST} bytes, this has {size}")
    try:
        tree = _PARSER.parse(text)
    except UnexpectedCharacters as error:
        found = text.split("\n")[error.line - 1][error.column - 1]
        raise LanguageError(
            f"expected {_expected(error.allowed)}, found {found!r}", error.line, error.column
        ) from None
    except UnexpectedToken as error:
        line, column = (error.line, error.column) if error.token.type != "$END" else _end(text)
        found = "the end" if error.token.type == "$END" else repr(str(error.token))
        raise LanguageError(f"expected {_expected(error.accepts)}, found {found}", line, column) from None
    except UnexpectedEOF as error:
        raise LanguageError(
            f"expected {_expected(set(error.expected))}, found the end", *_end(text)
        ) from None
    assert isinstance(tree, Syntax)
    return tree


class _Builder(Transformer[Token, Syntax]):
    """Makes Syntax bottom-up while the parser reduces, so that a bound stops a hostile text at once."""

    def either(self, parts: list[Any]) -> Syntax:
        return _chain("either", "or", parts)

    def both(self, parts: list[Any]) -> Syntax:
        return _chain("both", "and", parts)

    def negation(self, parts: list[Any]) -> Syntax:
        return _node("negation", "not", parts, parts[0])

    def compare(self, parts: list[Any]) -> Syntax:
        return _node("compare", str(parts[1]), [parts[0], parts[2]], parts[1])

    def arithmetic(self, parts: list[Any]) -> Syntax:
        return _node("arithmetic", str(parts[1]), [parts[0], parts[2]], parts[1])

    def signed(self, parts: list[Any]) -> Syntax:
        return _node("signed", str(parts[0]), [parts[1]], parts[0])

    def quantity(self, parts: list[Any]) -> Syntax:
        return _node("quantity", str(parts[0]), [], parts[0])

    def label(self, parts: list[Any]) -> Syntax:
        return _node("label", str(parts[0])[1:-1], [], parts[0])

    def name(self, parts: list[Any]) -> Syntax:
        return _node("name", str(parts[0]), [], parts[0])

    def call(self, parts: list[Any]) -> Syntax:
        return _node("call", str(parts[0]), parts[1:], parts[0])

    def setting(self, parts: list[Any]) -> Syntax:
        """`max 30m`, `min 3`, `by area`: text is the word, its one part what follows."""
        kind = "name" if parts[1].type == "NAME" else "quantity"
        return _node("setting", str(parts[0]), [_node(kind, str(parts[1]), [], parts[1])], parts[0])

    def between(self, parts: list[Any]) -> Syntax:
        return _node("between", f"{parts[0]} {parts[1]}", [], parts[0])


def _chain(kind: str, word: str, parts: list[Any]) -> Syntax:
    """`a or b or c` is one node with three parts."""
    left, right = parts
    flat = [*left.parts, right] if left.kind == kind else [left, right]
    return _node(kind, word, flat, left)


def _node(kind: str, text: str, parts: list[Syntax], at: Token | Syntax) -> Syntax:
    line, column = at.line or 1, at.column or 1
    depth = 1 + max((part.depth for part in parts), default=0)
    nodes = 1 + sum(part.nodes for part in parts)
    if depth > DEEPEST:
        raise LanguageError(f"nested deeper than {DEEPEST}", line, column, "split the rule")
    if nodes > MOST_NODES:
        raise LanguageError(f"more than {MOST_NODES} parts", line, column, "split the rule")
    return Syntax(kind, text, tuple(parts), line, column, depth, nodes)


_WORDS: Final = {
    "NAME": "a name",
    "QUANTITY": "a number",
    "LABEL": "a quoted label",
    "CLOCK": "a time of day such as 22:00",
    "COMPARE": "a comparison",
    "SIGN": "+ or -",
    "SCALE": "* or /",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "AND": "'and'",
    "OR": "'or'",
    "NOT": "'not'",
    "BETWEEN": "'between'",
    "MAX": "'max'",
    "MIN": "'min'",
    "BY": "'by'",
    "$END": "the end",
}


def _expected(terminals: set[str]) -> str:
    words = [word for terminal, word in _WORDS.items() if terminal in terminals]
    return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else "".join(words)


def _end(text: str) -> tuple[int, int]:
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


_PARSER: Final = Lark(
    files("rules").joinpath("language.lark").read_text("utf-8"),
    parser="lalr",
    transformer=_Builder(),
    maybe_placeholders=False,
)
