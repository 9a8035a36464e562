"""Stations that report each minute. A mean is known when enough of its window has closed."""

from __future__ import annotations

from typing import Final

from tests.rules.packs.proof import Proof

WITH_SPRAY: Final = {"sprayer": 1.0}

PERMIT: Final = {
    "pm10_limit": 80.0,
    "tsp_limit": 500.0,
    "noise_limit_day": 60.0,
    "noise_limit_night": 50.0,
}

PROOFS: Final = {
    "dust-pm10-high": Proof(
        raises="10:00-10:20/1m pm10=200; 10:21-10:40/1m pm10=50",
        story="raised 10:12:00, cleared 10:28:00",
        never="10:00-10:40/1m pm10=100|180",
        short="10:00-10:20/1m pm10=150",
        over="10:00-10:20/1m pm10=150.1",
    ),
    "dust-tsp-high": Proof(
        raises="10:00-10:30/1m tsp=200; 10:31-10:40/1m tsp=1000; 10:41-11:00/1m tsp=100",
        story="raised 10:34:20, cleared 10:42:20",
        never="10:00-10:40/1m tsp=500|1000",
        short="10:00-10:20/1m tsp=800",
        over="10:00-10:20/1m tsp=800.1",
    ),
    "dust-noise-day": Proof(
        raises="10:00-10:30/1m noise=75; 10:31-10:50/1m noise=50",
        story="raised 10:16:00, cleared 10:36:00",
        never="""22:00-22:40/1m noise=75; 29:20-29:59/1m noise=85; 30:00-30:40/1m noise=60;
                 34:00-34:40/1m noise=85 rain=3; 35:00-35:40/1m noise=85 rain=0 wind_speed=6""",
        short="10:00-10:30/1m noise=70",
        over="10:00-10:30/1m noise=70.1",
    ),
    "dust-noise-night": Proof(
        raises="22:00-22:30/1m noise=60; 22:31-22:50/1m noise=40",
        story="raised 22:20:00, cleared 22:37:20",
        never="""10:00-10:40/1m noise=60; 21:00-21:59/1m noise=68; 22:00-23:00/1m noise=40;
                 24:00-24:40/1m noise=60 rain=3; 25:30-26:30/1m noise=60 rain=0 wind_speed=6""",
        short="22:00-22:30/1m noise=55 rain=0 wind_speed=1",
        over="22:00-22:30/1m noise=55.1 rain=0 wind_speed=1",
    ),
    "dust-noise-peak": Proof(
        raises="22:00-22:10/1m noise=50; 22:11 noise=80; 22:12-22:40/1m noise=50",
        story="raised 22:11:20, cleared 22:16:20",
        never="""10:00-10:40/1m noise=80; 21:30-21:59/1m noise=80; 22:00-22:40/1m noise=50;
                 24:00-24:40/1m noise=80 rain=3; 25:30-26:30/1m noise=80 rain=0 wind_speed=6""",
        short="22:00-22:10/1m noise=70",
        over="22:00-22:10/1m noise=70.1",
    ),
    "dust-spray-failure": Proof(
        raises="10:00-10:30/1m pm10=300 spray=off rain=0 temperature=15; 10:31-10:33/1m pm10=300 spray=on",
        story="raised 10:11:20, cleared 10:31:20",
        never="""10:00-10:40/1m pm10=300 spray=off rain=2 temperature=15;
                 12:00-12:30/1m pm10=620 spray=on rain=0; 12:31-13:00/1m pm10=60 spray=off""",
        short="10:00-10:30/1m pm10=200 spray=off rain=0 temperature=15",
        over="10:00-10:30/1m pm10=200.1 spray=off rain=0 temperature=15",
    ),
    "dust-wind": Proof(
        raises="10:00-10:10/1m wind_speed=14; 10:11 wind_speed=9; 10:12 wind_speed=8",
        story="raised 10:10:00, cleared 10:12:00",
        never="10:00-10:40/1m wind_speed=14|6",
        short="10:00-10:10/1m wind_speed=10.8",
        over="10:00-10:10/1m wind_speed=10.9",
    ),
    "dust-data-share": Proof(
        raises="10:00-13:00/2m pm10=50; 13:01-14:10/1m pm10=50",
        story="raised 11:04:00, cleared 13:32:00",
        never="10:00-13:00/1m pm10=50",
        short="10:00-13:00/80s pm10=50",
        over="10:00-13:00/82s pm10=50",
    ),
    "dust-silent": Proof(
        raises="10:00 pm10=50; 10:20; 10:30 pm10=50",
        story="raised 10:15:00, cleared 10:30:00",
        never="10:00-10:30/10m pm10=50; 10:40",
        short="10:00 pm10=50; 10:14:59",
        over="10:00 pm10=50; 10:15",
    ),
    "dust-implausible": Proof(
        raises="10:00 event=stationFault; 10:30 event=pm10TooHigh pm10=60; 11:00 event=normal; 11:01 pm10=60",
        story="raised 10:00:00, cleared 11:00:00",
        never="10:00 event=deviceReset",
        short="10:00 event=pm10TooHigh",
        over="10:00 event=stationFault",
    ),
    "dust-spray-linkage": Proof(
        raises="10:00-10:10/1m pm10=200; 10:11-10:20/1m pm10=50",
        story="raised 10:03:20, cleared 10:14:20",
        never="10:00-10:40/1m pm10=120",
        short="10:00-10:10/1m pm10=150",
        over="10:00-10:10/1m pm10=150.1",
        attributes=WITH_SPRAY,
    ),
    "dust-pm10-background": Proof(
        raises="""@1 10:00-12:40/1m pm10=60; @2 10:00-12:40/1m pm10=70; @3 10:00-12:40/1m pm10=80;
                  10:00-11:20/1m pm10=200; 11:21-12:40/1m pm10=70""",
        story="raised 10:48:00, cleared 11:48:00",
        never="""@1 10:00-12:40/1m pm10=260; @2 10:00-12:40/1m pm10=270; @3 10:00-12:40/1m pm10=280;
                 10:00-12:40/1m pm10=300""",
        short="""@1 10:00-11:20/1m pm10=60; @2 10:00-11:20/1m pm10=70; @3 10:00-11:20/1m pm10=80;
                 10:00-11:20/1m pm10=150""",
        over="""@1 10:00-11:20/1m pm10=60; @2 10:00-11:20/1m pm10=70; @3 10:00-11:20/1m pm10=80;
                10:00-11:20/1m pm10=150.1""",
        devices=4,
    ),
    "dust-night-work": Proof(
        raises="""@1 22:00-23:40/1m pm10=60; @2 22:00-23:40/1m pm10=70; @3 22:00-23:40/1m pm10=80;
                  22:00-22:40/1m pm10=200; 22:41-23:40/1m pm10=70""",
        story="raised 22:27:00, cleared 22:51:00",
        never="""@1 10:00-11:00/1m pm10=60; @2 10:00-11:00/1m pm10=70; @3 10:00-11:00/1m pm10=80;
                 10:00-11:00/1m pm10=200;
                 @1 21:00-23:00/1m pm10=60; @2 21:00-23:00/1m pm10=70; @3 21:00-23:00/1m pm10=80;
                 21:00-21:59/1m pm10=200; 22:00-23:00/1m pm10=70""",
        short="""@1 22:00-22:40/1m pm10=60; @2 22:00-22:40/1m pm10=70; @3 22:00-22:40/1m pm10=80;
                 22:00-22:40/1m pm10=130""",
        over="""@1 22:00-22:40/1m pm10=60; @2 22:00-22:40/1m pm10=70; @3 22:00-22:40/1m pm10=80;
                22:00-22:40/1m pm10=130.1""",
        devices=4,
    ),
    "dust-pm25-high": Proof(
        raises="10:00-11:00/1m pm25=120; 11:01-12:20/1m pm25=20",
        story="raised 10:48:00, cleared 11:36:00",
        never="10:00-12:00/1m pm25=20|100",
        short="10:00-11:00/1m pm25=75",
        over="10:00-11:00/1m pm25=75.1",
    ),
    "dust-pm10-site": Proof(
        raises="10:00-10:20/1m pm10=140; 10:21-10:40/1m pm10=50",
        story="raised 10:12:00, cleared 10:33:00",
        never="10:00-10:40/1m pm10=60|90",
        short="10:00-10:20/1m pm10=80",
        over="10:00-10:20/1m pm10=80.1",
        attributes=PERMIT,
    ),
    "dust-tsp-site": Proof(
        raises="10:00-10:20/1m tsp=900; 10:21-10:40/1m tsp=100",
        story="raised 10:03:20, cleared 10:23:20",
        never="10:00-10:40/1m tsp=100|700",
        short="10:00-10:20/1m tsp=500",
        over="10:00-10:20/1m tsp=500.1",
        attributes=PERMIT,
    ),
    "dust-noise-site-day": Proof(
        raises="10:00-10:30/1m noise=68; 10:31-10:50/1m noise=50",
        story="raised 10:16:00, cleared 10:40:00",
        never="""22:00-22:40/1m noise=68; 29:20-29:59/1m noise=68; 30:00-30:40/1m noise=50;
                 34:00-34:40/1m noise=68 rain=3; 35:00-35:40/1m noise=68 rain=0 wind_speed=6""",
        short="10:00-10:30/1m noise=60",
        over="10:00-10:30/1m noise=60.1",
        attributes=PERMIT,
    ),
    "dust-noise-site-night": Proof(
        raises="22:00-22:30/1m noise=54; 22:31-22:50/1m noise=40",
        story="raised 22:20:00, cleared 22:37:20",
        never="""10:00-10:40/1m noise=54; 21:00-21:59/1m noise=68; 22:00-22:40/1m noise=40;
                 24:00-24:40/1m noise=54 rain=3; 25:30-26:30/1m noise=54 rain=0 wind_speed=6""",
        short="22:00-22:30/1m noise=50",
        over="22:00-22:30/1m noise=50.1",
        attributes=PERMIT,
    ),
    "dust-flat-line": Proof(
        raises="10:00-13:30/1m pm10=61.3; 13:31-13:50/1m pm10=61.4",
        story="raised 13:00:00, cleared 13:36:00",
        never="10:00-13:30/1m pm10=61.3|61.4",
        short="10:00-11:00/1m pm10=61.3; 11:01-13:15/1m pm10=61.4",
        over="10:00-13:15/1m pm10=61.3",
    ),
    "dust-noise-flat-line": Proof(
        raises="10:00-11:30/1m noise=50; 11:31-11:50/1m noise=50.1",
        story="raised 11:00:00, cleared 11:32:00",
        never="10:00-11:30/1m noise=50|50.1",
        short="10:00-10:20/1m noise=50; 10:21-11:10/1m noise=50.1",
        over="10:00-11:10/1m noise=50",
    ),
    "dust-jump": Proof(
        raises="10:00-10:10/1m pm10=60; 10:11 pm10=9000; 10:12-10:30/1m pm10=60",
        story="raised 10:11:20, cleared 10:16:20",
        never="10:00-10:10/1m pm10=60; 10:11-10:40/1m pm10=620",
        short="10:00-10:10/1m pm10=60; 10:11-10:30/1m pm10=2060",
        over="10:00-10:10/1m pm10=60; 10:11-10:30/1m pm10=2060.1",
    ),
    "dust-pm10-event": Proof(
        raises="10:00 event=pm10TooHigh; 10:05 event=noiseTooHigh pm10=60; 10:10 event=normal; 10:20 pm10=60",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 pm10=60; 10:10 event=normal",
        short="10:00 event=noiseTooHigh",
        over="10:00 event=pm10TooHigh",
    ),
    "dust-pm25-event": Proof(
        raises="10:00 event=pm2-5TooHigh; 10:05 event=pm10TooHigh pm25=20; 10:10 event=normal; 10:20 pm25=20",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 pm25=20; 10:10 event=normal",
        short="10:00 event=pm10TooHigh",
        over="10:00 event=pm2-5TooHigh",
    ),
    "dust-tsp-event": Proof(
        raises="10:00 event=tspTooHigh; 10:05 event=pm10TooHigh tsp=200; 10:10 event=normal; 10:20 tsp=200",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 tsp=200; 10:10 event=normal",
        short="10:00 event=pm10TooHigh",
        over="10:00 event=tspTooHigh",
    ),
    "dust-noise-event": Proof(
        raises="10:00 event=noiseTooHigh; 10:05 event=abnormalNoiseDetected noise=50; 10:10 event=normal; 10:20 noise=50",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 noise=50; 10:10 event=normal",
        short="10:00 event=abnormalNoiseDetected",
        over="10:00 event=noiseTooHigh",
    ),
    "dust-noise-peak-event": Proof(
        raises="10:00 event=abnormalNoiseDetected; 10:05 event=noiseTooHigh noise=50; 10:10 event=normal; 10:20 noise=50",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 noise=50; 10:10 event=normal",
        short="10:00 event=noiseTooHigh",
        over="10:00 event=abnormalNoiseDetected",
    ),
    "dust-spray-event": Proof(
        raises="10:00 event=sprayFailure; 10:05 event=pm10TooHigh pm10=60; 10:10 spray=off; 10:15 spray=on; 10:20 pm10=60",
        story="raised 10:00:00, cleared 10:15:00",
        never="10:00 event=deviceReset; 10:05 pm10=60; 10:10 event=normal",
        short="10:00 event=pm10TooHigh",
        over="10:00 event=sprayFailure",
    ),
    "dust-wind-event": Proof(
        raises="10:00 event=windTooStrong; 10:05 event=pm10TooHigh wind_speed=4; 10:10 event=normal; 10:20 wind_speed=4",
        story="raised 10:00:00, cleared 10:10:00",
        never="10:00 event=deviceReset; 10:05 wind_speed=4; 10:10 event=normal",
        short="10:00 event=pm10TooHigh",
        over="10:00 event=windTooStrong",
    ),
}
