"""One event time: stamps, late bits, restarts and the judge order, against a scalar oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import MINUTE, NO_TIME, SECOND, Batch, Family, Flag, Kind, Point, Quality
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
