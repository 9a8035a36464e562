"""Maintenance windows: what is suppressed by design (ISA-18.2) from one time to another, where, and why.

An alarm that is raised inside a window waits in it: nobody hears of it, and it is no work, unless it stands when the
window ends. What stood before a window began is left as it is.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct, convert
from sqlalchemy import Connection, insert, select, update

from gateway.cases.record import Alarm, plain
from gateway.errors import Conflict, Invalid, NotFound
from gateway.store import audit
from gateway.store.schema.windows import maintenance_window as table

WINDOW: Final = "window"
SELECTING: Final = ("area", "device", "family", "rule", "alarm")
MOST: Final = 1000  # rows of a list


class WindowState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


class Window(Struct, frozen=True):
    """begins ≤ t < ends, µs UTC; an empty word selects everything. area: and all below it; device: and all below it."""

    begins: int
    ends: int
    reason: str
    area: str = ""
    device: str = ""
    family: str = ""
    rule: str = ""
    alarm: str = ""
    id: int = 0
    author: str = ""
    created: int = 0
    ended_by: str = ""

    @property
    def key(self) -> str:
        """What an alarm says that it suppresses."""
        return f"{WINDOW}:{self.id}"

    def state(self, now: int) -> WindowState:
        if now >= self.ends:
            return WindowState.EXPIRED
        return WindowState.ACTIVE if now >= self.begins else WindowState.PENDING

    def covers(self, alarm: Alarm, chain: tuple[str, ...]) -> bool:
        """Whether the alarm was raised inside it. chain: its device and what stands above."""
        area = self.area.rstrip("/")
        return (
            self.begins <= alarm.raised < self.ends
            and (not area or alarm.area == area or alarm.area.startswith(area + "/"))
            and (not self.device or self.device in chain)
            and self.family in {"", alarm.family}
            and self.rule in {"", alarm.rule}
            and self.alarm in {"", alarm.name}
        )


def add(conn: Connection, new: Window, actor: str, now: int, longest: int) -> Window:
    """The window as it stands from now on; raises Invalid."""
    if not max(new.begins, now) < new.ends <= max(new.begins, now) + longest:
        raise Invalid(
            "a window ends after it begins and after now, within the longest one [desk] allows", field="ends"
        )
    if not new.reason.strip():
        raise Invalid("a maintenance window needs a reason", field="reason")
    if not any(getattr(new, name) for name in SELECTING):
        raise Invalid(
            f"say what is under maintenance: {', '.join(SELECTING)}; not the whole city", field="area"
        )
    row = {name: getattr(new, name) for name in Window.__struct_fields__ if name != "id"}
    row |= {"author": actor, "created": now, "ended_by": ""}
    key = conn.execute(insert(table).values(row)).inserted_primary_key
    assert key is not None
    _note(conn, now, actor, "window.add", int(key[0]), row)
    return one(conn, int(key[0]))


def end(conn: Connection, number: int, actor: str, now: int) -> Window:
    """It ends now; raises NotFound, Conflict."""
    window = one(conn, number)
    if window.state(now) is WindowState.EXPIRED:
        raise Conflict(f"window {number} has ended already")
    conn.execute(update(table).where(table.c.id == number).values(ends=now, ended_by=actor))
    _note(conn, now, actor, "window.end", number, {"ends": now})
    return one(conn, number)


def one(conn: Connection, number: int) -> Window:
    rows = plain(conn.execute(select(table).where(table.c.id == number)))
    if not rows:
        raise NotFound(f"there is no window {number}")
    return convert(rows[0], Window)


def to_come(conn: Connection, now: int) -> list[Window]:
    """Those that are not over."""
    return convert(
        plain(conn.execute(select(table).where(table.c.ends > now).order_by(table.c.id))), list[Window]
    )


def listing(conn: Connection) -> list[Window]:
    """The newest first."""
    return convert(plain(conn.execute(select(table).order_by(table.c.id.desc()).limit(MOST))), list[Window])


def _note(conn: Connection, now: int, actor: str, action: str, number: int, detail: dict[str, Any]) -> None:
    audit.record(conn, now, actor, action, f"{WINDOW}:{number}", detail)
