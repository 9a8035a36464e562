"""The city at a glance: how many devices, alarms and cases, by family and state."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from gateway.api.auth import Reader
from gateway.api.resource import resource
from gateway.api.services import With
from gateway.cases import query

router: Final = resource("/counts", "counts")


class Counts(BaseModel):
    """devices: in service, by family. alarms, cases: by family, then state."""

    devices: dict[str, int]
    alarms: dict[str, dict[str, int]]
    cases: dict[str, dict[str, int]]


@router.get("")
async def counts(services: With, caller: Reader) -> Counts:
    tally = await services.store.read(lambda conn: query.counts(conn, caller.areas))
    devices = dict(services.directory.counts())
    if caller.areas:
        devices = await services.devices.counts(caller.areas)
    return Counts(devices=devices, alarms=tally["alarms"], cases=tally["cases"])
