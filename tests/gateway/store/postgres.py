"""A real PostgreSQL on a local socket in a folder of its own, under a user without rights where the suite runs as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import URL, create_engine, make_url

from gateway.store.migrate import upgrade

OWNER: Final = "citygate"
USERS: Final = ("postgres", "nobody")  # who runs it where we are root: it refuses to be root itself
SETTINGS: Final = "-c listen_addresses= -c fsync=off -c max_connections=120 -c deadlock_timeout=100ms"


class Server:
    """Databases come fresh and empty; all are gone with the server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        self._pattern: str | None = None  # the database that has the tables

    def fresh(self) -> str:
        """URL of a new, empty database."""
        return self._create("template1")

    def migrated(self) -> str:
        """URL of a new database with the tables of this version: a copy of one, which costs less than to migrate."""
        if self._pattern is None:
            self._pattern = f"city{self._count + 1}"
            engine = create_engine(make_url(self.fresh()).set(drivername="postgresql+psycopg"))
            with engine.begin() as connection:
                upgrade(connection)
            engine.dispose()
        return self._create(self._pattern)

    def _create(self, pattern: str) -> str:
        self._count += 1
        name = f"city{self._count}"
        with psycopg.connect(
            host=str(self.folder), user=OWNER, dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {pattern}".encode())
        url = URL.create("postgresql", OWNER, database=name, query={"host": str(self.folder)})
        return url.render_as_string(hide_password=False)


@contextmanager
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="citygate-pg-"))
    user = unprivileged()
    if user is not None:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, user=user, cwd=folder, stdout=subprocess.DEVNULL)

    try:
        run("initdb", "-D", "data", "-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", f"-k {folder} {SETTINGS}", "start")
        try:
            yield Server(folder)
        finally:
            run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged() -> str | None:
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in USERS if name in known)
