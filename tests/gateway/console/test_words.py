"""Whatever a page may say stands in the table, in both languages, with the same gaps to fill."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import resources
from string import Formatter

import pytest

from gateway.cases.deadline import LimitUnit
from gateway.cases.lifecycle import (
    BY_PEOPLE,
    AlarmEvent,
    AlarmState,
    CaseEvent,
    CaseState,
    Doubt,
    Entry,
    Verdict,
)
from gateway.cases.record import SEVERITIES
from gateway.cases.visits import VisitState
from gateway.console.actions import ALARM_EVENTS
from gateway.console.due import Kind
from gateway.console.words import WORDS
from gateway.registry.roles import PEOPLE
from gateway.registry.users import LANGUAGES

TEMPLATES = {
    file.name: file.read_text(encoding="utf-8")
    for file in resources.files("gateway.console").joinpath("templates").iterdir()
}
SAID = re.compile(r"""(?:\bw|say\.word)\(\s*["']([^"']+)["']\s*[,)]""")


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_it_and_fill_the_same_gaps() -> None:
    assert [name for name, (english, chinese) in WORDS.items() if gaps(english) != gaps(chinese)] == []
    mixed = [name for name, (english, _) in WORDS.items() if not english or re.search("[一-鿿]", english)]
    assert mixed == ["other_language"]


def test_no_word_is_kept_that_no_page_says() -> None:
    modules = [file for file in resources.files("gateway.console").iterdir() if file.name.endswith(".py")]
    texts = [file.read_text(encoding="utf-8") for file in modules if file.name != "words.py"]
    quoted = set(re.findall(r"""["'](\w+)["']""", " ".join([*texts, *TEMPLATES.values()])))
    assert [name for name in WORDS if "." not in name and name not in quoted] == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("state", [*CaseState, *AlarmState, *VisitState]),
        ("event", [*BY_PEOPLE, *ALARM_EVENTS]),
        ("told", [*CaseEvent, *Entry, *AlarmEvent]),
        ("severity", SEVERITIES),
        ("verdict", Verdict),
        ("doubt", Doubt),
        ("due", Kind),
        ("extra", LimitUnit),
        ("role", PEOPLE),
        ("language", LANGUAGES),
    ],
)
def test_every_value_has_its_words(kind: str, values: Iterable[str]) -> None:
    assert [value for value in values if f"{kind}.{value}" not in WORDS] == []


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_says_nothing_else(name: str) -> None:
    assert [word for word in SAID.findall(TEMPLATES[name]) if word not in WORDS] == []
    text = re.sub(r"\{% block tab %\}\w+", "", TEMPLATES[name])
    bare = re.sub(r"\{[{%#].*?[}%#]\}|<[^>]*>", " ", text, flags=re.DOTALL)
    assert set(re.findall(r"[^\W\d]{2,}", bare)) <= {"citygate"}, "text of its own has one language only"


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_template_has_no_script_no_style_and_no_foreign_address(name: str) -> None:
    text = TEMPLATES[name]
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|https?://", text)
    assert "| safe" not in text
