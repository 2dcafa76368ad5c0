"""The chain as far as the clients look: approvals, splits, merges, redemptions, balances, receipts.

Cash and shares live in the exchange core; this holds what only contracts know (who may take what) and turns calls into
requests to the core. A call that would revert changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polymarket_agent.domain.market import AssetId, ConditionId, Market, ProtocolVersion
from polymarket_agent.domain.money import Usdc
from polymarket_agent.sandbox import contracts as c
from polymarket_agent.sandbox.calldata import (
    BadCalldataError,
    Call,
    Function,
    addresses,
    arguments,
    read_function,
    rlp_list,
    uints,
)
from polymarket_agent.sandbox.eip712 import CHAIN_ID, recover
from polymarket_agent.sandbox.keccak import address_bytes, checksum, keccak
from polymarket_agent.sandbox.records import Activity

if TYPE_CHECKING:
    from polymarket_agent.sandbox.venue import Venue

__all__ = ["Chain", "RevertedError"]

UNLIMITED = (1 << 256) - 1
MAX_RECEIPTS = 100_000


class RevertedError(Exception):
    """A call reverts; the message says why."""


class Chain:
    """State of the contracts."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._approved: dict[tuple[str, str, str], int] = {}
        self._deployed: set[str] = set()
        self._nonces: dict[str, int] = {}
        self.receipts: dict[str, bool] = {}
        self._hashes = 0

    def deploy(self, wallet: str) -> None:
        """Put a wallet's code on chain."""
        self._deployed.add(wallet)

    def is_deployed(self, wallet: str) -> bool:
        """Whether a wallet has code."""
        return wallet in self._deployed

    def approve_all(self, wallet: str) -> None:
        """Give every contract of the catalogue every token, as setting up an account does."""
        for approval in c.APPROVALS:
            self._approved[wallet, approval.token, approval.spender] = UNLIMITED
        self._venue.exchange.approve(wallet, "all", None)

    def allowance(self, wallet: str, token: str, spender: str) -> int:
        """Return how much of a token a contract may take from a wallet; for outcome tokens all or nothing."""
        return self._approved.get((wallet, token, spender), 0)

    def nonce(self, account: str) -> int:
        """Return how many transactions an account has sent."""
        return self._nonces.get(account, 0)

    def used_nonce(self, account: str) -> None:
        """Count a transaction."""
        self._nonces[account] = self.nonce(account) + 1

    def new_hash(self) -> str:
        """Return the hash of a transaction that the chain makes up itself."""
        self._hashes += 1
        return "0x" + keccak(f"sandbox transaction {self._venue.exchange.policy.salt} {self._hashes}".encode()).hex()

    def receipt(self, transaction_hash: str, *, good: bool) -> None:
        """Note how a transaction ended."""
        self.receipts[transaction_hash] = good
        if len(self.receipts) > MAX_RECEIPTS:
            del self.receipts[next(iter(self.receipts))]

    def send_raw(self, raw: bytes) -> str:
        """Take a signed legacy transaction, carry it out, and return its hash.

        Raises:
            RevertedError: it cannot be read, or its number is not the sender's next.
        """
        try:
            items = rlp_list(raw)
        except BadCalldataError as error:
            raise RevertedError(str(error)) from error
        if len(items) != 9 or len(items[3]) != 20:
            raise RevertedError("only legacy transactions to a contract are taken")
        v = int.from_bytes(items[6])
        signed = [*items[:6], CHAIN_ID.to_bytes(1), b"", b""]
        if v not in (CHAIN_ID * 2 + 35, CHAIN_ID * 2 + 36):
            raise RevertedError("invalid sender: signed for another chain")
        signature = items[7].rjust(32, b"\0") + items[8].rjust(32, b"\0") + bytes((v - CHAIN_ID * 2 - 35 + 27,))
        sender = recover(keccak(_rlp(signed)), signature)
        if sender is None:
            raise RevertedError("invalid sender")
        if int.from_bytes(items[0]) != self.nonce(sender):
            raise RevertedError(f"nonce too low: next nonce {self.nonce(sender)}, tx nonce {int.from_bytes(items[0])}")
        self.used_nonce(sender)
        transaction_hash = "0x" + keccak(raw).hex()
        try:
            self.execute(sender, Call("0x" + items[3].hex(), items[5]), transaction_hash)
        except RevertedError:
            self.receipt(transaction_hash, good=False)
        else:
            self.receipt(transaction_hash, good=True)
        return transaction_hash

    def execute(self, wallet: str, call: Call, transaction_hash: str) -> None:
        """Carry out one call of a wallet.

        Raises:
            RevertedError: it would revert, or is none that we know.
        """
        try:
            function, words = read_function(call.data), arguments(call.data)
            match function:
                case Function.APPROVE if call.to == c.COLLATERAL:
                    self._approve(wallet, c.COLLATERAL, words.address(0), words.uint(1))
                case Function.SET_APPROVAL_FOR_ALL if call.to in (c.CTF, c.POSITION_MANAGER):
                    self._approve(wallet, call.to, words.address(0), UNLIMITED if words.uint(1) else 0)
                case Function.TRANSFER if call.to == c.COLLATERAL:
                    self._transfer(wallet, words.address(0), words.uint(1))
                case Function.SPLIT_POSITION | Function.MERGE_POSITIONS | Function.REDEEM_POSITIONS:
                    amount = words.uint(4) if function is not Function.REDEEM_POSITIONS else 0
                    condition = ConditionId("0x" + words.word(2).hex())
                    self._first(function, wallet, call.to, condition, amount, transaction_hash)
                case Function.ROUTER_SPLIT | Function.ROUTER_MERGE | Function.ROUTER_REDEEM if call.to == c.ROUTER:
                    condition = ConditionId("0x" + words.word(0)[:31].hex() + "00")
                    amount = words.uint(2 if function is Function.ROUTER_REDEEM else 1)
                    self._second(function, wallet, condition, amount, transaction_hash)
                case Function.CONVERT_POSITIONS if call.to == c.NEG_RISK_ADAPTER:
                    raise RevertedError("conversions go through the admin port of the sandbox")
                case _:
                    raise RevertedError(f"{call.to} has no function {function.name}")
        except BadCalldataError as error:
            raise RevertedError(str(error)) from error
        self._venue.publish()

    def _approve(self, wallet: str, token: str, spender: str, amount: int) -> None:
        self._approved[wallet, token, spender] = amount
        name = c.EXCHANGE_NAMES.get(spender)
        if name is not None:
            # The core keeps one allowance a contract; what may be taken is the lesser of collateral's and tokens'.
            tokens = c.POSITION_MANAGER if spender == c.EXCHANGE_V3 else c.CTF
            granted = min(self.allowance(wallet, c.COLLATERAL, spender), self.allowance(wallet, tokens, spender))
            self._venue.exchange.approve(wallet, name, granted)

    def _transfer(self, wallet: str, recipient: str, amount: int) -> None:
        if self._venue.exchange.withdraw(wallet, Usdc(amount)) is not None:
            raise RevertedError("transfer amount exceeds balance")
        self._venue.exchange.fund(checksum(address_bytes(recipient)), Usdc(amount))

    def _first(
        self, function: Function, wallet: str, to: str, condition: ConditionId, amount: int, transaction_hash: str
    ) -> None:
        """Split, merge or redeem in the first protocol: through the adapter that fits the market.

        Redeeming at the CTF itself with pUSD burns nothing and pays nothing while the transaction succeeds, as on the
        real chain: the ids are derived from another collateral.
        """
        if to == c.CTF and function is Function.REDEEM_POSITIONS:
            return
        market = self._market(condition, ProtocolVersion.V1)
        adapter = c.NEG_RISK_COLLATERAL_ADAPTER if market.neg_risk else c.COLLATERAL_ADAPTER
        if to != adapter:
            raise RevertedError(f"{to} does not hold this market")
        self._change(function.name.partition("_")[0], wallet, market, amount, adapter, c.CTF, transaction_hash)

    def _second(
        self, function: Function, wallet: str, condition: ConditionId, amount: int, transaction_hash: str
    ) -> None:
        market = self._market(condition, ProtocolVersion.V2)
        kind = function.name.removeprefix("ROUTER_")
        self._change(kind, wallet, market, amount, c.ROUTER, c.POSITION_MANAGER, transaction_hash)

    def _market(self, condition: ConditionId, version: ProtocolVersion) -> Market:
        market = self._venue.market(condition)
        if market is None or market.version is not version:
            raise RevertedError(f"condition {condition} is not prepared")
        return market

    def _change(
        self, kind: str, wallet: str, market: Market, amount: int, spender: str, tokens: str, transaction_hash: str
    ) -> None:
        exchange, condition = self._venue.exchange, market.condition_id
        needed = c.COLLATERAL if kind == "SPLIT" else tokens
        if self.allowance(wallet, needed, spender) < (amount if kind == "SPLIT" else 1):
            raise RevertedError("insufficient allowance")
        if kind == "SPLIT":
            refused = exchange.split(wallet, condition, Usdc(amount))
        elif kind == "MERGE":
            refused = exchange.merge(wallet, condition, Usdc(amount))
        else:
            if market.payouts is None:
                raise RevertedError("result for condition not received yet")
            held = exchange.positions(wallet)
            paid = (held.get(each, 0) * out for each, out in zip(market.asset_ids, market.payouts, strict=True))
            amount = sum(paid) // 1_000_000
            refused = exchange.redeem(wallet, condition)
        if refused is not None:
            raise RevertedError(refused.error)
        done = Activity(kind, condition, amount, self._venue.now_ms(), transaction_hash)
        self._venue.records.did(wallet, done, market.asset_ids, market.payouts or (0, 0))

    def call(self, to: str, data: bytes) -> bytes:
        """Answer a read of a contract.

        Raises:
            RevertedError: no function that we know.
        """
        try:
            function, words = read_function(data), arguments(data)
            body = words.body
            match function:
                case Function.ALLOWANCE if to == c.COLLATERAL:
                    owner = checksum(address_bytes(words.address(0)))
                    return _word(self.allowance(owner, to, words.address(1)))
                case Function.IS_APPROVED_FOR_ALL if to in c.ERC1155:
                    owner = checksum(address_bytes(words.address(0)))
                    token = c.CTF if to == c.NEG_RISK_ADAPTER else to
                    return _word(int(self.allowance(owner, token, words.address(1)) > 0))
                case Function.BALANCE_OF_ERC20 if to == c.COLLATERAL:
                    return _word(self._balance(words.address(0), None))
                case Function.BALANCE_OF if to in c.ERC1155:
                    return _word(self._balance(words.address(0), words.uint(1)))
                case Function.BALANCE_OF_BATCH if to in c.ERC1155:
                    owners, ids = addresses(body, words.uint(0)), uints(body, words.uint(1))
                    values = [self._balance(owner, each) for owner, each in zip(owners, ids, strict=False)]
                    return _word(32) + _word(len(values)) + b"".join(map(_word, values))
                case Function.FACTORY_BEACON if to == c.DEPOSIT_FACTORY:
                    return bytes(12) + bytes.fromhex(c.DEPOSIT_BEACON[2:])
                case _:
                    raise RevertedError("execution reverted")
        except BadCalldataError as error:
            raise RevertedError(f"execution reverted: {error}") from error

    def _balance(self, owner: str, token_id: int | None) -> int:
        asset = None if token_id is None else AssetId(str(token_id))
        if asset is not None and self._venue.market_by_asset(asset) is None:
            return 0
        return self._venue.exchange.balance(checksum(address_bytes(owner)), asset)[0]


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _rlp(items: list[bytes]) -> bytes:
    body = b"".join(_rlp_bytes(each) for each in items)
    return _rlp_head(0xC0, len(body)) + body


def _rlp_bytes(item: bytes) -> bytes:
    return item if len(item) == 1 and item[0] < 0x80 else _rlp_head(0x80, len(item)) + item


def _rlp_head(base: int, length: int) -> bytes:
    if length <= 55:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + 55 + len(size),)) + size
