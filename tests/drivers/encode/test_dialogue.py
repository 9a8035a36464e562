"""Commands and replies come back as they were; a reply that is none is refused with its reason."""

from __future__ import annotations

import pytest

from drivers.decode import Reply, decode_reply
from drivers.dialogue import Order, decode_command, encode_command, encode_reply
from drivers.refusal import Reason, Refused


def test_a_command_comes_back_with_its_expiry_in_milliseconds() -> None:
    payload = encode_command("c-1", "dim", {"level": 40.0}, 1_700_000_000_123_456)
    assert decode_command(payload) == Order("c-1", "dim", {"level": 40.0}, 1_700_000_000_123)


@pytest.mark.parametrize(
    "reply", [Reply("c-1", "accepted"), Reply("c-1", "failed", "jammed", {"switch": 1.0})]
)
def test_a_reply_comes_back(reply: Reply) -> None:
    assert decode_reply(encode_reply(reply)) == reply


def test_a_reply_may_say_null_for_no_error() -> None:
    assert decode_reply(b'{"id":"a","result":"applied","error":null}').error is None


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"{", Reason.BAD_JSON),
        (b"[]", Reason.WRONG_TYPE),
        (b"{}", Reason.WRONG_TYPE),
        (b'{"id":1,"result":"applied"}', Reason.WRONG_TYPE),
        (b'{"id":"a","result":"done"}', Reason.OUT_OF_RANGE),
        (b'{"id":"a","result":"applied","v":{"power":NaN}}', Reason.NOT_FINITE),
        (b'{"id":"a","result":"applied","v":{"power":1e999}}', Reason.NOT_FINITE),
        (b"[" * 100, Reason.TOO_DEEP),
        (b'"' + b"x" * 70_000 + b'"', Reason.OVERSIZE),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_reply_is_refused_with_its_reason(payload: bytes, reason: Reason) -> None:
    with pytest.raises(Refused) as caught:
        decode_reply(payload)
    assert caught.value.reason is reason
