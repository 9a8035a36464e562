from __future__ import annotations

import math
import random
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import DAY, HOUR, MINUTE, Kind, Quality
from gateway.errors import LinkError, StoreError
from gateway.history.audit import Difference, differences
from gateway.history.cursor import Cursor, Gap, load
from gateway.history.influx import InfluxSink
from gateway.history.mirror import Mirror
from gateway.history.mirror_query import reader
from gateway.history.mirror_settings import Dialect, MirrorSettings
from gateway.history.sink import MOST, PointsRefused, Refused, deliver
from rules.control import DeviceRow, Devices
from tests.gateway.history.influx import Influx, influx
from tests.gateway.history.readings import Said, batch_of, fresh, opened
from tests.gateway.history.test_compaction import MAY_1, Kept, day_of, kept


@pytest.fixture
def server() -> Iterator[Influx]:
    with influx() as server:
        yield server


class Following:
    """A history, its compactor and its mirror."""

    def __init__(self, it: Kept, folder: Path, settings: MirrorSettings) -> None:
        self.it = it
        self.settings = settings
        self.refused: list[Refused] = []
        self.mirror = Mirror(
            it.history,
            folder,
            InfluxSink(settings),
            settings,
            it.clock,
            random.Random(1),
            self.refused.append,
        )

    async def catch_up(self) -> None:
        while await self.mirror.round():
            pass

    async def differences(self) -> list[Difference]:
        asking = reader(self.settings)
        try:
            return [each async for each in differences(self.it.history, asking, 0, MAY_1 + 99 * DAY)]
        finally:
            asking.close()


@asynccontextmanager
async def following(folder: Path, settings: MirrorSettings) -> AsyncIterator[Following]:
    async with kept(folder) as it:
        follows = Following(it, folder, settings)
        try:
            yield follows
        finally:
            follows.mirror.close()


async def test_a_reading_is_a_line(tmp_path: Path, server: Influx) -> None:
    async with following(tmp_path, server.settings()) as it:
        devices = Devices("dust", [DeviceRow(1, "DU 1,a=b", "generic-dust")])
        batch = batch_of(
            [
                Said(1, MAY_1, {"pm10": 80.25, "tsp": (3.0, Quality.UNCERTAIN)}),
                Said(1, MAY_1 + 1, {"pm10": (math.nan, Quality.FAULT)}, Kind.HOUR),
                Said(2, MAY_1, {}),
            ]
        )
        await it.it.history.commit(1, [batch], [devices], [fresh(batch)])
        await it.catch_up()
        assert [(status, sorted(lines)) for status, lines in server.writes] == [
            (
                204,
                [
                    rf"dust,device=DU\ 1\,a\=b,kind=hour pm10_q=4i {MAY_1 + 1}",
                    rf"dust,device=DU\ 1\,a\=b,kind=sample pm10=80.25,tsp=3.0,tsp_q=1i {MAY_1}",
                ],
            )
        ]
        assert await it.differences() == []
        status = it.mirror.status()
        assert (status.live, status.newest, status.gaps, status.written, status.error) == (1, 1, [], 2, "")


async def test_every_fault_costs_lag_and_no_data(tmp_path: Path, server: Influx) -> None:
    async with following(tmp_path, server.settings(batch=64, timeout_s=0.3)) as it:
        await it.it.commit(1, day_of(40))
        await it.catch_up()
        for tick, status in enumerate((503, 500, 429, 401, 404), 2):
            server.status = status
            await it.it.commit(tick, day_of(40, MAY_1 + tick * MINUTE, seed=tick))
            with pytest.raises(LinkError, match=str(status)):
                await it.mirror.round()
            server.status = None
        server.hanging.clear()
        with pytest.raises(LinkError, match=r"[Tt]ime"):
            await it.mirror.round()
        server.hanging.set()
        assert it.mirror.passed() == 1
        await it.catch_up()
        assert (it.mirror.passed(), it.refused) == (6, [])
        assert await it.differences() == []
    with opened(tmp_path) as history:
        assert (load(tmp_path).live, history.last_tick()) == (6, 6)


async def test_a_mirror_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with following(tmp_path, MirrorSettings(url=f"http://127.0.0.1:{port}")) as it:
        await it.it.commit(1, day_of(4))
        with pytest.raises(LinkError):
            await it.mirror.round()
        assert it.mirror.passed() == 0


