from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.families import FAMILIES
from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.cases import span
from gateway.cases.deadline import LimitUnit
from gateway.cases.settings import DeskSettings
from gateway.cases.template import Text, faults, parse, shipped
from gateway.errors import ConfigError
from rules import packs


@pytest.mark.parametrize(
    ("template", "amount", "unit", "code"),
    [
        ("lamp-out", 2, LimitUnit.WORK_DAY, "0137"),
        ("lamp-schedule", 2, LimitUnit.WORK_HOUR, "0137"),
        ("cabinet-fault", 4, LimitUnit.WORK_DAY, "0128"),
        ("cover-danger", 2, LimitUnit.URGENT_HOUR, "0102"),
        ("site-dust", 2, LimitUnit.WORK_HOUR, "0304"),
        ("site-noise", 2, LimitUnit.URGENT_HOUR, "0301"),
        ("kitchen-fume", 4, LimitUnit.WORK_HOUR, ""),
        ("parking-order", 2, LimitUnit.WORK_HOUR, "0201"),
        ("device-health", 2, LimitUnit.WORK_DAY, ""),
        ("cover-damaged", 4, LimitUnit.WORK_HOUR, "0102"),
        ("cover-rattling", 2, LimitUnit.WORK_DAY, "0102"),
        ("cover-settled", 5, LimitUnit.WORK_DAY, "0102"),
        ("lamp-cover-danger", 2, LimitUnit.URGENT_HOUR, "0106"),
        ("lamp-cover-damaged", 1, LimitUnit.WORK_DAY, "0106"),
        ("grate-blocked", 1, LimitUnit.WORK_DAY, "0104"),
        ("lamp-rust", 2, LimitUnit.WORK_DAY, "0137"),
        ("lamp-stump", 3, LimitUnit.WORK_DAY, "0137"),
        ("ground-lamp-out", 2, LimitUnit.WORK_DAY, "0138"),
        ("landscape-lamp-out", 3, LimitUnit.WORK_DAY, "0139"),
        ("business-noise", 2, LimitUnit.URGENT_HOUR, "0128"),
        ("open-barbecue", 2, LimitUnit.URGENT_HOUR, "0129"),
        ("road-collapse", 2, LimitUnit.URGENT_HOUR, "0505"),
        ("road-water", 2, LimitUnit.URGENT_HOUR, "0506"),
        ("parking-damaged", 5, LimitUnit.WORK_DAY, "0201"),
        ("parking-private", 2, LimitUnit.WORK_DAY, "0201"),
        ("parking-equipment", 3, LimitUnit.WORK_DAY, "0201"),
        ("parking-dirty", 1, LimitUnit.WORK_DAY, "0201"),
        ("bikes-parked", 2, LimitUnit.WORK_HOUR, "0410"),
    ],
)
def test_shipped_limits_are_those_of_the_field(
    template: str, amount: float, unit: LimitUnit, code: str
) -> None:
    found = shipped()[template]
    assert (found.limit.amount, found.limit.unit, found.code) == (amount, unit, code)


def test_every_shipped_template_has_a_crew_a_source_and_both_titles() -> None:
    for template in shipped().values():
        assert template.crew or template.id == "storm", template.id
        assert template.source, template.id
        assert template.en.isascii(), template.id
        assert not template.zh.isascii(), template.id


def test_every_shipped_template_says_when_such_a_case_is_filed_and_closed() -> None:
    for template in shipped().values():
        for text in (template.filing, template.closing):
            assert text is not None, template.id
            assert not text.zh.isascii(), template.id
            assert text.en.encode("latin-1"), template.id


def test_what_people_report_is_of_a_family_and_no_word_means_two_things() -> None:
    names = [name for one in shipped().values() for name in (one.id, one.en, one.zh, *one.categories)]
    assert len(names) == len(set(names))
    assert {one.family for one in shipped().values()} - {""} <= set(FAMILIES)


@pytest.mark.parametrize("rule", ["cover-settled", "cover-settled-event"])
def test_a_cover_that_has_settled_waits_for_the_roadworks_of_its_own_limit(rule: str) -> None:
    (found,) = [one for one in packs.load() if one["id"] == rule]
    assert found["case"] == "cover-settled"


def test_lamps_of_a_loop_share_a_cause_and_a_lamp_without_a_loop_is_its_own() -> None:
    lamp = shipped()["lamp-out"]
    assert lamp.cause("LP-1", "LOOP-A", "x") == lamp.cause("LP-2", "LOOP-A", "x") == "lamp-out/parent:LOOP-A"
    assert lamp.cause("LP-3", "", "x") == "lamp-out/device:LP-3"


def test_a_city_overrides_single_keys() -> None:
    mine = parse([{"id": "kitchen-fume", "code": "0190"}], shipped())
    assert mine["kitchen-fume"].code == "0190"
    assert mine["kitchen-fume"].limit == shipped()["kitchen-fume"].limit
    assert len(mine) == len(shipped())
    said = {"en": "Fume is seen", "zh": "可见油烟"}
    told = parse([{"id": "kitchen-fume", "filing": said}], shipped())["kitchen-fume"]
    assert told.filing == Text(en="Fume is seen", zh="可见油烟")
    assert told.closing == shipped()["kitchen-fume"].closing
    with pytest.raises(ConfigError, match=r"case kitchen-fume: filing.zh: "):
        parse([{"id": "kitchen-fume", "filing": {"en": "Fume is seen"}}], shipped())


def test_all_faults_of_all_tables_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(
            [
                {"id": "lamp-out", "proving": "soon", "colour": "red"},
                {"id": "new-one", "limit": {"amount": 2, "unit": "fortnight"}},
            ],
            shipped(),
        )
    text = "\n".join(caught.value.faults)
    assert "case lamp-out: proving: " in text
    assert "case lamp-out: colour: " in text
    assert "case new-one: limit.unit: " in text
    assert "case new-one: zh: " in text


def test_a_rule_that_names_no_template_is_a_fault_of_the_configuration() -> None:
    rules = [{"id": "a", "case": "lamp-out"}, {"id": "b", "case": "lamp-ouch"}, {"id": "c"}]
    (fault,) = faults(shipped(), rules)
    assert fault.startswith("rule b: case 'lamp-ouch' is no template (known: ")


def test_every_shipped_rule_names_a_shipped_template() -> None:
    assert faults(shipped(), packs.load()) == []


@pytest.mark.parametrize(
    ("text", "value"), [("45s", 45 * SECOND), ("30m", 30 * MINUTE), ("1.5h", 90 * MINUTE), ("7d", 7 * DAY)]
)
def test_lengths_of_time(text: str, value: int) -> None:
    assert span.parse(text) == value
    assert span.parse(span.show(value)) == value


@pytest.mark.parametrize("text", ["", "h", "-1h", "1 year", True, None, 1.5])
def test_what_is_no_length_of_time(text: object) -> None:
    with pytest.raises(ValueError, match="a length of time"):
        span.parse(text)


def test_settings_name_the_key_of_a_fault() -> None:
    assert DeskSettings(stale="2h").stale == 2 * HOUR
    with pytest.raises(ValidationError, match="is no time zone"):
        DeskSettings(zone="Asia/Nowhere")
    with pytest.raises(ValidationError, match="slots in order"):
        DeskSettings.model_validate({"hours": [["12:00", "08:00"]]})
