"""Parking bays; durations in seconds."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

HOUR_AND_A_HALF: Final = {"max_stay": 90.0}

PROOFS: Final = {
    "parking-overstay": Proof(
        raises="10:00 occupied=occupied duration=90000; 11:00 occupied=vacant duration=0",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 occupied=vacant duration=90000; 11:00 occupied=occupied duration=60",
        short="10:00 occupied=occupied duration=86400",
        over="10:00 occupied=occupied duration=86401",
    ),
    "parking-over-max-stay": Proof(
        raises="""10:00 occupied=occupied duration=5460; 10:05 duration=5760;
                  11:00 occupied=vacant duration=0""",
        story="raised 10:05:00, cleared 11:00:00",
        never="10:00 occupied=vacant duration=9000; 11:00 duration=12600",
        short="10:00 occupied=occupied duration=5400; 10:05 duration=5400",
        over="10:00 occupied=occupied duration=5401; 10:05 duration=5701",
        attributes=HOUR_AND_A_HALF,
    ),
    "parking-forbidden": Proof(
        raises="10:00 forbidden=yes; 10:03 forbidden=yes; 10:30 forbidden=no",
        story="raised 10:03:00, cleared 10:30:00",
        never="10:00 forbidden=no occupied=occupied; 11:00 forbidden=no",
        short="10:00 forbidden=yes; 10:02:59 forbidden=no",
        over="10:00 forbidden=yes; 10:03 forbidden=yes",
    ),
    "parking-stuck": Proof(
        raises="10:00 duration=1300000; 11:00 duration=60",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 occupied=occupied duration=90000",
        short="10:00 duration=1296000",
        over="10:00 duration=1296001",
    ),
    "parking-battery": Proof(
        raises="10:00 battery=5; 16:00 battery=24; 22:00 battery=100",
        story="raised 10:00:00, cleared 22:00:00",
        never="10:00 battery=80; 16:00 battery=30",
        short="10:00 battery=20",
        over="10:00 battery=19",
    ),
    "parking-battery-voltage": Proof(
        raises="10:00 battery_voltage=2.8; 16:00 battery_voltage=3.05; 22:00 battery_voltage=3.6",
        story="raised 10:00:00, cleared 22:00:00",
        never="10:00 battery_voltage=3.6; 16:00 battery_voltage=3.2",
        short="10:00 battery_voltage=3.0",
        over="10:00 battery_voltage=2.999",
    ),
    "parking-hot": Proof(
        raises="10:00 temperature=92; 10:05 temperature=92; 10:10 temperature=66; 10:15 temperature=64",
        story="raised 10:05:00, cleared 10:15:00",
        never="10:00 temperature=92; 10:04 temperature=40; 10:08 temperature=60",
        short="10:00 temperature=75; 10:05 temperature=75",
        over="10:00 temperature=75.1; 10:05 temperature=75.1",
    ),
    "parking-sensor-fault": Proof(
        raises="10:00 event=sensorFault; 11:00 event=normal",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 event=deviceReset",
        short="10:00 event=overstayDetected",
        over="10:00 event=sensorFault",
    ),
    "parking-silent": Proof(
        raises="10:00 occupied=vacant; 37:00; 40:00 occupied=vacant",
        story="raised 36:00:00, cleared 40:00:00",
        never="10:00-58:00/6h occupied=vacant; 70:00",
        short="10:00 occupied=vacant; 35:59:59",
        over="10:00 occupied=vacant; 36:00",
    ),
    "parking-battery-event": Proof(
        raises="10:00 event=batteryLevelTooLow; 16:00 event=normal",
        story="raised 10:00:00, cleared 16:00:00",
        never="10:00 event=deviceReset battery=50",
        short="10:00 event=sensorFault",
        over="10:00 event=batteryLevelTooLow",
    ),
    "parking-count-back": Proof(
        raises="10:00-34:00/1h parkings=500; 35:00-62:00/1h parkings=1",
        story="raised 35:12:00, cleared 59:12:00",
        never="10:00-34:00/1h parkings=500; 35:00-62:00/1h parkings=520",
        short="10:00-62:00/1h parkings=500",
        over="10:00-34:00/1h parkings=500; 35:00-62:00/1h parkings=499",
    ),
}
