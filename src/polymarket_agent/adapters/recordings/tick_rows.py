"""Rows of a tick stream, decoded a column at a time, and what one pass over the file tells about its assets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import gcd
from pathlib import Path
from typing import Any, NamedTuple, cast

from polymarket_agent.adapters.recordings import parquet
from polymarket_agent.adapters.recordings.catalogue import mutual_pairs
from polymarket_agent.adapters.recordings.exact import EARLIEST_MS, LATEST_MS
from polymarket_agent.domain.events import LevelChange
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.money import MICRO, PRICE_GRID, Price, Shares
from polymarket_agent.errors import RecordingError

__all__ = ["NO_CLAIM", "TICK_COLUMNS", "RowDecoder", "TickRows", "TickScan", "scan_file", "unpack_claim"]

TICK_COLUMNS = ("timestamp", "price", "size", "best_bid", "best_ask", "side", "event_type", "asset_id")

# A claim of the best bid and the best ask is one integer: bid * _CLAIM + ask, so that comparing it is one step.
_CLAIM = 1 << 20
NO_CLAIM = -1

_BID_WORDS = ("BID", "BUY")
_ASK_WORDS = ("ASK", "SELL")


class TickRows(NamedTuple):
    """Columns of one batch of believable rows, as plain lists; `dropped` counts the other rows by reason.

    `claims` pack best bid and best ask; `mirrored` says that the next row is the other half of this one; `trades`
    are the indices of the rows that are trades.
    """

    at_ms: list[int]
    assets: list[AssetId]
    is_bid: list[bool]
    prices: list[Price]
    sizes: list[Shares]
    claims: list[int]
    mirrored: list[int]
    trades: list[int]
    dropped: Counter[str]

    def before(self, end: int) -> TickRows:
        """Return the rows before `end`, which is after the last trade."""
        columns: Any = [column[:end] for column in self[:7]]
        return TickRows._make((*columns, self.trades, self.dropped))

    def changes(self, start: int, end: int) -> Iterator[LevelChange]:
        """Yield rows as changes; made as they are taken, which is twice as fast as keeping them."""
        part = slice(start, end)
        return zip(self.assets[part], self.is_bid[part], self.prices[part], self.sizes[part], strict=True)


def unpack_claim(claim: int) -> tuple[int, int]:
    """Return the claimed best bid and best ask in micro-USDC; 0 and 1000000 where there is none."""
    return divmod(claim, _CLAIM)


class RowDecoder:
    """Decodes batch after batch. A last row that may be the first half of a pair waits for the next batch."""

    def __init__(self) -> None:
        self._held: Any = None

    def __call__(self, pa: Any, batch: Any) -> TickRows:
        """Return the rows of a batch, after the row that waited."""
        if self._held is not None:
            batch = pa.Table.from_batches([self._held, batch]).combine_chunks().to_batches()[0]
            self._held = None
        columns = _columns(pa, batch)
        believed, dropped = _believed(pa, batch, columns)
        if dropped:
            batch = batch.filter(believed)
            columns = _columns(pa, batch)
        rows = _decode(pa, batch, columns)._replace(dropped=dropped)
        last = batch.num_rows - 1
        if last < 0 or last in rows.trades[-1:] or (last > 0 and rows.mirrored[last - 1]):
            return rows
        self._held = batch.slice(last)
        return rows.before(last)

    def rest(self, pa: Any) -> TickRows | None:
        """Return the row that still waits at the end of the file."""
        return None if self._held is None else _decode(pa, self._held, _columns(pa, self._held))


class _Columns(NamedTuple):
    """A batch's numbers as whole micro-units and milliseconds, and where all of them are exact."""

    times: Any
    prices: Any
    sizes: Any
    bids: Any
    asks: Any
    exact_level: Any
    exact_claim: Any


def _columns(pa: Any, batch: Any) -> _Columns:
    prices, exact_price = parquet.micros(batch["price"])
    sizes, exact_size = parquet.micros(batch["size"])
    bids, exact_bid = parquet.micros(batch["best_bid"])
    asks, exact_ask = parquet.micros(batch["best_ask"])
    both = pa.compute.and_
    return _Columns(
        parquet.millis(batch["timestamp"]),
        prices,
        sizes,
        bids,
        asks,
        both(exact_price, exact_size),
        both(exact_bid, exact_ask),
    )


def _believed(pa: Any, batch: Any, columns: _Columns) -> tuple[Any, Counter[str]]:
    """Return the mask of rows of which all numbers are exact and possible, and the others counted by reason."""
    pc = pa.compute
    times, prices, _, bids, asks, exact_level, exact_claim = columns
    is_trade = pc.equal(batch["event_type"], "LAST_TRADE")
    on_grid = pc.equal(pc.multiply(pc.divide(prices, PRICE_GRID), PRICE_GRID), prices)
    inside = pc.and_(pc.greater(prices, 0), pc.less(prices, MICRO))
    claimed = pc.and_(exact_claim, pc.and_(pc.less(bids, MICRO), pc.less_equal(asks, MICRO)))
    believed = pa.array([True] * batch.num_rows)
    dropped: Counter[str] = Counter()
    left = batch.num_rows
    for reason, mask in (
        ("a row of another type", pc.or_(is_trade, pc.equal(batch["event_type"], "PRICE_CHANGE"))),
        ("a row without a side", pc.is_in(batch["side"], pa.array([*_BID_WORDS, *_ASK_WORDS]))),
        ("a row without a time", pc.and_(pc.greater(times, EARLIEST_MS), pc.less(times, LATEST_MS))),
        ("a row without an asset", pc.not_equal(batch["asset_id"], "")),
        ("a number that is not an exact amount", exact_level),
        ("a price that no book can have", pc.and_(inside, pc.or_(is_trade, on_grid))),
        ("a best price that no book can have", claimed),
    ):
        believed = pc.and_(believed, pc.fill_null(mask, fill_value=False))
        remaining = pc.sum(believed).as_py() or 0
        if remaining < left:
            dropped[reason] = left - remaining
            left = remaining
    return believed, dropped


