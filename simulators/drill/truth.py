"""What each fault must lead to: the shipped rules that must raise, how soon, and which other alarms are its true consequences.

Rules are named, never read: what they say stands in their packs, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from drivers.telemetry import DAY, HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Due:
    """rules: µs from the fault's start by which each must have raised; what lasts shorter owes it nothing.

    also: alarms that follow from the fault besides. hours: local hours in which it shows (may cross midnight). trail: µs
    after its end while windows still remember it. lamps: what befalls the lamps of the cabinet, and `share` of them.
    needs: what an attribute has to be there for.
    """

    rules: Mapping[str, int]
    also: tuple[str, ...] = ()
    hours: tuple[float, float] | None = None
    trail: int = 30 * MINUTE
    lamps: str = ""
    share: float = 1.0
    needs: Mapping[str, str] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """µs that it must last for every rule to be due."""
        return max(self.rules.values(), default=30 * MINUTE)


M, H, D = MINUTE, HOUR, DAY
_SPEAKS: Final = 4 * M  # what a device reports itself is told at once
_DUST: Final = ("pm10TooHigh", "pm2-5TooHigh", "tspTooHigh", "sprayFailure")
_NOISE: Final = ("noiseTooHigh", "abnormalNoiseDetected")
_FUME: Final = ("fumeTooHigh", "particulateTooHigh", "nmhcTooHigh")
NEIGHBOURS: Final = "neighbours"  # no attribute: three other devices of its family in its area
_SITE: Final = {
    "dust-pm10-background": NEIGHBOURS,
    "dust-night-work": NEIGHBOURS,
    "dust-pm10-site": "pm10_limit",
    "dust-tsp-site": "tsp_limit",
    "dust-noise-site-day": "noise_limit_day",
    "dust-noise-site-night": "noise_limit_night",
    "dust-spray-linkage": "sprayer",
}
_MAX_STAY: Final = {"parking-over-max-stay": "max_stay"}
_LIMIT: Final = {"fume-site-limit": "fume_limit"}
_CURRENT: Final = {"cabinet-overcurrent": "rated_current", "lamp-overcurrent": "rated_current"}

LAMP: Final = {
    "lamp_dead": Due({"lamp-dark": 20 * M}),
    "lamp_reported": Due({"lamp-failure-flag": 10 * M, "lamp-failure-event": _SPEAKS}),
    "gear_failed": Due({"lamp-gear-failure": 10 * M, "lamp-gear-event": _SPEAKS}, also=("lampFailure",)),
    "day_burning": Due({"lamp-day-burning": 20 * M}),
    "cycling": Due({"lamp-cycling": 75 * M}, also=("lampFailure",), trail=90 * M),
    "dimming_failed": Due({"lamp-dimming": 30 * M}, hours=(0.1, 4.9)),
    "power_high": Due({"lamp-power-high": 45 * M}, also=("dimmingFailure",)),
    "power_low": Due({"lamp-power-low": 45 * M}, hours=(19.6, 23.9)),
    "power_factor_low": Due({"lamp-power-factor": 45 * M, "lamp-power-factor-event": _SPEAKS}),
    "overcurrent": Due({"lamp-overcurrent": 15 * M, "lamp-overcurrent-event": _SPEAKS}, needs=_CURRENT),
    "meter_leaps": Due({"lamp-jump": 25 * M}, also=("dimmingFailure",)),
    "undervoltage": Due({"lamp-undervoltage": 15 * M}),
    "overvoltage": Due({"lamp-overvoltage": 15 * M}),
    "leakage": Due({"lamp-leakage": 10 * M}),
    "pole_leaning": Due({"lamp-pole-leaning": 15 * M}),
    "hot": Due({"lamp-hot": 20 * M, "lamp-hot-event": _SPEAKS}),
    "lantern_broken": Due({"lamp-damaged": _SPEAKS}),
    "silent": Due({"lamp-silent": 40 * M}),
    "disconnect": Due({"lamp-silent": 40 * M}),
    "flatline": Due({"lamp-flat-line": 7 * H}, also=("lampUnexpectedOn", "lampPowerTooLow"), trail=2 * H),
    "lost": Due({"lamp-silent": 40 * M, "device-lost": 7 * D + H}),
    "unpowered": Due({"lamp-silent": 40 * M}),
    "unfed": Due({"lamp-dark": 20 * M}),
}
CABINET: Final = {
    "door_open": Due({"cabinet-door": _SPEAKS, "cabinet-door-event": _SPEAKS}),
    "leakage": Due({"cabinet-leakage": 8 * M}),
    "phase_loss": Due({"cabinet-phase-loss": 5 * M}),
    "undervoltage": Due({"cabinet-undervoltage": 10 * M}),
    "overvoltage": Due({"cabinet-overvoltage": 10 * M, "cabinet-overvoltage-event": _SPEAKS}),
    "contactor_welded": Due({"cabinet-contactor-welded": 6 * M, "cabinet-not-opening": 5 * M}),
    "not_closing": Due({"cabinet-not-closing": 5 * M, "cabinet-not-closing-event": _SPEAKS}, lamps="unfed"),
    "feeder_cut": Due(
        {"cabinet-supply-loss": 5 * M},
        also=("switchingErrorOn", "cableCut", "supplyVoltageTooLow", "phaseLoss"),
        lamps="unpowered",
    ),
    "cable_cut": Due({"cabinet-cable-cut": 15 * M}, lamps="unpowered", share=0.9),
    "power_factor_low": Due({"cabinet-power-factor": 35 * M}),
    "overcurrent": Due({"cabinet-overcurrent": 10 * M}, needs=_CURRENT),
    "overheated": Due({"cabinet-hot": 15 * M}),
    "breaker": Due({"cabinet-breaker": _SPEAKS}),
    "by_hand": Due({"cabinet-override": _SPEAKS}),
    "meter_exchanged": Due({"cabinet-meter-back": 15 * M}, trail=90 * M),
    "silent": Due({"cabinet-silent": 20 * M}),
    "disconnect": Due({"cabinet-silent": 20 * M}),
    "flatline": Due({"cabinet-flat-line": 75 * M}, trail=75 * M),
    "lost": Due({"cabinet-silent": 20 * M, "device-lost": 7 * D + H}),
}
MANHOLE: Final = {
    "cover_tilted": Due({"cover-tilted": _SPEAKS, "cover-tilted-event": _SPEAKS}),
    "cover_opened": Due(
        {
            "cover-open": _SPEAKS,
            "cover-moved": _SPEAKS,
            "cover-tilted": _SPEAKS,
            "cover-open-event": _SPEAKS,
        }
    ),
    "cover_moved": Due({"cover-moved": _SPEAKS, "cover-moved-event": _SPEAKS}),
    "cover_hit": Due({"cover-abnormal": _SPEAKS}),
    "settled": Due({"cover-settled": 31 * H, "cover-settled-event": _SPEAKS}, trail=7 * H),
    "flooded": Due({"cover-flooded": _SPEAKS, "cover-water": _SPEAKS, "cover-flooded-event": _SPEAKS}),
    "gas": Due({"cover-methane": _SPEAKS, "cover-h2s": _SPEAKS, "cover-gas-event": _SPEAKS}),
    "low_battery": Due(
        {"cover-battery": _SPEAKS, "cover-battery-voltage": _SPEAKS, "cover-battery-event": _SPEAKS}
    ),
    "sensor_leaps": Due({"cover-jump": 13 * H}, trail=20 * H),
    "silent": Due({"cover-silent": 27 * H}),
    "disconnect": Due({"cover-silent": 27 * H}),
    "flatline": Due({"cover-flat-line": 16 * D}, trail=2 * D),
    "lost": Due({"cover-silent": 27 * H, "device-lost": 7 * D + H}),
}
DUST: Final = {
    "dust_pour": Due(
        {
            "dust-pm10-high": 12 * M,
            "dust-tsp-high": 8 * M,
            "dust-pm25-high": 70 * M,
            "dust-pm10-background": 70 * M,
            "dust-pm10-site": 12 * M,
            "dust-tsp-site": 8 * M,
            "dust-spray-linkage": 8 * M,
        },
        also=_DUST,
        trail=75 * M,
        needs=_SITE,
    ),
    "spray_stuck": Due(
        {"dust-spray-failure": 18 * M, "dust-pm10-high": 12 * M, "dust-tsp-high": 8 * M},
        also=_DUST,
        trail=75 * M,
    ),
    "night_work": Due(
        {"dust-pm10-high": 15 * M, "dust-night-work": 40 * M},
        also=_DUST,
        hours=(22.2, 4.5),
        trail=75 * M,
        needs=_SITE,
    ),
    "noise_day": Due(
        {"dust-noise-day": 25 * M, "dust-noise-site-day": 25 * M},
        also=_NOISE,
        hours=(7.0, 21.0),
        needs=_SITE,
    ),
    "noise_night": Due(
        {"dust-noise-night": 25 * M, "dust-noise-peak": 10 * M, "dust-noise-site-night": 25 * M},
        also=_NOISE,
        hours=(22.5, 5.0),
        needs=_SITE,
    ),
    "storm": Due({"dust-wind": 15 * M}),
    "sensor_weak": Due({"dust-data-share": 140 * M}, trail=75 * M),
    "unit_wrong": Due({"dust-implausible": _SPEAKS}),
    "sensor_leaps": Due({"dust-jump": 10 * M}, also=_DUST, trail=75 * M),
    "silent": Due({"dust-silent": 20 * M}, also=("stationFault",), trail=75 * M),
    "disconnect": Due({"dust-silent": 20 * M}, also=("stationFault",), trail=75 * M),
    "flatline": Due(
        {"dust-flat-line": 210 * M, "dust-noise-flat-line": 75 * M}, also=(*_NOISE, *_DUST), trail=2 * H
    ),
    "lost": Due({"dust-silent": 20 * M, "device-lost": 7 * D + H}, also=("stationFault",), trail=75 * M),
}
FUME: Final = {
    "fume_over": Due(
        {
            "fume-high": 12 * M,
            "fume-particulate-high": 12 * M,
            "fume-nmhc-high": 12 * M,
            "fume-site-limit": 12 * M,
        },
        needs=_LIMIT,
    ),
    "purifier_off": Due(
        {
            "fume-purifier-off": 8 * M,
            "fume-high": 15 * M,
            "fume-particulate-high": 15 * M,
            "fume-nmhc-high": 15 * M,
        }
    ),
    "purifier_weak": Due({"fume-purifier-weak": 10 * M}),
    "fan_failed": Due({"fume-fan-failure": 10 * M}),
    "overheated": Due({"fume-hot": 10 * M}),
    "sensor_fault": Due({"fume-sensor-fault": _SPEAKS}),
    "cleaning_reported": Due({"fume-cleaning-event": _SPEAKS}),
    "greasy": Due({"fume-cleaning-due": 4 * D}, trail=2 * D),
    "sensor_leaps": Due({"fume-jump": 10 * M}, also=_FUME),
    "flatline": Due({"fume-flat-line": 145 * M}, hours=(11.3, 14.0), trail=2 * H),
    "silent": Due({"fume-silent": 20 * M}),
    "disconnect": Due({"fume-silent": 20 * M}),
    "lost": Due({"fume-silent": 20 * M, "device-lost": 7 * D + H}),
}
PARKING: Final = {
    "overstay": Due(
        {"parking-overstay": _SPEAKS, "parking-overstay-event": _SPEAKS, "parking-over-max-stay": 10 * M},
        needs=_MAX_STAY,
    ),
    "forbidden_parking": Due({"parking-forbidden": 6 * M, "parking-forbidden-event": _SPEAKS}),
    "stuck": Due({"parking-stuck": _SPEAKS}, also=("overstayDetected",)),
    "low_battery": Due(
        {"parking-battery": _SPEAKS, "parking-battery-voltage": _SPEAKS, "parking-battery-event": _SPEAKS}
    ),
    "overheated": Due({"parking-hot": 10 * M, "parking-hot-event": _SPEAKS}),
    "sensor_fault": Due({"parking-sensor-fault": _SPEAKS}),
    "restarted": Due({"parking-count-back": 432 * M}, trail=26 * H),
    "flatline": Due({"parking-flat-line": 16 * D}, trail=2 * D),
    "silent": Due({"parking-silent": 27 * H}),
    "disconnect": Due({"parking-silent": 27 * H}),
    "lost": Due({"parking-silent": 27 * H, "device-lost": 7 * D + H}),
}
_CLOCK: Final = {"clock_wrong": Due({"device-clock-wrong": 75 * M}, trail=90 * M)}
_OF_ALL: Final = dict.fromkeys(("streetlight", "cabinet", "dust", "fume"), _CLOCK)
DUE: Final[dict[tuple[str, str], Due]] = {
    (family, name): due
    for family, table in (
        ("streetlight", LAMP),
        ("cabinet", CABINET),
        ("manhole", MANHOLE),
        ("dust", DUST),
        ("fume", FUME),
        ("parking", PARKING),
    )
    for name, due in (table | _OF_ALL.get(family, {})).items()
}
NOTHING: Final = Due({})
SECOND_HAND: Final = frozenset(
    {"unpowered", "unfed"}
)  # what lamps suffer from their cabinet, never by themselves
UNDRILLED: Final = {  # shipped rules that no fault of the world can raise, and why
    "device-cloned": "said by the MQTT endpoint, which a drill does without",
    "cover-oxygen": "no shaft of the world has an oxygen cell",
    **dict.fromkeys(
        (
            *(
                "dust-pm10-event",
                "dust-pm25-event",
                "dust-tsp-event",
                "dust-noise-event",
                "dust-noise-peak-event",
            ),
            *("dust-spray-event", "dust-wind-event"),
            *("lamp-day-burning-event", "lamp-gear-comm-event", "lamp-relay-event", "lamp-cycling-event"),
            *(
                "lamp-dimming-event",
                "lamp-power-high-event",
                "lamp-power-low-event",
                "lamp-overvoltage-event",
            ),
            *(
                "lamp-undervoltage-event",
                "lamp-supply-loss-event",
                "lamp-leakage-event",
                "lamp-leaning-event",
            ),
            *("cabinet-leakage-event", "cabinet-phase-loss-event", "cabinet-supply-loss-event"),
            *("cabinet-undervoltage-event", "cabinet-overcurrent-event", "cabinet-power-factor-event"),
            *(
                "cabinet-not-opening-event",
                "cabinet-welded-event",
                "cabinet-cable-event",
                "cabinet-hot-event",
            ),
            *("cover-water-event", "cover-oxygen-event", "device-unreachable-event", "device-lost-event"),
            *("device-flat-line-event", "device-jump-event", "device-clock-event"),
            *("fume-high-event", "fume-particulate-event", "fume-nmhc-event", "fume-purifier-off-event"),
            *("fume-purifier-event", "fume-fan-event", "fume-hot-event", "parking-stuck-event"),
        ),
        "a device's own word for what others are drilled on: those of the world leave it to the gateway",
    ),
    **dict.fromkeys(
        ("parking-overstay-state", "parking-stuck-occupied", "parking-stuck-vacant"),
        "of bays that count no time: those of the world do",
    ),
}


def due(family: str, name: str) -> Due:
    return DUE.get((family, name), NOTHING)