async def test_a_refused_point_is_set_aside_alone(tmp_path: Path, server: Influx) -> None:
    server.bad = lambda line: f" {MAY_1 + 5 * (DAY // 500)}" in line.removesuffix("\n")[-18:]
    async with following(tmp_path, server.settings(batch=512)) as it:
        await it.it.commit(1, day_of(500))
        await it.catch_up()
        assert [each.line.split()[-1] for each in it.refused] == [str(MAY_1 + 5 * (DAY // 500))]
        assert "refused:" in it.refused[0].detail
        assert len(server.writes) <= 1 + math.log2(512) + 1
        (hour,) = await it.differences()
        assert (hour.family, hour.hour, hour.ours - hour.theirs, hour.wrong) == ("dust", MAY_1, 2, 2)
        assert it.mirror.status().refused == 1


async def test_points_too_old_for_the_mirror_are_no_fault(tmp_path: Path, server: Influx) -> None:
    async with following(tmp_path, server.settings()) as it:
        server.status, server.message = 422, "partial write: points beyond retention policy dropped=4"
        await it.it.commit(1, day_of(4))
        await it.catch_up()
        assert (it.mirror.passed(), it.refused, len(server.writes)) == (1, [], 1)


class Choosy:
    """Refuses writes that hold one of these; remembers what it took."""

    def __init__(self, bad: set[str]) -> None:
        self.bad = bad
        self.took: set[str] = set()
        self.writes = 0

    def write(self, lines: Sequence[str]) -> None:
        assert lines
        self.writes += 1
        if self.bad & set(lines):
            raise PointsRefused(f"one of {len(lines)}")
        self.took |= set(lines)

    def close(self) -> None: ...


@given(st.integers(1, 600), st.data())
def test_one_bad_point_costs_no_more_than_a_search(n: int, data: st.DataObject) -> None:
    lines = [str(number) for number in range(n)]
    bad = data.draw(st.sets(st.sampled_from(lines), max_size=3))
    sink = Choosy(bad)
    refused = deliver(sink, lines)
    assert {each.line for each in refused} == bad
    assert sink.took == set(lines) - bad
    assert sink.writes <= 1 + len(bad) * (math.ceil(math.log2(n)) + 1)


def test_a_mirror_that_refuses_everything_is_not_believed() -> None:
    lines = [str(number) for number in range(1000)]
    with pytest.raises(LinkError, match="whole batches"):
        deliver(Choosy(set(lines)), lines)
    assert len(deliver(Choosy(set(lines[:MOST])), lines)) == MOST


async def test_204_and_dropped_is_found_and_repaired_by_a_rewind(tmp_path: Path, server: Influx) -> None:
    async with following(tmp_path, server.settings()) as it:
        for tick in range(1, 7):
            server.dropping = tick == 4
            await it.it.commit(tick, day_of(30, MAY_1 + (tick - 1) * HOUR, seed=tick).take(np.arange(2)))
            await it.catch_up()
        await it.it.compactor.run()  # what is repaired may be Parquet by now
        found = await it.differences()
        assert {each.ticks for each in found} == {Gap(3, 4)}
        assert [(each.hour - MAY_1) // HOUR for each in found] == [3]
        await it.mirror.rewind([each.ticks for each in found])
        assert it.mirror.passed() == 3
        await it.catch_up()
        assert (await it.differences(), it.mirror.passed()) == ([], 6)


@pytest.mark.parametrize("odd", [b"<html>\n", b'{"results":' * 10_000, b'[{"results":"\xff"}]\n'])
async def test_a_mirror_that_cannot_be_understood_is_a_link_that_fails(
    odd: bytes, tmp_path: Path, server: Influx
) -> None:
    async with following(tmp_path, server.settings()) as it:
        await it.it.commit(1, day_of(30, MAY_1, seed=1).take(np.arange(2)))
        await it.catch_up()
        server.odd = odd
        with pytest.raises(LinkError, match="the mirror's answer cannot be read"):
            await it.differences()


async def test_after_72_hours_of_absence_the_newest_comes_first_and_nothing_is_missing(
    tmp_path: Path, server: Influx
) -> None:
    async with following(tmp_path, server.settings(batch=100)) as it:
        it.it.compactor._passed = it.mirror.passed
        server.status = 503
        for hour in range(72):
            await it.it.commit(hour + 1, day_of(30, MAY_1 + hour * HOUR, seed=hour).take(np.arange(12)))
            if hour % 24 == 23:
                with pytest.raises(LinkError):
                    await it.mirror.round()
                await it.it.compactor.run()
        assert it.it.hot() == 72 * 12  # what the mirror has not got stays hot
        server.status, server.writes = None, []
        await it.mirror.round()
        newest = day_of(30, MAY_1 + 72 * HOUR, seed=72).take(np.arange(1))
        await it.it.commit(73, newest)
        await it.mirror.round()
        assert server.writes[1][1][0].endswith(str(MAY_1 + 72 * HOUR))  # live first, backlog behind
        assert it.mirror.passed() < 72
        await it.catch_up()
        assert (it.mirror.passed(), await it.differences()) == (73, [])
        assert max(len(lines) for _, lines in server.writes) <= 100
        it.it.clock.not_before(MAY_1 + 9 * DAY)
        await it.it.compactor.run()
        assert it.it.hot() == 0


async def test_a_kill_between_write_and_cursor_writes_again(tmp_path: Path, server: Influx) -> None:
    async with kept(tmp_path) as it:
        for tick in range(1, 4):
            await it.commit(tick, day_of(30, MAY_1 + tick * MINUTE, seed=tick))
            follows = Following(it, tmp_path, server.settings())
            if tick == 2:
                (tmp_path / "mirror.json.new").mkdir()
                with pytest.raises(StoreError):
                    await follows.mirror.round()
                (tmp_path / "mirror.json.new").rmdir()
            else:
                await follows.catch_up()
            follows.mirror.close()
        assert load(tmp_path).live == 3
        follows = Following(it, tmp_path, server.settings())
        assert await follows.differences() == []
        follows.mirror.close()


async def test_a_damaged_cursor_is_said(tmp_path: Path) -> None:
    (tmp_path / "mirror.json").write_bytes(b'{"live": ')
    with pytest.raises(StoreError, match="filled again from the start"):
        load(tmp_path)


SPANS = st.tuples(st.booleans(), st.integers(0, 20), st.integers(0, 20))


@given(st.lists(SPANS, max_size=12))
def test_gaps_are_a_set_of_ticks(spans: list[tuple[bool, int, int]]) -> None:
    cursor, missing = Cursor(live=20), set[int]()
    for opens, after, until in spans:
        ticks = set(range(after + 1, until + 1))
        cursor = cursor.opened(after, until) if opens else cursor.closed(after, max(after, until))
        missing = missing | ticks if opens else missing - ticks
        assert {tick for gap in cursor.gaps for tick in range(gap.after + 1, gap.until + 1)} == missing
        assert all(a.until < b.after for a, b in zip(cursor.gaps, cursor.gaps[1:], strict=False))
        assert cursor.passed == min(missing, default=21) - 1


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[str]:
    """The real thing, of an age that keeps everything."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = shutil.which("victoria-metrics") or "victoria-metrics"
    options = [
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={tmp_path}/vm",
        "-retentionPeriod=100y",
    ]
    with subprocess.Popen([program, *options, "-loggerLevel=ERROR"], stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                assert client.get(f"{url}/health").is_success
            yield url
        finally:
            process.terminate()


@pytest.mark.peer("victoria-metrics")
async def test_victoria_metrics_holds_what_history_holds(tmp_path: Path, victoria: str) -> None:
    settings = MirrorSettings(url=victoria, dialect=Dialect.VICTORIA_METRICS, batch=200)
    async with following(tmp_path, settings) as it:
        devices = Devices("dust", [DeviceRow(i, f"DU-{i:04}", "generic-dust") for i in range(7)])
        batch = day_of(700)
        batch.time[:] = batch.time // 1000 * 1000  # as devices say it: whole milliseconds
        batch.quality[2, ::5] = Quality.FAULT
        await it.it.history.commit(1, [batch], [devices], [fresh(batch)])
        await it.catch_up()
        async with httpx.AsyncClient(base_url=victoria) as client:
            assert (await client.get("/internal/force_flush")).is_success
            assert await it.differences() == []
            await client.post("/api/v1/admin/tsdb/delete_series", params={"match[]": '{device="DU-0003"}'})
        await it.it.compactor.run()
        found = await it.differences()
        assert sum(each.ours - each.theirs for each in found) == 2 * 100 + 20
        await it.mirror.rewind([each.ticks for each in found])
        await it.catch_up()
        async with httpx.AsyncClient(base_url=victoria) as client:
            assert (await client.get("/internal/force_flush")).is_success
        assert await it.differences() == []
