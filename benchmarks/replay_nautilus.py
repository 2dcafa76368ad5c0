"""The same tape through NautilusTrader's backtest engine, for `benchmarks.replay --nautilus PYTHON`.

It runs under a Python of its own that has nautilus_trader installed and imports nothing of ours. Building its objects
and adding them to the engine is not counted, only the run: books kept by the engine, one callback an event.
"""

import json
import sys
import time
from decimal import Decimal
from pathlib import Path

from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.config import BacktestEngineConfig, LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas, TradeTick
from nautilus_trader.model.enums import (
    AccountType,
    AggressorSide,
    AssetClass,
    BookAction,
    BookType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TradeId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("SIM")


class Watcher(Strategy):
    """Gets every change of every book and does nothing."""

    def __init__(self, ids):
        super().__init__(StrategyConfig())
        self.ids = ids
        self.seen = 0

    def on_start(self):
        for instrument_id in self.ids:
            self.subscribe_order_book_deltas(instrument_id, book_type=BookType.L2_MBP)
            self.subscribe_trade_ticks(instrument_id)

    def on_order_book_deltas(self, deltas):
        del deltas
        self.seen += 1


def instrument(name):
    """Return a claim that pays 0 or 1."""
    return BinaryOption(
        instrument_id=InstrumentId(Symbol(name), VENUE),
        raw_symbol=Symbol(name),
        outcome="Yes",
        description="bench",
        asset_class=AssetClass.ALTERNATIVE,
        currency=USDC,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        size_precision=2,
        size_increment=Quantity.from_str("0.01"),
        activation_ns=0,
        expiration_ns=2_000_000_000_000_000_000,
        max_quantity=None,
        min_quantity=Quantity.from_str("1"),
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


def main():
    """Read a tape of [kind, ...] rows and print how long the run took."""
    rows = json.loads(Path(sys.argv[1]).read_text())
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, [Money(1_000_000, USDC)], book_type=BookType.L2_MBP)
    instruments = {}
    data = []
    for index, (kind, *row) in enumerate(rows):
        if kind == "trade":
            asset, at, size, buys, at_ms = row
            ts = at_ms * 1_000_000
            side = AggressorSide.BUYER if buys else AggressorSide.SELLER
            data.append(
                TradeTick(instruments[asset].id, Price(at, 2), Quantity(size, 2), side, TradeId(str(index)), ts, ts)
            )
            continue
        changes, at_ms = row
        ts = at_ms * 1_000_000
        by_asset = {}
        for asset, is_bid, at, size in changes:
            if asset not in instruments:
                instruments[asset] = instrument(f"A{len(instruments)}")
                engine.add_instrument(instruments[asset])
            action = BookAction.UPDATE if size else BookAction.DELETE
            side = OrderSide.BUY if is_bid else OrderSide.SELL
            order = BookOrder(side, Price(at, 2), Quantity(size, 2), 0)
            by_asset.setdefault(asset, []).append(
                OrderBookDelta(instruments[asset].id, action, order, 0, index, ts, ts)
            )
        data += [OrderBookDeltas(instruments[asset].id, deltas) for asset, deltas in by_asset.items()]
    engine.add_data(data)
    watcher = Watcher([each.id for each in instruments.values()])
    engine.add_strategy(watcher)
    began = time.perf_counter()
    engine.run()
    print(json.dumps({"seconds": time.perf_counter() - began, "callbacks": watcher.seen, "objects": len(data)}))


if __name__ == "__main__":
    main()
