"""Why alarms were raised, in words, from the version of the rule that raised them; and what a rule sees of a device now.

A version that nobody can read any more explains nothing: the evidence stands beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from drivers.telemetry import SECOND, Family
from gateway.cases.record import Message
from gateway.errors import NotFound
from gateway.registry.rulebook import Rulebook
from rules.document import Rule, RulesError, read_rules
from rules.engine import Engine
from rules.explain import LANGUAGES, Explainer, Part
from rules.explain_words import Language

KEPT: Final = 1_000  # rule versions at hand
AT_ONCE: Final = 100  # messages of one transaction that are explained: nobody reads more
RAISED: Final = "alarm.raise"


class Raised(Protocol):
    """What of an alarm explains it."""

    @property
    def rule(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def family(self) -> str: ...
    @property
    def evidence(self) -> Mapping[str, Any]: ...


class Why(Struct, frozen=True):
    """A rule on a device as it is now. state: idle, pending (its hold runs) or raised; since: µs, of the hold or the raise.

    truth: of the condition that would raise it, or, where it stands, clear it; parts: what that is made of. hold: µs.
    """

    rule: str
    version: int
    state: str
    since: int | None
    hold: int
    truth: bool | None
    parts: list[Part]
    evidence: dict[str, Any]


class Explanations:
    """engine: the one that judges now; a restart may replace it."""

    def __init__(
        self, families: Mapping[str, Family], zone: str, engine: Callable[[], Engine], rulebook: Rulebook
    ) -> None:
        self._families = families
        self._engine = engine
        self._rulebook = rulebook
        self._rules: dict[tuple[str, int], Rule | None] = {}
        self._tellers = {language: Explainer(families, language, ZoneInfo(zone)) for language in LANGUAGES}

    async def of(self, alarms: Iterable[Raised], language: Language, *, brief: bool = False) -> list[str]:
        """A sentence for each alarm; "" where its rule is not known any more."""
        listed = list(alarms)
        strange = {_key(alarm) for alarm in listed if self._find(alarm) is None} - self._rules.keys()
        for rule in {rule for rule, _ in strange}:
            await self._load(rule)
        for key in strange - self._rules.keys():
            self._keep(key, None)
        return await asyncio.to_thread(
            lambda: [self._sentence(alarm, language, brief=brief) for alarm in listed]
        )

    def told(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages, those of new alarms with their reason in every language, as far as it is at hand."""
        for message in [each for each in messages if each.event == RAISED][:AT_ONCE]:
            alarm = _Record(message.payload["alarm"])
            found = {language: self._sentence(alarm, language) for language in LANGUAGES}
            if all(found.values()):
                message.payload["explanation"] = found
        return messages

    def why(self, rule: str, family: str, index: int, language: Language) -> Why:
        """What the rule sees of this device now; raises NotFound where it does not judge it."""
        engine = self._engine()
        mine = [each for each in engine.rules if each.id == rule and not each.shadow]
        if not mine:
            raise NotFound(f"no rule {rule!r:.80} is in force")
        seen = engine.explain(rule, family, index)
        if seen is None:
            judged = ", ".join(dict.fromkeys(name for each in mine for name in each.meanings))
            raise NotFound(f"rule {rule} does not judge this {family}; it judges: {judged}")
        state, since, version = seen.pop("state"), seen.pop("since"), seen.pop("version")
        known = next(each for each in mine if each.version == version)
        teller, raised = self._tellers[language], state == "raised"
        return Why(
            rule=rule,
            version=version,
            state=state,
            since=since,
            hold=round(seen.get("hold", 0) * SECOND),
            truth=teller.truth(known, family, seen, raised=raised),
            parts=teller.parts(known, family, seen, raised=raised),
            evidence=seen,
        )

    def _sentence(self, alarm: Raised, language: Language, *, brief: bool = False) -> str:
        rule = self._find(alarm)
        if rule is None or alarm.family not in rule.meanings:
            return ""
        return self._tellers[language].sentence(rule, alarm.family, alarm.evidence, brief=brief)

    def _find(self, alarm: Raised) -> Rule | None:
        """The version that raised it: among those in force, or looked up before."""
        key = _key(alarm)
        if key not in self._rules:
            for rule in self._engine().rules:
                if (rule.id, rule.version) == key:
                    self._keep(key, rule)
        return self._rules.get(key)

    async def _load(self, rule: str) -> None:
        try:
            versions = await self._rulebook.versions(rule)
        except NotFound:
            return
        for one in versions:
            try:
                self._keep((rule, one.version), read_rules([one.document], self._families)[0])
            except RulesError:  # of an older language
                self._keep((rule, one.version), None)

    def _keep(self, key: tuple[str, int], rule: Rule | None) -> None:
        if len(self._rules) >= KEPT:
            self._rules.clear()
        self._rules[key] = rule


def _key(alarm: Raised) -> tuple[str, int]:
    return alarm.rule, alarm.version


class _Record:
    """An alarm as a message carries it."""

    def __init__(self, alarm: Mapping[str, Any]) -> None:
        self.rule: str = alarm["rule"]
        self.version: int = alarm["version"]
        self.family: str = alarm["family"]
        self.evidence: Mapping[str, Any] = alarm["evidence"]
