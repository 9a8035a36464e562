"""What is imported stays for good: to look for garbage in it, again and again while it grows, takes a fifth of a start."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """What is made inside is never looked through for garbage, neither while it is made nor later."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
