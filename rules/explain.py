"""Why a rule raised, cleared or keeps quiet, as a sentence in English or 中文, said from its checked tree and its evidence.

Of alternatives only those are named that were so; nothing is said that the evidence does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final, NamedTuple

from drivers.telemetry import SECOND, Family
from rules.document import Rule
from rules.explain_clauses import Clauses
from rules.explain_facts import Facts
from rules.explain_nouns import Nouns
from rules.explain_numbers import moment, span
from rules.explain_words import PLACE, WORDS, Language
from rules.tree import MISSED, Both, Condition, Either, Negation, ParameterValue, Silent, text
from rules.units import SECONDS

LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")


class Part(NamedTuple):
    """One condition of a rule as it is now. truth None: unknown. said: what makes it so."""

    condition: str
    truth: bool | None
    said: str


class Explainer:
    """Of one language. families: all there are, for points of other devices. zone: the city's, for times."""

    def __init__(self, families: Mapping[str, Family], language: Language, zone: tzinfo) -> None:
        self._families = families
        self._language = language
        self._zone = zone
        self._place = PLACE[language]

    def sentence(
        self,
        rule: Rule,
        family: str,
        evidence: Mapping[str, Any],
        *,
        raised: bool = True,
        brief: bool = False,
    ) -> str:
        """Why it raised or cleared. brief: without coverage, hold, scope and version, for lists."""
        if reason := evidence.get("reason"):
            return self._ended(self._word(reason) if reason in WORDS else str(reason))
        meaning, clauses = rule.meanings[family], self._clauses(rule, family, evidence, brief=brief)
        if isinstance(meaning.when, Silent):
            return self._ended(self._silence(meaning.when, clauses, evidence, raised=raised))
        why = meaning.when if raised else meaning.clear or Negation(meaning.when)
        said = clauses.of(why)
        if raised and not brief and evidence.get("hold"):
            said = self._word("held").format(said=said, span=span(evidence["hold"], self._language))
        if not brief and not clauses.nouns.versioned:
            said += self._word("version").format(version=rule.version)
        return self._ended(said)

    def parts(self, rule: Rule, family: str, evidence: Mapping[str, Any], *, raised: bool) -> list[Part]:
        """Every condition that decides whether it raises; where it stands, whether it clears."""
        meaning = rule.meanings[family]
        why = meaning.clear if raised and meaning.clear is not None else meaning.when
        if isinstance(why, Silent):
            clauses = self._clauses(rule, family, evidence)
            said = self._silence(why, clauses, evidence, raised=raised, now=True)
            return [Part(text(why), raised, self._ended(said))]
        found = []
        for leaf in _leaves(why):
            clauses = self._clauses(rule, family, evidence)
            truth = clauses.facts.truth(leaf)
            said = clauses.unknown(leaf) if truth is None else clauses.of(leaf, wanted=truth)
            found.append(Part(text(leaf), truth, self._ended(said)))
        return found

    def truth(self, rule: Rule, family: str, evidence: Mapping[str, Any], *, raised: bool) -> bool | None:
        """Whether the rule's condition holds; where it stands, whether its clear condition does."""
        meaning = rule.meanings[family]
        facts = Facts(evidence, rule.valid)
        if isinstance(meaning.when, Silent):
            return raised
        if raised and meaning.clear is None:
            return facts.truth(Negation(meaning.when))
        return facts.truth(meaning.clear if raised and meaning.clear is not None else meaning.when)

    def _clauses(
        self, rule: Rule, family: str, evidence: Mapping[str, Any], *, brief: bool = False
    ) -> Clauses:
        facts = Facts(evidence, rule.valid)
        nouns = Nouns(
            self._families, self._families[family], facts, self._language, rule.version, brief=brief
        )
        return Clauses(nouns)

    def _silence(
        self,
        silent: Silent,
        clauses: Clauses,
        evidence: Mapping[str, Any],
        *,
        raised: bool,
        now: bool = False,
    ) -> str:
        heard, interval = evidence.get("heard"), evidence.get("interval")
        limit = span(evidence.get("timeout", silent.timeout / SECOND), self._language)
        named = [ParameterValue(silent.parameter, SECONDS)] if silent.parameter else []
        scope = clauses.nouns.scope(named)
        if interval is not None and not clauses.nouns.brief:
            limit += self._word("of intervals").format(many=MISSED, span=span(interval, self._language))
            scope = ""
        if now and not raised and heard is not None:
            return self._word("heard.still").format(time=moment(heard, self._zone), span=limit, scope=scope)
        if not raised:
            return self._word("heard")
        said = self._word("silent.set" if scope else "silent").format(span=limit, scope=scope)
        if heard is None or clauses.nouns.brief:
            return said
        return self._word("silent.since").format(said=said, time=moment(heard, self._zone))

    def _word(self, name: str) -> str:
        return WORDS[name][self._place]

    def _ended(self, said: str) -> str:
        return said[:1].upper() + said[1:] + self._word("end")


def _leaves(condition: Condition) -> list[Condition]:
    match condition:
        case Both(items=items) | Either(items=items):
            return list(dict.fromkeys(leaf for item in items for leaf in _leaves(item)))
        case Negation(item=item):
            return _leaves(item)
        case _:
            return [condition]
