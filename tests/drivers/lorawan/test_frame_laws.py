"""Laws over all products of bytes: what is encoded comes back, any bytes give rows or typed refusals, work is bounded."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.city_json import Faults
from drivers.decode import Decoder, Limits
from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.lorawan import layout
from drivers.lorawan.bits import Event, Flag, Part, Said
from drivers.lorawan.codec import Frames
from drivers.lorawan.envelopes import SERVERS, Gateway, Uplink, read, write
from drivers.lorawan.layout import Choice, Octets
from drivers.nbiot.milesight import NbFrames
from drivers.products.product import Product
from drivers.refusal import Refused
from drivers.telemetry import Point
from tests.drivers.decode.vectors import told
from tests.drivers.lorawan.frames import BINARY, EUI, LORAWAN, TIME, enveloped

DECODERS = {one.id: Decoder(one, "telemetry") for one in BINARY}


def layouts(product: Product) -> list[Any]:
    codec = product.codec
    assert codec is not None
    return list(codec.ports.values()) if isinstance(codec, Frames) else [(codec.channels,)]  # type: ignore[attr-defined]


def octets(item: Any) -> list[Octets]:
    """Every number of a layout, wherever it stands."""
    if isinstance(item, Octets):
        return [item]
    if isinstance(item, Choice):
        return [item.octets, *(one for inner in item.cases.values() for one in octets(inner))]
    if isinstance(item, tuple):
        return [one for inner in item for one in octets(inner)]
    inner = getattr(item, "_layout", None) or getattr(item, "_layouts", None) or getattr(item, "_inner", None)
    return octets(inner) if inner is not None else []


def quantity(part: Part, size: int, point: Point) -> st.SearchStrategy[float]:
    """Values that a part can say, within the range of the point."""
    room = part.width or size * 8 - part.shift
    raws = st.integers(0, (1 << room) - 1)
    if not part.width:  # it may be signed
        raws |= st.integers(-(1 << room - 1), -1)
    said = raws.filter(lambda raw: raw not in part.absent).map(lambda raw: part.value(raw))  # noqa: PLW0108
    return said.filter(lambda value: point.low <= value <= point.high)


@st.composite
def frames(draw: st.DrawFn) -> tuple[Product, dict[str, float], str | None]:
    """A product, and what one of its frames can say; values are those that its bits can hold."""
    product = draw(st.sampled_from(BINARY))
    family = FAMILIES[product.family]
    items = draw(st.sampled_from(layouts(product)))
    names = sorted(set(layout.names(items)))
    if not names:
        names = sorted(set(layout.names(layouts(product)[0])))
        items = layouts(product)[0]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    values: dict[str, float] = {}
    for number in octets(items):
        for part in number.parts:
            if part.name not in chosen or part.name in values or part.name not in family.index:
                continue
            point = family.points[family.index[part.name]]
            if point.labels:
                values[part.name] = float(draw(st.integers(0, len(point.labels) - 1)))
            elif type(part) is Part:
                values[part.name] = draw(quantity(part, number.size, point))
    events = [name for name in chosen if name not in family.index]
    return product, values, events[0] if events else None


def said(product: Product, time: int | None, values: dict[str, float], event: str | None) -> bytes | None:
    """None where the product cannot say it: signs and widths are its own, and it never says another value instead."""
    try:
        return encode(product, "telemetry", time, values, event=event)
    except ValueError as error:
        if "does not fit" in str(error) or "no frame of this product" in str(error):
            return None
        raise


@settings(max_examples=200, deadline=None)
@given(frames(), st.none() | st.integers(0, 2**53))
def test_what_is_encoded_comes_back(
    wished: tuple[Product, dict[str, float], str | None], time: int | None
) -> None:
    product, values, event = wished
    payload = said(product, time, values, event)
    if payload is None:
        return
    decoded = Decoder(product, "telemetry").decode([payload], [0], [0])
    row = told(decoded)[0]
    assert row["values"] == pytest.approx(row["values"] | values, abs=1e-9)
    assert event is None or row["event"] == event
    assert row["time"] == (time if product in LORAWAN else None)


@pytest.mark.parametrize("product", BINARY, ids=lambda one: one.id)
def test_a_layout_speaks_of_points_and_alarms_of_its_family(product: Product) -> None:
    family = FAMILIES[product.family]
    alarms = {alarm.name for alarm in family.alarms}
    assert product.codec is not None
    assert product.codec.points() <= family.index.keys() | alarms
    for number in octets(tuple(layouts(product))):
        for part in number.parts:
            if type(part) is Part:
                assert part.name in family.index
            elif isinstance(part, Flag):
                assert family.points[family.index[part.name]].labels[1:]
            elif isinstance(part, Event):
                assert part.name in alarms


def mutated(data: bytes, at: int, by: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes(((data[at] + by) % 256,)) + data[at + 1 :]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(LORAWAN), st.integers(0, 255), st.binary(max_size=255))
def test_any_frame_is_accounted_for(product: Product, port: int, frame: bytes) -> None:
    codec = product.codec
    assert isinstance(codec, Frames)
    port = list(codec.ports)[port % len(codec.ports)] if port < 200 else port
    decoded = DECODERS[product.id].decode([enveloped(frame, port)], [0], [0])
    assert len(decoded.batch) or decoded.refusals
    assert all(one.whole is (len(decoded.batch) == 0) for one in decoded.refusals)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SERVERS), st.integers(0, 600), st.integers(1, 255), st.binary(max_size=40))
def test_any_envelope_is_an_uplink_or_refused(server: Any, at: int, by: int, frame: bytes) -> None:
    payload = mutated(enveloped(frame, 85, server=server), at, by)
    for one in (payload, payload[:at], frame):
        with suppress(Refused):
            read(one)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SERVERS),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=255),
    st.none() | st.integers(0, 2**55),
)
def test_an_envelope_comes_back(server: Any, port: int, counter: int, frame: bytes, time: int | None) -> None:
    heard = (Gateway("a", -57.0, 9.75), Gateway("b", None, None))
    uplink = Uplink(server, EUI, "MH-0042", port, counter, frame, time, heard, "430")
    assert read(write(uplink)) == uplink


@pytest.mark.parametrize("product", BINARY, ids=lambda one: one.id)
def test_the_work_grows_with_the_frame_and_no_faster(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KiB of anything cost at most a walk over each byte: items read, counted."""
    walked = count()
    whole = layout.Cursor.take

    def counted(cursor: layout.Cursor, some: int) -> bytes:
        next(walked)
        return whole(cursor, some)

    monkeypatch.setattr(layout.Cursor, "take", counted)
    size = 65_536
    for unit in (b"\x01\x75\x05", b"\x00", b"\xff", b"\x15\x66\x01", b"\xff\x01"):
        frame = (unit * size)[:size]
        faults, before = Faults(), next(walked)
        for items in layouts(product):
            try:
                layout.read(items, layout.Cursor(frame), Said(faults=faults))
            except Refused:
                continue
        assert next(walked) - before <= len(layouts(product)) * (size + 2)


