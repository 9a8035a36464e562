"""Random rows over several commits, against a dict that reads the law of design 2 word by word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.telemetry import Batch, Bool, Kind
from gateway.history.identity import Kept, judge, relatives
from gateway.history.query import Queries
from tests.gateway.history.readings import DUST, Said, batch_of, opened, said_by, told

Key = tuple[int, int, int]
Value = tuple[float, int]

VALUES = st.tuples(st.sampled_from([1.0, 2.0, float("nan"), -0.0, 1e300]), st.sampled_from([0, 2, 4]))
POINTS = st.dictionaries(st.sampled_from(["pm10", "pm25", "tsp", "event", "online"]), VALUES)
KINDS = st.sampled_from([Kind.SAMPLE, Kind.HOUR])
SAID = st.builds(
    Said, st.integers(0, 2), st.integers(1, 3), POINTS, KINDS, st.integers(1, 9), st.integers(0, 7)
)
COMMITS = st.lists(st.lists(SAID, max_size=8), max_size=5)


class Verdicts(NamedTuple):
    rows: list[int]
    stored: list[Said]
    duplicates: list[int]
    conflicts: list[tuple[int, tuple[str, ...]]]


class Model:
    """What is known, and what a row is then worth."""

    def __init__(self) -> None:
        self.known: dict[Key, dict[str, Value]] = {}

    def commit(self, batch: Batch) -> Verdicts:
        verdicts = Verdicts([], [], [], [])
        for at, row in enumerate(said_by(batch)):
            key = (row.device, row.time, int(row.kind))
            first = key not in self.known
            known = self.known.setdefault(key, {})
            new = {name: value for name, value in row.points.items() if name not in known}
            wrong = tuple(
                name
                for name in DUST.index
                if name in row.points and known.get(name, row.points[name]) != row.points[name]
            )
            known.update(new)  # type: ignore[arg-type]
            if wrong:
                verdicts.conflicts.append((at, wrong))
            if new or (first and not row.points):
                verdicts.rows.append(at)
                verdicts.stored.append(row._replace(points=new))
            elif not wrong:
                verdicts.duplicates.append(at)
        return verdicts

    def suspects(self, batch: Batch) -> Bool:
        """As few as the law allows: keys that are known, and all but the first of a key in the batch."""
        seen = set(self.known)
        mask = np.zeros(len(batch), bool)
        for at in range(len(batch)):
            key = (int(batch.device[at]), int(batch.time[at]), int(batch.kind[at]))
            mask[at] = key in seen
            seen.add(key)
        return mask


@settings(max_examples=150, deadline=None)
@given(COMMITS, st.booleans())
def test_the_verdicts_agree_with_the_model(commits: list[list[Said]], sparing: bool) -> None:
    model = Model()
    stored = Batch.empty(DUST)
    for said in commits:
        batch = batch_of(said)
        mask = model.suspects(batch) if sparing else np.ones(len(batch), bool)
        kept = judge(batch, relatives(batch, mask), stored)
        assert _verdicts(kept) == model.commit(batch)
        stored = Batch.concat([stored, kept.batch])


@settings(max_examples=25, deadline=None)
@given(COMMITS, st.booleans())
def test_history_agrees_with_the_model(commits: list[list[Said]], sparing: bool) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(_compare(Path(folder), commits, sparing))


async def _compare(folder: Path, commits: list[list[Said]], sparing: bool) -> None:
    model = Model()
    expected = []
    with opened(folder) as history:
        for tick, said in enumerate(commits, 1):
            batch = batch_of(said)
            mask = model.suspects(batch) if sparing else np.ones(len(batch), bool)
            before = said_by(batch)
            (kept,) = await history.commit(tick, [batch], [], [mask])
            verdicts = model.commit(batch)
            assert _verdicts(kept) == verdicts
            assert said_by(batch) == before
            if verdicts.rows:
                expected.append((tick, verdicts.stored))
        assert [(tick, said_by(batch)) for tick, (batch,), _ in history.replay(0)] == expected
        queries = Queries(history, 1)
        merged: dict[Key, dict[str, Value]] = {}
        async for page in queries.readings(DUST, 0, 10, chunk=4):
            for at in range(len(page)):
                key = (int(page.device[at]), int(page.time[at]), int(page.kind[at]))
                assert key not in merged
                values = np.nan_to_num(page.values[:, at], nan=-1).tolist()
                qualities = page.quality[:, at].tolist()
                columns = zip(page.points, values, qualities, strict=True)
                merged[key] = {name: (value, quality) for name, value, quality in columns if quality != 255}
        queries.close()
        assert merged == model.known


def _verdicts(kept: Kept) -> Verdicts:
    return Verdicts(kept.rows.tolist(), said_by(kept.batch), kept.duplicates.tolist(), kept.conflicts)


def test_the_model_itself() -> None:
    model = Model()
    assert model.commit(batch_of([Said(1, 1, {"pm10": 1.0})])).rows == [0]
    verdicts = model.commit(batch_of([Said(1, 1, {"pm10": 2.0, "tsp": 3.0})]))
    assert verdicts == ([0], told([Said(1, 1, {"tsp": 3.0})]), [], [(0, ("pm10",))])
