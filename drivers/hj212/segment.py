"""The data segment: fields, then the items of CP with their attributes. `decode` accepts what A.11 of the field shows.

Every departure is named; a text that holds no field at all is refused and nothing else is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from drivers.hj212.tolerance import Tolerance
from drivers.refusal import Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Item = tuple[tuple[str, str], ...]  # name and value of each attribute

PACKETS: Final = 2  # bit of Flag: packet numbers follow
ANSWER: Final = 1  # bit of Flag: an answer is wanted

LONGEST: Final = 64  # characters of a field before CP; what we answer repeats them

_FIELDS: Final = frozenset(("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF"))
_MN: Final = re.compile(r"[0-9A-Za-z]{24}|[0-9A-Za-z]{14}")
_ITEM: Final = re.compile(r"(?:[^;/]|/(?!/)|//.*?//)+")  # a log between // and // may hold ; and ,
_ATTRIBUTE: Final = re.compile(r"(?:[^,/]|/(?!/)|//.*?//)+")


@dataclass(frozen=True, slots=True)
class Segment:
    """One message. flag, pnum, pno: None where the station sent none; cp None: no CP at all.

    rest: fields that no version of the standard knows, as sent.
    """

    cn: str
    mn: str = ""
    qn: str = ""
    st: str = ""
    pw: str = ""
    flag: int | None = None
    pnum: int | None = None
    pno: int | None = None
    rf: bool = False  # 2025: these data are sent again
    cp: tuple[Item, ...] | None = ()
    rest: Mapping[str, str] = field(default_factory=dict)

    @property
    def wants_answer(self) -> bool:
        return bool((self.flag or 0) & ANSWER)

    @property
    def version(self) -> int:
        """0: 2005, 1: 2017, 2: 2025, as Flag claims; 0 without Flag."""
        return (self.flag or 0) >> 2

    def get(self, name: str) -> str | None:
        """The value of an attribute of CP by its whole name."""
        for item in self.cp or ():
            for key, value in item:
                if key == name:
                    return value
        return None


class Decoded(NamedTuple):
    segment: Segment
    oddities: tuple[Tolerance, ...]


def decode(data: bytes) -> Decoded:
    """The message of a data segment; raises Refused (BAD_FRAME) where there is none."""
    noted: list[Tolerance] = []
    text = _text(data, noted)
    head, sign, tail = text.partition("CP=&&")
    fields = dict(_fields(head, noted))
    if not _FIELDS & fields.keys():
        raise Refused(Reason.BAD_FRAME, f"no field of a data segment in {text[:60]!r}")
    if any(len(fields.get(name, "")) > LONGEST for name in _FIELDS):
        raise Refused(Reason.BAD_FRAME, f"a field of over {LONGEST} characters in {text[:60]!r}")
    cp: tuple[Item, ...] | None = None
    if sign:
        body, closed, _ = tail.rpartition("&&")
        if not closed:
            noted.append(Tolerance.OPEN_CP)
            body = tail
        cp = tuple(_items(body, noted))
    else:
        noted.append(Tolerance.NO_CP)
    segment = Segment(
        cn=fields.get("CN", ""),
        mn=fields.get("MN", ""),
        qn=fields.get("QN", ""),
        st=fields.get("ST", ""),
        pw=fields.get("PW", ""),
        flag=_number(fields.get("Flag", ""), 255),
        pnum=_number(fields.get("PNUM", ""), 9999),
        pno=_number(fields.get("PNO", ""), 9999),
        rf=fields.get("RF") == "1",
        cp=cp,
        rest={name: value for name, value in fields.items() if name not in _FIELDS},
    )
    _note(segment, fields, noted)
    return Decoded(segment, tuple(dict.fromkeys(noted)))


def _text(data: bytes, noted: list[Tolerance]) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        noted.append(Tolerance.GBK)
        return data.decode("gb18030", "replace")


def _fields(head: str, noted: list[Tolerance]) -> Iterator[tuple[str, str]]:
    if "," in head:
        noted.append(Tolerance.COMMA_FIELDS)
        head = head.replace(",", ";")
    for part in head.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            yield name.strip(), value.strip()
        elif part.strip():
            noted.append(Tolerance.UNKNOWN_FIELD)


def _items(body: str, noted: list[Tolerance]) -> Iterator[Item]:
    if body.endswith((";", ",")):
        noted.append(Tolerance.TRAILING_SEPARATOR)
    logs = "//" in body
    for text in _ITEM.findall(body) if logs else body.split(";"):
        attributes = []
        for part in _ATTRIBUTE.findall(text) if logs else text.split(","):
            name, sign, value = part.partition("=")
            if sign:
                attributes.append((name.strip(), value))
            elif part.strip():
                noted.append(Tolerance.NO_VALUE)
        if attributes:
            yield tuple(attributes)


def _number(text: str, most: int) -> int | None:
    if text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) <= most:
        return int(text)
    return None


def _note(segment: Segment, fields: Mapping[str, str], noted: list[Tolerance]) -> None:
    """What departs from Table 3, field by field."""
    qn, st = segment.qn, segment.st
    departures = (
        (not qn, Tolerance.MISSING_QN),
        (qn and not (len(qn) == 17 and qn.isdecimal()), Tolerance.QN_DIGITS),
        ("Flag" not in fields, Tolerance.MISSING_FLAG),
        ("Flag" in fields and segment.flag is None, Tolerance.BAD_FLAG),
        (not _MN.fullmatch(segment.mn), Tolerance.MN_FORM),
        (len(segment.pw) != 6, Tolerance.PW_FORM),
        (not (len(st) == 2 and st.isdecimal()), Tolerance.ST_FORM),
        (segment.rest, Tolerance.UNKNOWN_FIELD),
    )
    noted += [tolerance for departs, tolerance in departures if departs]
    _note_packets(segment, fields, noted)


def _note_packets(segment: Segment, fields: Mapping[str, str], noted: list[Tolerance]) -> None:
    flagged = bool((segment.flag or 0) & PACKETS)
    numbered = segment.pnum is not None and segment.pno is not None
    if flagged and not numbered:
        noted.append(Tolerance.PACKETS_MISSING)
    if numbered and not flagged:
        noted.append(Tolerance.PACKETS_UNFLAGGED)
    order = list(fields)
    if numbered and order.index("PNO") < order.index("PNUM"):
        noted.append(Tolerance.PACKETS_ORDER)


def encode(segment: Segment) -> bytes:
    """The bytes of a message, fields in the standard's order; the inverse of `decode`."""
    parts = [
        f"{name}={value}"
        for name, value in (
            ("QN", segment.qn),
            ("ST", segment.st),
            ("CN", segment.cn),
            ("PW", segment.pw),
            ("MN", segment.mn),
        )
        if value
    ]
    for name, number in (("Flag", segment.flag), ("PNUM", segment.pnum), ("PNO", segment.pno)):
        if number is not None:
            parts.append(f"{name}={number}")
    if segment.rf:
        parts.append("RF=1")
    parts += [f"{name}={value}" for name, value in segment.rest.items()]
    if segment.cp is not None:
        items = ";".join(",".join(f"{name}={value}" for name, value in item) for item in segment.cp)
        parts.append(f"CP=&&{items}&&")
    return ";".join(parts).encode()
