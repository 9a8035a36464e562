"""What is told of a payload is what its decoder makes of it, and nothing that a payload holds breaks it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.decode import Decoder
from drivers.explain import explain
from drivers.hj212.frame import encode_frame
from drivers.products import catalog
from tests.drivers.decode.vectors import told
from tests.drivers.lorawan.frames import enveloped

PRODUCTS = sorted(catalog())
STATION = b"QN=20180821142509000;ST=39;CN=%b;PW=1;MN=%b;Flag=5;CP=&&DataTime=20180821142509;a34002-Rtd=%b&&"
words = st.sampled_from([b"2011", b"2051", b"9014", b"9021", b"1000", b"x"])
texts = st.sampled_from([b"80", b"", b"NaN", "é".encode(), b"9" * 400]) | st.binary(max_size=8)
stations = st.builds(lambda cn, mn, value: encode_frame(STATION % (cn, mn, value)), words, texts, texts)
payloads = (
    st.binary(max_size=120)
    | stations
    | st.builds(enveloped, st.binary(max_size=60), st.integers(0, 255))
    | st.sampled_from([b'{"v":{"tilt":1}}', b'{"event":"normal"}', b'{"devEUI":"x"}', b"\x80\x00\x01\x02"])
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PRODUCTS), payloads, st.none() | st.integers(0, 255))
def test_nothing_that_a_payload_holds_breaks_it(product: str, payload: bytes, port: int | None) -> None:
    found = explain(catalog()[product], payload, 1_700_000_000_000_000, port=port)
    assert found.readings or found.refusals or found.reply or found.device
    assert found.refused is (not found.readings and any(one.whole for one in found.refusals))


def test_it_is_the_decoder_s_word() -> None:
    payload = enveloped(bytes.fromhex("01755C03670101048244080500010799"), 85)
    product = catalog()["milesight-em400-mud"]
    decoded = Decoder(product, "telemetry").decode([payload], [0], [0])
    found = explain(product, payload, 0)
    assert {name: one.value for name, one in found.readings[0].points.items()} == told(decoded)[0]["values"]
    assert [(one.reason, one.detail) for one in found.refusals] == [
        (one.reason, one.detail) for one in decoded.refusals
    ]


def test_a_recorded_modbus_exchange_is_explained_with_its_unit() -> None:
    told = explain(
        catalog()["renke-fsjt"], bytes.fromhex("010300000001840A01030200563 87A".replace(" ", "")), 0
    )
    assert told.readings[0].points["wind_speed"].value == 8.6
    assert told.says == {"unit": 1}
    broken = explain(catalog()["renke-fsjt"], bytes.fromhex("01030200563800"), 0)
    assert [fault.reason for fault in broken.refusals] == ["bad_crc"]
