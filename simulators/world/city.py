"""A city of devices: where they stand, what they are called, and what each of them says at any moment.

The same seed, size and start give the same city, on every machine.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from drivers.families import FAMILIES
from simulators.world.cabinet import OWN, Cabinets
from simulators.world.cohort import Cohort, Model
from simulators.world.dust import Sites
from simulators.world.fume import Kitchens
from simulators.world.manhole import Manholes
from simulators.world.noise import Noise
from simulators.world.parking import MAX_STAY, Bays, uses
from simulators.world.streetlight import Streetlights
from simulators.world.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from drivers.telemetry import Family, Float64, Int32, Int64
    from simulators.world.cohort import Columns

MIX: Final[dict[str, float]] = {
    "streetlight": 0.60,
    "cabinet": 0.02,
    "manhole": 0.08,
    "dust": 0.05,
    "fume": 0.08,
    "parking": 0.17,
}
PREFIX: Final = {
    "streetlight": "LP",
    "cabinet": "CB",
    "manhole": "MH",
    "dust": "DU",
    "fume": "KF",
    "parking": "PK",
}
NOUN: Final = {
    "streetlight": "lamp",
    "cabinet": "lighting cabinet",
    "manhole": "cover",
    "dust": "site",
    "fume": "kitchen",
    "parking": "bay",
}
RATED: Final = np.array([60.0, 90.0, 120.0, 150.0, 180.0, 250.0])  # W

# district/street: latitude, longitude of its middle (WGS-84, about)
STREETS: Final[dict[str, tuple[float, float]]] = {
    "huangpu/waitan": (31.2367, 121.4880),
    "huangpu/yuyuan": (31.2270, 121.4925),
    "huangpu/dapuqiao": (31.2070, 121.4690),
    "jingan/caojiadu": (31.2310, 121.4340),
    "jingan/daning": (31.2790, 121.4560),
    "xuhui/tianping": (31.2010, 121.4380),
    "xuhui/xujiahui": (31.1930, 121.4370),
    "xuhui/caohejing": (31.1690, 121.4010),
    "changning/huayang": (31.2190, 121.4160),
    "changning/xianxia": (31.2080, 121.4000),
    "putuo/changshou": (31.2420, 121.4360),
    "putuo/zhenru": (31.2530, 121.4000),
    "hongkou/sichuanbei": (31.2540, 121.4830),
    "yangpu/wujiaochang": (31.2990, 121.5140),
    "yangpu/daqiao": (31.2700, 121.5330),
    "pudong/lujiazui": (31.2360, 121.5050),
    "pudong/tangqiao": (31.2120, 121.5200),
    "pudong/zhangjiang": (31.2050, 121.5990),
    "minhang/xinzhuang": (31.1110, 121.3850),
    "minhang/qibao": (31.1560, 121.3490),
}


def counts(n: int, mix: Mapping[str, float]) -> dict[str, int]:
    """How many devices of each family: by largest remainder, and one at least of each."""
    if n < len(mix):
        raise ValueError(f"a city needs at least {len(mix)} devices, one of each family, not {n}")
    whole = sum(mix.values())
    exact = {family: share / whole * n for family, share in mix.items()}
    found = {family: max(1, int(amount)) for family, amount in exact.items()}
    while (missing := n - sum(found.values())) != 0:
        step = 1 if missing > 0 else -1
        able = [family for family in mix if step > 0 or found[family] > 1]
        found[max(able, key=lambda family: step * (exact[family] - found[family]))] += step
    return found


@dataclass(frozen=True, slots=True)
class City:
    seed: int
    start: int
    cohorts: dict[str, Cohort]
    models: dict[str, Model]

    @classmethod
    def build(cls, n: int, seed: int, start: int, mix: Mapping[str, float] = MIX) -> Self:
        """n devices; start: city time (µs UTC) from which it is asked."""
        found = counts(n, mix)
        cabinets = _settle("cabinet", found["cabinet"], seed, None)
        cohorts = {
            name: cabinets if name == "cabinet" else _settle(name, found[name], seed, cabinets)
            for name in mix
        }
        parent = cohorts["streetlight"].parent
        rated = np.bincount(parent, cohorts["streetlight"].attributes["rated_power"], len(cabinets))
        cabinets.attributes["rated_power"] = OWN + rated.astype(np.float64)
        cabinets.attributes["lamps"] = np.bincount(parent, minlength=len(cabinets)).astype(np.float64)
        weather = Weather(seed)
        lamps = Streetlights(cohorts["streetlight"], weather, start)
        models: dict[str, Model] = {
            "streetlight": lamps,
            "cabinet": Cabinets(cabinets, weather, start, lamps, parent),
            "manhole": Manholes(cohorts["manhole"], weather, start),
            "dust": Sites(cohorts["dust"], weather, start),
            "fume": Kitchens(cohorts["fume"], weather, start),
            "parking": Bays(cohorts["parking"], weather, start),
        }
        return cls(seed, start, cohorts, {name: models[name] for name in mix})

    def __len__(self) -> int:
        return sum(len(cohort) for cohort in self.cohorts.values())

    def values(self, family: str, device: Int32, time: Int64) -> Columns:
        """Every point of these devices at these times, at the resolution their instruments have."""
        return rounded(FAMILIES[family], self.models[family].values(device, time))

    def registry(self) -> Iterator[dict[str, str]]:
        """One row a device, as the gateway's CSV import reads them; an empty cell means the family's own."""
        known = sorted({name for cohort in self.cohorts.values() for name in cohort.attributes})
        for name, cohort in self.cohorts.items():
            for row, device in enumerate(cohort.ids):
                parent = int(cohort.parent[row])
                yield {
                    "id": device,
                    "family": name,
                    "product": f"generic-{name}",
                    "name": cohort.names[row],
                    "area": cohort.areas[row],
                    "lat": f"{cohort.lat[row]:.6f}",
                    "lon": f"{cohort.lon[row]:.6f}",
                    "parent": self.cohorts["cabinet"].ids[parent] if parent >= 0 else "",
                    "interval": "",
                    **{f"attr.{attribute}": _attribute(cohort, attribute, row) for attribute in known},
                }

    def write_registry(self, file: TextIO) -> None:
        writer = csv.DictWriter(file, list(next(self.registry())), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.registry())


def rounded(family: Family, columns: Columns) -> Columns:
    """To each point's resolution and into its range."""
    out: Columns = {}
    for name, column in columns.items():
        point = family.points[family.index[name]]
        digits = max(0, round(-np.log10(point.resolution))) if point.resolution else 6
        out[name] = np.clip(np.round(column, digits), point.low, point.high) + 0.0
    return out


