"""Cities name the same step differently: their words stand on pages, in messages and in Open311 in the place of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.api.georeport import GeoReport
from gateway.api.http import build
from gateway.config import load
from gateway.console import console
from gateway.console.words import WORDS
from gateway.errors import ConfigError
from gateway.notify import text
from gateway.notify.labels import Labels, LabelSettings, faults
from gateway.notify.open311_settings import Open311Settings
from tests.gateway.api.gate import Gate, open_gate
from tests.gateway.api.georeport_client import POTHOLE, json, report
from tests.gateway.console.visitor import open_cover, visitor
from tests.gateway.notify.test_text import case


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with open_gate(tmp_path) as gate:
        console.install(gate.app)
        yield gate


def test_what_the_city_has_no_word_for_stays_ours() -> None:
    labels = Labels(LabelSettings(zh={"state.repaired": "待核实"}))
    assert labels.word(WORDS, "state.repaired", "zh") == "待核实"
    assert labels.word(WORDS, "state.repaired", "en") == "Repaired"
    assert labels.word(WORDS, "state.verified", "zh") == "已核查"
    labels.change(LabelSettings(en={"state.verified": "Checked"}))
    assert labels.word(WORDS, "state.repaired", "zh") == "待核查"
    assert labels.word(WORDS, "state.verified", "en") == "Checked"


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("state.repared", "x", "there is no such word; there are: state, state.accepted, "),
        ("nonsense", "x", "there is no such word; there are: account, "),
        ("state.repaired", " ", "1 to 200 printable characters"),
        ("state.repaired", "a\nb", "1 to 200 printable characters"),
        ("state.repaired", "{n}", "here there may be none"),
        ("say.overdue", "{time} over", "here there may be {span}"),
        ("say.overdue", "over by {span", "here there may be {span}"),
        ("say.overdue", "{span.__class__}", "here there may be {span}"),
        ("say.overdue", "{span!r:>9}", "here there may be {span}"),
    ],
)
def test_a_label_that_nothing_could_say_is_refused(name: str, label: str, said: str) -> None:
    ((key, fault),) = faults(LabelSettings(en={name: label}), WORDS)
    assert (key, said in fault) == (f"en.{name}", True), fault


def test_a_label_may_fill_in_what_ours_does() -> None:
    assert faults(LabelSettings(zh={"say.overdue": "逾期{span}", "due.overdue": "逾期"}), WORDS) == []


def test_the_file_says_it_with_or_without_quotes_and_each_fault_has_its_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        '[labels]\nzh."state.repaired" = "待核实"\nzh.case.verify = "核实通过"\n', encoding="utf-8"
    )
    assert load(file).labels.zh == {"state.repaired": "待核实", "case.verify": "核实通过"}
    file.write_text(
        '[labels]\nzh."state.repared" = "待核实"\nen."open311.void" = "Rejected"\nen."open311.gone" = "x"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as refused:
        load(file)
    wrong, gone = sorted(refused.value.faults, key=lambda fault: "open311" in fault)
    assert f"{file}:2: labels.zh.state.repared: there is no such word" in wrong
    assert "state.repaired" in wrong
    assert f"{file}:4: labels.en.open311.gone: " in gone


def test_a_message_says_the_citys_word() -> None:
    labels = Labels(LabelSettings(zh={"case.dispatch": "任务派遣", "critical": "特急"}))
    lines = text.Writer("zh", ZoneInfo("Asia/Shanghai"), 2_048, labels=labels).one(case()).splitlines()
    assert lines[0] == "【特急】任务派遣：井盖移位"


async def test_a_page_says_the_citys_word_from_now_on(gate: Gate) -> None:
    number = await open_cover(gate)
    async with await visitor(gate, "supervisor", "zh") as person:
        assert "已派遣" in (await person.open(f"/cases/{number}")).text
        gate.services.labels.change(LabelSettings(zh={"state.dispatched": "待处置"}))
        assert "紧急 待处置 期限内" in (await person.open(f"/cases/{number}")).text


async def test_open311_says_the_citys_word(gate: Gate) -> None:
    given = {"enabled": True, "jurisdiction": "gate", "read": "open", "language": "en"}
    offered = GeoReport(Open311Settings.model_validate(given), gate.services.clock, "Asia/Shanghai")
    labels = Labels(LabelSettings(en={"open311.filed": "In the queue"}))
    services = replace(gate.services, open311=offered, labels=labels)
    city = replace(gate, services=services, app=build(services))
    await report(city, **POTHOLE)
    (one,) = await json(city, "requests")
    assert one["status_notes"] == "In the queue"
