"""`citygate bench`: what this machine does with the flow of design 2, beside the budgets of design 7."""

from __future__ import annotations

from gateway.cli.bench.run import bench

__all__ = ["bench"]
