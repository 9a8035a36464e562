"""Who is limited to areas changes nothing elsewhere, by no way round: moving, mixing, naming, listening."""

from __future__ import annotations

from gateway.api.stream import Hub, Wanted
from gateway.cases.record import Change
from tests.gateway.api.gate import Gate


async def north(gate: Gate, role: str) -> str:
    """A token of this role for the area north, under that name."""
    given = {"name": f"north-{role}", "role": role, "areas": ["north"]}
    gate.words[f"north-{role}"] = (await gate.ok("admin", "POST", "/tokens", json=given))["secret"]
    return f"north-{role}"


async def lamps(gate: Gate) -> None:
    for name, area in (("N1", "north/1"), ("N2", "north"), ("S1", "south"), ("X1", "northern"), ("E1", "")):
        await gate.device(name, "generic-streetlight", area=area)


async def test_an_instruction_for_here_and_there_is_refused_whole(gate: Gate) -> None:
    await lamps(gate)
    caller = await north(gate, "operator")
    dim = {"name": "dim", "args": {"level": 40}}
    for devices in (["N1", "S1"], ["X1"], ["E1"]):
        refused = await gate.refused(caller, "POST", "/commands", json={**dim, "devices": devices})
        assert refused == (403, "forbidden")
    assert await gate.refused(caller, "POST", "/commands", json={**dim, "area": "south"}) == (
        403,
        "forbidden",
    )
    mine = await gate.ok(caller, "POST", "/commands", json={**dim, "devices": ["N1", "N2"]})
    both = await gate.ok("operator", "POST", "/commands", json={**dim, "devices": ["N1", "S1"], "key": "k"})
    assert [one["id"] for one in (await gate.ok(caller, "GET", "/commands"))["items"]] == [mine["id"]]
    assert await gate.refused(caller, "GET", f"/commands/{both['id']}/devices") == (403, "forbidden")
    assert await gate.refused(caller, "POST", f"/commands/{both['id']}/refuse", json={"reason": "no"}) == (
        403,
        "forbidden",
    )


async def test_a_device_is_neither_made_nor_moved_elsewhere(gate: Gate) -> None:
    await lamps(gate)
    caller = await north(gate, "admin")
    for area in ("south", "northern", ""):
        new = {"id": "N9", "product": "generic-streetlight", "area": area}
        assert await gate.refused(caller, "POST", "/devices", json=new) == (403, "forbidden")
        moved = await gate.refused(caller, "PATCH", "/devices/N1", json={"area": area})
        assert moved == (403, "forbidden")
    assert await gate.refused(caller, "PATCH", "/devices/S1", json={"area": "north"}) == (403, "forbidden")
    await gate.ok(caller, "PATCH", "/devices/N1", json={"area": "north/2"})
    assert await gate.refused(caller, "GET", "/users") == (403, "forbidden"), (
        "an admin of a part makes no users"
    )


async def test_telemetry_and_its_export_keep_to_the_areas(gate: Gate) -> None:
    await lamps(gate)
    caller = await north(gate, "operator")
    said = [{"device": name, "v": {"power": 40}} for name in ("N1", "S1", "X1")]
    answer = await gate.push(*said, role=caller)
    assert [(one["device"], one["stored"]) for one in answer["refused"]] == [("S1", "none"), ("X1", "none")]
    await gate.push(*said)
    lines = (await gate.call(caller, "GET", "/api/v1/readings/streetlight")).text.splitlines()
    assert {line.split('"')[3] for line in lines} == {"N1"}
    assert (await gate.ok(caller, "GET", "/counts"))["devices"] == {"streetlight": 2}
    assert (await gate.ok("viewer", "GET", "/counts"))["devices"] == {"streetlight": 5}


async def test_an_unknown_device_cannot_be_asked_after(gate: Gate) -> None:
    caller = await north(gate, "viewer")
    assert await gate.refused(caller, "GET", "/devices/none/latest") == (403, "forbidden")
    assert await gate.refused("viewer", "GET", "/devices/none/latest") == (404, "not-found")


async def test_a_stream_tells_of_its_areas_only() -> None:
    def change(area: str) -> Change:
        return Change(
            "alarm", area, "raise", "active", "coverOpened", "critical", "manhole", "M1", area, 1, 1
        )

    hub = Hub()
    mine = hub.join(Wanted(frozenset({"alarm"}), areas=("north", "east/1")))
    hub.publish(
        [change(area) for area in ("north", "north/2", "northern", "east", "east/1", "", "south")], []
    )
    heard = []
    while not mine.events.empty():
        event = mine.events.get_nowait()
        assert event is not None
        heard.append(event[1].split(b'"area":"')[1].split(b'"')[0])
    assert heard == [b"north", b"north/2", b"east/1"]


async def test_a_report_reaches_no_case_of_another_area_and_its_own_are_asked_after(gate: Gate) -> None:
    await gate.device("M1", area="north/1", lat=31.2, lon=121.4)
    await gate.push({"device": "M1", "v": {"tilt": 40}})
    (case,) = (await gate.ok("viewer", "GET", "/cases"))["items"]
    token = {"name": "south-operator", "role": "operator", "areas": ["south"]}
    gate.words["south"] = (await gate.ok("admin", "POST", "/tokens", json=token))["secret"]
    here = {"category": "cover-danger", "text": "a cover is missing", "lat": 31.2, "lon": 121.4}
    made = await gate.ok("south", "POST", "/reports", json={**here, "area": "south"})
    assert (made["match"], made["case"] != case["id"], made["nearby"]) == ("created", True, [])
    joining = {**here, "area": "south", "join": case["id"]}
    assert await gate.refused("south", "POST", "/reports", json=joining) == (403, "forbidden")
    seen = await gate.ok("operator", "POST", "/reports", json={**here, "area": "", "contact": {"name": "Li"}})
    assert (seen["case"], seen["nearby"]) == (case["id"], [made["case"]])
    caller = await north(gate, "operator")
    path = f"/reports/{seen['id']}"
    assert (await gate.ok(caller, "GET", path))["nearby"] == [], "what lies in south is not named"
    assert (await gate.ok(caller, "GET", f"/reports?case={case['id']}"))["items"][0]["nearby"] == []
    assert (await gate.ok(caller, "GET", f"{path}/contact"))["name"] == "Li"
    assert await gate.refused("south", "GET", path) == (403, "forbidden")
    assert await gate.refused("south", "GET", f"{path}/contact") == (403, "forbidden")
