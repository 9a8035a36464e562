from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gateway.history.snapshot import load, save

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
DTYPES = st.sampled_from([np.dtype(name) for name in ("f8", "i8", "i4", "u1", "?", "f4", "<U5")])
ARRAYS = DTYPES.flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)
TREES = st.dictionaries(
    st.text(),
    st.recursive(
        SCALARS | ARRAYS,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def alike(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and (one == other or (one != one and other != other))  # noqa: PLR0124 - NaN


@settings(max_examples=100, deadline=None)
@given(tree=TREES)
def test_what_is_loaded_is_what_was_saved(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("snapshots")
    save(folder, 7, tree)
    found = load(folder)
    assert found is not None
    assert found.tick == 7
    assert alike(found.parts, tree)


def test_loaded_arrays_are_writable_and_strides_do_not_matter(tmp_path: Path) -> None:
    table = np.arange(24, dtype=np.int64).reshape(4, 6)
    save(tmp_path, 1, {"part": table[:, 1:3], "turned": table.T, "number": np.int64(5)})
    found = load(tmp_path)
    assert found is not None
    assert found.parts["part"].tolist() == table[:, 1:3].tolist()
    assert found.parts["turned"].tolist() == table.T.tolist()
    assert found.parts["number"] == 5
    found.parts["part"][0, 0] = 99


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    assert load(tmp_path / "none") is None
    for tick in (9, 10, 100, 100):
        save(tmp_path, tick, {"tick": tick})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "snapshot-00000000000000000010.bin",
        "snapshot-00000000000000000100.bin",
    ]
    assert load(tmp_path) == (100, {"tick": 100})


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "foreign", "short"])
def test_a_damaged_one_is_passed_over(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, {"state": np.arange(100)})
    save(tmp_path, 2, {"state": np.arange(200)})
    newest = tmp_path / "snapshot-00000000000000000002.bin"
    whole = newest.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    newest.write_bytes(
        {
            "cut": whole[:-70],
            "empty": b"",
            "flipped": bytes(flipped),
            "foreign": b"PK" + whole[2:],
            "short": whole[:12],
        }[damage]
    )
    found = load(tmp_path)
    assert found is not None
    assert found.tick == 1
    (tmp_path / "snapshot-00000000000000000001.bin").unlink()
    assert load(tmp_path) is None


def test_a_save_that_fails_leaves_the_last_one(tmp_path: Path) -> None:
    save(tmp_path, 1, {"state": 1})
    with pytest.raises(TypeError, match="cannot hold"):
        save(tmp_path, 2, {"state": object()})
    with pytest.raises(TypeError, match="cannot hold"):
        save(tmp_path, 2, {"state": np.array([object()])})
    (tmp_path / "snapshot.new").write_bytes(os.urandom(100))  # what a kill in the middle leaves
    assert load(tmp_path) == (1, {"state": 1})
    save(tmp_path, 3, {"state": 3})
    assert not (tmp_path / "snapshot.new").exists()
