"""The part of the catalogue of remedies that is about access, limits, modes, requests and the account."""

from __future__ import annotations

__all__ = ["ACCOUNT_REMEDIES"]

_UPDATE = "update polymarket-agent; until then nothing can be sent"
_REPORT = "check the order in the journal and report it as a bug of polymarket-agent"
_WALLET = "set POLYMARKET_FUNDER and POLYMARKET_SIGNATURE_TYPE to the wallet that the venue's site shows for this key"
_WAIT_MODE = "wait; open orders can still be cancelled, and the agent goes on by itself when the mode ends"

# Pattern of the whole text, code, what happened, what a person can do.
ACCOUNT_REMEDIES: tuple[tuple[str, str, str, str], ...] = (
    (
        r"Unauthorized/Invalid api key",
        "credentials",
        "The venue does not know the API key, or its signature does not fit the time of this machine.",
        "check that this machine's clock is right; the agent derives the credentials again, at most every 10 minutes",
    ),
    (
        r"Invalid L1 Request headers",
        "login",
        "The venue does not take the signature that proves ownership of the private key.",
        "check that this machine's clock is right and that the key is the one of the account",
    ),
    (
        r"(?s)(?:.*Sorry, you have been blocked.*)|(?:.*Attention Required! \| Cloudflare.*)",
        "edge_block",
        "The protection in front of the venue blocks this address before the venue sees the request.",
        "stop sending for a while; see that this machine is where the venue allows trading and shares no blocked address",
    ),
    (
        r"Could not create api key",
        "key_not_created",
        "The venue made no new API key; mostly there is one already.",
        "nothing, if deriving it works; else log in on the venue's site with this key once",
    ),
    (
        r"Could not derive api key!",
        "key_not_derived",
        "The venue has no API key for this private key.",
        "log in on the venue's site with this key once, then start again",
    ),
    (
        r"No orderbook exists for the requested token id",
        "no_book",
        "The market is settled or the venue does not know the token.",
        "take the market out of the feed, or check its id; winning shares of a settled one can be redeemed",
    ),
    (
        r"market not found",
        "no_market",
        "The venue does not know the market.",
        "check the slug or the condition id in the configuration",
    ),
    (
        r"order not found",
        "no_order",
        "The venue has no such order; it may be finished.",
        "read the account's trades; a finished order stands there and nowhere else",
    ),
    (
        r"Too Many Requests",
        "rate_limit",
        "Too many requests.",
        "lower risk.orders_per_second or run fewer strategies; the agent waits as long as the venue asks",
    ),
    (
        r"post-only mode: only post-only orders and cancels are allowed",
        "post_only_mode",
        "For about two minutes after a restart the venue takes post-only orders and cancels.",
        _WAIT_MODE,
    ),
    (
        r"Trading is currently cancel-only\. New orders are not accepted, but cancels are allowed\.",
        "cancel_only",
        "The venue takes cancels and no new orders.",
        _WAIT_MODE,
    ),
    (
        r"Trading is currently disabled\. Check polymarket\.com for updates",
        "disabled",
        "The venue takes neither orders nor cancels.",
        "look at the venue's status page; open orders cannot be cancelled until it comes back",
    ),
    (
        r"the market is not yet ready to process new orders",
        "market_not_ready",
        "The market has not opened for orders yet.",
        "wait for it to open, or take it out of the feed",
    ),
    (r"Invalid order payload", "payload", "The venue cannot read the order.", _UPDATE),
    (r"Invalid orderID", "order_id", "The venue cannot read an order id.", _REPORT),
    (r"Invalid token id", "token_id", "The venue does not know the token.", "check the market in the feed"),
    (r"Invalid side", "side", "The venue cannot read the side of an order.", _UPDATE),
    (r"Invalid asset type", "asset_type", "The venue cannot read which balance is asked for.", _UPDATE),
    (r"Invalid signature_type", "signature_type", "The venue does not know the kind of wallet.", _WALLET),
    (
        r"Payload exceeds the limit",
        "too_long",
        "A request names more than the venue takes at once.",
        "watch fewer markets, or cancel in smaller parts",
    ),
    (
        r"Too many orders in payload: \d+, max allowed: \d+",
        "too_many_orders",
        "A batch holds more orders than the venue takes.",
        _REPORT,
    ),
    (
        r"the order owner has to be the owner of the API KEY",
        "wrong_owner",
        "The order names another API key than the one that sent it.",
        "use one key for one agent and start it again, so that it asks for its credentials anew",
    ),
    (
        r"the order signer address has to be the address of the API KEY",
        "wrong_signer",
        "The venue does not connect this deposit wallet with this key.",
        "trade once on the venue's site with this account, which connects them; then start again",
    ),
    (
        r"maker address not allowed, please use the deposit wallet flow",
        "deposit_wallet_needed",
        "The venue takes no orders of new plain accounts.",
        "open a deposit wallet on the venue's site, move the money there, and " + _WALLET,
    ),
    (
        r"invalid signature",
        "signature",
        "The signature does not fit the order: mostly a wrong wallet or kind of wallet.",
        _WALLET,
    ),
    (
        r"order_version_mismatch",
        "version",
        "The venue signs orders in another version than this program or client.",
        "update polymarket-agent and its client: pip install -U 'polymarket-agent[live]'",
    ),
    (
        r"'?\S{1,80} address banned",
        "banned",
        "The venue has banned this address.",
        "stop the agent and write to the venue's support; another address is no way around it",
    ),
    (
        r"'?\S{1,80} address in closed only mode",
        "closed_only",
        "The account may only reduce what it holds.",
        "stop entries; sell or redeem what is held; ask the venue's support why",
    ),
)
