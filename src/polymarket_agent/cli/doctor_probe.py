"""One real order on the real path, to see that it works: post-only, of the least size, far below the market, cancelled.

The agent itself sends it: an orchestrator with a single strategy, the configured limits, the gate, the journal and the
user channel. It ends by itself after two minutes, also if this process dies in between.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from polymarket_agent.cli.common import safe_text
from polymarket_agent.cli.doctor_plan import LIVES_MS, Plan
from polymarket_agent.decision.states import AgentState
from polymarket_agent.domain.events import Event, OrderUpdated
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.money import cost_rounded_up, decimal_text
from polymarket_agent.domain.order import CancelState, Order, OrderId, OrderState, TimeInForce
from polymarket_agent.domain.signal import Cancel, Signal, Wish
from polymarket_agent.errors import AgentError, VenueError
from polymarket_agent.strategies.base import MarketView, Wakes

if TYPE_CHECKING:
    from polymarket_agent.config import Config
    from polymarket_agent.domain.venue import CancelOutcome, SignedOrder, SubmitOutcome, WalletIdentity
    from polymarket_agent.keys import Secret
    from polymarket_agent.orchestrator import Orchestrator
    from polymarket_agent.ports import Clock, VenueGateway

__all__ = ["print_probe", "run_probe"]

NAME = "doctor-probe"
_SENT_WITHIN_S = 60.0
_GONE_WITHIN_S = 60.0
_REFUSED_AFTER_S = 3.0


class _Prober:
    """The strategy of the probe: waits until the agent may trade, wishes once, and cancels what rests."""

    name = NAME
    wakes = Wakes(fills=True, every_ms=100)

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.ready: Callable[[], bool] = lambda: False
        self.wished = asyncio.Event()
        self.seen = asyncio.Event()
        self.ended = asyncio.Event()
        self.order: Order | None = None

    def on_event(self, event: Event, view: MarketView) -> Sequence[Wish]:
        """Return the order or its cancel, each once."""
        if isinstance(event, OrderUpdated):
            return self._moved(event.order)
        if self.wished.is_set() or not self.ready() or view.book(self._plan.asset_id) is None:
            return ()
        self.wished.set()
        plan = self._plan
        return [
            Signal(
                strategy=NAME,
                asset_id=plan.asset_id,
                side=Side.BUY,
                target_price=plan.price,
                size=cost_rounded_up(plan.price, plan.quantity),
                time_in_force=TimeInForce.GTD,
                expires_at_ms=view.now_ms + LIVES_MS,
                post_only=True,
                reason="a probe of the real path, asked for by the operator",
            )
        ]

    def _moved(self, order: Order) -> Sequence[Wish]:
        self.order = order
        self.seen.set()
        if order.state.final:
            self.ended.set()
        if order.state is OrderState.OPEN and order.cancel is CancelState.NONE:
            return [Cancel(strategy=NAME, order_id=order.order_id, reason="the probe is over")]
        return ()


class _Heard:
    """A gateway that notes when its order and its cancel left and what was answered; all else is the gateway's."""

    def __init__(self, gateway: VenueGateway, clock: Clock) -> None:
        self._gateway, self._clock = gateway, clock
        self.posted_ms = self.cancelled_ms = 0
        self.signed: SignedOrder | None = None
        self.outcome: SubmitOutcome | None = None
        self.cancel_answer: CancelOutcome | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        """Send as the gateway does, and keep the answer."""
        self.signed, began_ms = order, self._clock.now_ms()
        self.outcome = await self._gateway.submit(order)
        self.posted_ms = self._clock.now_ms() - began_ms
        return self.outcome

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        """Cancel as the gateway does, and keep the answer."""
        began_ms = self._clock.now_ms()
        answer = await self._gateway.cancel(order_ids)
        if self.cancel_answer is None:
            self.cancel_answer, self.cancelled_ms = answer, self._clock.now_ms() - began_ms
        return answer


async def run_probe(config: Config, plan: Plan, key: Secret, identity: WalletIdentity) -> dict[str, Any]:
    """Send the probe's order, cancel it, and prove that it is gone and that nothing of it was filled.

    Raises:
        LiveLockedError: a lock is closed.
        DatabaseError: another agent holds the ledger or the wallet.
        AgentError: orders are open already, which this run could touch, or nothing was sent: says why.
    """
    from polymarket_agent.adapters.merged import MergedFeed
    from polymarket_agent.adapters.pacing import TimerFeed
    from polymarket_agent.adapters.polymarket.feed import PolymarketFeed
    from polymarket_agent.adapters.polymarket.public import PolymarketPublic
    from polymarket_agent.cli.unlock import unlocked
    from polymarket_agent.clock import SystemClock
    from polymarket_agent.config import AggregationConfig
    from polymarket_agent.db import Database
    from polymarket_agent.live_desk import LiveAccess, policy_of
    from polymarket_agent.orchestrator import Orchestrator

    clock = SystemClock()
    async with unlocked(config, clock, key=key) as account:
        assert account.gateway.identity == identity
        await _require_nothing_open(account.gateway, config.database)
        data = PolymarketPublic(clob_url=config.feed.clob_url, gamma_url=config.feed.gamma_url)
        feed = PolymarketFeed([plan.market], clock=clock, data=data, url=config.feed.market_ws_url)
        source = MergedFeed(feed, TimerFeed(clock, reader=data), account.user_feed)
        heard, prober = _Heard(account.gateway, clock), _Prober(plan)
        # No heartbeat: the first one arms a switch that cannot be disarmed. The order ends by itself instead.
        policy = dataclasses.replace(policy_of(config.live), heartbeat=False, cancel_on_stop=True, resend_entries=False)
        access = LiveAccess(gateway=cast("VenueGateway", heard), venue=account.venue, data=data, policy=policy)
        settings = config.model_copy(update={"aggregation": AggregationConfig()})  # one opinion is all there is
        with (
            Database(config.database) as db,
            Orchestrator(settings, db, source, strategies=[prober], access=access) as agent,
        ):
            desk = agent.desk
            assert desk is not None
            states = desk.conditions.states
            prober.ready = lambda: states.state is AgentState.ACTIVE and desk.conditions.stream_up
            try:
                async with asyncio.TaskGroup() as tasks:
                    running = tasks.create_task(agent.run())
                    fills = await _watch(agent, prober, heard, running)
            except* AgentError as errors:
                raise _first(errors) from None
            finally:
                desk.close()
            refusals = dict(agent.stats.refusals)
        return _result(plan, prober, heard, fills, states.describe(), refusals)


