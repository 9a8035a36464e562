"""Where a backup goes: a folder, or one tar file. It never takes the place of anything, and counts once it is whole.

Finished parts of history are linked into a folder where they lie on the same disk; everything else is copied.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final, Protocol

from gateway.backup import inventory
from gateway.backup.inventory import File, Inventory
from gateway.errors import Conflict, Invalid, StoreError

CHUNK: Final = 1 << 20
PRIVATE: Final = 0o600  # digests of secrets are in it


class Bundle(Protocol):
    """Calls block; OSError goes through. Files are named by their path inside the backup."""

    def scratch(self, name: str) -> Path:
        """Where a file is to be made."""

    def keep(self, name: str) -> File:
        """What was made there belongs to the backup."""

    def take(self, name: str, source: Path) -> File:
        """A file that will not change any more."""

    def finish(self, contents: Inventory) -> None:
        """The backup is whole."""

    def abandon(self) -> None:
        """Leave nothing behind."""


def opened(target: Path) -> Bundle:
    """Raises Invalid where it cannot be there, Conflict where something is there already."""
    if not target.is_absolute():
        raise Invalid(f"{target}: name it by its absolute path")
    if not target.parent.is_dir():
        raise Invalid(f"{target}: there is no folder {target.parent}; make it first")
    if target.suffix == ".tar":
        if target.exists():
            raise Conflict(f"{target}: is there already; name another file")
        return Archive(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Conflict(f"{target}: is not an empty folder; name another")
    return Folder(target)


class Folder:
    def __init__(self, target: Path) -> None:
        self._target = target
        self._fresh = not target.exists()
        target.mkdir(mode=0o700, exist_ok=True)

    def scratch(self, name: str) -> Path:
        path = self._target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, name: str) -> File:
        path = self._target / name
        path.chmod(PRIVATE)
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return File(
                name, os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
            )

    def take(self, name: str, source: Path) -> File:
        path = self.scratch(name)
        try:
            os.link(source, path)
        except FileNotFoundError:
            raise
        except OSError:  # another disk, or one that knows no links
            with source.open("rb") as file, path.open("wb") as copy:
                digest = _copied(file, copy.write)
                copy.flush()
                os.fsync(copy.fileno())
            path.chmod(PRIVATE)
        else:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        return File(name, path.stat().st_size, digest)

    def finish(self, contents: Inventory) -> None:
        for folder in [path for path in self._target.rglob("*") if path.is_dir()]:
            synced(folder)
        aside = self._target / f"{inventory.NAME}.new"
        with aside.open("wb") as file:
            file.write(inventory.encode(contents))
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(PRIVATE)
        aside.replace(self._target / inventory.NAME)
        synced(self._target)
        synced(self._target.parent)

    def abandon(self) -> None:
        if self._fresh:
            shutil.rmtree(self._target, ignore_errors=True)
            return
        for path in self._target.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


class Archive:
    """A tar file; what must be made first is made beside it."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._aside = target.with_name(f"{target.name}.partial")
        self._scratch = target.with_name(f"{target.name}.scratch")
        self.abandon()
        self._scratch.mkdir(mode=0o700)
        self._file = self._aside.open("xb")
        self._aside.chmod(PRIVATE)
        self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def scratch(self, name: str) -> Path:
        path = self._scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def keep(self, name: str) -> File:
        path = self._scratch / name
        kept = self.take(name, path)
        path.unlink()
        return kept

    def take(self, name: str, source: Path) -> File:
        with source.open("rb") as file:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = os.fstat(file.fileno()).st_size, PRIVATE
            reading = _Digesting(file)
            self._tar.addfile(entry, reading)
        return File(name, entry.size, reading.digest.hexdigest())

    def finish(self, contents: Inventory) -> None:
        path = self.scratch(inventory.NAME)
        path.write_bytes(inventory.encode(contents))
        self.take(inventory.NAME, path)
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        shutil.rmtree(self._scratch)
        self._aside.replace(self._target)
        synced(self._target.parent)

    def abandon(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()
        self._aside.unlink(missing_ok=True)
        shutil.rmtree(self._scratch, ignore_errors=True)


class _Digesting:
    """A file that is digested as it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def unpacked(source: Path, place: Callable[[str], Path]) -> list[File]:
    """Write every file of a backup to its place; what they are, by their content. Raises StoreError."""
    if source.is_dir():
        names = [path.relative_to(source).as_posix() for path in sorted(source.rglob("*")) if path.is_file()]
        return [_unpack(name, (source / name).open("rb"), place(name)) for name in names]
    try:
        with tarfile.open(source, "r|") as tar:
            return [_unpack(entry.name, _content(tar, entry), place(entry.name)) for entry in tar]
    except (tarfile.TarError, EOFError) as error:
        raise StoreError(f"{source}: not a whole backup: {error}") from error


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(entry) if entry.isfile() else None
    if content is None:
        raise StoreError(f"{entry.name}: not a file; a backup holds nothing else")
    return content


def _unpack(name: str, content: IO[bytes], path: Path) -> File:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        raise StoreError(f"{name}: stands twice in the backup")
    with content, path.open("xb") as copy:
        path.chmod(PRIVATE)
        digest = _copied(content, copy.write)
        copy.flush()
        os.fsync(copy.fileno())
        return File(name, copy.tell(), digest)


def _copied(file: IO[bytes], write: Callable[[bytes], Any]) -> str:
    """The SHA-256 of what was copied."""
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        write(chunk)
    return digest.hexdigest()


def synced(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