@pytest.mark.parametrize("unit", [b"[", b'{"deviceInfo":', b'{"payload":', b'"\\', b"9", b'{"data":"'])
def test_a_hostile_envelope_is_judged_by_its_bytes_first(unit: bytes) -> None:
    payload = (unit * 65_536)[:65_536]
    for limits in (Limits(), Limits(size=1_000)):
        with pytest.raises(Refused):
            read(payload, limits)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 99), st.integers(0, 255))
def test_any_bytes_are_an_nb_frame_or_refused(tail: bytes, at: int, by: int) -> None:
    product = next(one for one in BINARY if isinstance(one.codec, NbFrames))
    sound = encode(product, "telemetry", None, {"battery": 100.0, "distance": 0.315})
    frames = [mutated(sound, at, by), sound + tail, tail, sound[:at]]
    decoded = DECODERS[product.id].decode(frames, [0] * 4, [0] * 4)
    assert all(one.detail for one in decoded.refusals)


def test_a_copy_has_the_time_of_the_first_and_another_frame_its_own() -> None:
    product = next(one for one in LORAWAN if one.id == "bosch-tps110")
    minute = 60_000_000
    some = [
        enveloped(b"\x01", 1, counter=5, time=TIME),
        enveloped(b"\x01", 1, counter=5, time=TIME + minute),  # by another way
        enveloped(b"\x00", 1, counter=5, time=TIME + minute),  # another frame: its counter began anew
        enveloped(b"\x01", 1, counter=6, time=TIME + 2 * minute),
        enveloped(b"\x01", 1, counter=6, time=TIME + 9 * minute),  # too late to be a copy
    ]
    decoder = Decoder(product, "telemetry")
    times = [
        int(decoder.decode([one], [device], [0]).batch.time[0] - TIME) // minute
        for one, device in zip([*some, some[1]], [3] * 5 + [4], strict=True)
    ]
    assert times == [0, 0, 1, 2, 9, 1]
