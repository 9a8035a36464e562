"""Versions of rules: drafts, publishing, rolling back, canaries, shadows, withdrawal; what could not be in force changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.families import FAMILIES
from gateway.errors import Conflict, Invalid, NotFound
from gateway.registry.rulebook import Rulebook, Standing
from rules.control import Parameter, Rules
from rules.document import read_rules
from tests.gateway.registry.city import City, open_city

HIGH: dict[str, Any] = {
    "id": "dust-high",
    "family": "dust",
    "when": "pm10 > limit",
    "severity": "major",
    "alarm": "pm10TooHigh",
    "limit": {"value": 150, "unit": "ug/m3", "min": 20, "max": 2000},
}
STRICT = {**HIGH, "when": "pm10 > 0.8 * limit", "hold": "5m"}
ANN = ("token:ann", "spring storms")


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with open_city(tmp_path) as city:
        yield city


def open_book(city: City, preset: str = "default") -> Rulebook:
    return Rulebook(
        city.store,
        city.clock,
        city.devices.announcer,
        lambda documents: read_rules(documents, FAMILIES),
        preset,
    )


@pytest.fixture
async def book(city: City) -> Rulebook:
    book = open_book(city)
    await book.load([HIGH])
    return book


def heard(city: City) -> list[dict[str, Any]]:
    """The rules that history heard of last."""
    return next(each for each in reversed(city.history.heard) if isinstance(each, Rules)).rules


async def standing(book: Rulebook) -> Standing:
    return (await book.book()).standings["dust-high"]


async def test_a_draft_is_in_force_nowhere_until_it_is_published(city: City, book: Rulebook) -> None:
    await book.write(STRICT, *ANN, draft=True)
    assert [one.version for one in await book.in_force()] == [1]
    assert len(city.history.heard) == 1
    await book.publish("dust-high", 2, *ANN)
    assert heard(city) == [{**STRICT, "version": 2}]
    with pytest.raises(Conflict, match="roll back to 1 instead"):
        await book.publish("dust-high", 1, *ANN)


async def test_a_rollback_is_a_new_version_that_says_which_it_restores(city: City, book: Rulebook) -> None:
    await book.write(STRICT, *ANN)
    back = await book.rollback("dust-high", 1, "token:bob", "too many alarms")
    assert (back.version, back.restores, back.shipped) == (3, 1, False)
    assert heard(city) == [{**HIGH, "version": 3}]
    assert [(one.version, one.restores) for one in await book.versions("dust-high")] == [
        (3, 1),
        (2, None),
        (1, None),
    ]
    with pytest.raises(NotFound, match="no version 9"):
        await book.rollback("dust-high", 9, *ANN)


async def test_a_parameter_rolls_back_to_any_earlier_version(city: City, book: Rulebook) -> None:
    for value in ("0.1 mg/m3", 120, None):
        await book.override("dust-high", "limit", "area:xuhui", value, *ANN)
    back = await book.restore("dust-high", "limit", "area:xuhui", 1, *ANN)
    assert (back.version, back.value, back.restores) == (4, 100.0, 1)
    assert city.history.heard[-1] == Parameter("dust-high", "limit", "area:xuhui", 100.0)
    assert [one.value for one in await book.override_versions("dust-high", "limit")] == [
        100.0,
        None,
        120.0,
        100.0,
    ]
    with pytest.raises(NotFound, match="no version 7"):
        await book.restore("dust-high", "limit", "area:xuhui", 7, *ANN)


async def test_a_canary_is_heard_beside_the_published_version_until_it_is_promoted(
    city: City, book: Rulebook
) -> None:
    await book.write(STRICT, *ANN, draft=True)
    await book.canary("dust-high", 2, ["xuhui/", "jingan"], *ANN)
    assert heard(city) == [{**HIGH, "version": 1}, {**STRICT, "version": 2, "areas": ["jingan", "xuhui"]}]
    assert [one.version for one in await book.in_force()] == [1]
    with pytest.raises(Conflict, match="promote or withdraw it first"):
        await book.write(HIGH, *ANN)
    await book.promote("dust-high", *ANN)
    assert heard(city) == [{**STRICT, "version": 2}]
    assert await standing(book) == Standing("dust-high", 2)


async def test_a_canary_that_is_withdrawn_leaves_the_published_version(city: City, book: Rulebook) -> None:
    await book.write(STRICT, *ANN, draft=True)
    await book.canary("dust-high", 2, ["xuhui"], *ANN)
    await book.withdraw("dust-high", "canary", *ANN)
    assert heard(city) == [{**HIGH, "version": 1}]
    for act in (book.promote("dust-high", *ANN), book.withdraw("dust-high", "canary", *ANN)):
        with pytest.raises(Conflict, match="no canary"):
            await act
    for version, areas, error in ((1, ["xuhui"], Conflict), (2, [], Invalid), (9, ["xuhui"], NotFound)):
        with pytest.raises(error):
            await book.canary("dust-high", version, areas, *ANN)


async def test_a_shadow_is_heard_as_one_and_told_of_to_nobody(city: City, book: Rulebook) -> None:
    await book.write({**HIGH, "id": "dust-new"}, *ANN, draft=True)
    await book.shadow("dust-new", 1, [], *ANN)
    assert heard(city)[-1] == {**HIGH, "id": "dust-new", "version": 1, "shadow": True}
    assert [one.rule for one in await book.in_force()] == ["dust-high"]
    await book.withdraw("dust-new", "shadow", *ANN)
    assert [one["id"] for one in heard(city)] == ["dust-high"]


async def test_a_withdrawn_rule_is_out_of_force_with_all_of_it_until_enabled(
    city: City, book: Rulebook
) -> None:
    await book.write(STRICT, *ANN, draft=True)
    await book.canary("dust-high", 2, ["xuhui"], *ANN)
    await book.withdraw("dust-high", "rule", *ANN)
    assert heard(city) == []
    await book.load([HIGH])  # a restart does not bring it back
    assert (await standing(book)).withdrawn == "person"
    with pytest.raises(Conflict, match="enable it first"):
        await book.canary("dust-high", 2, ["xuhui"], *ANN)
    await book.enable("dust-high", *ANN)
    assert heard(city) == [{**HIGH, "version": 1}]
    with pytest.raises(Conflict, match="not withdrawn"):
        await book.enable("dust-high", *ANN)


async def test_a_rule_that_a_release_drops_is_withdrawn_and_comes_back_with_it(
    city: City, book: Rulebook
) -> None:
    mine = {**HIGH, "id": "dust-mine"}
    await book.write(mine, *ANN)
    await book.load([])
    assert heard(city) == [{**mine, "version": 1}]
    assert (await standing(book)).withdrawn == "release"
    await book.load([HIGH])
    assert [one["id"] for one in heard(city)] == ["dust-high", "dust-mine"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({**HIGH, "when": "pm10 >> 3"}, "faults"),
        ({**HIGH, "shadow": True}, "start a canary or a shadow"),
        ({**HIGH, "clear": 5}, "faults"),
        ({"family": "dust"}, "id: is missing"),
    ],
)
async def test_what_could_not_be_in_force_is_refused_and_the_last_good_one_stays(
    city: City, book: Rulebook, *, document: dict[str, Any], says: str
) -> None:
    before = list(city.history.heard)
    for draft in (False, True):
        with pytest.raises(Invalid, match=says):
            await book.write(document, *ANN, draft=draft)
    assert city.history.heard == before
    assert [one.version for one in await book.versions("dust-high")] == [1]


async def test_a_refusal_names_the_place_and_the_remedy(book: Rulebook) -> None:
    with pytest.raises(Invalid) as refusal:
        await book.write({**HIGH, "claer": "pm10 < 3"}, *ANN)
    faults = refusal.value.members["faults"]
    assert isinstance(faults, list)
    (fault,) = faults
    assert (fault["rule"], fault["key"], fault["remedy"]) == ("dust-high", "claer", "did you mean clear?")


async def test_a_change_needs_a_reason(book: Rulebook) -> None:
    for act in (
        book.write(STRICT, "token:ann", "  "),
        book.override("dust-high", "limit", "", 100, "token:ann", ""),
        book.withdraw("dust-high", "rule", "token:ann", "x" * 2001),
    ):
        with pytest.raises(Invalid, match="say why"):
            await act
    assert [one.version for one in await book.in_force()] == [1]


async def test_a_version_that_a_standing_value_does_not_fit_is_refused(book: Rulebook) -> None:
    await book.override("dust-high", "limit", "area:xuhui", 120, *ANN)
    narrow = {**HIGH, "limit": {"value": 50, "unit": "ug/m3", "min": 20, "max": 100}}
    with pytest.raises(Conflict, match="outside its new range 20 to 100: set it anew or reset it first"):
        await book.write(narrow, *ANN)
    other = {**HIGH, "limit": {"value": 0.15, "unit": "mg/m3", "min": 0.02, "max": 200}}
    with pytest.raises(Conflict, match="in ug/m3, the new version wants mg/m3"):
        await book.write(other, *ANN)
    await book.override("dust-high", "limit", "area:xuhui", None, *ANN)
    assert (await book.write(narrow, *ANN)).version == 2


async def test_a_value_whose_parameter_is_gone_can_be_taken_away(book: Rulebook) -> None:
    await book.override("dust-high", "limit", "area:xuhui", 120, *ANN)
    await book.write(
        {**{name: HIGH[name] for name in HIGH if name != "limit"}, "when": "pm10 > 150 ug/m3"}, *ANN
    )
    with pytest.raises(Invalid, match="has no parameter 'limit'; it has: none"):
        await book.override("dust-high", "limit", "area:xuhui", 130, *ANN)
    assert [one.value for one in await book.overrides()] == [120]
    await book.override("dust-high", "limit", "area:xuhui", None, *ANN)
    assert await book.overrides() == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("5 deg", "expected ug/m3, found deg"),
        ("many", "expected a number"),
        ("3 mg/m3", "3000 is outside 20 to 2000 ug/m3; a wider range needs a new version"),
        ("1 parsec", "unknown unit"),
    ],
)
async def test_a_value_is_refused_with_the_reason(book: Rulebook, *, value: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        await book.override("dust-high", "limit", "", value, *ANN)


async def test_a_difference_reads_as_what_changed(book: Rulebook) -> None:
    await book.write({**STRICT, "limit": {**HIGH["limit"], "value": 120}, "zh": "超标"}, *ANN)
    found = [(one.key, one.before, one.after) for one in await book.diff("dust-high", 1, 2)]
    assert found == [
        ("when", "pm10 > limit", "pm10 > 0.8 * limit"),
        ("hold", "", "5m"),
        ("zh", "", "超标"),
        ("limit.value", "150 ug/m3", "120 ug/m3"),
    ]
    assert await book.diff("dust-high", 2, 2) == []


async def test_the_presets_values_are_listed_with_their_source(city: City) -> None:
    book = open_book(city, "shanghai")
    (one,) = await book.overrides("fume-high")
    assert (one.scope, one.value, one.reason) == ("preset", 1.0, "DB31/844-2014, cooking fume 1.0 mg/m3")
