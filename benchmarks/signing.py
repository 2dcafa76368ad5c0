"""An order from its numbers to signed JSON bytes, beside the official client's own in the same run; identity of the two.

Ours: ticket, check, signature and body. Theirs: `create_limit_order` with the market's details known, the payload and
`json.dumps`, as its transport does. Both use the same curve library where it is installed. The rounds of the two alternate,
so that a slow minute of the machine falls on both. `--orders N` compares N random orders byte for byte instead.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from random import Random

from polymarket_agent.adapters.polymarket.l2 import L2
from polymarket_agent.adapters.polymarket.signer import OrderSigner, order_body
from polymarket_agent.adapters.polymarket.wallets import address_of, addresses_of
from polymarket_agent.domain.levels import Side
from polymarket_agent.domain.market import AssetId, ConditionId
from polymarket_agent.domain.money import LOT, MICRO, Price, Shares
from polymarket_agent.domain.venue import OrderTicket, WalletIdentity, WalletKind
from polymarket_agent.keys import ApiCredentials, Secret
from tests.adapters.signing.official import OWNER, Official, official_body, pairs, random_key, ticket_of

TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
PRICES = [Price(10_000 * cents) for cents in range(1, 100)]
AIM = 5.0


def ours(signer: OrderSigner) -> Callable[[int], bytes]:
    asset_id, market = AssetId(TOKEN), ConditionId("0x01")

    def one(number: int) -> bytes:
        at, quantity = PRICES[number % 99], Shares(LOT * (100 + number % 900))
        ticket = OrderTicket(
            condition_id=market,
            asset_id=asset_id,
            side=Side.BUY,
            price=at,
            quantity=quantity,
            maker_amount=at * quantity // MICRO,
            taker_amount=quantity,
            neg_risk=False,
        )
        signed = signer.sign(ticket, salt=number, timestamp_ms=1_795_360_431_340 + number)
        return order_body(signed, OWNER)

    return one


def theirs(official: Official) -> Callable[[int], bytes]:
    official.market(tick=Decimal("0.01"), neg_risk=False)
    prices = [Decimal(cents).scaleb(-2) for cents in range(1, 100)]

    def one(number: int) -> bytes:
        size = Decimal(100 + number % 900).scaleb(-2)
        order = official.client.create_limit_order(token_id=TOKEN, price=prices[number % 99], size=size, side="BUY")
        return official_body(order)

    return one


def timed(one: Callable[[int], bytes], first: int, count: int) -> list[float]:
    """Return what each of `count` orders took, in microseconds."""
    took = []
    for number in range(first, first + count):
        begin = time.perf_counter_ns()
        one(number)
        took.append((time.perf_counter_ns() - begin) / 1000)
    return took


def line(name: str, took: list[float]) -> float:
    """Print median and 99th percentile; return the median."""
    middle = statistics.median(took)
    print(f"{name:<34}{middle:>9.1f}{statistics.quantiles(took, n=100)[98]:>9.1f}")
    return middle


def compare_speed(rounds: int, count: int) -> bool:
    """Print times for plain and deposit wallets; return whether ours is as much faster as it should be."""
    key = random_key(Random(1))
    known = addresses_of(address_of(key))
    fast_enough = True
    print(f"{'one order, microseconds':<34}{'p50':>9}{'p99':>9}")
    for wallet, kind in ((known.eoa, WalletKind.EOA), (known.deposit, WalletKind.DEPOSIT)):
        identity = WalletIdentity(signer=known.eoa, wallet=wallet, kind=kind)
        mine, other = ours(OrderSigner(key, identity)), theirs(Official(key, identity))
        timed(mine, 0, 200), timed(other, 0, 50)  # warm
        took: tuple[list[float], list[float]] = ([], [])
        ratios = []
        for turn in range(rounds):
            fresh = timed(mine, turn * count, count), timed(other, turn * count, count // 5)
            ratios.append(statistics.median(fresh[1]) / statistics.median(fresh[0]))
            for all_of, some in zip(took, fresh, strict=True):
                all_of.extend(some)
        line(f"ours, type {kind.value}", took[0])
        line(f"official client, type {kind.value}", took[1])
        print(
            f"  {statistics.median(ratios):.1f} times as fast (worst round {min(ratios):.1f}, best {max(ratios):.1f})"
        )
        fast_enough &= statistics.median(ratios) >= AIM
    return fast_enough


def headers_speed(count: int) -> None:
    """Print what the headers of one POST cost."""
    l2 = L2(ApiCredentials(OWNER, Secret("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), Secret("p")), "0x00")
    body = b"x" * 700
    took = []
    for number in range(count):
        begin = time.perf_counter_ns()
        l2.headers("POST", "/order", body, number)
        took.append((time.perf_counter_ns() - begin) / 1000)
    line("ours, headers of one POST", took)


def compare_bytes(count: int, seed: int) -> None:
    """Sign `count` random orders on both sides and stop at the first difference."""
    begin = time.perf_counter()
    signers: dict[str, OrderSigner] = {}
    seen: Counter[str] = Counter()
    for wanted, identity, session, key, order in pairs(Random(seed), count):
        signer = signers.setdefault(identity.wallet, OrderSigner(key, identity, session=session))
        signed = signer.sign(ticket_of(wanted), salt=wanted.salt, timestamp_ms=wanted.timestamp_ms)
        assert order_body(signed, OWNER) == official_body(order), wanted
        seen.update((signed.domain, identity.kind.name, wanted.side.name, wanted.time_in_force.name))
        seen["session key"] += session
    print(f"{count} orders byte-identical to the official client's (seed {seed}, {time.perf_counter() - begin:.1f} s)")
    print("  " + ", ".join(f"{name} {number}" for name, number in sorted(seen.items())))


def main() -> int:
    """Compare speed, or bytes with `--orders`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=0, help="compare this many random orders byte for byte")
    parser.add_argument("--seed", type=int, default=20_261_122)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=1_000, help="orders of ours in a round; a fifth of it of theirs")
    arguments = parser.parse_args()
    if arguments.orders:
        compare_bytes(arguments.orders, arguments.seed)
        return 0
    fast_enough = compare_speed(arguments.rounds, arguments.count)
    headers_speed(10_000)
    if not fast_enough:
        print(f"slower than {AIM} times the official client")
    return 0 if fast_enough else 1


if __name__ == "__main__":
    sys.exit(main())
