"""Tests that set up logging leave it as they found it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from gateway import log


@contextmanager
def kept() -> Iterator[None]:
    root = logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", *log.CHATTY)}
    handlers = list(root.handlers)
    try:
        yield
    finally:
        for handler in root.handlers:
            if isinstance(handler, log.Sparing):
                handler.close()
        root.handlers[:] = handlers
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
