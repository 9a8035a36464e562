"""The calendar as rules are told it, year by year."""

from __future__ import annotations

from gateway.app.workdays import told
from gateway.cases.calendar import MondayToFriday, named


def test_the_days_off_and_the_weekends_that_are_worked_are_told() -> None:
    calendar = told(named("CN"), 2025)
    assert {2024, 2025} <= set(calendar.years)
    assert "2025-10-01" in calendar.holidays
    assert "2025-10-11" in calendar.workdays  # 调休, a Saturday
    assert "2025-10-04" not in calendar.holidays  # a Saturday is free anyway


def test_a_week_without_holidays_knows_every_year_and_names_no_day() -> None:
    calendar = told(MondayToFriday(), 2026)
    assert (calendar.years, calendar.holidays, calendar.workdays) == ([2025, 2026, 2027], [], [])
