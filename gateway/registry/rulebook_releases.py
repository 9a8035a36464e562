"""Rules that come with citygate: a new release brings its own, and what it no longer brings is withdrawn from force.

A rule whose published version was written here is left alone, whatever a release says.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from gateway.registry import rulebook_tables as tables
from gateway.registry.rulebook_tables import PERSON, RELEASE, Book, Json, RuleVersion, Standing
from gateway.store import audit


def take_in(conn: Connection, book: Book, shipped: Sequence[Json], now: int) -> Book:
    """The book with this release; new versions are written, how rules stand is left to the caller."""
    digests = tables.origins(conn)
    for document in shipped:
        book = _shipped(conn, book, document, digests, now)
    wanted = {document["id"] for document in shipped}
    for rule, one in book.standings.items():
        ours = one.live is not None and digests.get((rule, one.live), "")
        if rule not in wanted and ours and not one.withdrawn:
            book = book.with_(Standing(rule, one.live, RELEASE))
            detail = {"reason": "this release no longer brings it"}
            audit.record(conn, now, "gateway", "rule withdrawn", f"rule:{rule}", detail)
    return book


def _shipped(
    conn: Connection, book: Book, document: Json, digests: dict[tuple[str, int], str], now: int
) -> Book:
    rule, digest = document["id"], tables.origin(document)
    known = book.standings.get(rule)
    if known is not None and known.live is None:
        return book  # somebody here drafts a rule of this name
    if known is None or known.live is None:
        reason = "came with citygate"
    elif not digests[rule, known.live] or (
        digests[rule, known.live] == digest and known.withdrawn != RELEASE
    ):
        return book
    elif digests[rule, known.live] == digest:
        return book.with_(replace(known, withdrawn=""))
    else:
        reason = "came with a new release"
    number = tables.next_version(conn, rule)
    one = RuleVersion(rule, number, {**document, "version": number}, True, "gateway", reason, now)
    tables.write(conn, one, digest)
    stays = PERSON if known is not None and known.withdrawn == PERSON else ""
    return book.with_(replace(known or Standing(rule), live=number, withdrawn=stays), one)
