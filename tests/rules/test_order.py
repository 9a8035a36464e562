"""One event time: stamps, late bits, restarts and the judge order, against a scalar oracle."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import DAY, MINUTE, NO_TIME, SECOND, Batch, Family, Flag, Kind, Point, Quality
from rules.control import DeviceRow, Devices, WatermarkRestart
from rules.order import Order

FAMILY = Family("dust", (Point("pm10", "ug/m3", 0, 2000),), (), MINUTE)
NOON = 1_790_000_000 * SECOND


def batch(*rows: tuple[int, int | None, int], kind: Kind = Kind.SAMPLE, flags: int = 0) -> Batch:
    """Rows of (device, time or None, received)."""
    out = Batch.empty(FAMILY, len(rows))
    out.device[:] = [device for device, _, _ in rows]
    out.time[:] = [NO_TIME if time is None else time for _, time, _ in rows]
    out.received[:] = [received for _, _, received in rows]
    out.kind[:] = kind
    out.flags[:] = flags
    out.values[0] = np.arange(len(rows))
    out.quality[0] = Quality.GOOD
    return out


def order(lateness: int = 0) -> Order:
    marks = Order({"dust": FAMILY})
    marks.control(
        Devices("dust", [DeviceRow(i, f"DU-{i}", "generic-dust", lateness=lateness) for i in range(3)])
    )
    return marks


def test_a_reading_without_a_time_gets_the_receive_time_strictly_increasing() -> None:
    stamped = order().stamp(batch((0, None, NOON), (0, None, NOON), (1, None, NOON), (0, None, NOON)))
    assert stamped.batch.time.tolist() == [NOON, NOON + 1, NOON, NOON + 2]
    assert not stamped.suspects.any()


def test_a_clock_over_sixty_seconds_ahead_or_a_week_behind_is_wrong() -> None:
    marks = order()
    stamped = marks.stamp(
        batch(
            (0, NOON + 60 * SECOND, NOON),
            (1, NOON + 61 * SECOND, NOON),
            (2, NOON - 8 * 24 * 60 * MINUTE, NOON),
        ),
    )
    assert stamped.batch.flags.tolist() == [0, Flag.CLOCK, Flag.CLOCK]
    assert stamped.batch.time.tolist() == [NOON + 60 * SECOND, NOON, NOON]


def test_a_sample_behind_the_watermark_is_late_and_a_repeated_one_is_suspect() -> None:
    stamped = order().stamp(batch((0, NOON, NOON), (0, NOON, NOON), (0, NOON - 1, NOON), (0, NOON + 1, NOON)))
    assert stamped.batch.flags.tolist() == [0, 0, Flag.LATE, 0]
    assert stamped.suspects.tolist() == [False, True, True, False]


def test_status_rows_never_move_the_watermark() -> None:
    marks = order()
    marks.stamp(batch((0, None, NOON), kind=Kind.STATUS))
    assert marks.stamp(batch((0, NOON - SECOND, NOON))).batch.flags.tolist() == [0]


def test_historical_rows_are_not_judged_and_do_not_move_the_watermark() -> None:
    marks = order()
    old = marks.stamp(batch((0, NOON - 30 * 24 * 60 * MINUTE, NOON), flags=Flag.HISTORICAL)).batch
    assert old.flags.tolist() == [Flag.HISTORICAL]
    assert len(marks.admit(old)) == 0
    assert marks.stamp(batch((0, NOON - SECOND, NOON))).batch.flags.tolist() == [0]


def test_three_intervals_of_old_stamps_restart_the_watermark() -> None:
    marks = order()
    marks.stamp(batch((0, NOON, NOON)))
    back = NOON - 3600 * SECOND
    restarts: list[WatermarkRestart] = []
    flags = []
    for minute in range(5):
        stamped = marks.stamp(batch((0, back + minute * MINUTE, NOON + (minute + 1) * MINUTE)))
        restarts += stamped.restarts
        flags += stamped.batch.flags.tolist()
    assert flags == [Flag.LATE, Flag.LATE, Flag.LATE, 0, 0]
    assert restarts == [WatermarkRestart("dust", 0, back + 3 * MINUTE)]


def test_lateness_puts_rows_in_order_and_a_timer_releases_the_last() -> None:
    marks = order(lateness=10 * SECOND)
    first = marks.stamp(
        batch(
            (0, NOON + 5 * SECOND, NOON), (0, NOON, NOON + SECOND), (0, NOON + 20 * SECOND, NOON + 2 * SECOND)
        )
    )
    assert first.batch.flags.tolist() == [0, 0, 0]
    assert marks.admit(first.batch).time.tolist() == [NOON, NOON + 5 * SECOND]
    assert marks.due(NOON + 11 * SECOND) == []
    (last,) = marks.due(NOON + 12 * SECOND)
    assert last.time.tolist() == [NOON + 20 * SECOND]
    assert last.received.tolist() == [NOON + 12 * SECOND]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-40, 40) | st.none(), st.integers(0, 9)), max_size=40),
    st.lists(st.integers(1, 40), max_size=4),
    st.sampled_from([0, 7]),
)
def test_neither_batching_nor_restart_changes_stamps_or_judge_order(
    steps: list[tuple[int, int | None, int]],
    cuts: list[int],
    lateness: int,
) -> None:
    received = NOON
    rows = []
    for device, offset, gap in steps:
        received += gap * SECOND
        rows.append((device, None if offset is None else received + offset * SECOND, received))

    def run(
        pieces: list[list[tuple[int, int | None, int]]], restart: bool
    ) -> tuple[list[int], list[tuple[int, int, int]]]:
        marks = order(lateness * SECOND)
        flags: list[int] = []
        judged: list[tuple[int, int, int]] = []
        for piece in pieces:
            stored = marks.stamp(batch(*piece)).batch
            flags += stored.flags.tolist()
            if restart:
                saved = order()
                saved.restore(marks.snapshot())
                marks = saved
            out = marks.admit(stored)
            judged += zip(out.device.tolist(), out.time.tolist(), out.received.tolist(), strict=True)
        for left in marks.due(received + 100 * SECOND):
            judged += zip(left.device.tolist(), left.time.tolist(), left.received.tolist(), strict=True)
        return flags, judged

    pieces = []
    rest = rows
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    one_flags, one = run([rows], restart=False)
    many_flags, many = run(pieces, restart=True)
    assert one_flags == many_flags
    for device in range(3):
        mine = [row for row in one if row[0] == device]
        assert mine == [row for row in many if row[0] == device]
        assert [row[1] for row in mine] == sorted(row[1] for row in mine)
        assert [row[2] for row in mine] == sorted(row[2] for row in mine)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(-40, 40), st.integers(0, 9)), max_size=30),
    st.sampled_from([0, 7]),
)
def test_replay_of_stored_rows_rebuilds_the_same_watermarks(
    steps: list[tuple[int, int, int]], lateness: int
) -> None:
    live, replayed = order(lateness * SECOND), order(lateness * SECOND)
    received = NOON
    for device, offset, gap in steps:
        received += gap * SECOND
        stamped = live.stamp(batch((device, received + offset * SECOND, received)))
        for restart in stamped.restarts:
            replayed.control(restart)
        replayed.observe(stamped.batch)
        assert live.admit(stamped.batch).time.tolist() == replayed.admit(stamped.batch).time.tolist()
    np.testing.assert_equal(replayed.snapshot(), live.snapshot())


class Row(NamedTuple):
    device: int
    time: int | None
    received: int
    kind: Kind
    historical: bool


class Verdict(NamedTuple):
    time: int
    flags: int
    suspect: bool


class Definition:
    """Law 3 of one row after the other, in plain numbers. interval, lateness: by device."""

    def __init__(self, interval: dict[int, int], lateness: dict[int, int]) -> None:
        self.interval, self.lateness = interval, lateness
        self.seen: dict[tuple[int, Kind], int] = defaultdict(lambda: NO_TIME)
        self.frontier: dict[int, int] = defaultdict(lambda: NO_TIME)
        self.waiting: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.behind: dict[int, list[int]] = defaultdict(list)  # receive times of late rows since one in time
        self.restarts: list[WatermarkRestart] = []

    def stamp(self, row: Row) -> Verdict:
        device, received = row.device, row.received
        time, flags = row.time, int(Flag.HISTORICAL) if row.historical else 0
        if time is not None and (
            time > received + 60 * SECOND or (not row.historical and time < received - 7 * DAY)
        ):
            time, flags = None, flags | Flag.CLOCK
        seen = self.seen[device, row.kind]
        time = max(received, seen + 1) if time is None else time
        self._pass(device, received)
        if row.kind is Kind.SAMPLE and not row.historical:
            flags |= self._live(device, time, received)
        self.seen[device, row.kind] = max(seen, time)
        return Verdict(time, int(flags), time <= seen)

    def _pass(self, device: int, received: int) -> None:
        """What waited for `lateness` has been judged."""
        if not self.lateness[device]:
            return
        old = [one for one in self.waiting[device] if one[0] <= received - self.lateness[device]]
        self.waiting[device] = self.waiting[device][len(old) :]
        self.frontier[device] = max([self.frontier[device], *(time for _, time in old)])

    def _live(self, device: int, time: int, received: int) -> int:
        behind = self.behind[device]
        if time < self.frontier[device]:
            if len(behind) < 2 or received - behind[0] < 3 * self.interval[device]:
                behind.append(received)
                return int(Flag.LATE)
            self.restarts.append(WatermarkRestart("dust", device, time))
            self.frontier[device], self.waiting[device] = time, []
        behind.clear()
        self.frontier[device] = max(self.frontier[device], time - self.lateness[device])
        self.waiting[device].append((received, time))
        return 0


OFFSETS = st.integers(-40, 40) | st.sampled_from([None, 61, -8 * 86_400])
ROWS = st.tuples(
    st.integers(0, 3),
    OFFSETS,
    st.sampled_from([0, 0, 0, 1, 9]),
    st.sampled_from([Kind.SAMPLE, Kind.SAMPLE, Kind.SAMPLE, Kind.STATUS, Kind.HOUR]),
    st.sampled_from([False, False, False, True]),
)
SPANS = st.tuples(*[st.sampled_from([SECOND, 5 * SECOND, DAY])] * 4)
LATENESS = st.tuples(*[st.sampled_from([0, 0, 0, 7 * SECOND])] * 4)


@given(st.lists(ROWS, max_size=60), st.lists(st.integers(1, 40), max_size=3), SPANS, LATENESS)
def test_a_batch_is_stamped_as_its_rows_would_be_one_by_one(
    steps: list[tuple[int, int | None, int, Kind, bool]],
    cuts: list[int],
    spans: tuple[int, ...],
    lateness: tuple[int, ...],
) -> None:
    received, rows = NOON, []
    for device, offset, gap, kind, historical in steps:
        received += gap * SECOND
        time = None if offset is None else received + offset * SECOND
        rows.append(Row(device, time, received, kind, historical))
    marks = Order({"dust": FAMILY})
    marks.control(
        Devices(
            "dust",
            [
                DeviceRow(i, f"DU-{i}", "generic-dust", interval=spans[i], lateness=lateness[i])
                for i in range(4)
            ],
        )
    )
    told: list[Verdict] = []
    restarts: list[WatermarkRestart] = []
    rest = rows
    for cut in [*cuts, len(rows)]:
        piece, rest = rest[:cut], rest[cut:]
        mine = batch(*((row.device, row.time, row.received) for row in piece))
        mine.kind[:] = [row.kind for row in piece]
        mine.flags[:] = [Flag.HISTORICAL if row.historical else 0 for row in piece]
        stamped = marks.stamp(mine)
        restarts += stamped.restarts
        columns = (stamped.batch.time, stamped.batch.flags, stamped.suspects)
        told += map(Verdict, *(column.tolist() for column in columns))
    one_by_one = Definition(dict(enumerate(spans)), dict(enumerate(lateness)))
    assert told == [one_by_one.stamp(row) for row in rows]
    assert restarts == one_by_one.restarts


def test_ten_thousand_rows_of_one_device_are_a_few_steps_and_the_same() -> None:
    marks, n = order(), 10_000
    times = NOON + np.random.default_rng(7).permutation(n).astype(np.int64)
    mine = Batch.empty(FAMILY, n)
    mine.device[:], mine.time[:], mine.received[:], mine.kind[:] = 1, times, NOON + SECOND, Kind.SAMPLE
    highest = np.maximum.accumulate(times)
    late = np.append(False, times[1:] < highest[:-1])
    stamped = marks.stamp(mine)
    assert np.array_equal(stamped.batch.flags, np.where(late, Flag.LATE, 0))
    assert np.array_equal(stamped.suspects, late)
