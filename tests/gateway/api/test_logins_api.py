"""Wrong secrets over HTTP cost time, right ones never do; secrets are changed without an outage."""

from __future__ import annotations

from drivers.telemetry import HOUR
from tests.gateway.api.gate import Gate

READING = {"device": "M1", "v": {"tilt": 1.0}}


async def wrong(gate: Gate, times: int, **more: str) -> list[int]:
    return [
        (await gate.call(None, "GET", "/api/v1/counts", secret=f"guess-{n}", **more)).status_code
        for n in range(times)
    ]


async def test_guesses_from_one_address_are_told_to_wait_and_the_right_token_is_not(gate: Gate) -> None:
    assert set(await wrong(gate, 100)) == {401}
    refused = await gate.call(None, "GET", "/api/v1/counts", secret="guess")
    assert (refused.status_code, refused.json()["type"]) == (429, "urn:citygate:too-many")
    assert int(refused.headers["retry-after"]) >= 1
    assert await gate.ok("viewer", "GET", "/counts")
    assert gate.services.logins.throttled == 1


async def test_guesses_at_one_device_count_whoever_makes_them(gate: Gate) -> None:
    secret = await gate.device("M1")
    codes = [
        (await gate.call(None, "POST", "/api/v1/telemetry", secret="guess", json=READING)).status_code
        for _ in range(12)
    ]
    assert codes == [401] * 10 + [429] * 2
    right = await gate.call(None, "POST", "/api/v1/telemetry", secret=secret, json=READING)
    assert right.status_code == 200


async def test_who_sends_no_secret_at_all_guesses_nothing(gate: Gate) -> None:
    for _ in range(3):
        assert await gate.refused(None, "GET", "/counts") == (401, "unauthorized")
    assert gate.services.logins.failures == 0


async def test_a_rotation_can_be_followed(gate: Gate) -> None:
    old = await gate.device("M1")
    before = gate.services.clock.now()
    made = await gate.ok("admin", "POST", "/devices/M1/secret", params={"overlap": "1h"})
    assert made["former_until"] >= before + HOUR
    found = await gate.ok("viewer", "GET", "/rotations")
    assert (found["waiting"], found["items"][0]["use"]) == (1, "unknown")
    sent = await gate.call(None, "POST", "/api/v1/telemetry", secret=old, json=READING)
    assert sent.status_code == 200
    assert (await gate.ok("viewer", "GET", "/rotations"))["items"][0]["use"] == "former"
    sent = await gate.call(None, "POST", "/api/v1/telemetry", secret=made["secret"], json=READING)
    assert sent.status_code == 200
    assert (await gate.ok("viewer", "GET", "/rotations"))["waiting"] == 0
    ended = await gate.ok("admin", "POST", "/devices/M1/secret")
    assert ended["former_until"] is None
    assert (await gate.ok("viewer", "GET", "/rotations"))["items"] == []


async def test_an_overlap_has_a_bound(gate: Gate) -> None:
    await gate.device("M1")
    answer = await gate.refused("admin", "POST", "/devices/M1/secret", params={"overlap": "60d"})
    assert answer == (422, "invalid")
