"""How large, deep and long a payload may be is judged on its bytes, and is the operator's to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from drivers.products import catalog
from drivers.refusal import Reason, Refusal
from gateway.decoding import Decoding, PayloadSettings
from gateway.ingest.inbox import Frame


class Nobody:
    address = "test"

    def settle(self, tokens: Sequence[int], refused: Mapping[int, Refusal]) -> None:
        """Nobody waits."""


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"v":{"pm10":1}}' + b" " * 300, Reason.OVERSIZE),
        (b'{"v":{"pm10":1},"x":[[[[1]]]]}', Reason.TOO_DEEP),
        (b"[" * 250, Reason.TOO_DEEP),
        (b'[{"v":{"pm10":1}},{"v":{"pm10":2}},{"v":{"pm10":3}}]', Reason.TOO_MANY),
    ],
)
def test_a_payload_beyond_a_limit_is_refused_with_its_reason(payload: bytes, reason: Reason) -> None:
    limits = PayloadSettings(size=256, depth=4, readings=2).limits()
    decoding = Decoding(catalog(), limits=limits)
    lane = decoding.lane("generic-dust", "dust", "telemetry")
    decoded = decoding.decode([Frame(lane, 0, payload, 1, Nobody(), 1)])
    assert ([one.reason for one in decoded.refusals], decoded.readings) == ([reason], [])
