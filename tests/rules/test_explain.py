from __future__ import annotations

import re
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from drivers.families import FAMILIES
from rules import tree
from rules.attributes import ATTRIBUTES
from rules.control import Calendar, Clock, DeviceRow, Parameter
from rules.document import Rule, read_rules
from rules.explain import LANGUAGES, Explainer
from rules.explain_facts import Facts
from rules.explain_words import ATTRIBUTES as NAMED
from rules.explain_words import WORDS
from rules.transition import Transition
from rules.tree import Negation, Silent
from tests.rules.packs.proof import Proof, steps
from tests.rules.packs.test_proofs import ALL, DOCUMENTS
from tests.rules.timeline import Timeline, clock

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
TELLERS: Final = {language: Explainer(FAMILIES, language, SHANGHAI) for language in LANGUAGES}
ONE_OF_EACH: Final = [each for each in ALL if not each[1].startswith("device-") or each[0] == "dust"]


def day_of(family: str, name: str, proof: Proof) -> list[Transition]:
    """What the rule says over the timeline that raises it."""
    rows = [
        DeviceRow(index, f"D-{index}", "p", "north/lake", 31.2, 121.5, attributes=dict(proof.attributes))
        for index in range(proof.devices)
    ]
    day = Timeline(FAMILIES[family], DOCUMENTS[name], devices=rows)
    for step in sorted(steps(proof.raises), key=lambda step: clock(step.time)):
        day.at(step.time)
        if "clock_offset" in step.values:
            day.control(Clock(family, [step.device], [step.values.pop("clock_offset")]))
        if step.values:
            day.says(step.device, **step.values)
        else:
            day.sweep()
    return [each for each in day.said if not each.index]


def rule_of(name: str) -> Rule:
    return read_rules([DOCUMENTS[name]], FAMILIES)[0]


def clean(text: str, rule: Rule, family: str) -> bool:
    """No name of a program: no underscore, no camelCase but units, no Python, no parameter, no braces left open."""
    raw = {
        name for name in rule.parameters if name not in {"limit", "start", "stop", "step", "least", "band"}
    }
    raw |= {point.name for point in FAMILIES[family].points if "_" in point.name} | {"None", "nan", "attr"}
    words = set(re.findall(r"[A-Za-z_]+", text))
    shape = not re.search(
        r"[{}]|[a-z][A-Z]|\b\d+\.\d{6,}", re.sub(r"(?<![A-Za-z])(kWh|dB|mA|kPa)(?![A-Za-z])", "", text)
    )
    return shape and not words & (raw - {"rest", "low", "part", "present", "dry", "most", "idle"})


@pytest.mark.parametrize(
    ("family", "name", "proof"), ONE_OF_EACH, ids=[f"{name}-{of}" for of, name, _ in ONE_OF_EACH]
)
def test_the_evidence_of_every_shipped_rule_justifies_and_explains_it(
    family: str, name: str, proof: Proof
) -> None:
    rule = rule_of(name)
    said = day_of(family, name, proof)
    assert said
    for each in said:
        meaning = rule.meanings[family]
        why = meaning.when if each.raised else meaning.clear or Negation(meaning.when)
        if not isinstance(meaning.when, Silent):
            assert Facts(each.evidence, rule.valid).truth(why) is True
        for language, teller in TELLERS.items():
            text = teller.sentence(rule, family, each.evidence, raised=each.raised)
            brief = teller.sentence(rule, family, each.evidence, raised=each.raised, brief=True)
            assert clean(text, rule, family), text
            assert text.endswith("." if language == "en" else "。")
            assert len(brief) <= len(text)
            assert "known(" in tree.text(why) or ("not known" not in text and "未知" not in text)


