"""Manhole covers: few reports, each judged alone."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

PROOFS: Final = {
    "cover-tilted": Proof(
        raises="10:00 tilt=31; 10:00:30 tilt=31; 10:05 tilt=11; 10:10 tilt=9",
        story="raised 10:00:30, cleared 10:10:00",
        never="10:00 tilt=31; 10:00:20 tilt=2; 10:05 tilt=14",
        short="10:00 tilt=15; 10:00:30 tilt=15",
        over="10:00 tilt=15.1; 10:00:30 tilt=15.1",
    ),
    "cover-open": Proof(
        raises="10:00 cover=open; 10:30 cover=closed",
        story="raised 10:00:00, cleared 10:30:00",
        never="10:00 cover=closed tilt=5",
        short="10:00 cover=closed",
        over="10:00 cover=open",
    ),
    "cover-moved": Proof(
        raises="10:00 moved=yes; 10:30 moved=no",
        story="raised 10:00:00, cleared 10:30:00",
        never="10:00 moved=no tilt=5; 16:00 moved=no",
        short="10:00 moved=no",
        over="10:00 moved=yes",
    ),
    "cover-abnormal": Proof(
        raises="10:00 event=impactDetected; 10:05 event=batteryLevelTooLow battery=12; 10:30 event=normal",
        story="raised 10:00:00, cleared 10:30:00",
        never="10:00 event=deviceReset",
        short="10:00 event=coverMoved",
        over="10:00 event=coverAbnormal",
    ),
    "cover-water": Proof(
        raises="10:00 water_level=3.4; 10:01 water_level=3.4; 10:30 water_level=1.3; 10:40 water_level=1.1",
        story="raised 10:01:00, cleared 10:40:00",
        never="10:00 water_level=3.4; 10:00:30 water_level=0.4; 16:00 water_level=1.4",
        short="10:00 water_level=1.5; 10:01 water_level=1.5",
        over="10:00 water_level=1.501; 10:01 water_level=1.501",
    ),
    "cover-flooded": Proof(
        raises="10:00 flooded=yes; 10:30 flooded=no",
        story="raised 10:00:00, cleared 10:30:00",
        never="10:00 flooded=no water_level=1",
        short="10:00 flooded=no",
        over="10:00 flooded=yes",
    ),
    "cover-methane": Proof(
        raises="10:00 ch4=34; 10:00:30 ch4=34; 10:10 ch4=12; 10:20 ch4=9",
        story="raised 10:00:30, cleared 10:20:00",
        never="10:00 ch4=34; 10:00:20 ch4=3; 16:00 ch4=12",
        short="10:00 ch4=20; 10:00:30 ch4=20",
        over="10:00 ch4=20.1; 10:00:30 ch4=20.1",
    ),
    "cover-h2s": Proof(
        raises="10:00 h2s=28; 10:00:30 h2s=28; 10:10 h2s=6; 10:20 h2s=4",
        story="raised 10:00:30, cleared 10:20:00",
        never="10:00 h2s=28; 10:00:20 h2s=1; 16:00 h2s=6",
        short="10:00 h2s=10; 10:00:30 h2s=10",
        over="10:00 h2s=10.1; 10:00:30 h2s=10.1",
    ),
    "cover-battery": Proof(
        raises="10:00 battery=6; 16:00 battery=24; 22:00 battery=100",
        story="raised 10:00:00, cleared 22:00:00",
        never="10:00 battery=80; 16:00 battery=30",
        short="10:00 battery=20",
        over="10:00 battery=19",
    ),
    "cover-silent": Proof(
        raises="10:00 battery=80; 37:00; 40:00 battery=80",
        story="raised 36:00:00, cleared 40:00:00",
        never="10:00-58:00/6h battery=80; 70:00",
        short="10:00 battery=80; 35:59:59",
        over="10:00 battery=80; 36:00",
    ),
    "cover-settled": Proof(
        raises="10:00-40:00/6h tilt=7; 46:00 tilt=4; 52:00 tilt=2",
        story="raised 34:00:00, cleared 52:00:00",
        never="10:00-28:00/6h tilt=7; 33:00 tilt=1; 39:00-75:00/6h tilt=31",
        short="10:00-40:00/6h tilt=5",
        over="10:00-40:00/6h tilt=5.1",
    ),
    "cover-battery-event": Proof(
        raises="""09:00 battery=90; 10:00 event=batteryLevelTooLow; 16:00 event=coverMoved; 22:00 tilt=1; 28:00 battery=25;
                  34:00 battery=26; 40:00 tilt=1""",
        story="raised 10:00:00, cleared 34:00:00",
        never="10:00 event=deviceReset battery=50",
        short="10:00 event=coverMoved",
        over="10:00 event=batteryLevelTooLow",
    ),
    "cover-battery-voltage": Proof(
        raises="10:00 battery_voltage=3.02; 16:00 battery_voltage=3.34; 22:00 battery_voltage=3.6",
        story="raised 10:00:00, cleared 22:00:00",
        never="10:00 battery_voltage=3.6; 16:00 battery_voltage=3.42",
        short="10:00 battery_voltage=3.3",
        over="10:00 battery_voltage=3.299",
    ),
    "cover-flat-line": Proof(
        raises="10:00-370:00/6h temperature=12; 376:00-430:00/6h temperature=13",
        story="raised 347:12:00, cleared 392:00:00",
        never="10:00-370:00/6h temperature=12|13",
        short="10:00-130:00/6h temperature=12; 136:00-370:00/6h temperature=13",
        over="10:00-370:00/6h temperature=12",
    ),
    "cover-jump": Proof(
        raises="10:00-11:00/20m temperature=12; 11:20-12:00/20m temperature=90; 12:20-26:00/20m temperature=12",
        story="raised 12:00:00, cleared 24:48:00",
        never="10:00-26:00/1h temperature=12|40",
        short="10:00-26:00/1h temperature=12|57",
        over="10:00-26:00/1h temperature=12|57.1",
    ),
    "cover-tilted-event": Proof(
        raises="10:00 event=orientationChanged; 10:05 event=impactDetected; 10:10 tilt=3; 10:15 tilt=2.9; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=orientationChanged",
    ),
    "cover-open-event": Proof(
        raises="10:00 event=coverOpened; 10:05 event=impactDetected; 10:10 cover=open; 10:15 cover=closed; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=coverOpened",
    ),
    "cover-moved-event": Proof(
        raises="10:00 event=coverMoved; 10:05 event=impactDetected; 10:10 moved=yes; 10:15 moved=no; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=coverMoved",
    ),
    "cover-water-event": Proof(
        raises="10:00 event=fluidLevelTooHigh; 10:05 event=impactDetected rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=fluidLevelTooHigh",
    ),
    "cover-flooded-event": Proof(
        raises="10:00 event=overfull; 10:05 event=impactDetected; 10:10 flooded=yes; 10:15 flooded=no; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=overfull",
    ),
    "cover-gas-event": Proof(
        raises="10:00 event=gasConcentrationTooHigh; 10:05 event=impactDetected rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=gasConcentrationTooHigh",
    ),
    "cover-settled-event": Proof(
        raises="10:00 event=coverSettled; 10:05 event=impactDetected rssi=-70; 10:10 event=normal; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=coverSettled",
    ),
    "cover-oxygen-event": Proof(
        raises="10:00 event=oxygenTooLow; 10:05 event=impactDetected; 10:10 o2=20; 10:15 o2=20.1; 10:20 rssi=-70",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 rssi=-70; 10:10 event=normal",
        short="10:00 event=impactDetected",
        over="10:00 event=oxygenTooLow",
    ),
    "cover-oxygen": Proof(
        raises="10:00 o2=17.2; 10:00:30 o2=17.2; 10:10 o2=20; 10:20 o2=20.1",
        story="raised 10:00:30, cleared 10:20:00",
        never="10:00 o2=17.2; 10:00:20 o2=20.8; 16:00 o2=19.7",
        short="10:00 o2=19.5; 10:00:30 o2=19.5",
        over="10:00 o2=19.4; 10:00:30 o2=19.4",
    ),
}
