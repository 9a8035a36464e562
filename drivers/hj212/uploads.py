"""The inverse of `drivers.hj212.readings`, for simulated stations: what is written here reads back as the same row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.hj212.commands import KINDS, Cn
from drivers.hj212.moment import number, stamp
from drivers.hj212.profile import FLAGS, STATES
from drivers.hj212.segment import ANSWER, PACKETS, Segment
from drivers.telemetry import Kind, Quality

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo

    from drivers.hj212.profile import Factor, StationMap
    from drivers.hj212.segment import Item

_WORDS: Final = {quality: word for word, quality in FLAGS.items()}
_STATES: Final = {meaning: code for code, meaning in reversed(list(STATES.items()))}
_GOOD: Final[Mapping[str, Quality]] = {}
CN: Final = {kind: cn for cn, kind in KINDS.items() if cn != Cn.STATES}


def upload(
    profile: StationMap,
    zone: tzinfo,
    *,
    mn: str,
    time: int,
    sent: int,
    values: Mapping[str, float],
    quality: Mapping[str, Quality] = _GOOD,
    kind: Kind = Kind.SAMPLE,
    st: str = "39",
    pw: str = "123456",
    version: int = 1,
    answer: bool = True,
    again: bool = False,
) -> Segment:
    """One reading of a station. time: of the sample or the start of its period, sent: its QN, µs UTC.

    again: 2025's RF. Raises ValueError for a point or quality that the product cannot say.
    """
    factors = {factor.point: factor for factor in profile.factors}
    suffix = "Rtd" if kind is Kind.SAMPLE else "Avg"
    items: list[Item] = [(("DataTime", stamp(time, zone)),)]
    for name, value in values.items():
        if name not in factors:
            raise ValueError(f"this product has no factor of {name}")
        items.append(_item(factors[name], suffix, value, quality.get(name, Quality.GOOD)))
    return Segment(
        cn=CN[kind],
        mn=mn,
        qn=number(sent, zone),
        st=st,
        pw=pw,
        flag=(version << 2) | (ANSWER if answer else 0),
        rf=again,
        cp=tuple(items),
    )


def _item(factor: Factor, suffix: str, value: float, quality: Quality) -> Item:
    code = factor.codes[0]
    if factor.state:
        said = _STATES.get((value, quality))
        if said is None:
            raise ValueError(f"no state of {factor.point} is {value:g} with {quality.name.lower()}")
        return ((code, said),)
    if quality not in _WORDS:
        raise ValueError(f"no data flag says {quality.name.lower()}")
    return ((f"{code}-{suffix}", repr(value / factor.scale)), (f"{code}-Flag", _WORDS[quality]))


def split(segment: Segment, items: int) -> Iterator[Segment]:
    """The same message in sub-packets of at most `items` items each, every one with its DataTime."""
    assert segment.cp is not None
    time, rest = segment.cp[0], segment.cp[1:]
    parts = [rest[start : start + items] for start in range(0, len(rest), items)] or [()]
    if len(parts) == 1:
        yield segment
        return
    for position, part in enumerate(parts, 1):
        yield Segment(
            cn=segment.cn,
            mn=segment.mn,
            qn=segment.qn,
            st=segment.st,
            pw=segment.pw,
            flag=(segment.flag or 0) | PACKETS,
            pnum=len(parts),
            pno=position,
            rf=segment.rf,
            cp=(time, *part),
        )
