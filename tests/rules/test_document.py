"""Rule documents: what is refused, where, and what was expected. All faults of a set come together."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.telemetry import MINUTE
from rules.document import RulesError, read_rules
from rules.language import LONGEST, LanguageError, parse
from rules.tree import text
from tests.rules.streams import FAMILIES, parameter, rule

LIMIT = parameter(10, "deg", 0, 90)


def faults(*documents: dict[str, Any]) -> list[str]:
    with pytest.raises(RulesError) as caught:
        read_rules(documents, FAMILIES)
    return [str(fault) for fault in caught.value.faults]


def meant(when: str, **more: Any) -> str:
    """How a condition was understood."""
    (checked,) = read_rules([rule("x", when, **more)], FAMILIES)
    return text(next(iter(checked.meanings.values())).when)


@pytest.mark.parametrize(
    ("when", "fault"),
    [
        ("tilt >", "1:7: expected a name, a number, a quoted label, + or -, '(' or 'between', found the end"),
        ("tilt > 3 deg and", "1:17: expected a name, a number"),
        ("tilt > 3 deg\n  or level $ 2 m", "2:12: expected a comparison"),
        ("tilt", "1:1: expected a condition, found a number in deg"),
        ("door", "1:1: expected a condition, found an enumerated point"),
        ("tilt > 10", "1:6: expected deg on the right of >, found a plain number"),
        ("tilt > 10 W", "1:6: expected deg on the right of >, found W"),
        ("tilt + power > 3 deg", "1:6: expected deg on the right of +, found W"),
        ("tilt > 10 furlong", "1:8: unknown unit 'furlong'"),
        (
            "tlit > 3 deg",
            "1:1: expected a point of probe, a parameter or an attribute, found 'tlit'; did you mean tilt?",
        ),
        ("door > 1", '1:1: door is enumerated: compare it with == or != to one of "closed", "open"'),
        ('door > "open"', "1:6: expected == or != between a point and its label, found >"),
        ('door == "ajar"', "1:9: expected one of 'closed', 'open', found 'ajar'"),
        ('tilt == "open"', "1:9: expected a number in deg, found the label 'open'"),
        ('"open"', "1:1: expected a condition, found the label 'open'"),
        ("night > 3", "1:1: expected a number, found the condition 'night'"),
        ("(tilt > 3 deg) > 2", "1:7: expected a number, found a condition"),
        ("median(tilt, 5m) > 3 deg", "1:1: unknown function 'median': expected mean, min"),
        ("last(power, 30m) > 3 W", "1:13: expected max 30m"),
        ("last(2 W, max 30m) > 3 W", "1:6: expected a point, as in last(power, max 30m)"),
        ("usual(power, 36h) > 3 W", "1:14: expected whole days, 1d to 31d"),
        ("usual(door, 7d) > 3", "1:7: door is enumerated"),
        ("peers(middle, tilt) > 3 deg", "1:7: expected one of median, mean, min, max"),
        ("peers(mean, tilt, by owner) > 3 deg", "1:22: expected by parent or by area, found by owner"),
        ("peers(mean, tilt, min 0) > 3 deg", "1:23: expected a whole number of devices from 1 to 10000"),
        ("peers(mean, 2 deg) > 3 deg", "1:13: expected a point, as in peers(median, pm10)"),
        ("known(tilt, power) > 3 deg", "1:13: expected deg like the first, found W"),
        ("known(tilt) > 3 deg", "1:1: expected known(number, number, …), found 1 argument"),
        (
            "attr.rated_powr > 3 W",
            "1:1: expected an attribute of probe, found 'rated_powr'; did you mean rated_power",
        ),
        (
            "lamp.power > 3 W",
            "1:1: expected one of attr, parent, site, probe, meter before the dot, found 'lamp'",
        ),
        ("meter.tilt > 3 deg", "1:1: expected a point of meter, found 'tilt'"),
        (
            "parent.power > 3 W",
            "1:1: power is not the same in probe [W], meter [kW]: name the family, as in probe.power",
        ),
        ("site.door == 'open'", "1:1: expected a measured point, door is enumerated: it has no median"),
        ("changed(door, 5m, 3)", "1:1: expected changed(point) or changed(point, duration)"),
        ("changed(door) > 2", "1:1: expected a number, found the condition changed(…)"),
        ("cycles(night, 30m) > 3", "1:8: expected a condition of points and constants only"),
        ("count(changed(door), 30m) > 3", "1:7: expected a condition of points and constants only"),
        ("night(30m)", "1:1: expected night(offset, offset), as in night(+30m, -20m), found 1 arguments"),
        ("night(+30m, -9h)", "1:13: expected at most 6h before or after"),
        ("workday > 3", "1:1: expected a number, found the condition 'workday'"),
        ("shut", "1:1: expected a point of probe, a parameter or an attribute, found 'shut'"),
        ("mean(tilt) > 3 deg", "1:1: expected mean(point, duration), found 1 arguments"),
        ("mean(2 * tilt, 5m) > 3 deg", "1:8: expected a point, as in mean(point, 15m)"),
        ("mean(door, 5m) > 3", "1:6: door is enumerated"),
        ("coverage(event, 1h) < 0.75", "1:10: expected a measured point: events come when there are some"),
        ("coverage(tilt, 1h) < 75 %", "1:20: expected a plain number on the right of <, found %"),
        ("coverage(tilt > 3 deg, 1h) < 0.75", "1:15: expected a number, found a condition"),
        ("coverage(tilt) < 0.75", "1:1: expected coverage(point, duration), found 1 arguments"),
        ("tilt > 1e400 deg", "1:8: expected a number up to 1e+100, found 1e400"),
        ("mean(tilt, 5) > 3 deg", "1:12: expected a duration such as 90s, 15m, 26h or 2d, found '5'"),
        ("mean(tilt, 40d) > 3 deg", "1:12: a window is between 1s and 31d long"),
        ("mean(tilt, power) > 3 deg", "1:12: expected a duration such as 90s"),
        (
            "share(mean(tilt, 5m) > 3 deg, 1h) > 0.5",
            "1:22: expected a condition of points and constants only",
        ),
        ("silent(5m) or tilt > 3 deg", "1:1: silent(…) can only stand alone, as the whole of `when`"),
        ("silent(5 m) > 3", "1:1: silent(…) can only stand alone, as the whole of `when`"),
        ("silent(limit)", "1:8: expected a parameter in s, min, h or d, limit is in deg"),
        ("silent(0s)", "1:8: expected a duration above zero"),
        ("between 25:00 and 06:00", "1:9: expected a time of day between 00:00 and 24:00, found 25:00"),
        ("between 22:00 and 22:00", "1:9: expected two different times of day"),
        ("between 22 and 06:00", "1:9: expected a time of day such as 22:00, found '22'"),
        ("not " * 32 + "day", "nested deeper than 32"),
        (" or ".join(["day"] * 200), "more than 200 parts"),
        ("day" + " " * LONGEST, f"1:1: a condition is at most {LONGEST} bytes"),
    ],
)
def test_an_error_names_its_place_and_what_was_expected(when: str, fault: str) -> None:
    found = faults(rule("x", when, **({"limit": LIMIT} if "limit" in when else {})))
    assert fault in found[0]
    assert found[0].startswith("x.when:")


def test_every_fault_of_a_set_is_reported_at_once() -> None:
    assert faults(
        rule("one", "tilt > 3 W and level > 2 deg", clear="tilt <", severity="awful"),
        rule("two", "tilt > limit", limit={"value": 99, "unit": "deg", "min": 0, "max": 90, "step": 1}),
        rule("two", "tilt > 3 deg", unused=LIMIT, colour="red", hold="soon"),
        {"id": "Three", "when": "night", "severity": "minor", "alarm": "x", "family": "nothing"},
    ) == [
        "one.severity: expected one of critical, major, minor, warning, info, found 'awful'",
        "one.when:1:6: expected deg on the right of >, found W",
        "one.when:1:22: expected m on the right of >, found deg",
        "one.clear:1:7: expected a name, a number, a quoted label, + or -, '(' or 'between', found the end",
        "two.limit.step: expected value, unit, min or max",
        "two.limit.value: expected a value between min and max, found 99",
        "two.colour: is no key of a rule; a parameter is a table { value, unit, min, max }",
        "two.hold: expected a duration such as 90s, 15m, 26h or 2d, found 'soon', and no parameter of that name",
        "two.id: is the id of another rule too",
        "Three.id: expected lower-case words joined by hyphens",
        "Three.family: expected one of probe, meter, found 'nothing'",
    ]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (rule("x", "silent(5m)", hold="3m"), "x.when: silent(…) is cleared by the next reading"),
        (
            rule("x", "tilt > 3 deg", unused=LIMIT),
            "x.unused: is a parameter that neither when, clear nor hold names",
        ),
        (rule("x", "tilt > power", power=LIMIT), "x.power: cannot name a parameter: it is a point of probe"),
        (rule("x", "tilt > night", night=LIMIT), "x.night: cannot name a parameter: it means something else"),
        (rule("x", "tilt > 3 deg", valid=1.5), "x.valid: expected a share between 0 and 1, found 1.5"),
        (rule("x", "tilt > 3 deg", version=0), "x.version: expected a whole number from 1, found 0"),
        (
            rule("x", "tilt > 3 deg", hold="w", w=LIMIT),
            "x.hold: expected a parameter in s, min, h or d, w is in deg",
        ),
        (
            rule("x", "tilt > limit", limit=parameter(5, "deg", 9, 0)),
            "x.limit.min: expected at most max, 0, found 9",
        ),
        (
            rule("x", "tilt > limit", limit=parameter(10**400, "deg", 0, 9)),
            "x.limit.value: expected a number, found 1000",
        ),
        (rule("x", "silent(w)", w=parameter(3, "s", 0, 9)), "x.w: expected a range from 1 s to 366 d"),
        (
            rule("x", "tilt > 3 deg", families=["probe"], family="probe"),
            "x.families: expected family or families, found both",
        ),
        (rule("x", "tilt > 3 deg", families="*"), "x.families: expected a list of families, or ['*']"),
        (rule("x", "tilt > 3 deg", families=["*"]), "expected a point of meter"),
        (rule("x", ""), "x.when: is missing"),
        (
            rule("x", "tilt > limit", limit={"value": "9", "unit": "deg", "min": 0, "max": 90}),
            "x.limit.value: expected a number, found '9'",
        ),
        (rule("x", "tilt > limit", limit={**LIMIT, "unit": "ells"}), "x.limit.unit: unknown unit 'ells'"),
        (rule("x", "tilt > 3 deg", alarm="Not a name"), "x.alarm: expected a name such as lampFailure"),
        ({"when": "night", "severity": "minor", "alarm": "a", "family": "probe"}, "rule[0].id: is missing"),
    ],
)
def test_a_document_is_refused_for(document: dict[str, Any], fault: str) -> None:
    assert any(fault in found for found in faults(document))


@pytest.mark.parametrize(
    ("when", "understood"),
    [
        (
            "tilt > 10 deg and not door == 'open' or night",
            "(((tilt > 10.0 deg) and not (door == 1.0)) or night)",
        ),
        ("power > 1.5 kW", "(power > 1500.0 W)"),
        ("level < 50 cm", "(level < 0.5 m)"),
        ("level < 5 m", "(level < 5.0 m)"),
        ("mean(level, 5 m) < 5 m", "(mean(level, 5m) < 5.0 m)"),
        ("tilt > -5 deg + 2 * 3 deg", "(tilt > (-5.0 deg + (2.0 * 3.0 deg)))"),
        ("power - 2 W - 1 W > 0", "(((power - 2.0 W) - 1.0 W) > 0.0 W)"),
        ("power < 0.15 * rated_power", "(power < (0.15 * attr.rated_power))"),
        ("power / rated_power < 0.2", "((power / attr.rated_power) < 0.2)"),
        ("power * 2 h > 1 kWh", "((power * 2.0 h) > 1000.0 W*h)"),
        ("rated_voltage * 2 A > power", "((attr.rated_voltage * 2.0 A) > power)"),
        ("2 deg < tilt", "(2.0 deg < tilt)"),
        ('"open" == door', "(door == 1.0)"),
        ("between 22:00 and 06:30", "between 22:00 and 06:30"),
        ("silent(90s)", "silent(90s)"),
        ("open", "(door == 1.0)"),
        ("not probe.closed", "not (probe.door == 0.0)"),
        ("rate(level, 10m) > 5 cm/min", "(rate(level, 10m) > 3.0 m/h)"),
        ("cycles(open, 30m) >= 5", "(cycles((door == 1.0), 30m) >= 5.0)"),
        ("count(event == 'bumped', 1h) > 2", "(count((event == 0.0), 1h) > 2.0)"),
        ("count(tilt, 1h) > 2", "(count(tilt, 1h) > 2.0)"),
        ("changed(door) or changed(door, 10m)", "(changed(door) or (changes(door, 10m) > 0.0))"),
        ("last(door, max 30m) == 'open'", "(last(door, max 30m) == 1.0)"),
        ("meter.power > 3 W", "(meter.power > 0.003 kW)"),
        ("tilt > peers(median, tilt)", "(tilt > peers(median, tilt, by area, min 3))"),
        ("site.tilt > 1 deg", "(site.tilt > 1.0 deg)"),
        ("known(attr.rated_power, 5 W) > 3 W", "(known(attr.rated_power, 5.0 W) > 3.0 W)"),
        ("power > 2 * usual(power, 7d)", "(power > (2.0 * usual(power, 7d)))"),
        ("night(+30m, -20m) or day(0, 1h)", "(night(+30m, -20m) or day(+0h, +1h))"),
        ("sun < -6 deg", "(sun < -6.0 deg)"),
        ("workday and not holiday or sunday", "((workday and not holiday) or sunday)"),
        (
            'share(door == "open" or tilt > 3 deg, 24h) > 0.5',
            "(share(((door == 1.0) or (tilt > 3.0 deg)), 24h) > 0.5)",
        ),
    ],
)
def test_a_condition_means(when: str, understood: str) -> None:
    assert meant(when) == understood


def test_a_rule_is_what_its_document_says() -> None:
    document = rule(
        "cover",
        "tilt > limit",
        clear="tilt < 5 deg",
        hold="5m",
        valid=0.75,
        version=7,
        limit=LIMIT,
        case="cover-displaced",
        source="clause 4",
        en="tilted",
        zh="倾斜",
    )
    (checked,) = read_rules([document], FAMILIES)
    assert (checked.id, checked.version, checked.hold, checked.valid) == ("cover", 7, 5 * MINUTE, 0.75)
    assert (checked.parameters["limit"].value, str(checked.parameters["limit"].unit)) == (10, "deg")
    assert checked.texts == {"case": "cover-displaced", "source": "clause 4", "en": "tilted", "zh": "倾斜"}
    assert checked.document is document


def test_a_rule_of_all_families_is_checked_for_each() -> None:
    (checked,) = read_rules([rule("quiet", 'online == "offline"', families=["*"])], FAMILIES)
    assert set(checked.meanings) == {"probe", "meter"}
    assert faults(rule("quiet", "tilt > 3 W", families=["*"])) == [
        "quiet.when:1:6: expected deg on the right of >, found W",
        "quiet.when:1:1: expected a point of meter, a parameter or an attribute, found 'tilt'",
    ]


def test_a_hostile_text_is_refused_before_it_costs_anything() -> None:
    for hostile in (
        "(" * 4000,
        "not " * 1000 + "day",
        "-" * 4000 + "1",
        "1+" * 2000,
        "a(" * 2000,
        "\x00",
        "day;",
    ):
        with pytest.raises(LanguageError):
            parse(hostile)


def test_minutes_that_read_as_metres_are_said_to() -> None:
    with pytest.raises(RulesError) as caught:
        read_rules([rule("x", "tilt > 3 deg and 1 h > 30m")], FAMILIES)
    (fault,) = caught.value.faults
    assert fault.remedy == "m is metre here: for minutes write 30 min"
