"""Token buckets of the venue's trading rate limits, told in headers on order answers. Pure: time is handed in.

The venue has been warning without refusing since July 2026; the sandbox does the same unless it is told to enforce.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TIERS", "Bucket", "Buckets", "Tier"]


@dataclass(frozen=True, slots=True)
class Tier:
    """What one signer may do: tokens a second and the most that can be saved up."""

    name: str
    orders_per_s: int
    orders_burst: int
    cancels_per_s: int
    cancels_burst: int


TIERS = {
    tier.name: tier
    for tier in (
        Tier("standard", 40, 60, 80, 120),
        Tier("copper", 60, 90, 120, 180),
        Tier("bronze", 80, 120, 160, 240),
        Tier("silver", 200, 300, 400, 600),
        Tier("gold", 400, 600, 800, 1200),
        Tier("platinum", 450, 675, 900, 1350),
        Tier("diamond", 525, 787, 1050, 1575),
        Tier("elite", 600, 900, 1200, 1800),
    )
}
_MAX_SIGNERS = 10_000


@dataclass(slots=True)
class Bucket:
    """Tokens of one signer for one kind of request. `left` goes below zero while nothing is enforced."""

    rate_per_s: int
    burst: int
    left: float
    at_ms: int

    def take(self, cost: int, now_ms: int) -> bool:
        """Take `cost` tokens and return whether they were there."""
        self.left = min(self.burst, self.left + (now_ms - self.at_ms) * self.rate_per_s / 1000)
        self.at_ms = now_ms
        enough = self.left >= cost
        self.left = max(self.left - cost, -self.burst)
        return enough

    def give_back(self, cost: int) -> None:
        """Return tokens of a request that was refused for its rate."""
        self.left = min(self.burst, self.left + cost)

    def full_at_s(self) -> int:
        """Return the unix second at which the bucket is full again."""
        return int(self.at_ms / 1000 + (self.burst - self.left) / self.rate_per_s) + 1


class Buckets:
    """The buckets of all signers. `enforce` refuses what is over; else it is only warned about."""

    def __init__(self, tier: str = "standard", *, enforce: bool = False) -> None:
        self.tier = TIERS[tier]
        self.enforce = enforce
        self._buckets: dict[tuple[str, bool], Bucket] = {}

    def take(self, signer: str, cost: int, now_ms: int, *, cancel: bool = False) -> tuple[bool, dict[str, str]]:
        """Return whether the request may pass, and the headers of its answer."""
        key = (signer, cancel)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MAX_SIGNERS:
                self._buckets.clear()
            tier = self.tier
            rate, burst = (tier.cancels_per_s, tier.cancels_burst) if cancel else (tier.orders_per_s, tier.orders_burst)
            bucket = self._buckets[key] = Bucket(rate, burst, burst, now_ms)
        enough = bucket.take(cost, now_ms)
        headers = {
            "Poly-RateLimit-Remaining": str(int(bucket.left)),
            "Poly-RateLimit-Reset": str(bucket.full_at_s()),
            "Poly-RateLimit-Tier": self.tier.name,
        }
        if not enough:
            headers["Poly-RateLimit-Warning"] = "true"
            if self.enforce:
                bucket.give_back(cost)
                return False, headers
        return True, headers
