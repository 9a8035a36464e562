"""Where a rule's words stand in its TOML file: the parser gives values, a person needs line and column.

Only what rule files use is known: tables, keys and quoted texts; whatever else stands there is passed over.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_TABLE: Final = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_OTHER: Final = re.compile(r"\s*\[")
_KEY: Final = re.compile(r"""\s*(?:"([^"]+)"|'([^']+)'|([\w-]+))\s*=\s*""")


class Place(NamedTuple):
    """From 1; in characters."""

    line: int
    column: int


class Source:
    """A file of [[rule]] tables."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._rules: list[dict[str, Place]] = []
        self._read()

    def _read(self) -> None:
        inside, quote = False, ""
        for number, line in enumerate(self.lines, 1):
            if quote:  # of a text over several lines
                quote = "" if quote in line else quote
            elif _TABLE.match(line):
                inside = True
                self._rules.append({"": Place(number, len(line) - len(line.lstrip()) + 1)})
            elif _OTHER.match(line):
                inside = False
            elif inside and (match := _KEY.match(line)):
                self._rules[-1][match[1] or match[2] or match[3]] = Place(number, match.end() + 1)
                opening = line[match.end() : match.end() + 3]
                quote = (
                    opening if opening in {'"""', "'''"} and opening not in line[match.end() + 3 :] else ""
                )

    def find(self, rule: int, key: str, line: int = 0, column: int = 0) -> Place:
        """Of the value of a key of the rule with this number, or of a place inside its text (line and column from 1).

        A key inside a parameter's table is found at the table; one that is missing at the rule's header.
        """
        keys = self._rules[rule] if rule < len(self._rules) else {}
        value = keys.get(key.partition(".")[0])
        if value is None:
            return keys.get("", Place(1, 1))
        return self._inside(value, line, column) if line else value

    def _inside(self, value: Place, line: int, column: int) -> Place:
        text = self.lines[value.line - 1][value.column - 1 :]
        quote = text[:3] if text[:3] in {'"""', "'''"} else text[:1]
        row, start = value.line, value.column + len(quote)
        if len(quote) == 3 and text == quote:  # the first line break is no part of the text
            row, start = row + 1, 1
        if line > 1:
            row, start = row + line - 1, 1
        if row > len(self.lines):
            return value
        return Place(
            row, start + _written(self.lines[row - 1][start - 1 :], column - 1, escapes=quote[0] == '"')
        )

    def shown(self, place: Place) -> str:
        """The line, and a caret under the place."""
        number = f"{place.line:>5}"
        line = self.lines[place.line - 1].rstrip()
        under = "".join("\t" if each == "\t" else " " * _width(each) for each in line[: place.column - 1])
        return f"{number} | {line}\n{'':>5} | {under}^"


def _written(text: str, count: int, *, escapes: bool) -> int:
    """How many characters of the file make the first `count` of the text."""
    place = 0
    for _ in range(count):
        if escapes and text[place : place + 1] == "\\":
            place += {"u": 6, "U": 10}.get(text[place + 1 : place + 2], 2)
        else:
            place += 1
    return place


def _width(character: str) -> int:
    """Columns on a terminal: CJK takes two."""
    return 2 if "\u1100" <= character <= "\u115f" or "\u2e80" <= character <= "\uffe6" else 1
