"""What the commands about alarms show: a line for the rule and one a condition; a block for each load compared."""

from __future__ import annotations

from gateway.cli.explain import shown
from gateway.cli.performance import lines


def test_why_shows_the_truth_of_each_condition() -> None:
    parts = [
        {"condition": "night", "truth": True, "said": "It was night."},
        {"condition": "(tilt > limit)", "truth": None, "said": "Tilt was not known."},
    ]
    found = {
        "rule": "cover-tilted",
        "version": 3,
        "device": "MH-1",
        "state": "idle",
        "truth": None,
        "parts": parts,
    }
    assert shown(found).splitlines() == [
        "cover-tilted v3 on MH-1: idle, raises: unknown",
        "  yes      It was night.",
        "  unknown  Tilt was not known.",
    ]


def test_performance_is_a_block_for_each_and_what_stands() -> None:
    often = {"rule": "lamp-dark", "device": "", "times": 30, "share": 0.6}
    one = {
        "alarms": 50,
        "average": 2.5,
        "load": "overload",
        "peak": 12,
        "floods": [{}],
        "flooded": 0.011,
        "priorities": {"critical": 0.02, "minor": 0.98},
        "top_share": 0.6,
        "rules": [often],
        "devices": [],
        "chattering": [{"rule": "lamp-dark", "device": "L-1", "times": 9}],
        "fleeting": 4,
    }
    targets = {"priorities": {"critical": 0.01, "minor": 0.15}}
    found = {"items": {"xuhui": one}, "targets": targets, "standing": 7, "stale": 2}
    assert lines(found) == [
        "xuhui: 50 alarms, 2.5 in ten minutes for an operator: overload; peak 12, 1 floods, 1.1% of the time",
        "  priorities: critical 2% (about 1%), minor 98% (about 15%)",
        "  ten rules make 60%: lamp-dark 30",
        "  devices: none",
        "  chattering: lamp-dark on L-1 9; fleeting: 4",
        "now: 7 standing, 2 of them for more than a day",
    ]
