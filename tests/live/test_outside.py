"""What comes from outside and once was misjudged: a clock that steps, a slow disk, other processes, a venue that asks to wait."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from polymarket_agent.adapters.polymarket.outcomes import classify
from polymarket_agent.decision.rules_outside import message_rate
from polymarket_agent.domain.order import OrderState
from polymarket_agent.domain.venue import SignedOrder, SubmitOutcome
from tests.live.sim_orders import U
from tests.live.sim_stage import READY_S, Stage, play


class SlowDisk(Random):
    """Each commit takes as long as this says."""

    def __init__(self, seconds: float) -> None:
        super().__init__(1)
        self._seconds = seconds

    def choice(self, seq: Any) -> Any:
        del seq
        return self._seconds


@pytest.mark.parametrize("body", [b'{"error":"Too Many Requests"}', b"<html>"])
def test_a_429_with_retry_after_is_obeyed(tmp_path: Path, body: bytes) -> None:
    """No entry passes the gate for the 7 s that the venue asks for, and they pass after that."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)

        async def refuse(order: SignedOrder) -> SubmitOutcome:
            return classify(http_status=429, body=body, content_type="", expected_id=order.order_id, retry_after="7")

        def gate() -> str | None:
            view: Any = SimpleNamespace(
                conditions=stage.on.conditions,
                pending=(),
                now_ms=stage.clock.now_ms(),
                limits=None,
                messages=SimpleNamespace(refuse=lambda *_: None),
            )
            signal: Any = None
            return message_rate(signal, view)

        stage.instead("submit", refuse)
        assert gate() is None
        at = stage.now
        await stage.wish()
        closed: list[float] = []
        await stage.passes(12, lambda: closed.append(stage.now - at) if gate() else None)
        assert closed[0] <= 1
        assert 6 <= closed[-1] <= 8
        assert len(closed) >= 12

    play(tmp_path, scene)


def test_a_clock_that_steps_back_an_hour_does_not_stop_heartbeats(tmp_path: Path) -> None:
    """Heartbeats follow a clock that never steps: the venue hears one every 5 s, also after our clock went back."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        before, real = stage.wire.counts["heartbeat"], stage.clock.now_ms
        stage.clock.now_ms = lambda: real() - 3_600_000  # type: ignore[method-assign]
        await stage.passes(100)
        assert 18 <= stage.wire.counts["heartbeat"] - before <= 21

    play(tmp_path, scene, heartbeat=True)


def test_a_clock_that_steps_back_an_hour_does_not_shorten_a_quarantine(tmp_path: Path) -> None:
    """An order that another copy of its request may still create keeps its money 90 s and more of real time."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        stage.exchange.mode = "restart"
        order_id = await stage.wish()
        await stage.passes(2)
        stage.exchange.mode = "normal"
        assert stage.order(order_id).state is OrderState.QUARANTINED
        real, by = stage.clock.now_ms, [0]
        stage.clock.now_ms = lambda: real() + by[0]  # type: ignore[method-assign]
        for by[0] in (-3_600_000, 0):
            await stage.passes(60)
            assert stage.order(order_id).state is OrderState.QUARANTINED
            assert stage.account.reserved_cash == 5 * U
        await stage.passes(700)
        assert stage.order(order_id).state.final

    play(tmp_path, scene)


def test_cancelling_an_order_that_the_ledger_then_refuses_leaves_no_row_of_it(tmp_path: Path) -> None:
    """A halt by another process refuses the row of an order; a cancel in that moment writes none in its place."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        assert stage.db is not None
        stage.db._rng = SlowDisk(0.05)
        stage.db._connection.execute(
            "INSERT INTO agent_states (cause, state, detail, entered_ms) VALUES ('operator_halt', 'HALTED', 'x', 1)"
        )
        order_id = await stage.wish()
        await asyncio.sleep(0.01)
        await stage.trader.cancel_order(order_id)
        await asyncio.sleep(0.5)
        assert stage.order(order_id).state is OrderState.REJECTED
        assert stage.rows("SELECT * FROM orders") == []
        assert stage.account.reserved_cash == 0

    play(tmp_path, scene)


def test_a_resume_is_not_undone_by_the_row_that_it_closes(tmp_path: Path) -> None:
    """A look at the ledger between a resume and its commit still finds the kill open, and does not kill again."""

    async def scene(stage: Stage) -> None:
        await stage.passes(READY_S)
        assert stage.db is not None
        stage.on.conduct.killed("by the test")
        await stage.passes(5)
        stage.db._rng = SlowDisk(0.4)
        stage.on.conduct.resume(confirmed=True)
        with sqlite3.connect(stage.db.path) as other:  # makes the look worth it
            other.execute(
                "INSERT INTO commands (at_ms, name, argument, origin, done_ms) VALUES (1, 'reload', '', 't', 1)"
            )
        other.close()
        await stage.passes(0.3, step=0.1)
        assert stage.rows("SELECT 1 FROM agent_states WHERE cause = 'kill' AND left_ms IS NULL")
        assert stage.state == "RECOVERING"
        await stage.passes(60)
        assert stage.state == "ACTIVE"

    play(tmp_path, scene)
