"""A replay in few pieces tells the same ticks in the same order as one that goes tick by tick."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import Batch
from gateway.history.duck import History
from gateway.history.replay import Span
from rules.control import GatewayUp
from tests.gateway.history.committer import tick_of
from tests.gateway.history.readings import DUST, LOT, Said, batch_of, fresh, opened, said_by

UP = GatewayUp(down=1, up=2)


async def commit(history: History, tick: int, *batches: Batch, controls: int = 0) -> None:
    await history.commit(tick, batches, [UP] * controls, [fresh(batch) for batch in batches])


def one(tick: int) -> Batch:
    return batch_of([Said(1, tick, {"pm10": float(tick)})])


def shown(span: Span) -> tuple[int, int, list[tuple[str, int]], int]:
    rows = [(batch.family.name, len(batch)) for batch in span.batches]
    return span.last, span.ticks, rows, len(span.controls)


async def test_a_control_row_begins_a_piece_and_nothing_else_does(tmp_path: Path) -> None:
    lot = batch_of([Said(1, 7, {"busy": 1.0})], LOT)
    with opened(tmp_path) as history:
        assert list(history.spans(0)) == []
        await commit(history, 1, lot)
        await commit(history, 3, one(3))
        await commit(history, 4, one(4), lot, controls=2)
        await commit(history, 5, one(5))
        await commit(history, 8, controls=1)
        await commit(history, 9, controls=1)
        await commit(history, 11, one(11))
        assert [shown(span) for span in history.spans(0)] == [
            (3, 2, [("lot", 1), ("dust", 1)], 0),  # families by the tick of their first row
            (5, 2, [("dust", 2), ("lot", 1)], 2),
            (8, 1, [], 1),
            (11, 2, [("dust", 1)], 1),
        ]
        assert [shown(span) for span in history.spans(4)][:1] == [(5, 1, [("dust", 1)], 0)]


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2), st.booleans()), max_size=12), st.integers(0, 9)
)
def test_pieces_hold_what_the_ticks_hold(steps: list[tuple[int, int, bool]], after: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_compare(Path(folder), steps, after))


async def _compare(folder: Path, steps: list[tuple[int, int, bool]], after: int) -> None:
    """steps: (ticks to go on, control rows, whether there are readings)."""
    with opened(folder) as history:
        tick = 0
        for gap, controls, any_rows in steps:
            tick += gap
            await commit(history, tick, *(tick_of(tick)[0] if any_rows else []), controls=controls)
        ticks, pieces = list(history.replay(after)), list(history.spans(after))
        assert sum(piece.ticks for piece in pieces) == len(ticks)
        told = iter(ticks)
        for piece in pieces:
            mine = [next(told) for _ in range(piece.ticks)]
            assert piece.last == mine[-1].tick
            assert piece.controls == mine[0].controls
            assert not any(each.controls for each in mine[1:])
            for family in (DUST, LOT):
                rows = [
                    row for each in mine for b in each.batches if b.family is family for row in said_by(b)
                ]
                assert [row for b in piece.batches if b.family is family for row in said_by(b)] == rows
