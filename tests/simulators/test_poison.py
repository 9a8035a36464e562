from __future__ import annotations

import numpy as np
import pytest

from drivers.decode import Decoder, Limits
from drivers.families import FAMILIES
from drivers.mqtt import topics
from drivers.products import catalog
from drivers.refusal import Reason
from simulators.faults import Faults
from simulators.mishaps import ANY, KINDS
from simulators.orders import Orders
from simulators.poison import AHEAD, SPOIL, Expect
from simulators.scene import Scene
from tests.simulators.evening import START, city

CITY = city()
DECODED = sorted(set(SPOIL) - {"foreign_topic", "wrong_clock", "duplicate"})


def good(family: str) -> bytes:
    scene = Scene(CITY, Faults(CITY), Orders(CITY))
    (payload,) = scene.payloads(family, np.array([0], np.int32), np.array([START]))
    return payload


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", DECODED)
def test_a_bad_message_is_refused_for_the_reason_it_was_made_for(family: str, name: str) -> None:
    topic = topics.telemetry_topic(family, "X-1")
    bad = SPOIL[name](topic, good(family))
    assert bad.expect is Expect.REFUSED
    assert bad.topic == topic
    decoder = Decoder(catalog()[f"generic-{family}"], "telemetry", Limits())
    reasons = {refusal.reason for refusal in decoder.decode([bad.payload], [0], [START]).refusals}
    assert reasons == {KINDS[ANY, name].refusal}


def test_a_foreign_topic_is_another_device_s() -> None:
    bad = SPOIL["foreign_topic"]("city/dust/DU-0001/telemetry", good("dust"))
    assert topics.parse(bad.topic).device != "DU-0001"
    assert topics.parse(bad.topic).family == "dust"
    assert KINDS[ANY, "foreign_topic"].refusal is Reason.FOREIGN_TOPIC


def test_a_wrong_clock_is_hours_ahead_and_says_the_same() -> None:
    payload = good("dust")
    bad = SPOIL["wrong_clock"]("city/dust/DU-0001/telemetry", payload)
    decoder = Decoder(catalog()["generic-dust"], "telemetry")
    right, wrong = (decoder.decode([one], [0], [START]).batch for one in (payload, bad.payload))
    assert wrong.time[0] - right.time[0] == AHEAD
    assert np.array_equal(right.values, wrong.values, equal_nan=True)


def test_a_duplicate_is_the_same_message() -> None:
    bad = SPOIL["duplicate"]("city/dust/DU-0001/telemetry", b"{}")
    assert bad == ("city/dust/DU-0001/telemetry", b"{}", Expect.REPEATED)
