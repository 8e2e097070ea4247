"""Time and chance: real ones, and ones that do as they are told."""

from __future__ import annotations

from satisfice.core.clock import Clock, ManualClock, SystemClock, new_id


def test_the_system_clock_never_goes_back() -> None:
    clock = SystemClock()
    instants = [clock.now() for _ in range(100)]

    assert sorted(instants) == instants


def test_the_system_clock_tells_the_year() -> None:
    year_2025, year_2200 = 1_735_689_600_000, 7_258_118_400_000

    assert year_2025 < SystemClock().unix_ms() < year_2200


def test_the_system_s_chance_is_a_number_from_0_to_1() -> None:
    clock = SystemClock()
    drawn = [clock.chance() for _ in range(100)]

    assert all(0.0 <= each < 1.0 for each in drawn)
    assert len(set(drawn)) > 90


def test_the_system_s_bits_are_as_many_as_asked_for() -> None:
    clock = SystemClock()

    assert all(0 <= clock.bits(8) < 256 for _ in range(100))


def test_two_system_clocks_draw_different_bits() -> None:
    """Identifiers of two processes must not collide."""
    assert SystemClock().bits(64) != SystemClock().bits(64)


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(now=5.0, unix_ms=7_000)
    assert (5.0, 5.0, 7_000) == (clock.now(), clock.now(), clock.unix_ms())

    clock.advance(1.5)

    assert (6.5, 8_500) == (clock.now(), clock.unix_ms())


def test_a_manual_clock_s_chance_repeats_itself_with_its_seed() -> None:
    clock, twin, other = ManualClock(seed=1), ManualClock(seed=1), ManualClock(seed=2)
    first = (clock.chance(), clock.bits(64))

    assert 0.0 <= first[0] < 1.0
    assert first == (twin.chance(), twin.bits(64))
    assert first != (other.chance(), other.bits(64))


def test_an_identifier_is_its_prefix_and_27_hexadecimal_digits() -> None:
    prefix, _, digits = new_id("req", ManualClock()).partition("_")

    assert "req" == prefix
    assert 27 == len(digits)
    assert set(digits) <= set("0123456789abcdef")


def test_identifiers_sort_by_time() -> None:
    clock = ManualClock()
    ids = []
    for _ in range(100):
        ids.append(new_id("req", clock))
        clock.advance(0.001)

    assert sorted(ids) == ids


def test_identifiers_of_the_same_instant_differ() -> None:
    clock: Clock = ManualClock()

    assert 100 == len({new_id("req", clock) for _ in range(100)})
