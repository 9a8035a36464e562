"""Errors say what to do: stop, retry, quarantine, or refuse to the caller (style 11)."""

from __future__ import annotations


class CitygateError(Exception):
    """Any error of ours that a caller may want to name."""


class ConfigError(CitygateError):
    """Stop: the configuration cannot be used. `faults` has one line a fault, each with its key and line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class LinkError(CitygateError):
    """Retry: the other side is away or broken."""


class StoreError(CitygateError):
    """Stop acknowledging: a store cannot be written. The cause is chained."""


class CallerError(CitygateError):
    """Refuse to the caller, with an HTTP status and a word for the problem document."""

    status = 400
    word = "bad-request"

    def __init__(self, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.members = members


class Invalid(CallerError):  # noqa: N818 - verdicts are named as the design names them
    status = 422
    word = "invalid"


class Unauthorized(CallerError):  # noqa: N818
    status = 401
    word = "unauthorized"


class Forbidden(CallerError):  # noqa: N818
    status = 403
    word = "forbidden"


class NotFound(CallerError):  # noqa: N818
    status = 404
    word = "not-found"


class Conflict(CallerError):  # noqa: N818
    status = 409
    word = "conflict"


class TooLarge(CallerError):  # noqa: N818
    status = 413
    word = "too-large"


class TooMany(CallerError):  # noqa: N818
    """retry_after: whole seconds."""

    status = 429
    word = "too-many"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class Unavailable(CallerError):  # noqa: N818
    status = 503
    word = "unavailable"