def _decode(pa: Any, batch: Any, columns: _Columns) -> TickRows:
    pc = pa.compute
    times, prices, sizes, bids, asks, *_ = columns
    asks = pc.if_else(pc.equal(asks, 0), MICRO, asks)
    is_bid = pc.is_in(batch["side"], pa.array(_BID_WORDS))
    is_change = pc.equal(batch["event_type"], "PRICE_CHANGE")
    # A change better than the best that its own row claims: the claim is the state at the end of a burst, in
    # which that level is gone again.
    beaten = pc.or_(pc.and_(is_bid, pc.greater(prices, bids)), pc.and_(pc.invert(is_bid), pc.less(prices, asks)))
    beaten = pc.and_(pc.and_(beaten, pc.greater(sizes, 0)), is_change)
    packed = pc.add(pc.multiply(bids, _CLAIM), asks)
    names, indices = parquet.texts(batch["asset_id"])
    return TickRows(
        at_ms=parquet.integers(times),
        assets=list(map([AssetId(name) for name in names].__getitem__, indices)),
        is_bid=list(map((False, True).__getitem__, parquet.integers(is_bid))),
        prices=cast("list[Price]", parquet.integers(prices)),
        sizes=cast("list[Shares]", parquet.integers(sizes)),
        claims=parquet.integers(pc.if_else(beaten, NO_CLAIM, packed)),
        mirrored=parquet.integers(_mirrored(pa, is_change, (times, prices, sizes, is_bid), batch["asset_id"])),
        trades=pc.indices_nonzero(pc.invert(is_change)).to_pylist(),
        dropped=Counter(),
    )


def _mirrored(pa: Any, is_change: Any, columns: tuple[Any, Any, Any, Any], assets: Any) -> Any:
    """Return the mask of rows whose next row is the same change seen from the other outcome."""
    pc = pa.compute
    times, prices, sizes, is_bid = columns
    count = len(times)

    def steps(column: Any) -> tuple[Any, Any]:
        return column.slice(0, count - 1), column.slice(1)

    mask = pc.and_(*steps(is_change))
    mask = pc.and_(mask, pc.equal(*steps(times)))
    mask = pc.and_(mask, pc.equal(pc.add(*steps(prices)), MICRO))
    mask = pc.and_(mask, pc.equal(*steps(sizes)))
    mask = pc.and_(mask, pc.xor(*steps(is_bid)))
    mask = pc.and_(mask, pc.not_equal(*steps(assets)))
    return pa.concat_arrays([pc.fill_null(mask, fill_value=False), pa.array([False])])


class TickScan(NamedTuple):
    """What one pass over a file tells: assets in order of appearance, their partners, the price step, the start."""

    assets: tuple[str, ...]
    partners: dict[str, str]
    grid: int
    first_ms: int


def _scan_batch(pa: Any, batch: Any) -> tuple[list[str], Counter[tuple[str, str]], int, int | None]:
    """Return assets, votes for pairs, the price step and the first time of a batch, without a Python loop over rows."""
    pc = pa.compute
    times = parquet.millis(batch["timestamp"])
    step = 0
    prices = []
    for column in ("price", "best_bid", "best_ask"):
        values, exact = parquet.micros(batch[column])
        prices.append(values)
        usable = pc.and_(exact, pc.equal(batch["event_type"], "PRICE_CHANGE"))
        step = gcd(step, *pc.unique(values.filter(usable)).to_pylist())
    sizes, _ = parquet.micros(batch["size"])
    is_bid = pc.fill_null(pc.is_in(batch["side"], pa.array(_BID_WORDS)), fill_value=False)
    is_change = pc.equal(batch["event_type"], "PRICE_CHANGE")
    mask = _mirrored(pa, is_change, (times, prices[0], sizes, is_bid), batch["asset_id"])
    names = pc.dictionary_encode(pc.fill_null(batch["asset_id"].cast(pa.string()), ""))
    labels, indices = names.dictionary.to_pylist(), names.indices.cast(pa.int64())
    following = pc.add(pc.multiply(indices.slice(0, len(indices) - 1), len(labels)), indices.slice(1))
    votes: Counter[tuple[str, str]] = Counter()
    for pair in pc.value_counts(following.filter(mask.slice(0, len(indices) - 1))).to_pylist():
        one, other = sorted(divmod(pair["values"], len(labels)))
        votes[labels[one], labels[other]] += pair["counts"]
    return labels, votes, step, pc.min(times).as_py() if len(times) else None


def scan_file(path: Path) -> TickScan:
    """Read a file once.

    Raises:
        RecordingError: it is damaged from the start, or has no rows.
    """
    assets: dict[str, None] = {}
    votes: Counter[tuple[str, str]] = Counter()
    step = 0
    starts: list[int] = []
    try:
        for labels, batch_votes, batch_step, start in parquet.batches(path, TICK_COLUMNS, _scan_batch):
            assets.update(dict.fromkeys(label for label in labels if label))
            votes.update(batch_votes)
            step = gcd(step, batch_step)
            starts.extend([start] if start is not None else [])
    except RecordingError:
        if not assets:
            raise
    if not assets:
        raise RecordingError(f"{path} is a tick stream without a single row")
    grid = gcd(step, MICRO) if step and step % PRICE_GRID == 0 else PRICE_GRID
    return TickScan(tuple(assets), mutual_pairs(votes), grid, min(starts, default=0))
