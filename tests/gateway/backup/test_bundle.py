"""A bundle is whole or not there; what comes out of it is what went in, and goes nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from gateway.backup import bundle, inventory
from gateway.backup.inventory import Inventory, Ticks
from gateway.backup.restore import _place
from gateway.errors import Conflict, Invalid, StoreError

TARGETS = ("copy", "copy.tar")


def contents(files: list[inventory.File]) -> Inventory:
    return Inventory(
        version="0",
        schema="0001",
        made="2026-11-22T00:00:00+00:00",
        time=1,
        ticks=Ticks(1, 2, 3),
        rows={"dust": {1: 2}},
        controls=0,
        tables={"device": 1},
        parts=[],
        files=files,
    )


def filled(target: Path, source: Path) -> Inventory:
    into = bundle.opened(target)
    into.scratch("history/control/000000.parquet").write_bytes(b"control")
    listed = contents([into.keep("history/control/000000.parquet"), into.take("snapshots/one.bin", source)])
    into.finish(listed)
    return listed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "one.bin"
    path.write_bytes(b"state" * 1000)
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_what_goes_in_comes_out(tmp_path: Path, source: Path, target: str) -> None:
    listed = filled(tmp_path / target, source)
    out = tmp_path / "out"
    found = {file.name: file for file in bundle.unpacked(tmp_path / target, lambda name: out / name)}
    assert [found[file.name] for file in listed.files] == listed.files
    assert (out / "snapshots/one.bin").read_bytes() == source.read_bytes()
    assert inventory.decode((out / inventory.NAME).read_bytes()) == listed
    assert (out / "history/control/000000.parquet").stat().st_mode & 0o077 == 0, "digests are for the owner"


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_given_up_leaves_nothing(tmp_path: Path, source: Path, target: str) -> None:
    into = bundle.opened(tmp_path / target)
    into.scratch("operations.sqlite").write_bytes(b"x")
    into.keep("operations.sqlite")
    into.take("snapshots/one.bin", source)
    into.abandon()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.bin"]
    assert source.read_bytes() == b"state" * 1000


def test_an_empty_folder_of_ones_own_is_used_and_given_back_empty(tmp_path: Path, source: Path) -> None:
    (tmp_path / "mine").mkdir()
    into = bundle.opened(tmp_path / "mine")
    into.take("snapshots/one.bin", source)
    into.abandon()
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_must_be_new_and_have_its_place(tmp_path: Path, source: Path, target: str) -> None:
    filled(tmp_path / target, source)
    with pytest.raises(Conflict):
        bundle.opened(tmp_path / target)
    with pytest.raises(Invalid, match="no folder"):
        bundle.opened(tmp_path / "nowhere" / target)
    with pytest.raises(Invalid, match="absolute"):
        bundle.opened(Path(target))


def test_a_link_stands_for_a_copy_on_one_disk(tmp_path: Path, source: Path) -> None:
    filled(tmp_path / "copy", source)
    assert (tmp_path / "copy/snapshots/one.bin").samefile(source)


def test_a_torn_tar_is_no_backup(tmp_path: Path, source: Path) -> None:
    filled(tmp_path / "copy.tar", source)
    (tmp_path / "torn.tar").write_bytes((tmp_path / "copy.tar").read_bytes()[:3000])
    with pytest.raises(StoreError, match="not a whole backup"):
        bundle.unpacked(tmp_path / "torn.tar", lambda name: tmp_path / "out" / name)


@pytest.mark.parametrize("name", ["../out", "/etc/city", "history/parts/../../../out", ""])
def test_names_lead_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="not the name"):
        _place(tmp_path, name)


def test_a_backup_holds_files_and_nothing_else(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        link = tarfile.TarInfo("snapshots/a")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(StoreError, match="not a file"):
        bundle.unpacked(tmp_path / "evil.tar", lambda name: tmp_path / "out" / name)


def test_a_file_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as tar:
        for content in (b"a", b"b"):
            entry = tarfile.TarInfo("data/mirror.json")
            entry.size = 1
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(StoreError, match="twice"):
        bundle.unpacked(tmp_path / "twice.tar", lambda name: tmp_path / "out" / name)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"format": 1}', b"[" * 5000])
def test_an_inventory_that_cannot_be_read_is_said_so(text: bytes) -> None:
    with pytest.raises(StoreError, match="not the inventory"):
        inventory.decode(text)


def test_a_later_format_is_named() -> None:
    text = inventory.encode(contents([])).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(StoreError, match="format 2"):
        inventory.decode(text)
