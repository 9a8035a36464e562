"""Joining: devices that spoke and are nobody's, windows in which new ones may connect, and adoption."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Path, Query, status
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.auth import Operator, Reader, Registrar, within
from gateway.api.devices import DeviceChange, DeviceCreated, DeviceView, given
from gateway.api.page import Limit, Page, page
from gateway.api.resource import resource
from gateway.api.services import Services, With
from gateway.registry.joining import Window
from gateway.registry.roles import Principal
from gateway.registry.strangers import Stranger

router: Final = resource("", "joining")


class Payload(BaseModel):
    """payload: what came, with what is no text escaped; cut. time: µs UTC."""

    time: int
    topic: str
    payload: str


class UnknownDevice(BaseModel):
    """area: of the join window it came in by; "" where it was refused. Times µs UTC.

    products: that would decode what it said, the likeliest first. samples: its last payloads, the newest last.
    """

    id: str
    transport: str
    address: str
    first: int
    last: int
    count: int
    area: str
    products: list[str]
    samples: list[Payload]


class Named(BaseModel):
    """id: as it calls itself, which may be what no URL can carry."""

    model_config = ConfigDict(extra="forbid")

    id: str


class Adoption(DeviceChange):
    """What is left out comes from the join window it came in by, or from the one product that decodes what it said."""

    id: str


class WindowNew(BaseModel):
    """secret: have one made, which newcomers must send; without it any secret will do."""

    model_config = ConfigDict(extra="forbid")

    area: str
    minutes: float = Field(15, gt=0)
    product: str = ""
    secret: bool = False


class WindowView(BaseModel):
    """Until `closes` (µs UTC) new devices may connect; what they say goes to the quarantine. secret: it asks for one."""

    id: str
    area: str
    product: str
    secret: bool
    opened: int
    closes: int
    actor: str


class WindowOpened(BaseModel):
    """secret: shown this once."""

    window: WindowView
    secret: str | None


class Windows(BaseModel):
    items: list[WindowView]


@router.get("/unknown-devices")
async def list_unknown(
    services: With,
    caller: Reader,
    id: Annotated[str | None, Query(max_length=64)] = None,  # noqa: A002 - the field's word, here and below
    after: str = "",
    limit: Limit = 100,
) -> Page[UnknownDevice]:
    """The newest heard first."""
    known = [one for one in _strangers(services, caller) if id is None or one.id == id]
    places = {one.id: place for place, one in enumerate(known)}
    start = places.get(after, -1) + 1
    found = [_unknown(one) for one in known[start : start + limit + 1]]
    return page(found, limit, lambda one: one.id)


@router.post("/unknown-devices/forget", status_code=status.HTTP_204_NO_CONTENT)
async def forget_unknown(services: With, caller: Operator, form: Named) -> None:
    """It is remembered again when it speaks again."""
    _seen(services, caller, form.id)
    await services.joining.forget(form.id, caller.actor)


@router.post("/unknown-devices/adopt", status_code=status.HTTP_201_CREATED)
async def adopt(services: With, caller: Registrar, form: Adoption) -> DeviceCreated:
    """Make it a registered device. It connects with the secret from now on; what it said before is not history."""
    fields = given(form)
    _seen(services, caller, form.id)
    if "area" in fields:
        within(caller, fields["area"])
    device, secret = await services.joining.adopt(fields.pop("id"), fields, caller.actor)
    return DeviceCreated(device=DeviceView.model_validate(device), secret=secret)


@router.get("/join-windows")
async def list_windows(services: With, caller: Reader) -> Windows:
    """Those that stand open, the oldest first."""
    return Windows(items=[_window(one) for one in services.joining.windows() if caller.covers(one.area)])


@router.post("/join-windows", status_code=status.HTTP_201_CREATED)
async def open_window(services: With, caller: Operator, new: WindowNew) -> WindowOpened:
    """Let new devices connect, over MQTT or HTTP, into the quarantine only. It closes by itself."""
    within(caller, new.area)
    window, secret = await services.joining.open(
        new.area, new.minutes, new.product, caller.actor, secret=new.secret
    )
    return WindowOpened(window=_window(window), secret=secret)


@router.delete("/join-windows/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def close_window(services: With, caller: Operator, id: Annotated[str, Path(max_length=16)]) -> None:  # noqa: A002
    """Newcomers that were not adopted are disconnected; they stay in the list of unknown devices."""
    within(caller, next((one.area for one in services.joining.windows() if one.id == id), ""))
    await services.joining.close(id, caller.actor)


def _strangers(services: Services, caller: Principal) -> list[Stranger]:
    """Who is limited to areas sees those that came in by a join window there."""
    return [one for one in services.joining.strangers if caller.covers(one.area)]


def _seen(services: Services, caller: Principal, id: str) -> None:  # noqa: A002
    if caller.areas:
        within(caller, next((one.area for one in _strangers(services, caller) if one.id == id), ""))


def _unknown(one: Stranger) -> UnknownDevice:
    samples = [
        Payload(time=each.time, topic=each.topic, payload=each.payload.decode("utf-8", "backslashreplace"))
        for each in one.samples
    ]
    return UnknownDevice(
        id=one.id,
        transport=one.transport,
        address=one.address,
        first=one.first,
        last=one.last,
        count=one.count,
        area=one.area,
        products=one.products,
        samples=samples,
    )


def _window(one: Window) -> WindowView:
    return WindowView(
        id=one.id,
        area=one.area,
        product=one.product,
        secret=one.digest is not None,
        opened=one.opened,
        closes=one.closes,
        actor=one.actor,
    )
