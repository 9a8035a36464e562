"""Factors to points: data flags are quality, DataTime is event time, data sent again are historical, units are declared."""

from __future__ import annotations

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.families import FAMILIES
from drivers.hj212.moment import moment, number, stamp
from drivers.hj212.profile import FLAGS, STATES, Factor, StationMap
from drivers.hj212.readings import StationDecoder
from drivers.hj212.segment import decode, encode
from drivers.hj212.tolerance import Tolerance
from drivers.hj212.uploads import split, upload
from drivers.products import catalog
from drivers.products.product import Product
from drivers.refusal import Reason
from drivers.telemetry import HOUR, MINUTE, NO_TIME, SECOND, Kind, Quality
from tests.drivers.decode.vectors import told

SHANGHAI = ZoneInfo("Asia/Shanghai")
DUST = catalog()["hj212-dust"]
AT = 1_780_000_000 * SECOND
STATIONS = [product for product in catalog().values() if product.hj212 is not None]


def message(cp: str, cn: str = "2011", qn: str = "20240601080001000", **fields: str) -> bytes:
    more = "".join(f"{name}={value};" for name, value in fields.items())
    return f"QN={qn};ST=39;CN={cn};PW=123456;MN=M;Flag=5;{more}CP=&&{cp}&&".encode()


def read(payload: bytes, product: Product = DUST, **options: Any) -> Any:
    return StationDecoder(product, SHANGHAI, **options).decode([payload], [3], [AT])


def rows(cp: str, **fields: str) -> list[dict[str, Any]]:
    return told(read(message("DataTime=20240601080000;" + cp, **fields)))


@pytest.mark.parametrize(("word", "quality"), FLAGS.items())
def test_a_data_flag_is_the_quality(word: str, quality: Quality) -> None:
    [row] = rows(f"a34002-Rtd=80.5,a34002-Flag={word}")
    assert row["values"] == {"pm10": 80.5}
    assert row.get("quality", {}).get("pm10", "good") == quality.name.lower()


def test_an_absurd_value_flagged_as_fault_is_kept_and_one_that_is_not_is_refused() -> None:
    [row] = rows("a34002-Rtd=12000,a34002-Flag=D")
    assert row["quality"] == {"pm10": "fault"}
    decoded = read(message("DataTime=20240601080000;a34002-Rtd=12000,a34002-Flag=N;LA-Rtd=50"))
    assert [(one.reason, one.whole) for one in decoded.refusals] == [(Reason.OUT_OF_RANGE, False)]
    assert told(decoded)[0]["values"] == {"noise": 50.0}


@pytest.mark.parametrize(
    ("cp", "quality"),
    [
        ("a34002-Rtd=0.178", "uncertain"),  # mg/m3 where ug/m3 is declared
        ("a34002-Rtd=178.5", "good"),
        ("a34002-Rtd=0", "good"),
        ("a34002-Rtd=4000", "uncertain"),
        ("a34002-Rtd=0.178,a34002-Flag=S", "manual"),
    ],
)
def test_the_guard_marks_and_never_rescales(cp: str, quality: str) -> None:
    [row] = rows(cp)
    assert row["values"]["pm10"] == float(cp.split("=")[1].split(",", maxsplit=1)[0])
    assert row.get("quality", {}).get("pm10", "good") == quality


def test_the_declared_unit_rescales() -> None:
    profile = StationMap((Factor("pm10", ("a34002",), scale=1000),))
    product = Product("mg", "any", "in mg/m3", "dust", "made up", hj212=profile)
    assert told(read(message("DataTime=20240601080000;a34002-Rtd=0.178"), product))[0]["values"] == {
        "pm10": 178.0
    }


@pytest.mark.parametrize(
    ("cp", "tolerance"),
    [
        ("LA-Rtd-Rtd=50", Tolerance.DOUBLED_SUFFIX),
        ("LA-Rtd=50,LA-Ori=49.7", Tolerance.UNKNOWN_SUFFIX),
        ("LA-Flag=N,LA-Rtd=50", Tolerance.FLAG_FIRST),
        ("LA-Rtd=50;Flag=N", Tolerance.BARE_FLAG),
    ],
)
def test_each_departure_inside_cp_is_accepted_and_named(cp: str, tolerance: Tolerance) -> None:
    oddities: Counter[Tolerance] = Counter()
    decoded = read(message("DataTime=20240601080000;" + cp), oddities=oddities)
    assert told(decoded)[0]["values"] == {"noise": 50.0}
    assert oddities == {tolerance: 1}


