"""Recorded payloads of products and what they mean, one JSON file each under tests/vectors/<product>/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from drivers.decode import Decoded
from drivers.telemetry import NO_TIME, Flag, Quality

VECTORS = Path(__file__).parents[2] / "vectors"


def recorded() -> list[tuple[str, str, dict[str, Any]]]:
    """(product, name, vector) of every file that is a decode vector."""
    found = []
    for file in sorted(VECTORS.glob("*/*.json")):
        vector = json.loads(file.read_text("utf-8"))
        if "rows" in vector:
            found.append((file.parent.name, file.stem, vector))
    return found


def told(decoded: Decoded) -> list[dict[str, Any]]:
    """The rows as a vector states them."""
    batch, rows = decoded.batch, []
    for row in range(len(batch)):
        time = int(batch.time[row])
        said: dict[str, Any] = {"time": None if time == NO_TIME else time, "values": {}}
        grades = {}
        for place, point in enumerate(batch.family.points):
            grade = Quality(batch.quality[place, row])
            if grade is Quality.ABSENT:
                assert np.isnan(batch.values[place, row])
                continue
            value = float(batch.values[place, row])
            if point.name == "event":
                said["event"] = point.labels[int(value)]
            else:
                said["values"][point.name] = value
            if grade is not Quality.GOOD:
                grades[point.name] = grade.name.lower()
        if grades:
            said["quality"] = grades
        if batch.flags[row] & Flag.HISTORICAL:
            said["historical"] = True
        rows.append(said)
    return rows
