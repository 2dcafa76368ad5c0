"""`VenueGateway` over our own HTTP: no client library between the journal and the venue.

Three lines of connections: orders; cancels and heartbeats; reads. A POST that hangs holds up nothing else. A POST is sent
once; only reads are repeated, a few times, on failures that a repeat can mend.

Source: ../shared/spec/polymarket-wire.md, sections 3.3, 5.2, 5.4 and 7.7 to 7.11.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from polymarket_agent.adapters.polymarket.account_answers import (
    parse_balance,
    parse_cancel,
    parse_flags,
    parse_open_orders,
    parse_order,
    parse_positions,
    parse_time,
    parse_trades,
    parse_version,
)
from polymarket_agent.adapters.polymarket.direct_calls import Calls, Parameters, all_pages
from polymarket_agent.adapters.polymarket.direct_http import HttpLimits, HttpLine, NotSentError, Reply, refusal_of
from polymarket_agent.adapters.polymarket.direct_login import Login
from polymarket_agent.adapters.polymarket.gateway_common import (
    asset_type_of,
    balances_of,
    batches,
    check_order_version,
    each_of,
    joined,
    note_rate_headers,
    once,
)
from polymarket_agent.adapters.polymarket.hosts import Urls
from polymarket_agent.adapters.polymarket.outcomes import classify, no_answer, not_sent
from polymarket_agent.adapters.polymarket.reader import NotFoundError
from polymarket_agent.adapters.polymarket.signer import OrderSigner, order_body
from polymarket_agent.domain.market import AssetId
from polymarket_agent.domain.order import OrderId
from polymarket_agent.domain.venue import (
    AccountFlags,
    Balances,
    CancelOutcome,
    HeldPosition,
    Leg,
    OrderSnapshot,
    OrderTicket,
    SignedOrder,
    SubmitOutcome,
    VenueFacts,
    WalletIdentity,
)
from polymarket_agent.errors import VenueError
from polymarket_agent.keys import ApiCredentials
from polymarket_agent.ports import Clock, RateBudget

__all__ = ["DirectGateway"]

HEARTBEAT_WITHIN_S = 4.0  # the venue cancels everything after 10 s without one
POSITIONS_A_PAGE = "100"
_OK, _BAD_REQUEST = 200, 400


class _Beat(msgspec.Struct):
    """The answer to a heartbeat, accepted or not: the id that the next one has to carry."""

    heartbeat_id: str


class DirectGateway:
    """One wallet at the venue over plain HTTP; see `ports.VenueGateway`."""

    name = "direct"

    def __init__(
        self,
        urls: Urls,
        signer: OrderSigner,
        identity: WalletIdentity,
        clock: Clock,
        *,
        limits: HttpLimits | None = None,
    ) -> None:
        bounds = limits or HttpLimits()
        self.identity = identity
        self.budget = RateBudget()
        self._signer = signer
        self._clock = clock
        self._orders = HttpLine(urls.clob, bounds)
        self._swift = HttpLine(urls.clob, bounds)
        self._reads = HttpLine(urls.clob, bounds)
        self._data = HttpLine(urls.data, bounds)
        self._place = HttpLine(urls.geoblock, bounds)
        self._login = Login(self._reads, signer, clock)
        self._calls = Calls(self._login)
        self._beat_id = ""

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials in use, for the channel of our own orders.

        Raises:
            VenueError: not connected.
        """
        if self._login.credentials is None:
            raise VenueError("the gateway is not connected", hint="call connect first")
        return self._login.credentials

    async def connect(self) -> VenueFacts:
        """Create or derive API credentials and read the venue's order version and time; see `VenueGateway`."""
        credentials = await self._login.open()
        try:
            version = check_order_version(parse_version(await self._calls.public(self._reads, "/version")))
            before_ms = self._clock.now_ms()
            server_ms = await self.server_time_ms()
        except BaseException:
            self._login.close()  # so that nothing can be sent to a venue that was not understood
            raise
        return VenueFacts(
            order_version=version,
            server_ms=server_ms,
            asked_ms=(before_ms + self._clock.now_ms()) // 2,
            api_key_id=credentials.key_id,
        )

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """Sign a ticket; see `VenueGateway`."""
        return self._signer.sign(ticket, salt=salt, timestamp_ms=timestamp_ms)

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        """POST an order once and classify the answer; see `VenueGateway`."""
        if self._login.credentials is None:
            return not_sent("the gateway is not connected")
        body = order_body(order, self._login.key_id)
        try:
            headers = self._login.headers("POST", "/order", body)
            reply = await self._orders.call("POST", "/order", headers=headers, body=body)
        except NotSentError as error:
            return not_sent(str(error))
        except VenueError as error:
            return no_answer(str(error))
        note_rate_headers(self.budget, reply.headers, self._clock.now_ms())
        return classify(
            http_status=reply.status,
            body=reply.body,
            content_type=reply.content_type,
            expected_id=order.order_id,
            retry_after=reply.headers.get("Retry-After"),
        )

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        """Ask for cancellations of some orders; see `VenueGateway`."""
        answers = []
        for part in batches(order_ids):
            one = len(part) == 1
            body = msgspec.json.encode({"orderID": part[0]} if one else part)
            answers.append(await self._cancelled("/order" if one else "/orders", body))
        return joined(answers)

    async def cancel_all(self) -> CancelOutcome:
        """Ask for the cancellation of every order of this API key; see `VenueGateway`."""
        return await self._cancelled("/cancel-all", None)

    async def order(self, order_id: OrderId) -> OrderSnapshot | None:
        """Return an order; None for `null` and for the venue's own 404, which prove nothing."""
        try:
            return parse_order(await self._calls.get(self._reads, f"/data/order/{order_id}"))
        except NotFoundError:
            return None

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        """Return all open orders of the wallet, every page; see `VenueGateway`."""
        found = await all_pages(
            "open orders", lambda more: self._calls.get(self._reads, "/data/orders", more), parse_open_orders
        )
        wallet = self.identity.wallet.lower()
        return [order for order in found if order.maker.lower() in ("", wallet)]

    async def legs(self, since_s: int) -> Sequence[Leg]:
        """Return our part of every trade matched at or after a Unix second, oldest first; see `VenueGateway`."""
        # A second earlier, because no document says whether the bound itself is included.
        asked = [("after", str(max(0, since_s - 1)))]
        wallet, key_id = self.identity.wallet, self.credentials.key_id
        found = await all_pages(
            "trades",
            lambda more: self._calls.get(self._reads, "/data/trades", asked + more),
            lambda body: parse_trades(body, wallet=wallet, api_key_id=key_id),
        )
        return once(found, since_s)

    async def balances(self, asset_ids: Sequence[AssetId]) -> Balances:
        """Return cash, allowances, and shares of these assets as the venue has them cached; see `VenueGateway`."""
        path = "/balance-allowance"
        asked = [self._asking(path, self._of(asset_id)) for asset_id in (None, *asset_ids)]
        cash, *shares = [parse_balance(body) for body in await each_of(asked)]
        return balances_of(cash, dict(zip(asset_ids, shares, strict=True)))

    async def refresh_balances(self, asset_ids: Sequence[AssetId]) -> None:
        """Make the venue read the chain again for cash and these assets; see `VenueGateway`."""
        await each_of([self._asking("/balance-allowance/update", self._of(each)) for each in (None, *asset_ids)])

    async def positions(self) -> Sequence[HeldPosition]:
        """Return everything that the wallet holds by the data service, every page; see `VenueGateway`."""
        asked = [("user", self.identity.wallet), ("limit", POSITIONS_A_PAGE)]
        return await all_pages(
            "positions",
            lambda more: self._calls.public(
                self._data, "/v2/positions", [*asked, *(("cursor", each) for _, each in more)]
            ),
            parse_positions,
        )

    async def server_time_ms(self) -> int:
        """Return the venue's clock, whole seconds there; see `VenueGateway`."""
        return parse_time(await self._calls.public(self._reads, "/time"))

    async def account_flags(self) -> AccountFlags:
        """Ask whether this account is closed-only and whether this place is blocked; see `VenueGateway`."""
        closed_only = await self._calls.get(self._reads, "/auth/ban-status/closed-only")
        return parse_flags(closed_only, await self._calls.public(self._place, ""))

    async def heartbeat(self) -> None:
        """Send one order heartbeat with the id of the last answer; see `VenueGateway`.

        A beat with a wrong id is refused with the right one, and sent once more with that.
        """
        for is_last in (False, True):
            body = msgspec.json.encode({"heartbeat_id": self._beat_id})
            reply = await self._calls.private(
                self._swift, "POST", "/v1/heartbeats", body=body, timeout_s=HEARTBEAT_WITHIN_S
            )
            expected = _beat_id_of(reply)
            if reply.status == _OK and expected:
                self._beat_id = expected
                return
            if is_last or reply.status != _BAD_REQUEST or not expected or expected == self._beat_id:
                raise refusal_of("the heartbeat", reply)
            self._beat_id = expected

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        for line in (self._orders, self._swift, self._reads, self._data, self._place):
            await line.aclose()

    def _of(self, asset_id: AssetId | None) -> Parameters:
        """Return the query that names the collateral or an asset of the wallet."""
        named = (
            [("asset_type", "COLLATERAL")]
            if asset_id is None
            else [("asset_type", asset_type_of(asset_id)), ("token_id", asset_id)]
        )
        return [*named, ("signature_type", str(self.identity.kind.value))]

    def _asking(self, path: str, parameters: Parameters) -> Callable[[], Awaitable[bytes]]:
        return lambda: self._calls.get(self._reads, path, parameters)

    async def _cancelled(self, path: str, body: bytes | None) -> CancelOutcome:
        reply = await self._calls.private(self._swift, "DELETE", path, body=body)
        note_rate_headers(self.budget, reply.headers, self._clock.now_ms())
        if reply.status != _OK:
            raise refusal_of(f"DELETE {path}", reply)
        return parse_cancel(reply.body)


def _beat_id_of(reply: Reply) -> str:
    try:
        return msgspec.json.decode(reply.body, type=_Beat).heartbeat_id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
