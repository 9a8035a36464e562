"""The data segment: fields and items, there and back, and each departure that the field shows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.hj212.segment import Segment, decode, encode
from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason, Refused

HEAD = "QN=20160801085857223;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
TIME = "DataTime=20160801085857;"

words = st.text(st.sampled_from("abcXYZ019.-_ 油烟"), min_size=1, max_size=8).map(str.strip).filter(bool)
items = st.lists(st.tuples(words, words), min_size=1, max_size=4).map(tuple)


@given(
    st.builds(
        Segment,
        cn=st.sampled_from(["2011", "9014"]),
        mn=words,
        qn=st.sampled_from(["", "20160801085857223"]),
        st=st.sampled_from(["39", ""]),
        pw=words,
        flag=st.none() | st.integers(0, 255),
        pnum=st.none() | st.integers(0, 9999),
        pno=st.none() | st.integers(0, 9999),
        rf=st.booleans(),
        cp=st.none() | st.lists(items, max_size=5).map(tuple),
        rest=st.dictionaries(st.sampled_from(["USCC", "IMEI"]), words),
    )
)
def test_a_message_comes_back(segment: Segment) -> None:
    assert decode(encode(segment)).segment == segment


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        (HEAD.replace("QN=20160801085857223;", "") + "CP=&&&&", Tolerance.MISSING_QN),
        (HEAD.replace("857223", "857") + "CP=&&&&", Tolerance.QN_DIGITS),
        (HEAD.replace("857223", "8572230") + "CP=&&&&", Tolerance.QN_DIGITS),
        (HEAD.replace("Flag=5;", "") + "CP=&&&&", Tolerance.MISSING_FLAG),
        (HEAD.replace("Flag=5", "Flag=N") + "CP=&&&&", Tolerance.BAD_FLAG),
        (HEAD.replace("010000A8900016F000169DC0", "null") + "CP=&&&&", Tolerance.MN_FORM),
        (HEAD.replace("010000A8900016F000169DC0", "JLYP01_AIR01_0001") + "CP=&&&&", Tolerance.MN_FORM),
        (HEAD.replace("123456", "1" * 24) + "CP=&&&&", Tolerance.PW_FORM),
        (HEAD.replace("ST=32", "ST=null") + "CP=&&&&", Tolerance.ST_FORM),
        (HEAD + "PNO=0002;PNUM=0002;CP=&&&&", Tolerance.PACKETS_ORDER),
        (HEAD + "PNUM=2;PNO=1;CP=&&&&", Tolerance.PACKETS_UNFLAGGED),
        (HEAD.replace("Flag=5", "Flag=7") + "CP=&&&&", Tolerance.PACKETS_MISSING),
        (HEAD.replace("223;ST", "223,ST") + "CP=&&&&", Tolerance.COMMA_FIELDS),
        ("MN=null;USCC=91310000;IMEI=860000", Tolerance.NO_CP),
        ("MN=null;USCC=91310000;IMEI=860000", Tolerance.UNKNOWN_FIELD),
        (HEAD + "CP=&&" + TIME, Tolerance.OPEN_CP),
        (HEAD + "CP=&&" + TIME + "&&", Tolerance.TRAILING_SEPARATOR),
        (HEAD + "CP=&&" + TIME + "hello&&", Tolerance.NO_VALUE),
    ],
)
def test_each_departure_is_accepted_and_named(text: str, tolerance: Tolerance) -> None:
    assert tolerance in decode(text.encode()).oddities


def test_what_follows_the_standard_is_not_named() -> None:
    assert decode((HEAD + "CP=&&DataTime=20160801085857&&").encode()).oddities == ()


def test_packet_numbers_with_leading_zeros() -> None:
    segment = decode((HEAD + "PNO=0002;PNUM=0003;CP=&&&&").encode()).segment
    assert (segment.pno, segment.pnum) == (2, 3)


def test_a_log_may_hold_separators() -> None:
    segment = decode(
        (HEAD + "CP=&&i11001-Info=//零点;漂移,量程=3//,i11001-Flag=N;PolId=a&&").encode()
    ).segment
    assert segment.get("i11001-Info") == "//零点;漂移,量程=3//"
    assert segment.get("i11001-Flag") == "N"
    assert segment.get("PolId") == "a"


def test_chinese_text_of_older_devices() -> None:
    segment, oddities = decode((HEAD + "CP=&&i11001-Info=//清零//&&").encode("gbk"))
    assert segment.get("i11001-Info") == "//清零//"
    assert oddities == (Tolerance.GBK,)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xfe", b"a=b;c=d", b"&&&&", b"MN=" + b"a" * 65])
def test_a_text_without_a_field_is_refused(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        decode(data)
    assert caught.value.reason is Reason.BAD_FRAME


@settings(max_examples=200)
@given(st.binary(max_size=300) | st.text("QNSTCMPW=;,&/0123456789-Flag\n", max_size=200).map(str.encode))
def test_nothing_but_the_typed_refusal(data: bytes) -> None:
    try:
        segment = decode(data).segment
    except Refused:
        return
    assert decode(encode(segment)).segment == segment
