"""Rules and parameters: every change is a new version; history hears of it; a release never undoes what was written here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Invalid, NotFound
from gateway.registry.rulebook import Rulebook
from rules.control import Parameter, Rules
from tests.gateway.registry.city import City, open_city

HIGH = {
    "id": "dust-pm10-high",
    "family": "dust",
    "when": "pm10 > limit",
    "limit": {"value": 150, "unit": "ug/m3", "min": 20, "max": 2000},
}
LOW = {"id": "lamp-off", "family": "streetlight", "when": "power < 5"}


def check(documents: list[dict[str, Any]]) -> None:
    if any("when" not in document for document in documents):
        raise ValueError("when: expected a condition")


@pytest.fixture
async def city(tmp_path: Path, migrated_url: str) -> AsyncIterator[City]:
    async with open_city(tmp_path, migrated_url) as city:
        yield city


@pytest.fixture
async def book(city: City) -> Rulebook:
    book = Rulebook(city.store, city.clock, city.devices.announcer, check)
    await book.load([HIGH, LOW])
    return book


async def test_shipped_rules_are_version_one_and_announced_once(city: City, book: Rulebook) -> None:
    await book.load([HIGH, LOW])
    assert city.history.heard == [Rules([{**HIGH, "version": 1}, {**LOW, "version": 1}])]
    assert [(one.rule, one.version, one.shipped) for one in await book.in_force()] == [
        ("dust-pm10-high", 1, True),
        ("lamp-off", 1, True),
    ]


async def test_a_release_changes_shipped_rules_but_none_written_here(city: City, book: Rulebook) -> None:
    mine = await book.write({**HIGH, "when": "pm10 > 2 * limit"}, "token:ann", "spring storms")
    assert (mine.version, mine.document["version"], mine.shipped) == (2, 2, False)
    await book.load([{**HIGH, "hold": "5m"}, {**LOW, "hold": "5m"}])
    assert [(one.rule, one.version, one.author) for one in await book.in_force()] == [
        ("dust-pm10-high", 2, "token:ann"),
        ("lamp-off", 2, "gateway"),
    ]
    assert [one.version for one in await book.versions("dust-pm10-high")] == [2, 1]
    last = city.history.heard[-1]
    assert isinstance(last, Rules)
    assert [rule["version"] for rule in last.rules] == [2, 2]


async def test_what_is_no_rule_is_refused(book: Rulebook) -> None:
    with pytest.raises(Invalid, match="expected a condition"):
        await book.write({"id": "x"}, "token:ann", "a try")
    with pytest.raises(NotFound):
        await book.versions("x")


async def test_an_override_is_versioned_announced_and_taken_away(city: City, book: Rulebook) -> None:
    for value in (100.0, 120.0):
        one = await book.override("dust-pm10-high", "limit", "area:xuhui", value, "token:ann", "school")
    assert (one.version, one.value) == (2, 120.0)
    assert city.history.heard[-1] == Parameter("dust-pm10-high", "limit", "area:xuhui", 120.0)
    assert [(one.scope, one.value) for one in await book.overrides("dust-pm10-high")] == [
        ("area:xuhui", 120.0)
    ]
    assert await book.controls() == [
        Rules([{**HIGH, "version": 1}, {**LOW, "version": 1}]),
        Parameter("dust-pm10-high", "limit", "area:xuhui", 120.0),
    ]
    await book.override("dust-pm10-high", "limit", "area:xuhui", None, "token:ann", "over")
    assert await book.overrides() == []


@pytest.mark.parametrize(
    ("rule", "name", "scope", "value", "error"),
    [
        ("nothing", "limit", "", 100, NotFound),
        ("dust-pm10-high", "when", "", 100, Invalid),
        ("dust-pm10-high", "limit", "moon", 100, Invalid),
        ("dust-pm10-high", "limit", "device:", 100, Invalid),
        ("dust-pm10-high", "limit", "", 10, Invalid),
        ("dust-pm10-high", "limit", "", 2001, Invalid),
        ("dust-pm10-high", "limit", "", float("nan"), Invalid),
    ],
)
async def test_an_override_must_fit_its_rule(
    book: Rulebook, *, rule: str, name: str, scope: str, value: float, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await book.override(rule, name, scope, value, "token:ann", "a try")