def _attribute(cohort: Cohort, name: str, row: int) -> str:
    value = cohort.attributes[name][row] if name in cohort.attributes else np.nan
    return "" if np.isnan(value) else f"{value:g}"


def _settle(name: str, n: int, seed: int, cabinets: Cohort | None) -> Cohort:
    """Find a street for each device; a lamp stands in the street of its cabinet."""
    noise, everyone = Noise(seed, f"city.{name}"), np.arange(n, dtype=np.int32)
    streets = list(STREETS)
    street = (noise.uniform(everyone, 1) * len(streets)).astype(np.intp)
    parent = np.full(n, -1, np.int32)
    if name == "cabinet":
        street = everyone.astype(np.intp) % len(streets)
    elif name == "streetlight" and cabinets is not None:
        parent = (everyone.astype(np.int64) * len(cabinets) // n).astype(np.int32)
        street = parent.astype(np.intp) % len(streets)
    middle = np.array([STREETS[each] for each in streets])[street]
    blocks = 1 if name == "dust" else 12  # sites crowd where a quarter is being built
    block = (noise.uniform(everyone, 4) * blocks).astype(np.intp) + 1
    places = [streets[each] for each in street]
    width = max(4, len(str(n)))
    return Cohort(
        family=FAMILIES[name],
        ids=tuple(f"{PREFIX[name]}-{i + 1:0{width}}" for i in range(n)),
        names=tuple(_label(places[i], NOUN[name], i + 1) for i in range(n)),
        areas=tuple(f"{places[i]}/block-{block[i]:02}" for i in range(n)),
        lat=_scatter(middle[:, 0], noise, everyone, 2, 0.006),
        lon=_scatter(middle[:, 1], noise, everyone, 3, 0.007),
        parent=parent,
        attributes=_attributes(name, noise, seed, everyone),
        seed=seed,
    )


def _attributes(name: str, noise: Noise, seed: int, everyone: Int32) -> dict[str, Float64]:
    if name == "streetlight":
        return {"rated_power": RATED[(noise.uniform(everyone, 5) * len(RATED)).astype(np.intp)]}
    if name == "parking":
        return {"max_stay": MAX_STAY[uses(seed, everyone)]}
    if name == "manhole":
        return {"depth": np.round(2.4 + 2.4 * noise.uniform(everyone, 5), 1)}
    return {}


def _scatter(middle: Float64, noise: Noise, everyone: Int32, stream: int, degrees: float) -> Float64:
    return np.round(middle + degrees * noise.spread(everyone, 10 + stream), 6)


def _label(place: str, noun: str, number: int) -> str:
    return f"{place.partition('/')[2].capitalize()} {noun} {number}"
