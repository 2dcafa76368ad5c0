"""Orders and trades as the simulated exchange keeps them. Amounts are micro-units."""

from __future__ import annotations

from dataclasses import dataclass, field

from polymarket_agent.domain.book import Side
from polymarket_agent.domain.order import OrderId, SettlementStatus
from polymarket_agent.domain.venue import OrderTicket

U = 1_000_000
LOT = 10_000
T = SettlementStatus
FEE_RATE = {"c1": 50_000, "c2": 0}  # millionths, by market


def fee_of(rate: int, parts: list[tuple[int, int]]) -> int:
    """Return shares * rate * p * (1 - p) over all parts, rounded up to 0.00001."""
    exact = sum(size * at * (U - at) for at, size in parts) * rate
    unit = U * U * U * 10
    return -(-exact // unit) * 10


@dataclass
class VenueTrade:
    """One match of an order of ours."""

    id: str
    order: VenueOrderBook
    parts: list[tuple[int, int]]
    maker: bool
    at: float
    statuses: list[tuple[float, SettlementStatus]]
    cash_at: SettlementStatus
    shares_at: SettlementStatus
    moved: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        return sum(size for _, size in self.parts)

    @property
    def notional(self) -> int:
        """What it moves before the fee: a resting buy pays the ceiling, a resting sale gets the floor; takers the rest."""
        up = (self.order.buys and self.maker) or (not self.order.buys and not self.maker)
        return sum(-(-at * size // U) if up else at * size // U for at, size in self.parts)

    @property
    def fee(self) -> int:
        return 0 if self.maker else fee_of(self.order.rate, self.parts)

    @property
    def cost(self) -> int:
        return self.notional + self.fee

    @property
    def status(self) -> SettlementStatus:
        return self.statuses[-1][1]

    @property
    def pending(self) -> bool:
        return not self.status.final


@dataclass
class VenueOrderBook:
    """An order as the exchange keeps it."""

    id: OrderId
    ticket: OrderTicket
    at: float
    left: int  # shares; of a buy that is bounded by collateral, micro-USDC
    live: bool = True
    taking: bool = True
    status: str = "LIVE"
    history: list[tuple[float, int, bool, str]] = field(default_factory=list)
    trades: list[VenueTrade] = field(default_factory=list)

    @property
    def buys(self) -> bool:
        return self.ticket.side is Side.BUY

    @property
    def rate(self) -> int:
        return FEE_RATE[self.ticket.condition_id]

    @property
    def budgeted(self) -> bool:
        return self.buys and not self.ticket.time_in_force.rests

    def may_cost(self) -> int:
        """Return what the rest of a live buy may still cost."""
        return cost_of_rest(self.ticket, self.left, taking=self.taking) if self.live and self.buys else 0


def cost_of_rest(ticket: OrderTicket, left: int, *, taking: bool = True) -> int:
    """Return what `left` of a buy costs at its limit, with the fee of a taker."""
    budgeted = not ticket.time_in_force.rests
    amount = left if budgeted else -(-left * ticket.price // U)
    size = left * U // ticket.price if budgeted else left
    pays = taking and not ticket.post_only
    return amount + (fee_of(FEE_RATE[ticket.condition_id], [(ticket.price, size)]) if pays else 0)
