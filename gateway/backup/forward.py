"""Operations catch up with history after a restore: what the registry announced after they were copied is in the log.

A device that was registered then comes back under its index, which no other may ever get, but without its secret.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from drivers.products.product import Product
from gateway.store import audit
from gateway.store.schema.registry import announcement, device, device_index, parameter, rule_version
from rules.control import Control, DeviceRow, Devices, Parameter, Rules, decode

ACTOR: Final = "gateway"
REASON: Final = "restored from history"
CLOSED: Final = bytes(32)  # a digest that no secret has

Subject = tuple[str, ...]
Word = tuple[str, DeviceRow] | Parameter | Rules  # a device's with its family


class Forwarded(msgspec.Struct):
    """How many of each operations have got from history. secretless: new devices; each needs a new secret."""

    devices: int = 0
    rules: int = 0
    parameters: int = 0
    secretless: list[str] = msgspec.field(default_factory=list)


def bring(conn: Connection, log: Sequence[str], products: Mapping[str, Product], now: int) -> Forwarded:
    """log: the control rows, as stored, after the tick of operations. What is pending here and not in it is newer."""
    logged, done = set(log), Forwarded()
    last = {subject: word for text in log for subject, word in _words(decode(text))}
    pending = conn.execute(select(announcement).order_by(announcement.c.id)).all()
    newer = {
        subject: row.control not in logged for row in pending for subject, _ in _words(decode(row.control))
    }
    for row in pending:
        if row.control in logged:
            conn.execute(delete(announcement).where(announcement.c.id == row.id))
    for subject, word in last.items():
        if newer.get(subject):
            continue
        if isinstance(word, Rules):
            done.rules += _rules(conn, word, now)
        elif isinstance(word, Parameter):
            done.parameters += _parameter(conn, word, now)
        else:
            done.devices += _device(conn, *word, products, now, done.secretless)
    return done


def _words(control: Control) -> Iterator[tuple[Subject, Word]]:
    """What a control row says, and of what; nothing of links and clocks, which operations do not hold."""
    if isinstance(control, Devices):
        for row in control.rows:
            yield ("device", row.id), (control.family, row)
    elif isinstance(control, Parameter):
        yield ("parameter", control.rule, control.name, control.scope), control
    elif isinstance(control, Rules):
        yield ("rules",), control


def _device(
    conn: Connection,
    family: str,
    row: DeviceRow,
    products: Mapping[str, Product],
    now: int,
    secretless: list[str],
) -> bool:
    """Whether it was not known so before."""
    values = _columns(family, row, products)
    known = conn.execute(select(device).where(device.c.id == row.id)).mappings().one_or_none()
    if known is not None and all(known[name] == value for name, value in values.items()):
        return False
    if known is None:
        unknown = {"name": "", "grid": "", "owner": "", "digest": CLOSED, "created": now}
        conn.execute(insert(device).values(id=row.id, **values, **unknown, updated=now))
        secretless.append(row.id)
    else:
        conn.execute(update(device).where(device.c.id == row.id).values(**values, updated=now))
    place = (device_index.c.family == family) & (device_index.c.idx == row.index)
    if conn.execute(select(device_index).where(place)).one_or_none() is None:
        conn.execute(insert(device_index).values(family=family, idx=row.index, device=row.id))
    audit.record(conn, now, ACTOR, REASON, f"device:{row.id}")
    return True


def _columns(family: str, row: DeviceRow, products: Mapping[str, Product]) -> dict[str, Any]:
    product = products.get(row.product)
    own = product.interval if product else 0
    return {
        "family": family,
        "idx": row.index,
        "product": row.product,
        "area": row.area,
        "lat": None if math.isnan(row.lat) else row.lat,
        "lon": None if math.isnan(row.lon) else row.lon,
        "interval": 0 if row.interval == own else row.interval,
        "parent": row.parent,
        "attributes": row.attributes,
        "retired": row.retired,
        "link": row.link,
    }


def _rules(conn: Connection, word: Rules, now: int) -> int:
    """How many versions were not known."""
    known = {
        (rule, version) for rule, version in conn.execute(select(rule_version.c.rule, rule_version.c.version))
    }
    fresh = [document for document in word.rules if (document["id"], document["version"]) not in known]
    for document in fresh:
        values = {"rule": document["id"], "version": document["version"], "document": document, "shipped": ""}
        conn.execute(insert(rule_version).values(**values, author=ACTOR, reason=REASON, time=now))
        audit.record(conn, now, ACTOR, REASON, f"rule:{document['id']}", {"version": document["version"]})
    return len(fresh)


def _parameter(conn: Connection, word: Parameter, now: int) -> bool:
    """Whether another value was in force."""
    key = {"rule": word.rule, "name": word.name, "scope": word.scope}
    same = (
        (parameter.c.rule == word.rule) & (parameter.c.name == word.name) & (parameter.c.scope == word.scope)
    )
    newest = conn.scalar(select(func.max(parameter.c.version)).where(same)) or 0
    if conn.scalar(select(parameter.c.value).where(same, parameter.c.version == newest)) == word.value:
        return False
    values = {**key, "version": newest + 1, "value": word.value}
    conn.execute(insert(parameter).values(**values, author=ACTOR, reason=REASON, time=now))
    audit.record(conn, now, ACTOR, REASON, f"rule:{word.rule}", {**key, "value": word.value})
    return True
