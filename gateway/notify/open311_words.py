"""What a request's state is called to those who asked, over Open311."""

from __future__ import annotations

from typing import Final

from gateway.notify.labels import Words

STATES: Final[Words] = {
    "open311.new": ("Received", "已受理"),
    "open311.filed": ("Received", "已立案"),
    "open311.dispatched": ("Assigned to a crew", "已派遣"),
    "open311.accepted": ("Accepted by the crew", "已接单"),
    "open311.in_repair": ("Under repair", "处置中"),
    "open311.suspended": ("Waiting", "已挂账"),
    "open311.repaired": ("Repaired, to be verified", "已处置，待核查"),
    "open311.verified": ("Repair verified", "核查通过"),
    "open311.closed": ("Closed", "已结案"),
    "open311.void": ("Not pursued", "已作废"),
}
