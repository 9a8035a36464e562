"""Identity of a reading (design 2): device, time and kind. Points of one key merge; none of them ever changes.

A point that comes again with the same value and quality is a duplicate, with another one a conflict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from drivers.telemetry import Batch, Quality

if TYPE_CHECKING:
    import numpy.typing as npt

    from drivers.telemetry import Bool, Float64, UInt8

    Rows = npt.NDArray[np.intp]


class Kept(NamedTuple):
    """What became of a batch. Positions are rows of the batch that was given, in ascending order.

    batch: the rows at `rows`, without points that were known. duplicates: rows that said nothing new and contradicted
    nothing. conflicts: (row, names of its points that contradict); the rest of such a row stands.
    """

    batch: Batch
    rows: Rows
    duplicates: Rows
    conflicts: list[tuple[int, tuple[str, ...]]]


def all_kept(batch: Batch) -> Kept:
    return Kept(batch, np.arange(len(batch)), np.empty(0, np.intp), [])


def relatives(batch: Batch, suspect: Bool) -> Rows:
    """The rows to judge: suspects, and every row of their devices, since either may repeat the other."""
    return np.flatnonzero(np.isin(batch.device, batch.device[suspect]))


def judge(batch: Batch, rows: Rows, stored: Batch) -> Kept:
    """Compare the named rows with stored ones and with each other, in order; all other rows of the batch are kept.

    `stored`: every stored row of the keys of suspects; other rows in it do no harm.
    """
    m = len(stored)
    known = Batch.concat([stored, batch.take(rows)])
    order = np.lexsort((known.kind, known.time, known.device))  # stable: within a key stored ones first
    starts, group = _groups(known.take(order))
    new, conflict = _compare(known.values[:, order], known.quality[:, order], starts, group)
    first = np.zeros(len(order), bool)
    first[starts] = True
    bare = (known.quality[:, order] == Quality.ABSENT).all(axis=0)
    keep = new.any(axis=0) | (bare & first)

    back = np.empty(len(order), np.intp)
    back[order] = np.arange(len(order))
    back = back[m:]
    return _sort_out(batch, rows, new[:, back], conflict[:, back], keep[back])


def _groups(known: Batch) -> tuple[Rows, Rows]:
    """(first row of each key, number of each row's key) of rows sorted by key."""
    change = np.ones(len(known), bool)
    change[1:] = (
        (known.device[1:] != known.device[:-1])
        | (known.time[1:] != known.time[:-1])
        | (known.kind[1:] != known.kind[:-1])
    )
    return np.flatnonzero(change), np.cumsum(change) - 1


def _compare(values: Float64, quality: UInt8, starts: Rows, group: Rows) -> tuple[Bool, Bool]:
    """(new, conflict) bool[point, n]: a key's first row that carries a point is what later ones are held against."""
    n = values.shape[1]
    here = np.arange(n)
    present = quality != Quality.ABSENT
    reference = np.minimum.reduceat(np.where(present, here, n), starts, axis=1)[:, group]
    new = reference == here
    reference = np.minimum(reference, n - 1)
    theirs = np.take_along_axis(values, reference, axis=1)
    same = (values == theirs) | (np.isnan(values) & np.isnan(theirs))
    same &= quality == np.take_along_axis(quality, reference, axis=1)
    return new, present & ~new & ~same


def _sort_out(batch: Batch, rows: Rows, new: Bool, conflict: Bool, keep: Bool) -> Kept:
    """Turn the verdicts on `rows` into one on the whole batch."""
    kept = np.ones(len(batch), bool)
    kept[rows] = keep
    contradicts = conflict.any(axis=0)
    names = [point.name for point in batch.family.points]
    conflicts = [
        (int(rows[at]), tuple(names[point] for point in np.flatnonzero(conflict[:, at])))
        for at in np.flatnonzero(contradicts)
    ]
    result = batch.take(kept)
    changed = np.cumsum(kept)[rows[keep]] - 1
    result.values[:, changed] = np.where(new[:, keep], result.values[:, changed], np.nan)
    result.quality[:, changed] = np.where(new[:, keep], result.quality[:, changed], np.uint8(Quality.ABSENT))
    return Kept(result, np.flatnonzero(kept), rows[~keep & ~contradicts], conflicts)
