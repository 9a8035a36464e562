"""Why something was not used. Every refusal has one enumerated reason (law 4), shared by log, metric, API and test."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """Stable words; an operator filters the quarantine by them."""

    UNKNOWN_DEVICE = "unknown_device"
    FOREIGN_TOPIC = "foreign_topic"  # a topic that is not the publisher's own
    UNKNOWN_TOPIC = "unknown_topic"  # a topic that means nothing to citygate
    TOPIC_TOO_LONG = "topic_too_long"  # in bytes or in levels
    OVERSIZE = "oversize"
    TOO_DEEP = "too_deep"
    BAD_JSON = "bad_json"
    WRONG_TYPE = "wrong_type"
    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_POINT = "unknown_point"
    UNKNOWN_QUALITY = "unknown_quality"
    UNKNOWN_EVENT = "unknown_event"
    BAD_TIME = "bad_time"
    EMPTY = "empty"  # a payload that carries no point
    TOO_MANY = "too_many"  # more readings in one payload than the limit
    CONFLICT = "conflict"  # a point of a known reading came again with another value
    BAD_FRAME = "bad_frame"  # bytes that are no frame of their transport
    BAD_CRC = "bad_crc"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason, not a secret
    MIRROR_REFUSED = "mirror_refused"  # a point that the mirror does not take; history has it
    NO_REPLY_EXPECTED = "no_reply_expected"  # a reply to no open command


class Refusal(NamedTuple):
    """One refused frame, reading or point. `frame` is the position of its payload in the call that refused it."""

    frame: int
    reason: Reason
    detail: str
    whole: bool  # True: nothing of the payload was used; False: the rest of it was


class Refused(ValueError):  # noqa: N818 - a verdict, named as design and style name it
    """Raised where one thing is refused: goes to the quarantine, never to the log as a fault of ours."""

    def __init__(self, reason: Reason, detail: str, who: str = "") -> None:
        """who: the id that is nobody's, where that is the reason."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.who = who
