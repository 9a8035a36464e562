"""Random conditions: the kernels and the scalar reference agree on every row, known and unknown."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from rules.check import ConditionError, check
from rules.city import City
from rules.compile import false_kernel, true_kernel
from rules.control import DeviceRow
from rules.memory import Memory
from rules.names import Vocabulary
from rules.scene import Moment
from rules.tree import text
from rules.units import parse_unit
from rules.zone import Zone
from tests.rules.sight import Device, Sight
from tests.rules.streams import PROBE, START, VALUES

ZONE = Zone("Asia/Shanghai")
VOCABULARY = Vocabulary(PROBE, {"limit": parse_unit("deg")})
ROWS = 7

angles: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["tilt", "limit", "10 deg", "0 deg", "2.5 deg", "abs(-tilt)"]),
        st.tuples(angles, st.sampled_from(["+", "-"]), angles).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(["2", "0.5", "power / 3 W", "level / (power * 1 m) * 1 W"]), angles).map(
            lambda parts: f"({parts[0]} * {parts[1]})"
        ),
        st.tuples(angles, angles).map(lambda parts: f"({parts[0]} / ({parts[1]}) * 1 deg)"),
    )
)
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
conditions: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(
        st.tuples(angles, signs, angles).map(" ".join),
        st.sampled_from(
            [
                "night",
                "day",
                "between 18:00 and 06:00",
                'door == "open"',
                'door != "open"',
                "rated_power > 20 W",
            ]
        ),
        conditions.map(lambda item: f"not ({item})"),
        st.tuples(conditions, st.sampled_from(["and", "or"]), conditions).map(
            lambda parts: f"({' '.join(parts)})"
        ),
    )
)
columns = st.lists(st.sampled_from([*VALUES, float("nan")]), min_size=ROWS, max_size=ROWS)


class Bound:
    """Stands in for a rule: its parameters as tuned."""

    def __init__(self, limit: list[float]) -> None:
        self.parameters = {"limit": np.array(limit)}


@dataclasses.dataclass
class Place:
    """Seven devices at different hours, some with no place and some with no rating."""

    rows: list[DeviceRow]
    times: list[int]


PLACE = Place(
    [
        DeviceRow(
            index,
            f"D-{index}",
            "p",
            lat=float("nan") if index == 3 else 31.2,
            lon=121.5,
            attributes={} if index == 5 else {"rated_power": 10.0 * index},
        )
        for index in range(ROWS)
    ],
    [START + hour * 3600 * 1_000_000 for hour in (0, 1, 3, 4, 7, 11, 16)],
)


@settings(max_examples=200)
@given(
    conditions,
    columns,
    columns,
    columns,
    st.lists(st.sampled_from([0.0, 1.0, float("nan")]), min_size=ROWS, max_size=ROWS),
)
def test_kernels_agree_with_plain_python(
    condition: str, tilt: list[float], power: list[float], limit: list[float], door: list[float]
) -> None:
    try:
        tree = check(condition, VOCABULARY)
    except ConditionError:  # larger than a rule may be
        reject()
    memory = Memory(PROBE, City(ZONE))
    memory.register(PLACE.rows)
    for name, column in {"tilt": tilt, "power": power, "level": power[::-1], "door": door}.items():
        memory.last.column(PROBE.index[name])[:ROWS] = column
    moment = Moment(memory, np.arange(ROWS), np.array(PLACE.times), np.array(PLACE.times)).of(Bound(limit))  # type: ignore[arg-type]
    with np.errstate(all="ignore"):
        true, false = true_kernel(tree)(moment), false_kernel(tree)(moment)
    for row in range(ROWS):
        values = {"tilt": tilt[row], "power": power[row], "level": power[::-1][row], "door": door[row]}
        sight = Sight(
            Device(PROBE, PLACE.rows[row]),
            PLACE.times[row],
            values,
            ZONE._zone,
            parameter={"limit": limit[row]}.__getitem__,
        )
        told = sight.truth(tree)
        assert (bool(true[row]), bool(false[row])) == (told is True, told is False), (text(tree), row)
