"""Drills: a simulated city in virtual time, faults whose truth is known, and what the gateway made of them.

A scenario is played into the gateway's own pipeline, and only that: the truth is compared afterwards, never told.
"""