def test_a_bare_flag_is_that_of_every_factor_without_one() -> None:
    [row] = rows("LA-Rtd=50;a34002-Rtd=80,a34002-Flag=N;Flag=D")
    assert row["quality"] == {"noise": "fault"}


@pytest.mark.parametrize(
    ("time", "at"),
    [
        ("20240601080000", 0),
        ("20240601080000250", 250_000),
        ("202406010800", 0),
    ],
)
def test_a_time_of_any_digits(time: str, at: int) -> None:
    [row] = told(read(message(f"DataTime={time};LA-Rtd=50")))
    assert row["time"] == (moment("20240601080000", SHANGHAI) or 0) + at


def test_without_a_time_the_number_stands_in_and_without_both_the_receipt() -> None:
    assert told(read(message("LA-Rtd=50")))[0]["time"] == moment("20240601080001", SHANGHAI)
    assert read(message("LA-Rtd=50", qn="")).batch.time.tolist() == [NO_TIME]
    assert read(message("LA-Avg=50", cn="2051", qn="")).refusals[0].reason is Reason.BAD_TIME


@pytest.mark.parametrize(
    ("cp", "reason"),
    [
        ("DataTime=20241301000000;LA-Rtd=50", Reason.BAD_TIME),
        ("DataTime=20240601080000;LA-Rtd=abc", Reason.WRONG_TYPE),
        ("DataTime=20240601080000;LA-Rtd=", Reason.WRONG_TYPE),
        ("DataTime=20240601080000;LA-Rtd=nan", Reason.NOT_FINITE),
        ("DataTime=20240601080000;LA-Rtd=1e400", Reason.NOT_FINITE),
        ("DataTime=20240601080000;LA-Rtd=50,LA-Flag=Q", Reason.UNKNOWN_QUALITY),
        ("DataTime=20240601080000;x-Rtd=50", Reason.UNKNOWN_POINT),
        ("DataTime=20240601080000;SB1-RS=9", Reason.OUT_OF_RANGE),
        ("DataTime=20240601080000", Reason.EMPTY),
    ],
)
def test_what_is_of_no_use_is_refused_with_its_reason(cp: str, reason: Reason) -> None:
    decoded = read(message(cp))
    assert len(decoded.batch) == 0
    assert [(one.reason, one.whole) for one in decoded.refusals] == [(reason, True)]


def test_periods_are_kinds_of_their_own_and_take_the_mean() -> None:
    for cn, kind in (("2051", Kind.MINUTE), ("2061", Kind.HOUR), ("2031", Kind.DAY)):
        batch = read(message("DataTime=20240601080000;LA-Min=40,LA-Avg=50,LA-Max=60", cn=cn)).batch
        assert batch.kind.tolist() == [kind]
        assert batch.values[batch.family.index["noise"]].tolist() == [50.0]


def test_what_is_sent_again_is_historical() -> None:
    assert "historical" not in rows("LA-Rtd=50")[0]
    assert rows("LA-Rtd=50", RF="1")[0]["historical"]
    old = message("DataTime=20240601070000;LA-Rtd=50")  # an hour before its own sending
    assert told(read(old))[0]["historical"]
    wrong_clock = message("DataTime=20240601070000;LA-Rtd=50", qn="20240601070001000")
    assert "historical" not in told(read(wrong_clock))[0]
    assert told(read(wrong_clock, pulled=True))[0]["historical"]


def test_one_payload_never_harms_another() -> None:
    good = message("DataTime=20240601080000;LA-Rtd=50")
    decoded = StationDecoder(DUST, SHANGHAI).decode([b"", good, b"\xff", good], [1, 2, 3, 4], [1, 2, 3, 4])
    assert decoded.frame.tolist() == [1, 3]
    assert decoded.batch.device.tolist() == [2, 4]
    assert decoded.batch.received.tolist() == [2, 4]
    assert [one.frame for one in decoded.refusals] == [0, 2]


@st.composite
def samples(draw: st.DrawFn) -> tuple[Product, dict[str, float], dict[str, Quality]]:
    product = draw(st.sampled_from(STATIONS))
    assert product.hj212 is not None
    family = FAMILIES[product.family]
    values: dict[str, float] = {}
    quality: dict[str, Quality] = {}
    factors = product.hj212.factors
    for factor in draw(st.lists(st.sampled_from(factors), min_size=1, unique_by=lambda one: one.point)):
        point = family.points[family.index[factor.point]]
        if factor.state:
            values[point.name], quality[point.name] = draw(st.sampled_from(sorted(set(STATES.values()))))
        else:
            quality[point.name] = draw(st.sampled_from(list(FLAGS.values())))
            low, high = factor.plausible or (point.low, point.high)
            values[point.name] = draw(st.floats(low, high))
    return product, values, quality


