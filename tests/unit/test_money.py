"""Amounts: exact in, exact out, rounding only by name."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest

from polymarket_agent.domain.money import (
    MICRO,
    Price,
    Shares,
    ceil_div,
    complement,
    cost_rounded_up,
    decimal_text,
    display,
    floor_to_lot,
    price,
    proceeds_rounded_down,
    round_down_to_tick,
    round_up_to_tick,
    shares,
    shares_for,
    usdc,
)
from polymarket_agent.errors import MoneyError


@pytest.mark.parametrize(
    ("amount", "micro"),
    [("1", 1_000_000), ("0.000001", 1), ("-2.5", -2_500_000), ("-0", 0), ("1e-6", 1), ("1E3", 10**9), (7, 7_000_000)],
)
def test_an_exact_amount_is_taken_as_it_is(amount: str | int, micro: int) -> None:
    """Text, whole numbers and Decimals become exactly their micro-units."""
    assert usdc(amount) == micro
    assert shares(Decimal(amount)) == micro


@pytest.mark.parametrize(
    "amount",
    [
        "NaN",
        "sNaN",
        "inf",
        "-Infinity",
        "1e308",
        "1e999999999",
        "1,5",
        "",
        "one",
        "1_000",
        "1\u0661",
        "0x10",
        "9" * 5_000,
    ],
)
def test_what_is_no_amount_is_refused(amount: str) -> None:
    """Not-a-number, infinity, absurd size and foreign notations raise MoneyError and nothing else."""
    with pytest.raises(MoneyError):
        usdc(amount)


@pytest.mark.parametrize("amount", ["0.30000000000000004", "0.0000001", "1e-9999999", "1." + "0" * 80 + "1"])
def test_what_is_finer_than_a_micro_unit_is_never_rounded(amount: str) -> None:
    """An amount that does not fit raises, whatever its length; a short context would round it silently."""
    with pytest.raises(MoneyError, match="finer"):
        usdc(amount)


def test_the_callers_decimal_context_does_not_matter() -> None:
    """A context of two digits somewhere else does not change what an amount is."""
    with localcontext() as context:
        context.prec = 2
        assert usdc("12345.678901") == 12_345_678_901


@pytest.mark.parametrize("amount", [True, False, 0.1, 1.0, None, b"1"])
def test_floats_and_truth_values_are_no_amounts(amount: object) -> None:
    """A float is refused by its type: its text would have to be chosen by the caller."""
    with pytest.raises(MoneyError):
        usdc(amount)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [10**11 + 1, -(10**11) - 1, 10**400, "100000000000.000001"])
def test_the_largest_amount_has_a_limit(amount: int | str) -> None:
    """10^11 units fit in a 64-bit column with room for sums; more is refused, however many digits it has."""
    assert usdc(10**11) == 10**17
    with pytest.raises(MoneyError, match="larger"):
        usdc(amount)


@pytest.mark.parametrize("text", ["0", "1", "-0.5", "1.5", "0.0000001"])
def test_a_price_lies_strictly_between_0_and_1(text: str) -> None:
    """0 and 1 are payouts, not prices."""
    assert price("0.0001") == 100
    with pytest.raises(MoneyError):
        price(text)


def test_costs_round_up_and_proceeds_down() -> None:
    """A third of a micro-unit is ours to pay and not ours to receive."""
    assert cost_rounded_up(Price(333_300), Shares(1)) == 1
    assert proceeds_rounded_down(Price(333_300), Shares(1)) == 0
    assert shares_for(usdc("1"), price("0.3")) == 3_333_333


def test_roundings_go_where_their_names_say() -> None:
    """Down is down and up is up, also for negative numbers and exact multiples."""
    assert [ceil_div(7, 2), ceil_div(-7, 2), ceil_div(8, 2)] == [4, -3, 4]
    assert [round_down_to_tick(125_999, Price(10_000)), round_up_to_tick(120_001, Price(10_000))] == [120_000, 130_000]
    assert round_up_to_tick(120_000, Price(10_000)) == round_down_to_tick(120_000, Price(10_000)) == 120_000
    assert floor_to_lot(shares("1.019999")) == shares("1.01")
    assert complement(price("0.3")) == price("0.7")


@pytest.mark.parametrize(
    ("micro", "text"), [(500_000, "0.5"), (0, "0"), (-1, "-0.000001"), (MICRO, "1"), (123_456_789, "123.456789")]
)
def test_plain_text_is_the_shortest_that_is_exact(micro: int, text: str) -> None:
    """The venue's way of writing numbers, and back."""
    assert decimal_text(micro) == text
    assert usdc(text) == micro


def test_what_a_person_reads_is_rounded_half_away_from_zero() -> None:
    """Two places, thousands apart, and no minus before a zero."""
    assert [display(1_234_565_000), display(-1_005_000), display(-4_999), display(999_999, 0)] == [
        "1,234.57",
        "-1.01",
        "0.00",
        "1",
    ]
