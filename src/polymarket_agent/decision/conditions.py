"""What the gate has to know about the world outside the books. The shell around it keeps this true."""

from __future__ import annotations

from dataclasses import dataclass, field

from polymarket_agent.decision.states import StateBook
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import Usdc
from polymarket_agent.domain.venue import VenueMode

__all__ = ["Conditions"]


@dataclass(slots=True, kw_only=True)
class Conditions:
    """Facts that change while the agent runs; without anybody who changes them everything is as it should be.

    Orders whose fate is unknown are not here: the gate finds them among the account's orders.

    Args:
        states: open causes; what the agent's state allows is the first rule of the gate.
        authority: False once this process may not send: its lease is lost, or wallet, chain or mode are not those
            of the start. Nothing passes then.
        mode: what the venue takes at the moment. RESTARTING, CANCEL_ONLY and DISABLED refuse everything, POST_ONLY
            all that could take.
        banned: the venue has shut this account or this key out; nothing passes. The text says how we know, "" for no.
        blocked: orders from this place are refused; nothing new passes.
        closed_only: the venue lets this account only sell what it has; so does the gate.
        clock_ok: our clock agrees with the venue's (5 s) and with monotonic time (2 s a minute). Entries need it.
        stream_up: our own orders and fills are being heard. Entries need it.
        suspect: assets that take no entry meanwhile, each with the reason: the venue's list and ours disagree, or it
            refused for balance what the ledger says is free.
        allowance: collateral that the exchange contract may take, micro-USDC; None if it does not matter.
        listed_ms: when the listing of a market (tick, fee, state) was last read; orders need one of the last five
            minutes. None if nobody keeps it; a market that is missing then was never read.
        answer_due_ms: an order that was sent longer ago than this without an answer stops entries on its asset; None
            if answers may take as long as they do (paper).
        orders_left: new orders that the venue still takes before `orders_left_until_ms`, as it said itself; None if
            it did not.
        orders_left_until_ms: when that number is void.
    """

    states: StateBook = field(default_factory=StateBook)
    authority: bool = True
    mode: VenueMode = VenueMode.NORMAL
    banned: str = ""
    blocked: bool = False
    closed_only: bool = False
    clock_ok: bool = True
    stream_up: bool = True
    suspect: dict[AssetId, str] = field(default_factory=dict)
    allowance: Usdc | None = None
    listed_ms: dict[ConditionId, int] | None = None
    answer_due_ms: int | None = None
    orders_left: int | None = None
    orders_left_until_ms: int = 0
