"""The demo's maintenance crew: takes what is dispatched, repairs it, and leaves the proof to telemetry."""

from __future__ import annotations

from typing import Any

import httpx

from gateway.cli.remote import RefusalError, ask

NEXT = {"dispatched": "accept", "accepted": "start"}


class Crew:
    """Speaks to the API with a token of its own role; a case that someone else moved meanwhile is left to them."""

    def __init__(self, remote: httpx.AsyncClient) -> None:
        self._remote = remote

    async def round(self) -> None:
        """One look at the open cases, one step each."""
        params = {"state": ["dispatched", "accepted", "in_repair"], "limit": 200}
        for case in (await ask(self._remote, "GET", "/cases", params=params))["items"]:
            event = NEXT.get(case["state"]) or ("repaired" if case["standing"] == 0 else None)
            if event is not None:
                await self._say(case, event)

    async def _say(self, case: dict[str, Any], event: str) -> None:
        said = {
            "event": event,
            "note": "repaired on site" if event == "repaired" else "",
            "verdict": "real" if event == "repaired" else "",
            "revision": case["revision"],
        }
        try:
            await ask(self._remote, "POST", f"/cases/{case['id']}/events", json=said)
        except RefusalError:
            return
