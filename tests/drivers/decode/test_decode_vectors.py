"""Every recorded payload decodes to the values beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drivers.decode import Decoder
from drivers.mapped import device_id
from drivers.products import catalog
from drivers.refusal import Reason, Refused
from tests.drivers.decode.vectors import recorded, told

RECORDED = recorded()


@pytest.mark.parametrize(
    ("product", "vector"),
    [(one[0], one[2]) for one in RECORDED],
    ids=[f"{one[0]}/{one[1]}" for one in RECORDED],
)
def test_a_recorded_payload_means_what_stands_beside_it(product: str, vector: dict[str, Any]) -> None:
    payload = json.dumps(vector["payload"]).encode()
    decoded = Decoder(catalog()[product], vector["channel"]).decode([payload], [7], [1])
    assert told(decoded) == vector["rows"]
    assert [(one.reason, one.whole) for one in decoded.refusals] == [
        tuple(one[:2]) for one in vector["refusals"]
    ]
    for refusal, (_, _, words) in zip(decoded.refusals, vector["refusals"], strict=True):
        assert words in refusal.detail
    assert set(decoded.batch.device.tolist()) <= {7}
    assert set(decoded.batch.received.tolist()) <= {1}


@pytest.mark.parametrize(
    "one", [one for one in RECORDED if "device" in one[2]], ids=lambda one: f"{one[0]}/{one[1]}"
)
def test_a_mapping_finds_of_whom_a_payload_speaks(one: tuple[str, str, dict[str, Any]]) -> None:
    product, _, vector = one
    mapping = catalog()[product].telemetry
    assert mapping is not None
    assert device_id(mapping, json.dumps(vector["payload"]).encode()) == vector["device"]


@pytest.mark.parametrize(
    "device", [None, "", True, 1.5, "a\u0000b", "x" * 300, {"a": 1}], ids=lambda value: str(value)[:9]
)
def test_a_payload_that_names_no_device_is_refused(device: Any) -> None:
    mapping = catalog()["article-manhole-tilt"].telemetry
    assert mapping is not None
    with pytest.raises(Refused) as caught:
        device_id(mapping, json.dumps({"device_id": device}).encode())
    assert caught.value.reason is Reason.UNKNOWN_DEVICE
