"""`VenueGateway` over the venue's official client `polymarket-client`. The only importer of `polymarket`.

The client authenticates, carries and pages; our own signer signs, and the raw answer to a POST is judged by
`outcomes.py`, because the client's result leaves parts out. Used of it are calls that do one thing: never `place_*`
(approves and posts again on its own), never a relayer key (would deploy a wallet).

What it cannot do: a list with one entry that the client does not understand (a new status word, an empty fee rate)
fails as a whole until the client is updated.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from typing import Any

from polymarket_agent.adapters.polymarket import gateway_common as common
from polymarket_agent.adapters.polymarket import gateway_rows as rows
from polymarket_agent.adapters.polymarket.account_answers import order_snapshot_of
from polymarket_agent.adapters.polymarket.account_state import (
    AssetBalance,
    parse_positions,
    parse_time,
    parse_version,
)
from polymarket_agent.adapters.polymarket.account_trades import legs_of_trade
from polymarket_agent.adapters.polymarket.gateway_addresses import environment_of
from polymarket_agent.adapters.polymarket.gateway_clients import Clients
from polymarket_agent.adapters.polymarket.gateway_errors import Asker, without_answer
from polymarket_agent.adapters.polymarket.gateway_payouts import Payouts
from polymarket_agent.adapters.polymarket.outcomes import no_answer, not_sent
from polymarket_agent.adapters.polymarket.signer import OrderSigner
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
from polymarket_agent.errors import LiveLockedError, VenueError
from polymarket_agent.keys import ApiCredentials, Secret
from polymarket_agent.ports import Clock, RateBudget

__all__ = ["UnifiedGateway", "open_payouts"]


class UnifiedGateway:
    """One wallet at the venue over `polymarket-client`; see `ports.VenueGateway`.

    Args:
        urls: `clob_url`, `gamma_url`, `data_url`, `relayer_url`, `rpc_url`, `market_ws_url`, `user_ws_url`, perhaps
            `geoblock_url`. Unless these are the venue's own, every other address of the client leads nowhere.
        key: of the signer. The client holds it from `connect` to `aclose`.
        identity: whose orders these are.
        signer: where the key is not simply the wallet's own; made of key and identity else.
        clock: for the time between asking and answering.
    """

    name = "polymarket-client"

    def __init__(
        self,
        urls: Mapping[str, str],
        key: Secret,
        identity: WalletIdentity,
        clock: Clock,
        *,
        signer: OrderSigner | None = None,
    ) -> None:
        self.identity = identity
        self.budget = RateBudget()
        self._urls = dict(urls)
        self._clock = clock
        self._signer = signer or OrderSigner(key, identity)
        self._asker = Asker(None)
        self._clients = Clients(self._urls, key, identity, clock, self.budget)
        self._heartbeat_id = ""
        self._beating = asyncio.Lock()

    async def connect(self) -> VenueFacts:
        """Create or derive API credentials and read the venue's order version and time; see `VenueGateway`."""
        await self.aclose()
        library, create_environment = _library()
        self._asker = Asker(library)
        try:
            await self._clients.open(library, create_environment)
            signed_in = common.check_order_version(parse_version(await self._public("/version")))
            asked_ms = self._clock.now_ms()
            server_ms = await self.server_time_ms()
        except BaseException:
            await self.aclose()
            raise
        return VenueFacts(
            order_version=signed_in,
            server_ms=server_ms,
            asked_ms=(asked_ms + self._clock.now_ms()) // 2,
            api_key_id=self.credentials.key_id,
        )

    @property
    def credentials(self) -> ApiCredentials:
        """The API credentials in use, for the channel of our own orders."""
        return self._clients.credentials

    def sign(self, ticket: OrderTicket, *, salt: int, timestamp_ms: int) -> SignedOrder:
        """Sign a ticket with our own signer; see `VenueGateway`."""
        return self._signer.sign(ticket, salt=salt, timestamp_ms=timestamp_ms)

    async def submit(self, order: SignedOrder) -> SubmitOutcome:
        """POST an order once and say what the answer proves; see `VenueGateway`."""
        try:
            client = self._clients.now()
        except VenueError as error:
            return not_sent(str(error))
        with self._clients.listening() as heard:
            try:
                async with asyncio.timeout(common.ANSWER_WITHIN_S):
                    await client.post_order(self._asker.library.SignedOrder(**rows.order_fields(order)))
            except Exception as error:  # noqa: BLE001 - what was heard is judged, not how the client took it
                return heard.outcome(order.order_id) or without_answer(error)
        return heard.outcome(order.order_id) or no_answer("the client had an answer that was not heard")

    async def cancel(self, order_ids: Sequence[OrderId]) -> CancelOutcome:
        """Ask for cancellations of some orders."""
        client = await self._clients.ready(swift=True)
        answers = []
        for part in common.batches(order_ids):
            request = client.cancel_order(order_id=part[0]) if len(part) == 1 else client.cancel_orders(order_ids=part)
            answers.append(rows.cancelled(await self._asker.ask(request, "a cancel")))
        return common.joined(answers)

    async def cancel_all(self) -> CancelOutcome:
        """Ask for the cancellation of every order of this API key."""
        return rows.cancelled(
            await self._asker.ask((await self._clients.ready(swift=True)).cancel_all(), "a cancel of everything")
        )

    async def order(self, order_id: OrderId) -> OrderSnapshot | None:
        """Return an order, None when the venue says null or that it knows no such order."""
        client = await self._clients.ready()
        with self._clients.listening() as heard:
            try:
                found = await self._asker.ask(client.get_order(order_id=order_id), "an order")
            except VenueError:
                if heard.says_no_order:
                    return None
                raise
        return order_snapshot_of(rows.order_row(found))

    async def open_orders(self) -> Sequence[OrderSnapshot]:
        """Return all open orders of the wallet, every page."""
        found = await self._asker.pages((await self._clients.ready()).list_open_orders(), "the list of open orders")
        return common.of_wallet((order_snapshot_of(rows.order_row(each)) for each in found), self.identity.wallet)

    async def legs(self, since_s: int) -> Sequence[Leg]:
        """Return our part of every trade matched at or after a Unix second, oldest first."""
        client = await self._clients.ready()
        # A second earlier, because the documents do not say whether the bound itself is included.
        found = await self._asker.pages(
            client.list_account_trades(after=str(max(0, since_s - 1))), "the list of trades"
        )
        known = functools.partial(legs_of_trade, wallet=self.identity.wallet, api_key_id=str(client.credentials.key))
        return common.once((leg for each in found for leg in known(rows.trade_row(each))), since_s)

    async def balances(self, asset_ids: Sequence[AssetId]) -> Balances:
        """Return cash, allowances, and shares of these assets as the venue has them cached."""
        cash, *shares = await common.each_of([functools.partial(self._balance, each) for each in (None, *asset_ids)])
        return common.balances_of(cash, dict(zip(asset_ids, shares, strict=True)))

    async def _balance(self, asset_id: AssetId | None) -> AssetBalance:
        kind = "COLLATERAL" if asset_id is None else common.asset_type_of(asset_id)
        request = (await self._clients.ready()).get_balance_allowance(asset_type=kind, asset_id=asset_id)
        found = await self._asker.ask(request, "a balance")
        return AssetBalance(found.balance, dict(found.allowances))

    async def refresh_balances(self, asset_ids: Sequence[AssetId]) -> None:
        """Make the venue read the chain again for cash and these assets."""
        await common.each_of([functools.partial(self._refresh, each) for each in (None, *asset_ids)])

    async def _refresh(self, asset_id: AssetId | None) -> None:
        params: dict[str, Any] = {"asset_type": "COLLATERAL", "signature_type": self.identity.kind.value}
        if asset_id is not None:
            params |= {"asset_type": common.asset_type_of(asset_id), "token_id": asset_id}
        door = (await self._clients.ready())._ctx.secure_clob  # noqa: SLF001 - the client has no public call; see TESTED_VERSIONS
        await self._asker.ask(door.get_bytes("/balance-allowance/update", params=params), "a refresh of a balance")

    async def positions(self) -> Sequence[HeldPosition]:
        """Return everything that the wallet holds, by the data service, which may lag."""
        client = await self._clients.ready()
        # Two questions: what the first one leaves out is not documented, and neither is to hide small holdings.
        small = {"filter_type": "TOKENS", "filter_amount": 0}
        found = [
            *await self._asker.pages(client.list_positions(**small), "the list of positions"),
            *await self._asker.pages(
                client.list_positions(status="REDEEMABLE", **small), "the list of redeemable positions"
            ),
        ]
        held, _ = parse_positions(rows.position_page(found))
        return list({each.asset_id: each for each in held}.values())

    async def server_time_ms(self) -> int:
        """Return the venue's clock (whole seconds there)."""
        return parse_time(await self._public("/time"))

    async def _public(self, path: str) -> bytes:
        door = (await self._clients.ready())._ctx.clob  # noqa: SLF001 - the client has no public call; see TESTED_VERSIONS
        found: bytes = await self._asker.ask(door.get_bytes(path), path)
        return found

    async def account_flags(self) -> AccountFlags:
        """Ask whether this account is closed-only and whether this place is blocked."""
        closed_only = bool(
            await self._asker.ask((await self._clients.ready()).get_closed_only_mode(), "the account's flags")
        )
        blocked, country = await common.blocked_country(self._urls.get("geoblock_url"))
        return AccountFlags(closed_only=closed_only, blocked=blocked, country=country)

    async def heartbeat(self) -> None:
        """Send one order heartbeat with the id of the one before; a wrong one is mended with the one that is expected."""
        async with self._beating:
            self._heartbeat_id = await self._asker.ask(self._beat(await self._clients.ready(swift=True)), "a heartbeat")

    async def _beat(self, client: Any) -> str:
        sent, self._heartbeat_id = self._heartbeat_id, ""  # should this fail, the next one asks for the expected id
        try:
            beat = await client.send_order_heartbeat(heartbeat_id=sent)
        except self._asker.library.OrderHeartbeatMismatchError as error:
            beat = await client.send_order_heartbeat(heartbeat_id=error.heartbeat_id)
        return str(beat.heartbeat_id)

    async def aclose(self) -> None:
        """Let go of connections. May be called more than once."""
        await self._clients.close()


async def open_payouts(urls: Mapping[str, str], key: Secret, identity: WalletIdentity, relayer_key: Secret) -> Payouts:
    """Return what redeems and merges for a wallet; see `Payouts.open`.

    Raises:
        LiveLockedError: the client is not installed or not the tested one, or what `Payouts.open` raises.
        VenueError: the venue cannot be reached.
    """
    library, create_environment = _library()
    environment = environment_of(library, create_environment, urls)
    return await Payouts.open(library, environment, urls, key, identity, relayer_key)


def _library() -> tuple[Any, Any]:
    """Return the client library and what makes its environments.

    Raises:
        LiveLockedError: it is not installed.
    """
    try:
        import polymarket
        from polymarket._internal.environment import create_environment
    except ImportError as error:
        hint = "pip install polymarket-agent[live]"
        raise LiveLockedError("the venue's official client is not installed", hint=hint) from error
    return polymarket, create_environment
