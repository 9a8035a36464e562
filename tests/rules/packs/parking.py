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
        raises="10:00 event=sensorFault; 10:30 event=overstayDetected battery=60; 11:00 event=normal; 11:01 battery=60",
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
        raises="""9:00 battery=60; 10:00 event=batteryLevelTooLow; 11:00 event=sensorFault temperature=20;
                  16:00 battery=25; 17:00 battery=26; 18:00 temperature=20""",
        story="raised 10:00:00, cleared 17:00:00",
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
    "parking-overstay-state": Proof(
        raises="10:00 occupied=occupied; 22:00 occupied=occupied temperature=5; 34:01; 35:00 occupied=vacant",
        story="raised 34:00:00, cleared 35:00:00",
        never="10:00 occupied=occupied duration=60; 34:00 duration=86400; 59:00; 60:00 occupied=vacant duration=0; 85:00",
        short="10:00 occupied=occupied; 33:59:59; 33:59:59 occupied=vacant; 34:00 occupied=occupied",
        over="10:00 occupied=occupied; 33:59:59 occupied=occupied; 34:00",
    ),
    "parking-stuck-occupied": Proof(
        raises="10:00 occupied=occupied; 22:00-358:00/24h occupied=occupied; 370:00; 371:00 occupied=vacant",
        story="raised 370:00:00, cleared 371:00:00",
        never="10:00 occupied=vacant; 371:00; 372:00 occupied=occupied duration=1400000; 740:00",
        short="10:00 occupied=occupied; 369:59:59; 369:59:59 occupied=vacant; 370:00",
        over="10:00 occupied=occupied; 370:00",
    ),
    "parking-stuck-vacant": Proof(
        raises="10:00 occupied=vacant; 22:00-358:00/24h occupied=vacant; 370:00; 371:00 occupied=occupied",
        story="raised 370:00:00, cleared 371:00:00",
        never="10:00 occupied=occupied; 371:00; 372:00 occupied=vacant duration=1400000; 740:00",
        short="10:00 occupied=vacant; 369:59:59; 369:59:59 occupied=occupied; 370:00",
        over="10:00 occupied=vacant; 370:00",
    ),
    "parking-flat-line": Proof(
        raises="0:00-480:00/1h temperature=7; 481:00-540:00/1h temperature=8",
        story="raised 302:24:00, cleared 481:36:00",
        never="0:00-480:00/1h temperature=7|8",
        short="0:00-240:00/1h temperature=7; 241:00-350:00/1h temperature=8",
        over="0:00-350:00/1h temperature=7",
    ),
    "parking-overstay-event": Proof(
        raises="""9:00 occupied=vacant; 10:00 event=overstayDetected; 10:05 event=sensorFault battery=60;
                  10:10 occupied=occupied; 11:00 occupied=vacant; 12:00 occupied=occupied; 13:00 battery=60""",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 event=deviceReset; 10:05 occupied=occupied; 10:10 event=normal",
        short="10:00 event=occupancyStuck",
        over="10:00 event=overstayDetected",
    ),
    "parking-forbidden-event": Proof(
        raises="""9:00 occupied=vacant forbidden=no; 10:00 event=forbiddenParkingDetected; 10:05 event=sensorFault battery=60;
                  10:10 occupied=occupied; 11:00 forbidden=no; 12:00 occupied=occupied; 13:00 battery=60""",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 event=deviceReset; 10:05 occupied=occupied; 10:10 event=normal",
        short="10:00 event=overstayDetected",
        over="10:00 event=forbiddenParkingDetected",
    ),
    "parking-stuck-event": Proof(
        raises="10:00 event=occupancyStuck; 10:05 event=overstayDetected battery=60; 10:10 event=normal; 10:20 battery=60",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 battery=60; 10:10 event=normal",
        short="10:00 event=overstayDetected",
        over="10:00 event=occupancyStuck",
    ),
    "parking-hot-event": Proof(
        raises="10:00 event=highTemperature; 10:05 event=overstayDetected battery=60; 10:10 temperature=60; 10:15 temperature=59.9; 10:20 battery=60",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 battery=60; 10:10 event=normal",
        short="10:00 event=overstayDetected",
        over="10:00 event=highTemperature",
    ),
}