def _first(errors: BaseExceptionGroup[AgentError]) -> AgentError:
    """Return the error that a group of them began with."""
    first = errors.exceptions[0]
    return first if isinstance(first, AgentError) else _first(first)


async def _require_nothing_open(gateway: VenueGateway, ledger: Path) -> None:
    number = len(await gateway.open_orders()) or _possibly_open(ledger)
    if number:
        raise AgentError(
            f"{number} orders of this wallet may be open, and the probe would touch them; nothing was sent",
            hint="cancel them first, or leave the probe: the agent has been here already",
        )


def _possibly_open(ledger: Path) -> int:
    from polymarket_agent import views
    from polymarket_agent.db import open_for_reading

    if not ledger.is_file() or not ledger.stat().st_size:
        return 0
    with open_for_reading(ledger) as connection:
        return sum(views.possibly_open(connection).values())


async def _watch(
    agent: Orchestrator, prober: _Prober, heard: _Heard, running: asyncio.Task[dict[str, Any]]
) -> int | None:
    """Wait for each step, then count the fills and stop the agent, which cancels what is open. None: not proven."""
    fills: int | None = None
    try:
        steps = ((prober.wished, _SENT_WITHIN_S), (prober.seen, _REFUSED_AFTER_S), (prober.ended, _GONE_WITHIN_S))
        for event, within_s in steps:
            waiting = asyncio.ensure_future(event.wait())  # noqa: TID251 - ends in the next line or the one after
            done, _ = await asyncio.wait({waiting, running}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if waiting not in done:
                break
        if prober.order is not None and not running.done():
            legs = await heard.legs(max(0, prober.order.created_ms // 1_000 - 60))
            fills = sum(leg.order_id == prober.order.order_id for leg in legs)
    except VenueError:
        fills = None
    finally:
        agent.stop()
    return fills


def _result(
    plan: Plan, prober: _Prober, heard: _Heard, fills: int | None, state: str, refusals: dict[str, int]
) -> dict[str, Any]:
    order, outcome = prober.order, heard.outcome
    answered = outcome.order_id if outcome is not None else ""
    computed = heard.signed.order_id if heard.signed is not None else ""
    if not prober.wished.is_set():
        why = f"the agent was not ready within {_SENT_WITHIN_S:.0f} s ({state}); nothing was sent"
    elif order is None:
        rules = ", ".join(refusals) or "no reason was given"
        why = f"the gate refused the order ({rules}); see: polymarket-agent signals --verdict refused"
    elif outcome is None or order.state in (OrderState.REJECTED, OrderState.QUARANTINED):
        why = f"the venue refused the order: {order.reason or (outcome.text if outcome else 'not sent')}"
    elif order.state is not OrderState.CANCELED:
        why = f"the order is {order.state.value}; the next start of the agent looks after it"
    elif fills is None:
        why = "the trades could not be read, so that nothing was filled is not proven"
    elif fills or order.matched:
        why = f"{decimal_text(order.matched)} shares were filled before the cancel"
    elif computed != answered:
        why = f"the venue answered with the id {answered or 'none'}"
    else:
        why = ""
    return {
        "ok": not why,
        "why": why,
        "market": plan.market.slug,
        "price": decimal_text(plan.price),
        "shares": decimal_text(plan.quantity),
        "best_bid": decimal_text(plan.best_bid),
        "order_id_computed": computed,
        "order_id_answered": answered,
        "accepted_ms": heard.posted_ms if outcome is not None else None,
        "cancelled_ms": heard.cancelled_ms if heard.cancel_answer is not None else None,
        "state": order.state.value if order is not None else "",
        "fills": fills,
    }


def print_probe(result: dict[str, Any], config: Path | None) -> None:
    """Print what came of the probe, and what comes next."""
    if result["order_id_computed"]:
        typer.echo(f"order     {result['order_id_computed']}")
        same = "the same" if result["order_id_answered"] == result["order_id_computed"] else result["order_id_answered"]
        typer.echo(f"answered  {same} id, accepted in {result['accepted_ms']} ms")
        typer.echo(f"cancelled in {result['cancelled_ms']} ms; now {result['state']}, {result['fills']} fills")
    if result["why"]:
        typer.echo(f"the probe failed: {safe_text(result['why'])}", err=True)
        return
    option = f" --config {config}" if config else ""
    typer.echo(f"the real path works\nnext: polymarket-agent run --live{option}")
