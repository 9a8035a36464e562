"""The city's own words over ours: cities call the same step by different names (核查 and 核实 are each other's elsewhere).

Which words there are is known to those who say them; what a label may be is checked against theirs before it is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.notify.settings import Language

Words = Mapping[str, tuple[str, str]]  # English, 中文
PLACE: Final[Mapping[Language, int]] = {"en": 0, "zh": 1}
LONGEST: Final = 200  # characters


class LabelSettings(BaseModel):
    """[labels]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    en: Mapping[str, str] = Field(default_factory=dict)
    zh: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("en", "zh", mode="before")
    @classmethod
    def _with_or_without_quotes(cls, value: object) -> object:
        """TOML reads state.repaired as a table in a table where it is not in quotes."""
        return dict(_flat(value)) if isinstance(value, dict) else value


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


class Labels:
    """What is said in the place of a word of ours; it changes while the gateway runs."""

    def __init__(self, settings: LabelSettings | None = None) -> None:
        self.change(settings or LabelSettings())

    def change(self, settings: LabelSettings) -> None:
        self._own: Mapping[Language, Mapping[str, str]] = {"en": settings.en, "zh": settings.zh}

    def word(self, words: Words, name: str, language: Language) -> str:
        """`words` has this name."""
        return self._own[language].get(name) or words[name][PLACE[language]]


def faults(settings: LabelSettings, known: Words) -> list[tuple[str, str]]:
    """(key, what is wrong) of every label that no page and no message could say."""
    given = {"en": settings.en, "zh": settings.zh}
    return [
        (f"{language}.{name}", fault)
        for language, labels in given.items()
        for name, text in labels.items()
        if (fault := _fault(name, text, known))
    ]


def _fault(name: str, text: str, known: Words) -> str:
    if name not in known:
        kin = [one for one in known if one.partition(".")[0] == name.partition(".")[0]]
        return f"there is no such word; there are: {', '.join(sorted(kin or known))}"
    if not text.strip() or len(text) > LONGEST or not text.isprintable():
        return f"a label has 1 to {LONGEST} printable characters"
    gaps = _gaps(known[name][0])
    try:
        same = _gaps(text) <= gaps
    except ValueError:
        same = False
    if not same:
        told = " and ".join(f"{{{gap}}}" for gap in sorted(gaps)) or "none"
        return f"a brace stands for what is filled in; here there may be {told}"
    return ""


def _gaps(text: str) -> set[str]:
    """Raises ValueError where a brace is open, or says more than a name."""
    gaps: set[str] = set()
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise ValueError(name)
        gaps.add(name)
    return gaps
