"""An InfluxDB that is faithful where it matters: strict line protocol in, InfluxQL out, and every fault of the field."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from gateway.history.mirror_settings import Dialect, MirrorSettings

TOKEN = "a-token-of-the-mirror"
NAME = r"(?:\\[,= ]|[^,= \\])+"
LINE = re.compile(rf"({NAME})((?:,{NAME}={NAME})*) (\S+) (-?\d+)")
FIELD = re.compile(rf"({NAME})=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|-?\d+i)")

Key = tuple[str, str, str, str, int]  # measurement, device, kind, field, µs


class Influx:
    """What it was given and kept. Faults: a status to answer with, what to refuse, whether to drop or to hang."""

    def __init__(self) -> None:
        self.points: dict[Key, float] = {}
        self.writes: list[tuple[int, list[str]]] = []  # (status, lines)
        self.status: int | None = None
        self.message = "as the test wants it"
        self.dropping = False  # says 204 and keeps nothing
        self.bad: Callable[[str], bool] = lambda _: False
        self.hanging = threading.Event()  # requests wait while it is clear
        self.hanging.set()
        self.port = 0
        self.odd = b""  # a line of its answers that nobody can read

    def settings(self, **more: Any) -> MirrorSettings:
        url = f"http://127.0.0.1:{self.port}"
        given = {"dialect": Dialect.INFLUXQL, "token": SecretStr(TOKEN), "timeout_s": 5.0, "interval_ms": 10}
        return MirrorSettings(url=url, **(given | more))

    def write(self, lines: list[str]) -> tuple[int, dict[str, str]]:
        if self.status is not None:
            return self.status, {"code": "unavailable", "message": self.message}
        points: dict[Key, float] = {}
        for line in lines:
            try:
                points |= parsed(line)
            except ValueError as error:
                return 400, {"code": "invalid", "message": f"unable to parse '{line:.80}': {error}"}
            if self.bad(line):
                return 400, {"code": "invalid", "message": f"refused: {line:.80}"}
        if not self.dropping:
            self.points |= points
        return 204, {}

    def query(self, text: str) -> Iterator[dict[str, Any]]:
        asked = re.fullmatch(
            r'SELECT \* FROM "(\w+)" WHERE time >= (\d+)u AND time < (\d+)u GROUP BY "device", "kind"', text
        )
        if asked is None:
            yield {"results": [{"statement_id": 0, "error": f"error parsing query: {text}"}]}
            return
        measurement, t0, t1 = asked[1], int(asked[2]), int(asked[3])
        tables: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        for (name, device, kind, field, time), value in self.points.items():
            if name == measurement and t0 <= time < t1:
                tables[device, kind][time][field] = value
        for (device, kind), rows in tables.items():
            fields = sorted({field for row in rows.values() for field in row})
            values = [[time, *(row.get(field) for field in fields)] for time, row in sorted(rows.items())]
            tags = {"device": device, "kind": kind}
            series = {"name": measurement, "tags": tags, "columns": ["time", *fields], "values": values}
            yield {"results": [{"statement_id": 0, "series": [series], "partial": True}]}
        yield {"results": [{"statement_id": 0}]}


def parsed(line: str) -> dict[Key, float]:
    """The values of a line; raises ValueError."""
    found = LINE.fullmatch(line)
    if found is None:
        raise ValueError("bad line")
    tags = dict(each.split("=", 1) for each in re.split(r"(?<!\\),", found[2])[1:])
    fields = re.split(r"(?<!\\),", found[3])
    values: dict[Key, float] = {}
    for each in fields:
        field = FIELD.fullmatch(each)
        if field is None:
            raise ValueError(f"invalid field {each}")
        device = re.sub(r"\\(.)", r"\1", tags["device"])
        values[found[1], device, tags["kind"], field[1], int(found[4])] = float(field[2].removesuffix("i"))
    return values


class Handler(BaseHTTPRequestHandler):
    fake: Influx
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_POST(self) -> None:
        where = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.headers.get("authorization") != f"Token {TOKEN}":
            self._answer(401, {"code": "unauthorized", "message": "unauthorized access"})
            return
        asked = {key: value[0] for key, value in parse_qs(where.query).items()}
        assert where.path == "/api/v2/write"
        assert asked == {"org": "citygate", "bucket": "citygate", "precision": "us"}
        lines = body.decode().split("\n")
        self.fake.hanging.wait(10)
        status, answer = self.fake.write(lines)
        self.fake.writes.append((status, lines))
        self._answer(status, answer)

    def do_GET(self) -> None:
        asked = {key: value[0] for key, value in parse_qs(urlsplit(self.path).query).items()}
        assert (asked["db"], asked["epoch"], asked["chunked"]) == ("citygate", "u", "true")
        answers = [json.dumps(answer).encode() + b"\n" for answer in self.fake.query(asked["q"])]
        self._send(200, b"".join(answers) + self.fake.odd)

    def _answer(self, status: int, answer: dict[str, str]) -> None:
        self._send(status, json.dumps(answer).encode() if answer else b"")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:  # whoever asked has lost patience
            self.close_connection = True


@contextmanager
def influx() -> Iterator[Influx]:
    fake = Influx()
    bound = type("Bound", (Handler,), {"fake": fake})
    with ThreadingHTTPServer(("127.0.0.1", 0), bound) as server:
        server.daemon_threads = True
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield fake
        finally:
            fake.hanging.set()
            server.shutdown()
            thread.join()
