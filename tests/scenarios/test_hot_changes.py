"""Hot changes while readings come in: alarms of rules that nobody touched are those of a city where nothing was changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.gateway.api.gate import RULE, Gate, open_gate

OTHER = {**RULE, "id": "manhole-tried", "alarm": "coverDisplaced", "case": "", "when": "tilt > limit"}
TILTS = (3, 40, 22, 5, 18, 14, 30, 2)
WHY = {"reason": "a try"}


async def alarms(gate: Gate, base: int, *, busy: bool) -> list[tuple[Any, ...]]:
    """What the untouched rule has said when the day is over."""
    for device, area in (("M1", "xuhui"), ("M2", "jingan")):
        await gate.device(device, area=area)
    for place, tilt in enumerate(TILTS):
        if busy:
            await change(gate, place)
        for device in ("M1", "M2"):
            await gate.push({"device": device, "ts": base + place * 1000, "v": {"tilt": tilt}})
    items = (await gate.ok("viewer", "GET", "/alarms?limit=100"))["items"]
    return sorted((a["device"], a["raised"], a["state"], a["id"]) for a in items if a["rule"] == RULE["id"])


async def change(gate: Gate, place: int) -> None:
    path = f"/rules/{OTHER['id']}"
    if place == 0:
        await gate.ok("operator", "POST", f"{path}/versions", json={"document": OTHER, **WHY})
    elif place % 3 == 1:
        document = {**OTHER, "when": f"mean(tilt, {place}m) > limit", "clear": "tilt < 4 deg"}
        wish = {"document": document, "draft": True, **WHY}
        version = (await gate.ok("operator", "POST", f"{path}/versions", json=wish))["version"]
        trial = {"version": version, "areas": ["xuhui"], **WHY}
        await gate.ok("operator", "POST", f"{path}/canary", json=trial)
        await gate.ok("operator", "POST", f"{path}/shadow", json={"version": version, **WHY})
    elif place % 3 == 2:
        await gate.ok("operator", "PUT", f"{path}/parameters/limit", json={"value": 10 + place, **WHY})
    else:
        await gate.ok("operator", "POST", f"{path}/withdraw", json={"part": "canary", **WHY})


async def test_hot_changes_through_the_pipeline_leave_other_rules_as_they_were(tmp_path: Path) -> None:
    base, said = 0, []
    for name in ("quiet", "busy"):
        (tmp_path / name).mkdir()
        async with open_gate(tmp_path / name) as gate:
            base = base or gate.services.clock.now() // 1000 - 30_000
            said.append(await alarms(gate, base, busy=name == "busy"))
    assert said[0] == said[1]
    assert len(said[0]) == 6
