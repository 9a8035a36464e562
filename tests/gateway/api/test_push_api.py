"""Pushes of platforms: by token, by Basic, by signature; answered after they are durable; each device by its own name."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.lorawan.envelopes import Uplink, write
from tests.gateway.api.gate import Gate

VECTORS: Final = Path(__file__).parents[2] / "vectors"
AEP: Final = json.loads((VECTORS / "chinatelecom-geomagnetic/recorded.json").read_text("utf-8"))["payload"]
NB: Final = json.loads((VECTORS / "milesight-em400-mud-nb/recorded.json").read_text("utf-8"))["hex"]
IMEI: Final = "868508064807350"
EUI: Final = "70b3d5b020073208"


async def source(gate: Gate, name: str = "aep", **what: Any) -> str:
    new = {"name": name, "filters": ["city/#"], "area": "", **what}
    secret: str = (await gate.ok("admin", "POST", "/sources", json=new))["secret"]
    return secret


async def push(gate: Gate, path: str, secret: str, body: bytes | str, **headers: str) -> dict[str, Any]:
    answer = await gate.call(
        None, "POST", f"/api/v1/push/{path}", secret=secret, content=body, headers=headers or None
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def values(gate: Gate, device: str) -> dict[str, float]:
    latest = await gate.ok("viewer", "GET", f"/devices/{device}/latest")
    return {name: one["value"] for name, one in latest["values"].items()}


def uplink(counter: int = 0, payload: bytes = b"\x01", port: int = 1, name: str = "bay-1") -> bytes:
    return write(Uplink("chirpstack", EUI, name, port, counter, payload))


async def test_a_platform_pushes_its_envelope_and_it_is_stored_once_it_is_answered(gate: Gate) -> None:
    secret = await source(gate)
    await gate.device(AEP["deviceId"], product="chinatelecom-geomagnetic")
    body = json.dumps(AEP | {"payload": AEP["payload"] | {"ptime": gate.services.clock.now() // 1000}})
    path = "aep?product=chinatelecom-geomagnetic"
    assert await push(gate, path, secret, body) == {"received": 1, "refused": []}
    found = await values(gate, AEP["deviceId"])
    assert (found["occupied"], found["parkings"], found["rssi"]) == (0, 52, -90)
    again = await push(gate, path, secret, f"[{body}]")
    assert again == {"received": 1, "refused": []}


@pytest.mark.parametrize("form", ["octets", "text"])
async def test_an_nb_frame_is_pushed_as_bytes_or_as_hex(gate: Gate, form: str) -> None:
    secret = await source(gate)
    await gate.device(IMEI, product="milesight-em400-mud-nb")
    body, kind = (bytes.fromhex(NB), "application/octet-stream") if form == "octets" else (NB, "text/plain")
    answer = await push(gate, "aep?product=milesight-em400-mud-nb", secret, body, **{"content-type": kind})
    assert answer["refused"] == []
    assert (await values(gate, IMEI))["distance"] == pytest.approx(0.315)


@pytest.mark.parametrize("name", [EUI, EUI.upper(), "bay-1"])
async def test_a_network_server_needs_no_product_and_finds_its_device_by_eui_or_name(
    gate: Gate, name: str
) -> None:
    secret = await source(gate)
    await gate.device(name, product="bosch-tps110")
    assert (await push(gate, "aep", secret, uplink()))["refused"] == []
    assert (await values(gate, name))["occupied"] == 1


async def test_each_message_of_a_list_stands_for_itself(gate: Gate) -> None:
    secret = await source(gate)
    await gate.device("bay-1", product="bosch-tps110")
    one, two = uplink(1).decode(), uplink(2, b"\x01", 9).decode()
    answer = await push(gate, "aep", secret, f'[{one}, {two}, {{"deviceInfo": 5}}, 7]')
    assert answer["received"] == 4
    assert [(each["item"], each["reason"]) for each in answer["refused"]] == [
        (1, "bad_frame"),
        (2, "wrong_type"),
        (3, "wrong_type"),
    ]


async def test_a_list_that_is_too_long_is_refused_whole_and_nothing_of_it_is_lost_in_silence(
    gate: Gate,
) -> None:
    secret = await source(gate)
    body = "[" + "7," * 1_000 + "7]"
    answer = await gate.call(None, "POST", "/api/v1/push/aep", secret=secret, content=body)
    assert answer.status_code == 413


async def test_the_body_may_be_signed_instead(gate: Gate) -> None:
    secret = await source(gate)
    await gate.device("bay-1", product="bosch-tps110")
    key = hashlib.sha256(secret.encode()).digest()
    body = uplink()
    right = hmac.new(key, body, hashlib.sha256).hexdigest()
    answer = await gate.call(
        None,
        "POST",
        "/api/v1/push/aep",
        content=body,
        headers={"X-Citygate-Signature": f"sha256={right}"},
    )
    assert answer.json() == {"received": 1, "refused": []}
    for wrong in (right[:-1] + ("0" if right[-1] != "0" else "1"), "", "zz", right):
        altered = body if wrong != right else body + b" "
        headers = {"X-Citygate-Signature": f"sha256={wrong}"}
        assert (
            await gate.call(None, "POST", "/api/v1/push/aep", content=altered, headers=headers)
        ).status_code == 401


async def test_basic_is_for_platforms_that_know_nothing_but_a_url(gate: Gate) -> None:
    secret = await source(gate)
    await gate.device("bay-1", product="bosch-tps110")
    for user, word, status in (("aep", secret, 200), ("other", secret, 401), ("aep", "guess", 401)):
        header = b64encode(f"{user}:{word}".encode()).decode()
        headers = {"authorization": f"Basic {header}"}
        answer = await gate.call(None, "POST", "/api/v1/push/aep", content=uplink(), headers=headers)
        assert answer.status_code == status
    headers = {"authorization": "Basic ?"}
    assert (
        await gate.call(None, "POST", "/api/v1/push/aep", content=b"", headers=headers)
    ).status_code == 401


async def test_nobody_speaks_in_the_name_of_another_or_for_devices_that_are_not_his(gate: Gate) -> None:
    secret = await source(gate)
    await source(gate, "other")
    answer = await gate.call(None, "POST", "/api/v1/push/other", secret=secret, content=uplink())
    assert answer.status_code == 401
    await gate.device("bay-1", product="bosch-tps110", area="huangpu")
    mine = await source(gate, "xuhui", area="xuhui")
    refused = (await push(gate, "xuhui", mine, uplink()))["refused"]
    assert [one["reason"] for one in refused] == ["foreign_topic"]
    refused = (await push(gate, "aep", secret, uplink(name="bay-2").replace(EUI.encode(), b"0" * 16)))[
        "refused"
    ]
    assert [one["reason"] for one in refused] == ["unknown_device"]
    refused = (await push(gate, "aep?product=nwave-nps405", secret, uplink()))["refused"]
    assert [one["reason"] for one in refused] == ["foreign_topic"]


async def test_a_product_must_exist_and_name_its_devices(gate: Gate) -> None:
    secret = await source(gate)
    answer = await gate.call(None, "POST", "/api/v1/push/aep?product=none", secret=secret, content=b"{}")
    assert answer.status_code == 404
    refused = (await push(gate, "aep?product=generic-dust", secret, b"{}"))["refused"]
    assert [one["reason"] for one in refused] == ["unknown_device"]
    for body in (b"", b"[", b"[]", b"{}", b"\xff", b"[" * 1000):
        assert len((await push(gate, "aep", secret, body))["refused"]) == 1


async def test_the_catalogue_is_listed_and_decodes(gate: Gate) -> None:
    listed = (await gate.ok("viewer", "GET", "/products"))["items"]
    dingtek = next(one for one in listed if one["id"] == "dingtek-dc410")
    assert dingtek["points"] == ["tilt", "moved", "flooded", "temperature", "rssi", "distance"]
    assert dingtek["commands"] == ["tiltThreshold", "reportInterval"]
    made = await gate.ok(
        "viewer",
        "POST",
        "/products/dingtek-dc410/decode?hex=true",
        content="800001021106A400160100000000010081",
    )
    assert made["readings"][0]["points"]["distance"] == {"value": 1.7, "unit": "m", "quality": "good"}
    assert await gate.refused("viewer", "POST", "/products/none/decode") == (404, "not-found")
    assert await gate.refused("viewer", "POST", "/products/dingtek-dc410/decode?hex=true", content="8") == (
        422,
        "invalid",
    )
