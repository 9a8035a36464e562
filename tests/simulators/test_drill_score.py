"""How a drill scores: what counts as noticed, as explained, as false; nothing here knows what the gateway did."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from simulators.drill import kinds, report, truth
from simulators.drill.plan import Injury
from simulators.drill.scenario import Scenario, read
from simulators.drill.score import Alarm, Case, Judge, Score, Told, plain
from simulators.faults import Fault
from tests.simulators.evening import START

SCENARIO = 'start = 2026-06-10T17:30:00+08:00\nlasts = "1d"\ndevices = 60\n'
ASKED = "[expect]\nrecall = 0.9\nprecision = 0.9\n"


def injury(
    number: int, family: str, name: str, device: str, minute: int, *, root: int | None = None
) -> Injury:
    kind = kinds.find(family, name)
    assert kind is not None
    start = START + minute * MINUTE
    fault = Fault(kind, family, 0, device, start, start + 2 * HOUR)
    return Injury(number, fault, truth.due(family, name), number if root is None else root)


def alarm(rule: str, name: str, device: str, minute: float, case: int | None = None) -> Alarm:
    family = {"LP": "streetlight", "CB": "cabinet", "DU": "dust"}[device[:2]]
    time = START + int(minute * MINUTE)
    return Alarm(
        f"{rule}/{device}/{minute}", rule, name, family, device, time, time + SECOND, {"seen": 1}, case
    )


def score(injuries: list[Injury], alarms: list[Alarm], text: str = ASKED, **more: Any) -> Score:
    scenario: Scenario = read(SCENARIO + text)
    cases = [
        Case(case, "lamp-out", "streetlight", "LP-1", START) for case in {one.case for one in alarms} if case
    ]
    told = Told(alarms, cases, more.get("refused", {}))
    judge = Judge(scenario, injuries, more.get("has", {}))
    return judge.score(told, 60, lambda one, by: {"heard": one.fault.device, "by": by})


def test_a_fault_that_its_rule_notices_in_time_is_noticed_and_how_soon_is_told() -> None:
    found = score(
        [injury(0, "cabinet", "breaker", "CB-1", 60)],
        [alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", 61.5, 1)],
    )
    assert found.whole.recall == found.whole.precision == 1
    assert found.whole.p50 == found.whole.p95 == 91
    assert (found.whole.alarms_a_fault, found.whole.cases_a_fault) == (1, 1)
    assert found.met
    assert not found.misses
    assert not found.falses


@pytest.mark.parametrize("minute", [65.0, 59.0, None])
def test_too_late_before_its_fault_or_never_is_a_miss_that_is_told_with_its_signal(
    minute: float | None,
) -> None:
    said = [] if minute is None else [alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", minute)]
    found = score([injury(0, "cabinet", "breaker", "CB-1", 60)], said)
    assert found.whole.recall == 0
    (miss,) = found.misses
    assert (miss.rule, miss.fault, miss.device) == ("cabinet-breaker", "breaker", "CB-1")
    assert miss.signal == {"heard": "CB-1", "by": START + 64 * MINUTE}
    assert not found.met
    assert found.failed[0].startswith("all rules: recall 0.000")


def test_a_bad_network_may_cost_its_delay_and_one_report() -> None:
    trip = injury(0, "cabinet", "breaker", "CB-1", 60)
    slow = '[network]\nloss = 0.1\ndelay = "1m"\n'
    for minute, recall in ((65.5, 1), (66.5, 0)):
        said = [alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", minute)]
        assert score([trip], said, slow).whole.recall == recall
        assert score([trip], said).whole.recall == 0


def test_each_rule_that_is_due_owes_an_alarm_of_its_own() -> None:
    both = injury(0, "cabinet", "contactor_welded", "CB-1", 60)
    found = score([both], [alarm("cabinet-not-opening", "switchingErrorOff", "CB-1", 62)])
    assert (found.whole.due, found.whole.noticed) == (2, 1)
    assert [miss.rule for miss in found.misses] == ["cabinet-contactor-welded"]
    assert (found.faults, found.faults_noticed) == (1, 1)


def test_a_rule_that_needs_an_attribute_owes_nothing_without_it() -> None:
    over = injury(0, "cabinet", "overcurrent", "CB-1", 60)
    assert score([over], []).whole.due == 0
    assert score([over], [], has={"cabinet": {"rated_current": {"CB-2"}}}).whole.due == 0
    assert score([over], [], has={"cabinet": {"rated_current": {"CB-1"}}}).whole.due == 1


def test_a_true_consequence_is_explained_and_notices_nothing() -> None:
    gear = injury(0, "streetlight", "gear_failed", "LP-1", 60)
    found = score([gear], [alarm("lamp-dark", "lampFailure", "LP-1", 75)])
    assert found.whole.precision == 1
    assert found.whole.recall == 0


def test_what_windows_remember_is_explained_for_a_while_only() -> None:
    pour = injury(0, "dust", "dust_pour", "DU-1", 60)
    soon, late = (alarm("dust-pm25-high", "pm2-5TooHigh", "DU-1", 180 + more) for more in (70, 80))
    assert score([pour], [soon]).whole.precision == 1
    assert score([pour], [late]).whole.precision == 0


def test_an_alarm_of_another_name_or_device_is_false_and_so_is_a_case_of_such_alarms_alone() -> None:
    trip = injury(0, "cabinet", "breaker", "CB-1", 60)
    true = alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", 61, 1)
    wrong = alarm("cabinet-hot", "highTemperature", "CB-1", 62, 1)
    other = alarm("cabinet-breaker", "circuitBreakerTripped", "CB-2", 63, 2)
    found = score([trip], [true, wrong, other])
    assert found.whole.precision == pytest.approx(1 / 3)
    assert [(one.rule, one.device, one.case) for one in found.falses] == [
        ("cabinet-hot", "CB-1", ""),
        ("cabinet-breaker", "CB-2", "lamp-out"),
    ]
    assert found.false_cases_count == 1
    assert found.whole.false_cases == pytest.approx(1 / (60 * DAY / (365.25 * DAY)))


def test_what_lamps_suffer_from_their_cabinet_is_explained_and_counts_for_the_cabinets_fault() -> None:
    cut = injury(0, "cabinet", "feeder_cut", "CB-1", 60)
    lamps = [injury(number, "streetlight", "unpowered", f"LP-{number}", 60, root=0) for number in (1, 2, 3)]
    alarms = [alarm("cabinet-supply-loss", "supplyLoss", "CB-1", 62, 1)]
    alarms += [alarm("lamp-silent", "communicationFailure", f"LP-{number}", 95, 1) for number in (1, 2)]
    found = score([cut, *lamps], alarms)
    assert (found.whole.due, found.whole.noticed) == (1, 1)
    assert found.whole.precision == 1
    assert (found.whole.alarms_a_fault, found.whole.cases_a_fault) == (3, 1)


def test_a_fault_on_bytes_is_noticed_by_its_refusal() -> None:
    bad = injury(0, "dust", "bad_json", "DU-1", 60)
    assert score([bad], [], refused={0: {"bad_json"}}).refusals_right == 1
    found = score([bad], [], refused={0: {"oversize"}})
    assert found.failed == ["refusals: 0.0% of the faults on bytes, 90.0% is asked"]
    assert [miss.rule for miss in found.misses] == ["refused as bad_json"]


def test_thresholds_are_for_the_whole_and_for_single_rules() -> None:
    trip = injury(0, "cabinet", "breaker", "CB-1", 60)
    said = [alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", 62)]
    strict = '[expect.rule.cabinet-breaker]\nlatency = "1m"\n[expect.rule.lamp-dark]\nrecall = 1\n'
    assert score([trip], said, ASKED + strict).failed == [
        "cabinet-breaker: p95 121 s, 60 s is asked",
        "lamp-dark: neither due nor raised, so nothing is shown",
    ]
    false = [*said, alarm("cabinet-hot", "highTemperature", "CB-1", 62, 2)]
    assert score([trip], false, "[expect]\nprecision = 0.5\nfalse_cases = 5\n").failed == [
        "false cases: 6.09 a device-year, 5 is allowed"
    ]


def test_a_report_names_every_miss_and_every_false_alarm() -> None:
    trip, hot = injury(0, "cabinet", "breaker", "CB-1", 60), injury(1, "cabinet", "overheated", "CB-2", 60)
    said = [
        alarm("cabinet-breaker", "circuitBreakerTripped", "CB-1", 62),
        alarm("cabinet-leakage", "leakageDetected", "CB-3", 70, 4),
    ]
    found = score([trip, hot], said)
    text = report.text("evening", 7, found, 1_000, 900)
    assert "MISSED cabinet-hot: overheated on CB-2 from 2026-06-10 18:30:00+08:00" in text
    assert (
        "FALSE cabinet-leakage: leakageDetected on CB-3 at 2026-06-10 18:40:00+08:00, case lamp-out" in text
    )
    assert "NOT MET all rules: recall 0.500" in text
    suite = ET.fromstring(report.junit("evening", found))
    assert (suite.get("tests"), suite.get("failures")) == ("4", "3")
    failures = {
        case.get("name"): case.find("failure").get("message")  # type: ignore[union-attr]
        for case in suite
        if case.find("failure") is not None
    }
    assert "overheated on CB-2" in str(failures["cabinet-hot"])
    assert "leakageDetected on CB-3" in str(failures["cabinet-leakage"])
    assert "recall" in str(failures["thresholds"])
    document = msgspec.json.decode(msgspec.json.encode(plain(found)))
    assert document["whole"]["recall"] == 0.5
    assert document["met"] is False
    assert document["misses"][0]["device"] == "CB-2"
