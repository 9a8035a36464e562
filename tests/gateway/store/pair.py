"""Two PostgreSQL clusters, one the synchronous standby of the other: the primary can be killed, the standby promoted."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg
from sqlalchemy import URL

from tests.gateway.store.postgres import OWNER, unprivileged

DATABASE: Final = "city"
SETTINGS: Final = "-c listen_addresses=127.0.0.1 -c max_connections=20 -c wal_sender_timeout=2s"
PATIENCE: Final = 20.0  # seconds for a standby to stand by


class Node:
    def __init__(self, folder: Path, name: str, port: int, user: str | None) -> None:
        self.data = folder / name
        self.port = port
        self._folder, self._user = folder, user

    def run(self, *command: str) -> None:
        subprocess.run(command, check=True, user=self._user, cwd=self._folder, stdout=subprocess.DEVNULL)

    def create(self) -> None:
        options = ("-U", OWNER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.run("initdb", "-D", str(self.data), *options)

    def copy(self, primary: Node) -> None:
        """What the primary has, to be kept up with it."""
        shutil.rmtree(self.data, ignore_errors=True)
        where = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", OWNER)
        self.run("pg_basebackup", *where, "-D", str(self.data), "-R", "-c", "fast", "--no-sync")

    def start(self) -> None:
        options = f"-k {self._folder} -p {self.port} {SETTINGS}"
        log = Path(f"{self.data}.log")
        try:
            self.run("pg_ctl", "-D", str(self.data), "-w", "-l", str(log), "-o", options, "start")
        except subprocess.CalledProcessError as error:
            raise AssertionError(log.read_text()[-2000:]) from error

    def promote(self) -> None:
        self.run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def kill(self) -> None:
        """As if its machine had lost power: nothing of it says another word."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        postmaster = int(lines[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        subprocess.run(["ipcrm", "-m", lines[6].split()[1]], check=False, stderr=subprocess.DEVNULL)
        for left in ("", ".lock"):  # a dead process keeps its number for a while, as if it held them
            (self._folder / f".s.PGSQL.{self.port}{left}").unlink(missing_ok=True)

    def ask(self, *statements: str) -> list[tuple[object, ...]]:
        """The rows of the last one."""
        rows: list[tuple[object, ...]] = []
        where = f"host=127.0.0.1 port={self.port} user={OWNER} dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
                rows = cursor.fetchall() if cursor.description else []
        return rows


class Pair:
    def __init__(self, first: Node, second: Node) -> None:
        self.primary, self.standby = first, second
        hosts = [f"127.0.0.1:{node.port}" for node in (first, second)]
        url = URL.create("postgresql", OWNER, database=DATABASE, query={"host": hosts})
        self.url = url.render_as_string(hide_password=False)
        first.create()
        first.start()
        first.ask(f"CREATE DATABASE {DATABASE}")

    def follow(self) -> None:
        """The standby copies the primary; from here on no commit returns that only one of them has."""
        self.standby.copy(self.primary)
        self.standby.start()
        self.primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
        until = time.monotonic() + PATIENCE  # noqa: TID251 - a real peer has no clock of ours
        while self.primary.ask("SELECT sync_state FROM pg_stat_replication") != [("sync",)]:
            assert time.monotonic() < until, "the standby does not follow"  # noqa: TID251
            time.sleep(0.05)  # noqa: TID251

    def fail_over(self) -> None:
        """The primary dies and the standby takes its place."""
        self.primary.kill()
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary


@contextmanager
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="citygate-pair-"))
    user = unprivileged()
    if user is not None:
        shutil.chown(folder, user)
    first = _free_port(20_000 + os.getpid() % 10_000)
    nodes = [Node(folder, "a", first, user), Node(folder, "b", _free_port(first + 1), user)]
    try:
        yield Pair(*nodes)
    finally:
        for node in nodes:
            with suppress(FileNotFoundError):
                node.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port(least: int) -> int:
    """Outside of what clients are given: while the server is down, none of them may sit on its port."""
    for port in range(least, 32_000):
        with socket.socket() as taken, suppress(OSError):
            taken.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
