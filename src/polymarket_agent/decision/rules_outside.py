"""Rules about what lies outside the books: the agent's own state, the venue, the clock, and what fails again and again."""

from __future__ import annotations

from polymarket_agent.decision.states import AgentState, allows
from polymarket_agent.decision.view import RiskView, reduces_risk
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.signal import Signal
from polymarket_agent.domain.venue import VenueMode

__all__ = ["agent_state", "authority", "breakers", "clock", "listing", "message_rate", "stream", "venue"]

_MOST_UNKNOWN = 3
_LISTING_AGE_MS = 300_000
_TAKES_NOTHING = frozenset({VenueMode.RESTARTING, VenueMode.CANCEL_ONLY, VenueMode.DISABLED})


def agent_state(signal: Signal, view: RiskView) -> str | None:
    """The agent's state lets the order pass: everything, what reduces risk, or nothing."""
    states = view.conditions.states
    now = states.state
    if now is AgentState.ACTIVE or allows(now, reducing=reduces_risk(signal, view)):
        return None
    passes = "sales that reduce risk and cancels pass" if now is AgentState.REDUCING else "only cancels pass"
    return f"the agent is {states.describe()}; {passes}"


def authority(signal: Signal, view: RiskView) -> str | None:
    """This process is the one that may send orders."""
    del signal
    return None if view.conditions.authority else "this process may not send orders any more; only cancels pass"


def venue(signal: Signal, view: RiskView) -> str | None:
    """The venue takes such orders now, from this account and this place."""
    facts = view.conditions
    if facts.banned:
        return f"the venue has shut this account out: {facts.banned}"
    if facts.blocked:
        return "the venue takes no orders from this place"
    if facts.mode in _TAKES_NOTHING:
        return f"the venue is in mode {facts.mode.value}; it takes no orders"
    if facts.mode is VenueMode.POST_ONLY and not signal.post_only:
        return "the venue takes only post-only orders at the moment"
    if facts.closed_only and not reduces_risk(signal, view):
        return "the venue has this account closed-only; only sales that reduce risk pass"
    return None


def listing(signal: Signal, view: RiskView) -> str | None:
    """Entries stand on a listing (tick size, fee, state) that was read in the last five minutes."""
    known = view.conditions.listed_ms
    if known is None:
        return None
    read_ms = known.get(view.board.market_by_asset[signal.asset_id].condition_id)
    if read_ms is None:
        return "nobody has read the market's tick size, fee and state from the venue yet"
    age_ms = view.now_ms - read_ms
    if age_ms > _LISTING_AGE_MS:
        return f"the market's tick size, fee and state were read {age_ms // 1_000} s ago; at most 300 s is believed"
    return None


def clock(signal: Signal, view: RiskView) -> str | None:
    """Entries need a clock that agrees with the venue's and with monotonic time."""
    del signal
    return None if view.conditions.clock_ok else "our clock disagrees with the venue's or has jumped; set it right"


def stream(signal: Signal, view: RiskView) -> str | None:
    """Entries need our own orders and fills to be heard."""
    del signal
    return None if view.conditions.stream_up else "our own orders and fills are not heard at the moment"


def message_rate(signal: Signal, view: RiskView) -> str | None:
    """Orders leave no faster than configured, and no more than the venue says it takes."""
    del signal
    facts, pending = view.conditions, len(view.pending)
    if facts.orders_left is not None and view.now_ms < facts.orders_left_until_ms and facts.orders_left <= pending:
        return f"the venue takes {facts.orders_left} more orders at the moment"
    return view.messages.refuse(view.limits, view.now_ms, pending)


def breakers(signal: Signal, view: RiskView) -> str | None:
    """Entries stop while orders have an unknown fate, fills fail, orders are refused or a stream is lost repeatedly."""
    unknown = [order for order in view.live_orders() if order.state is OrderState.UNKNOWN]
    if len(unknown) >= _MOST_UNKNOWN:
        return f"the fate of {len(unknown)} orders is unknown; with {_MOST_UNKNOWN} entries wait"
    for order in unknown:
        if order.asset_id == signal.asset_id:
            return f"the fate of an order for this asset is unknown ({order.order_id}); entries wait until it is known"
    due_ms = view.conditions.answer_due_ms
    for order in view.live_orders() if due_ms is not None else ():
        if order.state is OrderState.SUBMITTED and order.asset_id == signal.asset_id:
            waits_ms = view.now_ms - (order.updated_ms or order.created_ms)
            if waits_ms > (due_ms or 0):
                return f"an order for this asset has no answer after {waits_ms} ms ({order.order_id})"
    if (why := view.conditions.suspect.get(signal.asset_id)) is not None:
        return f"this asset takes no entry now: {why}"
    market = view.board.market_by_asset[signal.asset_id]
    return next(view.breakers.stops(signal.strategy, market.condition_id, view.now_ms), None)
