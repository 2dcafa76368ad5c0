"""Ours against the official client's own signing; `python -m benchmarks.signing --orders 10000` does it ten thousand times."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from polymarket_agent.adapters.polymarket.signer import OrderSigner, order_body, order_id_of
from polymarket_agent.adapters.polymarket.wallets import addresses_of
from polymarket_agent.domain.venue import WalletKind
from tests.adapters.signing.official import OWNER, official_body, pairs, random_key, ticket_of

pytest.importorskip("polymarket")

ORDERS = 2_400
SEED = 20_261_201


def test_orders_are_those_of_the_official_client_byte_for_byte() -> None:
    """Random orders of every exchange, wallet kind, side and time in force have the client's amounts, signature and body."""
    seen: Counter[str] = Counter()
    signers: dict[str, OrderSigner] = {}
    for wanted, identity, session, key, theirs in pairs(Random(SEED), ORDERS):
        signer = signers.setdefault(identity.wallet, OrderSigner(key, identity, session=session))
        ours = signer.sign(ticket_of(wanted), salt=wanted.salt, timestamp_ms=wanted.timestamp_ms)

        assert (ours.ticket.maker_amount, ours.ticket.taker_amount) == (theirs.maker_amount, theirs.taker_amount), (
            wanted
        )
        assert ours.signature == theirs.signature, wanted
        assert order_body(ours, OWNER) == official_body(theirs), wanted
        identity_only = order_id_of(ours.ticket, identity, salt=ours.salt, timestamp_ms=ours.timestamp_ms)
        assert ours.order_id == identity_only
        seen.update(
            (ours.domain, identity.kind.name, wanted.side.name, wanted.time_in_force.name, f"session {session}")
        )

    assert len(seen) == 3 + 4 + 2 + 4 + 2
    assert min(seen.values()) > ORDERS // 20


def test_signatures_recover_to_the_key() -> None:
    """A curve library that is not ours finds the key's address in what every plain, proxy or safe wallet signed."""
    from eth_keys.backends.native.main import NativeECCBackend
    from eth_keys.main import KeyAPI

    curve, done = KeyAPI(NativeECCBackend), 0
    for wanted, identity, session, key, _ in pairs(Random(SEED + 1), 120):
        if identity.kind is WalletKind.DEPOSIT:
            continue
        signer = OrderSigner(key, identity, session=session)
        found = signer.sign(ticket_of(wanted), salt=wanted.salt, timestamp_ms=wanted.timestamp_ms)
        raw = bytes.fromhex(found.signature[2:])
        signature = curve.Signature(signature_bytes=raw[:64] + bytes([raw[64] - 27]))
        public = curve.ecdsa_recover(bytes.fromhex(found.order_id[2:]), signature)
        assert public.to_checksum_address() == identity.signer
        done += 1

    assert done == 60


def test_wallet_addresses_are_those_of_the_official_client() -> None:
    """For any key's address the proxy, the safe and both deposit wallets are where the client says they are."""
    import polymarket
    from polymarket._internal import wallet

    config = polymarket.PRODUCTION._config.wallet_derivation
    random = Random(SEED)
    for _ in range(200):
        owner = "0x" + random.randbytes(20).hex()
        ours = addresses_of(owner)

        assert ours.proxy == wallet.derive_proxy_wallet_address(owner, config)
        assert ours.safe == wallet.derive_safe_wallet_address(owner, config)
        assert ours.deposit == wallet.derive_beacon_deposit_wallet_address(owner, config)
        assert ours.deposit_uups == wallet.derive_uups_deposit_wallet_address(owner, config)


def test_the_login_is_that_of_the_official_client() -> None:
    """Headers that prove the key are the client's for any time and nonce."""
    from eth_account import Account
    from polymarket._internal.l1_auth import sign_api_key_auth

    from tests.adapters.signing.official import identities

    random = Random(SEED)
    for _ in range(50):
        key = random_key(random)
        signer = OrderSigner(key, identities(key)[0][0])
        time_s, nonce = random.randrange(1 << 33), random.choice([0, 1, random.getrandbits(200)])
        theirs = sign_api_key_auth(Account.from_key(key.reveal()), chain_id=137, timestamp=time_s, nonce=nonce)

        assert signer.l1_headers(time_s, nonce) == {
            "POLY_ADDRESS": theirs.address,
            "POLY_SIGNATURE": theirs.signature,
            "POLY_TIMESTAMP": str(theirs.timestamp),
            "POLY_NONCE": str(theirs.nonce),
        }
