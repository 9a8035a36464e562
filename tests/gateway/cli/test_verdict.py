"""The demo's verdict can fail: a lost, a doubled and a missed thing are each found."""

from __future__ import annotations

from gateway.cli.verdict import losses, score


def test_lost_and_doubled_readings_are_counted() -> None:
    rows = [("a", 1, "sample"), ("a", 2, "sample"), ("a", 2, "sample"), ("b", 1, "status")]
    found = losses([("a", 1), ("a", 2), ("a", 3), ("b", 1)], rows)
    assert (found.stored, found.lost, found.duplicated) == (3, 1, 1)
    assert found.examples == ["lost a at 3", "doubled a at 2 (sample)"]


def test_faults_count_once_they_were_due() -> None:
    def fault(device: str, by: int | None, refusal: str | None = None) -> dict[str, object]:
        return {"kind": "k", "device": device, "start": 10**9, "by": by, "alarms": ["x"], "refusal": refusal}

    truth = [
        fault("a", 2 * 10**9),
        fault("b", 2 * 10**9),
        fault("c", 9 * 10**9),
        fault("d", 10**9, "bad_json"),
    ]
    alarms = [{"device": "a", "name": "x", "raised": 10**9}, {"device": "b", "name": "x", "raised": 5}]
    found = score([*truth, fault("e", None)], alarms, {"d": {"bad_json"}}, 3 * 10**9)
    assert (found.injected, found.detected, found.missed) == (3, 2, ["k on b"])
