"""A street of the desk's city: cabinet CB-1 feeds loops LP-A and LP-B, each with three lamps; CB-2 stands apart."""

from __future__ import annotations

from typing import Any, Self

from sqlalchemy import Engine, func, insert, select

from drivers.telemetry import MINUTE
from gateway.cases.desk import Desk
from gateway.cases.record import Alarm, Case, DeviceFacts
from gateway.cases.settings import DeskSettings
from gateway.cases.template import shipped
from gateway.cases.windows import Window, add
from gateway.store.schema.cases import alarm
from gateway.store.schema.registry import device
from rules import correlate
from rules.correlate import Correlation
from rules.transition import Transition, transition_id
from tests.gateway.cases.city import City, moment

AREA = "xuhui/tianping"
RULES = {  # rule: alarm, family, case template
    "supply": ("supplyLoss", "cabinet", "cabinet-outage"),
    "door": ("cabinetDoorOpen", "cabinet", "cabinet-open"),
    "mute": ("communicationFailure", "cabinet", "device-health"),
    "lamp": ("lampFailure", "streetlight", "lamp-out"),
    "silent": ("communicationFailure", "streetlight", "device-health"),
    "leak": ("leakageDetected", "streetlight", "lamp-electrical"),
    "weak": ("lampPowerTooLow", "streetlight", "lamp-electrical"),
}
CABINETS = {"CB-1": "", "CB-2": "", "LP-A": "CB-1", "LP-B": "CB-1"} | {f"CB-{n}": "" for n in range(3, 30)}
LAMPS = {f"SL-A{n}": "LP-A" for n in range(3)} | {f"SL-B{n}": "LP-B" for n in range(3)}
FAMILIES = {"cabinet": CABINETS, "streetlight": LAMPS}


def describe(family: str, index: int) -> DeviceFacts:
    name, parent = list(FAMILIES[family].items())[index]
    return DeviceFacts(name, "", AREA, 31.2, 121.4, parent)


class Street(City):
    def __init__(
        self,
        settings: DeskSettings | None = None,
        correlation: Correlation | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__(settings, engine)
        self.restart(settings, correlation)
        with self.engine.begin() as conn:
            conn.execute(insert(device), list(_rows()))

    def restart(self, settings: DeskSettings | None = None, correlation: Correlation | None = None) -> None:
        """Another process: nothing is known but what stands in SQL."""
        self.desk = Desk(
            shipped(),
            settings or DeskSettings(),
            describe=describe,
            listen=self.listen,
            post=self._post,
            correlation=correlate.shipped() if correlation is None else correlation,
        )
        self.desk.bind([{"id": rule, "case": case} for rule, (_, _, case) in RULES.items()])

    def transition(self, rule: str, device: str, raised: bool, time: int, received: int) -> Transition:
        name, family, _ = RULES[rule]
        index = list(FAMILIES[family]).index(device)
        key = transition_id(rule, family, index, time, raised)
        return Transition(key, rule, 1, name, "major", family, index, device, raised, time, received, {})

    def advance(self, span: int) -> None:
        """A tick whenever something is due; what is looked at then need not have changed."""
        target = self.now + span
        while (due := self._next_due()) is not None and due <= target:
            self.now = max(due, self.now)
            with self.transaction() as conn:
                self.desk.tick(conn, self.now)
        self.now = target

    def _next_due(self) -> int | None:
        with self.engine.connect() as conn:
            release = conn.scalar(select(func.min(alarm.c.release)))
        return min((time for time in (super()._next_due(), release) if time is not None), default=None)

    def together(self, *said: tuple[str, str, bool]) -> Self:
        """All in one transaction, in this order."""
        self.hear(*(self.transition(rule, name, raised, self.now, self.now) for rule, name, raised in said))
        return self

    def window(self, until: str, **where: Any) -> Window:
        with self.transaction() as conn:
            new = Window(self.now, moment(until), "works on the street", **where)
            return add(conn, new, "token:wu", self.now, 30 * 24 * 60 * MINUTE)

    def one(self, device: str, rule: str) -> Alarm:
        """The newest alarm of this rule there."""
        return [one for one in self.alarms(device) if one.rule == rule][-1]

    def open(self) -> dict[str, list[str]]:
        """Devices of the alarms of each open case that stand, by the case's template."""
        return {
            case.template: sorted(one.device for one in self.alarms() if one.case == case.id and one.standing)
            for case in self.cases()
            if case.state not in {"closed", "void"}
        }

    def heard(self) -> list[str]:
        """What people are told, by event and what it is of."""
        return [f"{one.event} {_name(one.payload)}" for one in self.told if not one.hushed]


def _name(payload: dict[str, dict[str, str]]) -> str:
    record = payload.get("alarm") or payload["case"]
    return record.get("name") or record["template"]


def _rows() -> list[dict[str, object]]:
    empty = {"product": "p", "name": "", "link": "", "grid": "", "area": AREA, "owner": "", "interval": 0}
    more = {"attributes": {}, "retired": False, "digest": b"", "created": 0, "updated": 0}
    return [
        {"id": name, "family": family, "idx": index, "parent": parent, **empty, **more}
        for family, members in FAMILIES.items()
        for index, (name, parent) in enumerate(members.items())
    ]


__all__ = ["LAMPS", "Case", "Street"]
