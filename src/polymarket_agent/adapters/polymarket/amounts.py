"""Compares what is about to be signed with what was intended: the last look at an order's integers.

Source: ../shared/spec/polymarket-wire.md, section 4.9: what the venue refuses as inaccurate, and how an exact order looks.
"""

from __future__ import annotations

from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.money import LOT, MICRO, PRICE_GRID, display
from polymarket_agent.domain.order import TimeInForce
from polymarket_agent.domain.venue import OrderTicket
from polymarket_agent.errors import AgentError

__all__ = ["check_ticket"]

_CENT = 10_000  # micro-USDC: a market BUY gives whole cents
_FINE = 100  # micro-shares: a market BUY wants at most four decimals
_COARSE = 1_000  # micro-shares: and three are enough where the tick size is 0.1


def check_ticket(ticket: OrderTicket) -> None:
    """Raise unless the ticket's two amounts are exactly what its price and quantity come to.

    A FOK or FAK BUY is bounded by its collateral: whole cents are given, at most four decimals of shares wanted, and the
    price that the two make is the limit price but for that rounding; never one at which a higher ask could be taken.

    Raises:
        AgentError: which number is not what it should be; nothing may be signed.
    """
    fault = _form_fault(ticket) or _amount_fault(ticket)
    if fault:
        raise AgentError(
            f"an order that is not what was intended is not signed: {ticket.time_in_force.value} {ticket.side.name} "
            f"of {display(ticket.quantity)} at {display(ticket.price)}: {fault}",
            hint="this is a fault in the program; report it",
        )


def _form_fault(ticket: OrderTicket) -> str:
    rests = ticket.time_in_force.rests
    if not 0 < ticket.price < MICRO or ticket.price % PRICE_GRID:
        return "the price is not between 0 and 1 on the grid of 0.0001"
    if ticket.quantity <= 0 or ticket.maker_amount <= 0 or ticket.taker_amount <= 0:
        return "an amount is not positive"
    if ticket.post_only and not rests:
        return "an order that does not rest cannot be post-only"
    if (ticket.time_in_force is TimeInForce.GTD) is not (ticket.expires_s > 0):
        return "GTD and no other has an expiry"
    return ""


def _amount_fault(ticket: OrderTicket) -> str:
    at, quantity, gives, wants = ticket.price, ticket.quantity, ticket.maker_amount, ticket.taker_amount
    if ticket.side is Side.BUY and not ticket.time_in_force.rests:
        return _market_buy_fault(ticket)
    shares, money = (wants, gives) if ticket.side is Side.BUY else (gives, wants)
    if quantity % LOT:
        return "the quantity is finer than 0.01 share"
    if shares != quantity:
        return f"{shares} micro-shares would be signed"
    if money * MICRO != at * quantity:
        return f"{money} micro-USDC would be signed"
    return ""


def _market_buy_fault(ticket: OrderTicket) -> str:
    at, quantity, gives, wants = ticket.price, ticket.quantity, ticket.maker_amount, ticket.taker_amount
    if gives % _CENT:
        return f"{gives} micro-USDC are not whole cents"
    if wants % _FINE:
        return f"{wants} micro-shares have more than four decimals"
    if abs(wants * at - gives * MICRO) >= _COARSE * at:
        return f"{gives} micro-USDC for {wants} micro-shares is another price"
    if gives * MICRO >= wants * (at + PRICE_GRID):
        return f"{gives} micro-USDC for {wants} micro-shares could take an ask above the limit"
    if wants - quantity >= LOT or at * (quantity - wants - _COARSE) > _CENT * MICRO:
        return f"{wants} micro-shares would be signed"
    return ""
