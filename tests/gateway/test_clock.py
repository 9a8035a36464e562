"""City time beside a host whose clock is set at will: it never goes back, and is on its way to the host's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.telemetry import DAY, HOUR, MINUTE, SECOND
from gateway.clock import EPOCH, LEAP, RATE, CityClock, Verdict
from tests.gateway.host import NOON, HandHost


def run(clock: CityClock, host: HandHost, span: int, look: int = SECOND) -> Verdict:
    """Time passes, and the clock looks at the host now and then."""
    for _ in range(span // look):
        host.run(look)
        clock.follow()
    return clock.verdict


def test_undisturbed_it_is_the_hosts() -> None:
    host = HandHost()
    clock = CityClock(host=host)
    assert run(clock, host, HOUR) is Verdict.TOGETHER
    assert clock.now() == NOON + HOUR


def test_set_back_an_hour_it_goes_on_slower_until_they_meet() -> None:
    host = HandHost()
    clock = CityClock(host=host)
    host.set(-HOUR)
    assert clock.follow() is Verdict.SLOWING
    before = clock.now()
    host.run(8 * MINUTE)
    assert clock.now() - before == 7 * MINUTE
    assert run(clock, host, RATE * HOUR) is Verdict.TOGETHER
    assert abs(clock.now() * 1000 - host.wall()) < 10_000_000


def test_a_little_behind_it_hurries() -> None:
    host = HandHost()
    clock = CityClock(host=host)
    host.set(30 * SECOND)
    assert clock.follow() is Verdict.HURRYING
    before = clock.now()
    host.run(8 * SECOND)
    assert clock.now() - before == 9 * SECOND
    assert run(clock, host, 5 * MINUTE) is Verdict.TOGETHER


def test_set_ahead_an_hour_it_waits_for_the_leap() -> None:
    host = HandHost()
    clock = CityClock(host=host)
    host.set(HOUR)
    assert run(clock, host, MINUTE) is Verdict.BEHIND
    assert clock.now() == NOON + MINUTE, "nobody has leapt yet"
    step = clock.leap()
    assert (step.before, step.after) == (NOON + MINUTE, NOON + MINUTE + HOUR)
    assert run(clock, host, MINUTE) is Verdict.TOGETHER


def test_a_host_without_a_clock_starts_where_the_log_ends() -> None:
    host = HandHost(wall=5 * SECOND)  # 1970
    clock = CityClock(host=host)
    clock.not_before(NOON + 1)
    assert run(clock, host, MINUTE) is Verdict.DISBELIEVED
    assert clock.now() == NOON + 1 + MINUTE, "neither slower nor faster"
    host.set(NOON + 2 * DAY - host.wall() // 1000)
    assert clock.follow() is Verdict.BEHIND
    assert clock.leap().after == NOON + 2 * DAY


def test_a_host_without_a_clock_and_without_a_log_starts_at_the_epoch() -> None:
    host = HandHost(wall=0)
    clock = CityClock(host=host)
    clock.not_before(1)
    assert clock.now() == EPOCH
    again = CityClock(host=HandHost(wall=0))
    again.not_before(EPOCH + DAY)  # what was recorded then was not right either
    host = HandHost(wall=NOON + 3000 * DAY)
    right = CityClock(host=host)
    right.not_before(EPOCH + DAY)
    assert right.now() == NOON + 3000 * DAY


def test_a_restart_after_a_step_back_goes_on_from_the_log() -> None:
    host = HandHost()
    clock = CityClock(host=host)
    clock.not_before(NOON + HOUR)
    assert clock.now() == NOON + HOUR
    assert clock.follow() is Verdict.SLOWING
    assert run(clock, host, RATE * HOUR) is Verdict.TOGETHER


def test_a_host_far_ahead_of_the_log_is_not_believed() -> None:
    host = HandHost(wall=NOON + 26_000 * DAY)
    clock = CityClock(host=host)
    clock.not_before(NOON)
    assert clock.now() == NOON
    assert run(clock, host, MINUTE) is Verdict.DISBELIEVED
    assert clock.now() == NOON + MINUTE
    told = CityClock(host=host, believed=30_000 * DAY)
    told.not_before(NOON)
    assert told.now() == host.wall() // 1000, "unless an operator says so"


def test_a_city_with_a_time_of_its_own_does_not_follow() -> None:
    host = HandHost()
    clock = CityClock(start=NOON, speed=60, host=host)
    host.set(HOUR)
    assert clock.follow() is Verdict.TOGETHER
    host.run(SECOND)
    assert clock.now() == NOON + MINUTE


Deed = tuple[str, int]
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(0, HOUR)),
        st.tuples(st.just("set"), st.integers(-3 * DAY, 3 * DAY)),
        st.tuples(st.just("follow"), st.just(0)),
        st.tuples(st.just("leap"), st.just(0)),
    ),
    max_size=40,
)


@given(DEEDS)
def test_it_never_goes_back_and_never_runs_faster_or_slower_than_an_eighth(deeds: list[Deed]) -> None:
    host = HandHost()
    clock = CityClock(host=host)
    for deed, size in deeds:
        before = clock.now()
        if deed == "run":
            host.run(size)
            assert size - size // RATE - 1 <= clock.now() - before <= size + size // RATE + 1
        elif deed == "set":
            host.set(size)
            assert clock.now() == before
        elif deed == "follow":
            clock.follow()
            assert clock.now() == before
        elif clock.follow() is Verdict.BEHIND:
            step = clock.leap()
            assert step.before == before
            assert step.after - step.before > LEAP
            assert clock.now() * 1000 == host.wall()
    for _ in range(RATE * 73):  # and in the end they meet, where the host is to be believed
        host.run(HOUR)
        if clock.follow() is Verdict.BEHIND:
            clock.leap()
    assert clock.follow() in {Verdict.TOGETHER, Verdict.DISBELIEVED}
