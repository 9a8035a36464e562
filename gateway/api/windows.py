"""Maintenance windows, and what folds or inhibits what: suppression by design, with its reasons (ISA-18.2)."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Operator, Reader, within, within_device
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.api.span import BodyMoment
from gateway.cases import span, windows
from gateway.cases.windows import Window, WindowState
from gateway.errors import Invalid
from gateway.registry.roles import Principal
from rules.correlate import Link, Matcher

router: Final = resource("", "alarms")
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


class WindowNew(BaseModel):
    """begins, ends: µs UTC or RFC 3339; begins left out: now. length, in place of ends: 90m, 4h, 2d. At least one of area,
    device, family, rule and alarm is given; area and device stand for all below them. reason: why.
    """

    model_config = ConfigDict(extra="forbid")

    begins: BodyMoment | None = None
    ends: BodyMoment | None = None
    length: str = Field("", max_length=32)
    reason: str = Field(max_length=2000)
    area: str = Field("", max_length=256)
    device: str = Field("", max_length=64)
    family: str = Field("", max_length=32)
    rule: str = Field("", max_length=128)
    alarm: str = Field("", max_length=64)


class WindowView(BaseModel):
    """state: pending, active or expired. ended_by: who ended it before its time. What it holds: GET
    /alarms?suppressed_by=window:<id>.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    state: WindowState
    begins: int
    ends: int
    reason: str
    area: str
    device: str
    family: str
    rule: str
    alarm: str
    author: str
    created: int
    ended_by: str


class WindowList(BaseModel):
    items: list[WindowView]


class MatcherView(BaseModel):
    """Alarms by their labels; an empty list takes any."""

    model_config = ConfigDict(from_attributes=True)

    alarm: list[str]
    rule: list[str]
    family: list[str]
    severity: list[str]


class LinkView(BaseModel):
    """kind: fold (the target becomes part of the source's case) or inhibit (nobody hears of it). before, linger: µs."""

    id: str
    kind: str
    source: MatcherView
    target: MatcherView
    below: bool
    equal: list[str]
    before: int
    linger: int
    en: str
    zh: str


class LinkList(BaseModel):
    items: list[LinkView]


@router.get("/correlation")
async def correlation(services: With, _: Reader) -> LinkList:
    """Which alarms are explained by which."""
    return LinkList(items=[_link(one) for one in services.desk.folding.correlation.links])


@router.get("/windows")
async def list_windows(services: With, caller: Reader, state: WindowState | None = None) -> WindowList:
    """The newest first."""
    now = services.clock.now()
    found = [_view(one, now) for one in await services.store.read(windows.listing) if _sees(caller, one)]
    return WindowList(items=[one for one in found if state in {None, one.state}])


@router.post("/windows", status_code=status.HTTP_201_CREATED)
async def add_window(services: With, caller: Operator, new: WindowNew) -> WindowView:
    """What is raised inside it is stored, and told to nobody unless it stands at the end."""
    if new.area or not new.device:
        within(caller, new.area)
    else:
        within_device(services, caller, new.device)
    now = services.clock.now()
    begins = now if new.begins is None else new.begins
    where = {name: getattr(new, name) for name in windows.SELECTING}
    window = Window(begins=begins, ends=_end(new, begins), reason=new.reason, **where)
    longest = services.desk.settings.longest_window
    made = await services.store.write(lambda conn: windows.add(conn, window, caller.actor, now, longest))
    return _view(made, now)


@router.post("/windows/{id}/end")
async def end_window(services: With, caller: Operator, id: Id) -> WindowView:  # noqa: A002 - the field's word
    """Before its time: what stands in it is told now."""
    window = await services.store.read(lambda conn: windows.one(conn, id))
    if not _sees(caller, window):
        within(caller, window.area)
    now = services.clock.now()
    ended, changes = await services.store.write(
        lambda conn: services.desk.end_window(conn, id, caller.actor, now)
    )
    services.hub.publish(changes, ())
    return _view(ended, now)


def _end(new: WindowNew, begins: int) -> int:
    if (new.ends is None) == (not new.length):
        raise Invalid("give ends, or length in its place", field="ends")
    if new.ends is not None:
        return new.ends
    try:
        return begins + span.parse(new.length)
    except ValueError as error:
        raise Invalid(str(error), field="length") from error


def _sees(caller: Principal, window: Window) -> bool:
    """Who is limited to areas sees their windows, and those that they opened."""
    return caller.covers(window.area) or window.author == caller.actor


def _view(window: Window, now: int) -> WindowView:
    fields = {name: getattr(window, name) for name in Window.__struct_fields__}
    return WindowView(state=window.state(now), **fields)


def _link(link: Link) -> LinkView:
    return LinkView(
        id=link.id,
        kind=link.kind,
        source=_matcher(link.source),
        target=_matcher(link.target),
        below=link.below,
        equal=list(link.equal),
        before=link.before,
        linger=link.linger,
        en=link.en,
        zh=link.zh,
    )


def _matcher(matcher: Matcher) -> MatcherView:
    return MatcherView(
        alarm=list(matcher.alarm),
        rule=list(matcher.rule),
        family=list(matcher.family),
        severity=list(matcher.severity),
    )
