"""A city of 100,000 devices comes back at once: all of it is heard, in two minutes, in bounded memory, with no alarm a device.

A process may have so many files here. Where that is fewer than devices, those beyond leave once they are acknowledged.
"""

from __future__ import annotations

import resource

import pytest

from gateway.cli.remote import ask
from tests.gateway.ingest.siege import CONFIG, siege

DEVICES = 100_000
BACKLOG = 3  # readings that each has to deliver
SPARE = 2_000  # files of a process beside those of devices that stay
ADDRESSES = 8  # an address has some 28,000 ports
LONGEST = 120.0  # seconds until every device is acknowledged
MEMORY = 1_024  # MiB over the idle gateway


def room() -> int:
    """Devices that one process can keep connected here."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DEVICES if hard == resource.RLIM_INFINITY else min(DEVICES, hard - SPARE)


@pytest.mark.drill
async def test_a_hundred_thousand_devices_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    stay = room()
    config = CONFIG.replace("port = 0\n[http]", f"port = 0\nconnections = {stay + SPARE // 2}\n[http]")
    load = {"mode": "storm", "devices": DEVICES, "backlog": BACKLOG, "ramp": 20_000, "addresses": ADDRESSES}
    async with siege(config) as it:
        await it.enrol(DEVICES)
        await it.clock.sleep(2.0)
        idle = most = it.rss()
        reports = []
        for name in ("first", "again"):  # everyone for the first time, then all at once as after an outage
            storm = await it.simulate(name, **load, stay=stay // 2, seconds=3 * LONGEST)
            used = it.cpu()
            while storm.process.returncode is None:
                await it.clock.sleep(0.5)
                most = max(most, it.rss())
            reports.append(await storm.ended() | {"cpu": it.cpu() - used})
        loss = await it.losses()
        counts = await ask(it.service.remote, "GET", "/counts")
        with capsys.disabled():
            for report in reports:
                print(
                    f"\n{report['drained']} of {DEVICES} drained, {stay // 2} of them stay; s until acknowledged "
                    f"{report['drained_s']}; {report['acked']} readings acked; connections closed {report['closed']}; "
                    f"gateway CPU {report['cpu']:.0f} s"
                )
            print(f"RSS idle {idle} MiB, at most {most} MiB; stored {loss.stored}; cases {counts['cases']}")
        for report in reports:
            assert (report["left"], report["unacked"], report["refused"]) == (0, 0, {})
            assert report["drained_s"]["p100"] <= LONGEST
        assert (loss.lost, loss.duplicated) == (0, 0), loss.examples
        assert most - idle <= MEMORY
        assert sum(n for states in counts["cases"].values() for n in states.values()) <= 1