SENTENCES: Final = {
    "lamp-dark": (
        (
            "Lamp switch was on; active power was 10 W, below 15 % of the rated power of 100 W (15 W) set by "
            "version 1; it held for 10 min."
        ),
        "开关状态为“开”；有功功率为10 W，低于额定功率100 W的15%（15 W）（规则第1版）；已持续10分钟。",
    ),
    "cover-silent": (
        "Nothing was heard for the 26 h set by version 1; last heard at 2026-03-10 10:00:00.",
        "超过26小时未收到任何数据（规则第1版）；最后一次收到数据：2026-03-10 10:00:00。",
    ),
    "dust-flat-line": (
        "PM10 did not change in 3 h (100 % of the data) (rule version 1).",
        "近3小时可吸入颗粒物PM10毫无变化（有效数据100%）（规则第1版）。",
    ),
    "parking-overstay": (
        "Bay was occupied; time in the present state was 25 h, above the limit of 1 day set by version 1.",
        "车位状态为“占用”；当前状态持续时长为25小时，高于限值1天（规则第1版）。",
    ),
    "dust-tsp-high": (
        (
            "Total suspended particulates averaged 840 ug/m3 over 5 min (100 % of the data), above the limit of "
            "0.8 mg/m3 (800 ug/m3) set by version 1."
        ),
        "近5分钟总悬浮颗粒物的均值为840 ug/m3（有效数据100%），高于限值0.8 mg/m3（800 ug/m3）（规则第1版）。",
    ),
    "cover-open": ("Cover was open (rule version 1).", "井盖状态为“打开”（规则第1版）。"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_person_reads_why(name: str) -> None:
    family, proof = next((family, proof) for family, rule, proof in ALL if rule == name)
    raised = day_of(family, name, proof)[0]
    rule = rule_of(name)
    found = tuple(TELLERS[each].sentence(rule, family, raised.evidence) for each in LANGUAGES)
    assert found == SENTENCES[name]


def test_a_threshold_is_told_with_the_scope_it_was_tuned_for() -> None:
    document = DOCUMENTS["dust-pm10-high"] | {"version": 4, "hold": "5m"}
    day = Timeline(FAMILIES["dust"], document)
    day.control(Parameter("dust-pm10-high", "limit", "area:north", 140))
    for minute in range(30):
        day.at(f"10:{minute:02}:00").says(pm10=182)
    (raised,) = day.said
    rule = read_rules([document], FAMILIES)[0]
    assert TELLERS["en"].sentence(rule, "dust", raised.evidence) == (
        "PM10 averaged 182 ug/m3 over 15 min (100 % of the data), above the limit of 140 ug/m3 set for area north "
        "(rule version 4); it held for 5 min."
    )
    assert TELLERS["zh"].sentence(rule, "dust", raised.evidence) == (
        "近15分钟可吸入颗粒物PM10的均值为182 ug/m3（有效数据100%），高于限值140 ug/m3（区域north设定，规则第4版）；已持续5分钟。"
    )
    brief = TELLERS["en"].sentence(rule, "dust", raised.evidence, brief=True)
    assert brief == "PM10 averaged 182 ug/m3 over 15 min, above the limit of 140 ug/m3."


def test_two_numbers_that_differ_never_read_the_same() -> None:
    document = DOCUMENTS["dust-wind"] | {"hold": "0s"}
    rule = read_rules([document], FAMILIES)[0]
    evidence = {
        "values": {"wind_speed": 10.800001},
        "parameters": {"limit": {"value": 10.8, "unit": "m/s", "scope": ""}},
    }
    said = TELLERS["en"].sentence(rule, "dust", evidence)
    assert (
        said == "Wind speed was 10.800001 m/s, above the limit of 10.8 m/s set for the city (rule version 1)."
    )


def told(when: str, evidence: dict[str, Any], language: str = "en", family: str = "dust", **more: Any) -> str:
    document = {"id": "r", "family": family, "when": when, "severity": "minor", "alarm": "r"} | more
    rule = read_rules([document], FAMILIES)[0]
    return TELLERS[language].sentence(rule, family, evidence, brief=True)  # type: ignore[index]


SEEN: Final[dict[str, Any]] = {
    "values": {
        "pm10": 95.0,
        "noise": 66.0,
        "spray": "off",
        "event": "stationFault",
        "last(noise, max 10m)": 66.0,
        "usual(pm10, 7d)": 40.0,
        "peers(median, pm10, by area, min 3)": 38.0,
        "site.pm10": 51.0,
        "sun": -8.25,
        "cabinet.power": 900.0,
        "parent.power": 900.0,
    },
    "attributes": {"pm10_limit": 80.0, "sprayer": None},
    "windows": {
        "rate(pm10, 15m)": {"value": 240.0, "valid": 1.0},
        "count((event == 6.0), 1h)": {"value": 3.0, "valid": 1.0},
        "changes(spray, 2h)": {"value": 2.0, "valid": 1.0},
        "delta(pm10, 15m)": {"value": 60.0, "valid": 0.4},
    },
    "conditions": {
        "night": True,
        "night(+30m, -20m)": True,
        "changed(spray)": True,
        "workday": True,
        "tuesday": False,
        "between 22:00 and 06:00": True,
    },
}
CLAUSES: Final = {
    "last(noise, max 10m) > 60 dB": "A-weighted noise of the last 10 min was 66 dB, above 60 dB.",
    "pm10 > 2 * usual(pm10, 7d)": (
        "PM10 was 95 ug/m3, above 2 times the usual PM10 at this hour, by the last 7 days, (40 ug/m3) (80 ug/m3)."
    ),
    "pm10 > peers(median, pm10)": "PM10 was 95 ug/m3, above the median PM10 of the other devices of its area (38 ug/m3).",
    "site.pm10 > 50 ug/m3": "The median PM10 of the stations of its site was 51 ug/m3, above 50 ug/m3.",
    "sun < -6 deg": "The height of the sun was -8.25°, below -6°.",
    "cabinet.power > 100 W": "Total active power of the lighting cabinet above it was 900 W, above 100 W.",
    "rate(pm10, 15m) > 100 ug/m3/h": (
        "The rate of change of PM10 over 15 min was 240 ug/m3/h, above 100 ug/m3/h."
    ),
    'count(event == "stationFault", 1h) > 2': (
        "The number of readings in 1 h in which the device reported “station gives too little valid data” was 3, "
        "more than 2."
    ),
    "changed(spray, 2h)": "Spray changed twice in 2 h.",
    "changed(spray)": "Spray had just changed.",
    "night(+30m, -20m)": "It was night (from 30 min after sunset to 20 min before sunrise).",
    "workday and not tuesday": "It was a working day; it was not a Tuesday.",
    "between 22:00 and 06:00 or night": "The time was between 22:00 and 06:00; it was night.",
    "known(attr.sprayer, 1) >= 1 and abs(noise - 70 dB) < 5 dB": (
        "The number of sprayers of the site was not known; the size of A-weighted noise (66 dB) less 70 dB was 4 dB, below 5 dB."
    ),
    "pm10 > 90 ug/m3 or noise > 70 dB": "PM10 was 95 ug/m3, above 90 ug/m3.",
    "not (pm10 > 100 ug/m3 or noise > 70 dB)": (
        "PM10 was 95 ug/m3, not above 100 ug/m3; A-weighted noise was 66 dB, not above 70 dB."
    ),
    'spray != "on"': "Spray was off, not on.",
    "pm10 - noise / 1 dB * 1 ug/m3 > 20 ug/m3": (
        "What follows from PM10 (95 ug/m3) and A-weighted noise (66 dB) was 29 ug/m3, above 20 ug/m3."
    ),
    "pm10 / attr.pm10_limit > 1": (
        "The ratio of PM10 (95 ug/m3) to the site's own PM10 limit of 80 ug/m3 was 1.188, above 1."
    ),
}


@pytest.mark.parametrize("when", CLAUSES)
def test_every_construct_of_the_language_has_its_words(when: str) -> None:
    assert told(when, SEEN) == CLAUSES[when]
    chinese = told(when, SEEN, "zh")
    assert chinese.endswith("。")
    assert not re.search(r"\b(was|above|below|the|it)\b", chinese)


def test_every_word_is_there_in_both_languages_with_the_same_gaps() -> None:
    for english, chinese in WORDS.values():
        gaps = [set(re.findall(r"\{(\w+)\}", text)) for text in (english, chinese)]
        assert gaps[1] <= gaps[0]
    assert set(NAMED) == set(ATTRIBUTES)


def test_why_not_names_the_truth_of_every_condition_and_what_is_missing() -> None:
    document = {
        "id": "r",
        "family": "dust",
        "when": "night and (pm10 > 100 ug/m3 or delta(pm10, 15m) > 50 ug/m3) and humidity < 90 %",
        "severity": "minor",
        "alarm": "r",
    }
    rule = read_rules([document], FAMILIES)[0]
    parts = TELLERS["en"].parts(rule, "dust", SEEN, raised=False)
    assert [(part.truth, part.said) for part in parts] == [
        (True, "It was night."),
        (False, "PM10 was 95 ug/m3, not above 100 ug/m3."),
        (
            None,
            "The change of PM10 over 15 min was 60 ug/m3 (40 % of the data), too little to judge: 50 % are needed.",
        ),
        (None, "Relative humidity was not known."),
    ]
    assert TELLERS["en"].truth(rule, "dust", SEEN, raised=False) is None


def test_the_engine_says_how_long_a_hold_runs_and_when_it_raised() -> None:
    day = Timeline(FAMILIES["dust"], DOCUMENTS["dust-wind"])
    assert day.engine.explain("dust-wind", "dust", 0) == {
        "values": {"wind_speed": None},
        "parameters": {"limit": {"value": 10.8, "unit": "m/s", "scope": "default"}},
        "hold": 600.0,
        "state": "idle",
        "since": None,
        "version": 1,
    }
    day.at("10:00").says(wind_speed=14)
    found = day.engine.explain("dust-wind", "dust", 0)
    assert found is not None
    assert (found["state"], found["since"]) == ("pending", clock("10:00"))
    day.at("10:20").says(wind_speed=14)
    found = day.engine.explain("dust-wind", "dust", 0)
    assert found is not None
    assert (found["state"], found["since"]) == ("raised", clock("10:10"))


def test_evidence_holds_what_no_number_shows_at_the_time_it_was_judged() -> None:
    rule = DOCUMENTS["dust-noise-night"] | {
        "when": "night and workday and between 22:00 and 06:00 and mean(noise, 5m) > limit"
    }
    day = Timeline(FAMILIES["dust"], rule)
    day.control(Calendar([2026]))
    for minute in range(50, 60):
        day.at(f"21:{minute}:00").says(noise=80)
    for minute in range(10):
        day.at(f"22:{minute:02}:00").says(noise=80)
    (raised,) = day.said
    assert raised.evidence["conditions"] == {
        "night": True,
        "workday": True,
        "between 22:00 and 06:00": True,
        "between 06:00 and 22:00": False,  # named by its clear condition
    }
