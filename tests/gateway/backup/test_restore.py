"""A restore says every damage by name, and puts nothing in place where there is any."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drivers.products import catalog
from drivers.telemetry import SECOND
from gateway.backup import inventory
from gateway.backup.backup import Backup, Taken
from gateway.backup.restore import Restored, Wish, restore
from gateway.cli.commands import app
from gateway.clock import CityClock
from gateway.errors import CitygateError, Conflict, Invalid, StoreError
from gateway.history.settings import HistorySettings
from gateway.notify.links import Link
from gateway.store.store import Store
from tests.gateway.store.postgres import Server
from tests.scenarios.city import City, city, moment


async def rise(source: Path, target: Path, url: str = "") -> Restored:
    wish = Wish(source, target, url, check=True)
    return await restore(wish, catalog(), HistorySettings(), CityClock(moment("12:00")))


async def taken(backup: Backup, target: Path) -> Taken:
    last = [stage async for stage in backup.take(target)][-1]
    assert isinstance(last, Taken)
    return last


async def live(town: City) -> None:
    await town.device("MH-0001", "generic-manhole")
    for minute in range(3):
        await town.at(f"02:0{minute}")
        await town.says("MH-0001", tilt=minute)


async def old(folder: Path) -> None:
    """Two days of a city: parts, a snapshot, hot rows."""
    async with city(folder, "02:00") as town:
        await live(town)
    async with city(folder, "+2 02:00") as town:
        await town.remote.post("/history/compact")
        await town.says("MH-0001", tilt=4)
    (folder / "mirror.json").write_text('{"live":1}', encoding="utf-8")


def spoilt(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


async def test_every_damage_is_named_and_nothing_is_put_in_place(tmp_path: Path) -> None:
    await old(tmp_path / "data")
    async with city(tmp_path / "data", "+2 02:01") as town:
        await taken(town.gateway.backup, tmp_path / "copy")
    damages: list[tuple[str, Callable[[Path], object]]] = [
        ("checksum does not match", lambda path: path.write_bytes(spoilt(path.read_bytes()))),
        ("missing", lambda path: path.unlink()),
        ("bytes instead of", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    ]
    names = [
        path.relative_to(tmp_path / "copy") for path in await asyncio.to_thread(files, tmp_path / "copy")
    ]
    kinds = {name.parts[0] if len(name.parts) < 3 else "/".join(name.parts[:2]) for name in names}
    assert kinds == {
        "operations.sqlite",
        "history/control",
        "history/hot",
        "history/parts",
        "snapshots",
        "data",
    }
    for name in names:
        for word, damage in damages:
            copy = tmp_path / "damaged"
            await asyncio.to_thread(shutil.copytree, tmp_path / "copy", copy)
            damage(copy / name)
            with pytest.raises(StoreError, match=f"{name}: .*{word}"):
                await rise(copy, tmp_path / "risen")
            assert await asyncio.to_thread(files, tmp_path / "risen") == []
            await asyncio.to_thread(shutil.rmtree, copy)
    (tmp_path / "risen" / "restoring" / "history").mkdir(parents=True)  # as a kill leaves it
    done = await rise(tmp_path / "copy", tmp_path / "risen")
    assert dict(done.checked) == {"files": len(names), "parts": 1, "hours": 2, "readings": 4}
    assert (tmp_path / "risen" / "mirror.json").read_text(encoding="utf-8") == '{"live":1}'


def files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != inventory.NAME]
    return sorted(found)


async def test_counts_that_do_not_agree_are_named_by_hour(tmp_path: Path) -> None:
    """A file may be whole and yet not what was counted when it was made."""
    async with city(tmp_path / "data", "02:00") as town:
        await live(town)
        await taken(town.gateway.backup, tmp_path / "copy")
    listed = tmp_path / "copy" / inventory.NAME
    contents = inventory.decode(listed.read_bytes())
    ((hour, rows),) = contents.rows["manhole"].items()
    contents.rows["manhole"] = {hour: rows + 1}
    contents.tables["device"] += 1
    listed.write_bytes(inventory.encode(contents))
    with pytest.raises(StoreError) as caught:
        await rise(tmp_path / "copy", tmp_path / "risen")
    assert f"manhole, hour {hour}: {rows} rows instead of {rows + 1}" in str(caught.value)
    assert "operations: 1 rows of device instead of 2" in str(caught.value)


async def test_what_is_no_backup_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "unfinished").mkdir()
    with pytest.raises(Invalid, match="not finished"):
        await rise(tmp_path / "unfinished", tmp_path / "risen")
    with pytest.raises(Invalid, match="no such backup"):
        await rise(tmp_path / "nowhere", tmp_path / "risen")
    (tmp_path / "text.tar").write_bytes(b"hello")
    with pytest.raises(StoreError, match="not a whole backup"):
        await rise(tmp_path / "text.tar", tmp_path / "risen")


async def test_a_damaged_part_is_left_out_and_named(tmp_path: Path) -> None:
    await old(tmp_path / "data")
    (part,) = await asyncio.to_thread(lambda: list((tmp_path / "data/history/manhole").rglob("*.parquet")))
    part.write_bytes(spoilt(part.read_bytes()))
    async with city(tmp_path / "data", "+2 02:01") as town:
        done = await taken(town.gateway.backup, tmp_path / "copy")
        assert done.damaged == [part.relative_to(tmp_path / "data/history").as_posix()]
        part.unlink()
        assert (await taken(town.gateway.backup, tmp_path / "again")).damaged == done.damaged
    restored = await rise(tmp_path / "copy", tmp_path / "risen")
    assert dict(restored.checked)["readings"] == 1, "the rest is there"


async def test_one_backup_at_a_time_and_one_that_is_not_heard_out_leaves_nothing(tmp_path: Path) -> None:
    async with city(tmp_path / "data", "02:00") as town:
        await live(town)
        taking = town.gateway.backup.take(tmp_path / "copy")
        await anext(taking)
        with pytest.raises(Conflict, match="already"):
            await anext(town.gateway.backup.take(tmp_path / "other"))
        await taking.aclose()
        assert not (tmp_path / "copy").exists()
        await taken(town.gateway.backup, tmp_path / "copy")


async def test_compaction_waits_for_a_backup_and_goes_on_after_it(tmp_path: Path) -> None:
    await old(tmp_path / "data")
    async with city(tmp_path / "data", "+4 02:00") as town:
        compactor = town.gateway.core.care.compactor
        compacting: asyncio.Future[int] | None = None
        async for stage in town.gateway.backup.take(tmp_path / "copy"):
            if compacting is None and not isinstance(stage, Taken) and stage.stage == "history":
                compacting = asyncio.ensure_future(compactor.run())
            if compacting is not None and not isinstance(stage, Taken) and stage.stage != "done":
                assert not compacting.done()
        assert compacting is not None
        assert await compacting > 0
    assert dict((await rise(tmp_path / "copy", tmp_path / "risen")).checked)["readings"] == 4


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
async def test_keys_come_along_and_stay_private(tmp_path: Path, name: str) -> None:
    """A link that was sent still opens its alarm, and checkpoints are of the same gateway."""
    notify = {"log": [], "base_url": "https://city.example"}
    link = Link("alarm:1", "duty", moment("04:00") // SECOND)
    if name == "copy":
        (tmp_path / name).mkdir(mode=0o755)  # others may look into it
    async with city(tmp_path / "data", "02:00", notify=notify) as town:
        core = town.gateway.core
        word, signer = core.links.sign(link), core.checkpoints.public
        await taken(town.gateway.backup, tmp_path / name)
    done = await rise(tmp_path / name, tmp_path / "risen")
    assert {file.name for file in done.contents.files} >= {"data/audit.key", "data/links.key"}
    keys = [path for path in await asyncio.to_thread(files, tmp_path) if path.suffix == ".key"]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    async with city(tmp_path / "risen", "03:00", notify=notify) as risen:
        core = risen.gateway.core
        assert (core.links.read(word, core.clock.now()), core.checkpoints.public) == (link, signer)


@pytest.mark.peer("postgresql")
async def test_operations_go_from_postgresql_to_postgresql(tmp_path: Path, postgresql: Server) -> None:
    first, second = postgresql.fresh(), postgresql.fresh()
    async with city(tmp_path / "data", "02:00", operations={"url": first}) as town:
        await live(town)
        await taken(town.gateway.backup, tmp_path / "copy")
        devices = (await town.remote.get("/devices")).json()
    with pytest.raises(CitygateError, match="has tables already"):
        await rise(tmp_path / "copy", tmp_path / "risen", first)
    await rise(tmp_path / "copy", tmp_path / "risen", second)
    assert not (tmp_path / "risen" / "operations.sqlite").exists()
    async with city(tmp_path / "risen", "02:03", operations={"url": second}) as risen:
        assert (await risen.remote.get("/devices")).json() == devices
        await risen.device("MH-0002", "generic-manhole")
    await rise(tmp_path / "copy", tmp_path / "embedded")
    async with city(tmp_path / "embedded", "02:03") as risen:
        assert (await risen.remote.get("/devices")).json() == devices, "and to the embedded database"


def test_the_commands_work_without_a_gateway(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'data = "{tmp_path}/data"\n', encoding="utf-8")
    runner = CliRunner()

    def run(*words: str) -> str:
        result = runner.invoke(app, ["--config", str(config), *words])
        assert result.exit_code == 0, result.output
        return result.output

    run("devices", "add", "MH-0001", "--product", "generic-manhole")
    assert "every reading acknowledged up to tick" in run("backup", str(tmp_path / "copy.tar"))
    said = run("restore", str(tmp_path / "copy.tar"), "--to", str(tmp_path / "risen"), "--verify")
    assert "verified: " in said
    config.write_text(f'data = "{tmp_path}/risen"\n', encoding="utf-8")
    assert "MH-0001" in run("devices", "list")


async def test_the_store_is_closed_where_a_copy_is_broken_off(tmp_path: Path) -> None:
    async with city(tmp_path / "data", "02:00") as town:
        await live(town)
        taking = town.gateway.backup.take(tmp_path / "copy")
        await anext(taking)
        await anext(taking)
        closing = asyncio.ensure_future(town.gateway.backup.close())
        with pytest.raises(StoreError, match="gateway stops"):
            async for _ in taking:
                pass
        await closing
        assert not (tmp_path / "copy").exists()
        assert isinstance(town.gateway.core.store, Store)