@settings(max_examples=200)
@given(
    samples(),
    st.integers(1_000_000_000, 4_000_000_000),
    st.sampled_from([Kind.SAMPLE, Kind.MINUTE, Kind.HOUR, Kind.DAY]),
    st.booleans(),
)
def test_a_reading_comes_back_as_it_was(
    sample: tuple[Product, dict[str, float], dict[str, Quality]], at: int, kind: Kind, again: bool
) -> None:
    product, values, quality = sample
    assert product.hj212 is not None
    time = at * SECOND
    segment = upload(
        product.hj212,
        SHANGHAI,
        mn="M",
        time=time,
        sent=time + SECOND,
        values=values,
        quality=quality,
        kind=kind,
        again=again,
    )
    assert decode(encode(segment)).segment == segment
    decoded = read(encode(segment), product)
    assert decoded.refusals == []
    [row] = told(decoded)
    assert row["time"] == time
    assert row["values"] == pytest.approx(values, rel=1e-12)
    assert {name: row.get("quality", {}).get(name, "good") for name in values} == {
        name: grade.name.lower() for name, grade in quality.items()
    }
    assert row.get("historical", False) is again
    assert decoded.batch.kind.tolist() == [kind]


def test_parts_say_together_what_the_whole_says() -> None:
    assert DUST.hj212 is not None
    values = {"pm10": 80.0, "pm25": 40.0, "noise": 55.0}
    whole = upload(DUST.hj212, SHANGHAI, mn="M", time=AT, sent=AT, values=values)
    parts = list(split(whole, 2))
    assert [(part.pno, part.pnum, part.flag) for part in parts] == [(1, 2, 7), (2, 2, 7)]
    found: dict[str, float] = {}
    for part in parts:
        [row] = told(read(encode(part)))
        assert row["time"] == AT
        found |= row["values"]
    assert found == values


def test_times_there_and_back() -> None:
    assert stamp(AT, SHANGHAI) == "20260529042640"
    assert number(AT + 7_999, SHANGHAI) == "20260529042640007"
    assert moment(number(AT + 7_000, SHANGHAI), SHANGHAI) == AT + 7_000
    for wrong in (
        "",
        "null",
        "2024060108000",
        "20240230000000",
        "２０２４０６０１０８００００",
        "00000101000000",
    ):
        assert moment(wrong, SHANGHAI) is None


def test_how_far_behind_counts_as_sent_again_depends_on_the_period() -> None:
    assert DUST.hj212 is not None
    for kind, late in ((Kind.SAMPLE, 6 * MINUTE), (Kind.MINUTE, 2 * HOUR), (Kind.HOUR, 4 * HOUR)):
        for behind, again in ((late, True), (late // 3, False)):
            one = upload(
                DUST.hj212, SHANGHAI, mn="M", time=AT, sent=AT + behind, values={"noise": 50.0}, kind=kind
            )
            assert told(read(encode(one)))[0].get("historical", False) is again


def test_a_run_of_doubtful_samples_is_an_event_until_a_sound_one() -> None:
    decoder = StationDecoder(DUST, SHANGHAI)
    said = []
    for minute in range(14):
        value = "0.2" if minute < 12 else "80"
        payload = message(f"DataTime=202406010800{minute:02};a34002-Rtd={value}")
        said += [row.get("event") for row in told(decoder.decode([payload], [3], [AT]))]
    assert said == [None] * 9 + ["stationFault"] + [None] * 2 + ["normal", None]


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.text("QNSTCMPWRtdFlag-=;,&/0159.NDa34002LA", max_size=80).map(message),
            st.sampled_from(["2011", "2051", "9015", "2081", ""]).map(lambda cn: message("LA-Rtd=50", cn=cn)),
        ),
        max_size=6,
    )
)
def test_every_payload_gives_a_row_or_says_why(payloads: list[bytes]) -> None:
    n = len(payloads)
    decoded = StationDecoder(DUST, SHANGHAI).decode(payloads, list(range(n)), [AT] * n)
    told_of = {one.frame for one in decoded.refusals} | set(decoded.frame.tolist())
    assert told_of == set(range(n))
    used = set(decoded.frame.tolist())
    assert all(one.whole is (one.frame not in used) for one in decoded.refusals)
