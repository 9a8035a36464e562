"""`citygate products` and `citygate decode`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from drivers.products import catalog
from gateway.cli.commands import app
from gateway.errors import CitygateError, Invalid, NotFound
from tests.drivers.lorawan.frames import enveloped, published

DUST = b"##0239QN=20180821142509000;ST=39;CN=2011;PW=123456;MN=690000D5800028F889221AC0;Flag=5;CP=&&DataTime=20180821142509"


def run(*words: str, given: bytes = b"", config: Path = Path("config.toml")) -> tuple[int, Any]:
    result = CliRunner().invoke(app, ["--config", str(config), *words], input=given)
    if isinstance(result.exception, CitygateError):
        raise result.exception
    return result.exit_code, result.stdout


def decoded(*words: str, given: bytes) -> tuple[int, Any]:
    code, text = run("decode", *words, given=given)
    return code, json.loads(text)


def test_every_product_is_listed_with_what_it_can() -> None:
    code, text = run("products", "--json")
    listed = {one["id"]: one for one in json.loads(text)}
    assert code == 0
    assert listed.keys() >= catalog().keys()
    assert all(one["maker"] and one["model"] and one["points"] and one["source"] for one in listed.values())
    assert listed["nas-ul20xx"]["commands"] == ["switch", "dim", "reportInterval", "restart"]
    assert listed["milesight-em400-mud-nb"]["transport"] == "http"
    assert set(json.loads(run("products", "--json", "--family", "dust")[1])[0]) == {
        "id",
        "maker",
        "model",
        "family",
        "transport",
        "points",
        "commands",
        "source",
    }
    code, table = run("products")
    assert code == 0
    assert all(name in table for name in listed)


@pytest.mark.parametrize(
    ("product", "vector"),
    [pytest.param(one.id, vector, id=f"{one.id}/{name}") for one, name, vector in published()],
)
def test_every_published_frame_decodes_at_the_command_line(product: str, vector: dict[str, Any]) -> None:
    port = ["--port", str(vector["port"])] if vector["port"] else []
    code, found = decoded(product, "--hex", *port, given=vector["hex"].encode())
    points = found["readings"][0]["points"] if found["readings"] else {}
    expected = {name: value for name, value in vector["values"].items() if name != "rssi" or not port}
    assert {name: one["value"] for name, one in points.items()} == pytest.approx(expected)
    assert code == (2 if found["refusals"] and not found["readings"] else 0)
    assert bool(vector["refusals"]) is bool(found["refusals"])


def test_an_envelope_names_its_device_and_its_time() -> None:
    code, found = decoded("bosch-tps110", given=enveloped(b"\x01", 1))
    assert code == 0
    assert found["device"] == ["70b3d5b020073208", "70B3D5B020073208", "MH-0042", "mh-0042"]
    assert found["readings"][0]["time"] == "2024-07-01T13:43:42.236186+00:00"
    assert found["readings"][0]["points"]["occupied"] == {
        "value": 1.0,
        "unit": "",
        "quality": "good",
        "label": "occupied",
    }
    assert found["says"]["via"] == ["gateway-1", "gateway-2"]


def test_a_bare_frame_goes_to_the_first_port_that_fits() -> None:
    assert decoded("bosch-tps110", "--hex", given=b"01 FF\n")[1]["says"]["port"] == 2
    assert decoded("bosch-tps110", "--hex", "--port", "1", given=b"01FF")[1]["refusals"][0][
        "detail"
    ].startswith("byte 1")
    assert decoded("bosch-tps110", "--hex", given=b"")[0] == 2


def test_a_station_s_line_decodes_with_the_reply_it_would_get() -> None:
    from drivers.hj212.frame import encode_frame  # noqa: PLC0415 - the codec of the other side

    data = DUST[6:] + b";a34004-Rtd=35.0,a34004-Flag=N;LA-Rtd=55.1,LA-Flag=D&&"
    code, found = decoded("hj212-dust", "--text", given=encode_frame(data))
    assert code == 0
    assert found["device"] == ["690000D5800028F889221AC0"]
    assert found["readings"][0]["time"] == "2018-08-21T06:25:09+00:00"
    assert found["readings"][0]["points"] == {
        "pm25": {"value": 35.0, "unit": "ug/m3", "quality": "good"},
        "noise": {"value": 55.1, "unit": "dB", "quality": "fault"},
    }
    assert "CN=9014" in found["reply"]
    code, found = decoded("hj212-dust", "--text", given=encode_frame(data).replace(b"35.0", b"36.0"))
    assert (code, found["refusals"][0]["reason"]) == (2, "bad_crc")
    assert decoded("hj212-dust", "--text", given=b"no frame")[0] == 2


def test_our_own_payloads_and_mapped_ones_decode_too() -> None:
    code, found = decoded("generic-dust", "--text", given=b'{"v": {"pm10": 80, "pm99": 1}}\n')
    assert (code, found["refusals"][0]["reason"], found["refusals"][0]["whole"]) == (
        0,
        "unknown_point",
        False,
    )
    code, found = decoded("article-manhole-tilt", given=b'{"device_id": "MH-1", "tilt": 22.4}')
    assert (code, found["device"]) == (0, ["MH-1"])
    assert decoded("generic-dust", given=b"{")[0] == 2


def test_what_cannot_be_asked_is_said() -> None:
    with pytest.raises(NotFound, match="citygate products"):
        run("decode", "nobody")
    with pytest.raises(Invalid, match="no hex digits"):
        run("decode", "bosch-tps110", "--hex", given=b"0x01")
