"""200 hostile clients beside 1,000 good devices: the good ones lose nothing and hardly notice; memory stays where it was."""

from __future__ import annotations

import pytest

from gateway.cli.remote import ask
from tests.gateway.ingest.siege import siege

DEVICES = 1_000
RATE = 1_000  # messages a second of all devices
BEFORE = 15  # seconds of attack before the devices come
QUIET, LOUD = 40, 75  # seconds of a run, the connecting and the last acknowledgements included


@pytest.mark.drill
async def test_a_thousand_devices_hardly_notice_two_hundred_attackers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = {"mode": "flood", "devices": DEVICES, "rate": RATE, "ramp": 500}
    async with siege() as it:
        await it.enrol(DEVICES)
        made = await ask(
            it.service.remote, "POST", "/devices", json={"id": "GIVEN-AWAY", "product": "generic-dust"}
        )
        given = it.keep("given.json", {"GIVEN-AWAY": made["secret"]})
        quiet = await (await it.simulate("quiet", **load, seconds=QUIET)).ended()
        before = it.rss()
        attack = await it.simulate("attack", mode="hostile", clients=200, secrets=given, addresses=20)
        await it.clock.sleep(BEFORE)
        loud_fleet = await it.simulate("loud", **load, seconds=LOUD)
        most = before
        while loud_fleet.process.returncode is None:
            await it.clock.sleep(0.5)
            most = max(most, it.rss())
        loud, attacked = await loud_fleet.ended(), await attack.stop()
        loss = await it.losses()
        p99 = quiet["latency_ms"]["p99"], loud["latency_ms"]["p99"]
        with capsys.disabled():
            print(
                f"\nacked {quiet['acked']} quiet, {loud['acked']} under attack in {loud['seconds']:.0f} s; p50 "
                f"{quiet['latency_ms']['p50']:.0f} and {loud['latency_ms']['p50']:.0f} ms, p99 {p99[0]:.0f} and "
                f"{p99[1]:.0f} ms, longest {quiet['latency_ms']['max']:.0f} and {loud['latency_ms']['max']:.0f} ms; "
                f"RSS {before} MiB, at most {most} MiB; attackers' connections {attacked['connections']}"
            )
        assert (quiet["unacked"], loud["unacked"], loud["refused"]) == (0, 0, {})
        assert (loss.lost, loss.duplicated) == (0, 0), loss.examples
        assert loud["closed"] == DEVICES, "no good device was thrown out before it left"
        assert loud["seconds"] > 60
        assert most < before + 128
        assert p99[1] <= 2 * p99[0]
