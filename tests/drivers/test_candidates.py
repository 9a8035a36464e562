"""What a stranger's payload may be of: the catalogue's own decoders say it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.candidates import MOST, Candidates
from drivers.encode import encode
from drivers.families import FAMILIES
from drivers.products import catalog
from drivers.telemetry import SECOND

CATALOG = catalog()
CANDIDATES = Candidates(CATALOG)
NOW = 1_790_000_000 * SECOND


def test_a_payload_of_our_own_fits_the_family_that_has_its_points() -> None:
    assert CANDIDATES.of(b'{"v": {"pm10": 42, "noise": 58}}') == ["generic-dust"]


def test_the_topic_names_the_family_where_points_do_not() -> None:
    payload = b'{"v": {"rssi": -70}}'
    assert len(CANDIDATES.of(payload)) > 1
    assert CANDIDATES.of(payload, "city/parking/PK-1/telemetry") == ["generic-parking"]
    assert CANDIDATES.of(b'{"event": "coverOpened"}', "city/manhole/MH-1/event") == ["generic-manhole"]


def test_an_item_over_http_names_its_device_beside_the_readings() -> None:
    assert CANDIDATES.of(b'{"device": "X", "v": {"pm10": 42, "noise": 58}}') == ["generic-dust"]


def test_the_product_that_reads_most_comes_first() -> None:
    found = CANDIDATES.of(b'{"v": {"pm10": 42, "noise": 58, "colour": 7}}')
    assert found == ["generic-dust"], "it refuses a part, but no other takes more"


def test_a_station_is_known_by_its_segment() -> None:
    segment = (
        b"QN=20180531225849000;ST=39;CN=2011;PW=123456;MN=010000A8900016F018010001;Flag=5;"
        b"CP=&&DataTime=20180531225849;a34004-Rtd=41,a34004-Flag=N&&"
    )
    assert CANDIDATES.of(segment)[0] == "hj212-dust"


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"{}", b"\xff\x00", b'{"device": 1}', b"MN=", b"[[[[[["]
)
def test_what_nobody_reads_fits_nothing(payload: bytes) -> None:
    assert CANDIDATES.of(payload) == []


SPEAKING = [name for name, product in CATALOG.items() if product.modbus is None and product.hj212 is None]


@pytest.mark.parametrize("name", SPEAKING)
def test_every_product_is_among_the_candidates_for_what_it_says(name: str) -> None:
    """The catalogue's law: what a product encodes, it is found by, or by as many others that read more of it."""
    product = CATALOG[name]
    family = FAMILIES[product.family]
    points = [one for one in family.points if one.name not in {"event", "online"}]
    said = None
    for point in points:
        try:
            said = encode(product, "telemetry", NOW, {point.name: max(point.low, min(point.high, 1.0))})
        except ValueError:
            continue
        break
    assert said is not None
    found = CANDIDATES.of(said)
    assert name in found or len(found) == MOST


@given(
    st.binary(max_size=64)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    ).map(lambda document: json.dumps(document).encode())
)
def test_no_payload_is_too_odd(payload: bytes) -> None:
    found = CANDIDATES.of(payload)
    assert len(found) <= MOST
    assert set(found) <= set(CATALOG)
