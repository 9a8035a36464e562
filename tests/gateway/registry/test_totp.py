"""One-time passwords are those of RFC 6238; each opens once."""

from __future__ import annotations

from base64 import b32decode, b32encode
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.registry import totp

KEYS = {  # RFC 6238, appendix B, with its erratum: a key as long as the hash
    "sha1": b"12345678901234567890",
    "sha256": b"12345678901234567890123456789012",
    "sha512": b"1234567890123456789012345678901234567890123456789012345678901234",
}
VECTORS = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
KEY = b32encode(KEYS["sha1"]).decode()


@pytest.mark.parametrize(("seconds", *KEYS), VECTORS)
def test_codes_are_those_of_the_standard(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    step = totp.step_of(seconds)
    codes = [totp.code(key, step, 8, name) for name, key in KEYS.items()]
    assert codes == [sha1, sha256, sha512]


def test_counters_are_those_of_rfc_4226() -> None:
    assert [totp.code(KEYS["sha1"], count) for count in range(10)] == HOTP


def test_a_phone_may_be_a_step_off_and_a_code_opens_once() -> None:
    now = 1_111_111_111
    step = totp.step_of(now)
    shown = {off: totp.code(KEYS["sha1"], step + off) for off in (-2, -1, 0, 1, 2)}
    accepted = {off: totp.accept(KEY, code, now, None) for off, code in shown.items()}
    assert accepted == {-2: None, -1: step - 1, 0: step, 1: step + 1, 2: None}
    assert totp.accept(KEY, shown[0], now, step) is None, "it was used"
    assert totp.accept(KEY, shown[-1], now, step) is None, "so are all before it"
    assert totp.accept(KEY, shown[1], now, step) == step + 1
    assert totp.accept(KEY, "", now, None) is None


def test_a_phone_can_read_the_key() -> None:
    key = totp.new_key()
    assert len(b32decode(key)) == 20
    uri = urlsplit(totp.uri(key, "wang@city"))
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/citygate:wang%40city")
    assert parse_qs(uri.query) == {"secret": [key], "issuer": ["citygate"], "digits": ["6"], "period": ["30"]}
