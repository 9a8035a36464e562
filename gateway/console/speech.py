"""How a page says things: words, moments and lengths of time in one language, by the city's wall clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from fastapi import Request

from drivers.telemetry import DAY, HOUR, MINUTE, Family
from gateway.cases.deadline import CONTINUOUS, WORK_DAY, LimitUnit
from gateway.console.words import WORDS
from gateway.notify.labels import Labels
from gateway.notify.moment import moment
from gateway.notify.text import OURS
from rules.explain_words import PLACE, Language

COOKIE: Final = "citygate-language"
OTHER: Final[Mapping[Language, Language]] = {"en": "zh", "zh": "en"}
HTML: Final[Mapping[Language, str]] = {"en": "en", "zh": "zh-CN"}


def choose(request: Request, wish: str) -> Language:
    """What was chosen on this browser, else what the user wishes, else the first that the browser asks for."""
    asked = [part.strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    for one in (request.cookies.get(COOKIE, ""), wish, *asked):
        if one in PLACE:
            return "zh" if one == "zh" else "en"
    return "en"


class Named(Protocol):
    @property
    def en(self) -> str: ...
    @property
    def zh(self) -> str: ...


class Speech(NamedTuple):
    """now: µs UTC, of this page."""

    language: Language
    zone: ZoneInfo
    now: int
    families: Mapping[str, Family]
    labels: Labels = OURS

    @property
    def other(self) -> Language:
        return OTHER[self.language]

    @property
    def html(self) -> str:
        return HTML[self.language]

    @property
    def known(self) -> Mapping[str, tuple[str, str]]:
        return WORDS

    def word(self, name: str, **filled: object) -> str:
        text = self.labels.word(WORDS, name, self.language)
        return text.format(**filled) if filled else text

    def time(self, at: int) -> str:
        """2026-09-22 17:30; of this year without the year."""
        wall, today = moment(at, self.zone), moment(self.now, self.zone)
        return wall.strftime("%m-%d %H:%M" if wall.year == today.year else "%Y-%m-%d %H:%M")

    def machine(self, at: int) -> str:
        """For <time datetime>."""
        return moment(at, self.zone).isoformat(timespec="seconds")

    def span(self, length: int, unit: LimitUnit = LimitUnit.URGENT_HOUR) -> str:
        """The two largest parts of a length in µs of the unit's kind of time; a working day has 8 hours."""
        working = unit not in CONTINUOUS
        parts = {
            "work_days" if working else "days": WORK_DAY if working else DAY,
            "hours": HOUR,
            "minutes": MINUTE,
        }
        said: list[str] = []
        for name, size in parts.items():
            count, length = divmod(length, size)
            if count and len(said) < 2:
                said.append(self.word(name, n=count))
            elif said:
                break
        text = self.word("space").join(said) or self.word("no_minute")
        days = bool(said) and said[0].endswith(self.word("work_days", n=""))
        return self.word("unit.work" if working and said and not days else "unit.plain", text=text)

    def family(self, name: str) -> str:
        known = self.families.get(name)
        return name if known is None else self._of(known)

    def alarm(self, family: str, name: str) -> str:
        """What an alarm's name means, where its family knows it."""
        known = self.families.get(family)
        for one in known.alarms if known else ():
            if one.name == name:
                return self._of(one)
        return name

    def who(self, actor: str) -> str:
        """A person by name, a token as such, and what is no person by its word."""
        kind, colon, name = actor.partition(":")
        if not colon:
            return self.word(f"who.{actor}") if f"who.{actor}" in WORDS else actor
        return self.word("token", who=name) if kind == "token" else name

    def _of(self, named: Named) -> str:
        return named.zh if self.language == "zh" else named.en[:1].upper() + named.en[1:]
