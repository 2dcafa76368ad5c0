"""The part of the catalogue of remedies that is about one order: refusals, breakages, cancels, states."""

from __future__ import annotations

__all__ = ["ORDER_REMEDIES"]

_ORDER = r"order \S{1,80} is invalid\. "
_REPORT = "check the order in the journal and report it as a bug of polymarket-agent"
_LOOK = "do not send it again by hand; the agent looks for the order by its id and books what it finds"

# Pattern of the whole text, code, what happened, what a person can do.
ORDER_REMEDIES: tuple[tuple[str, str, str, str], ...] = (
    (
        _ORDER + r"Price \(.*\) breaks minimum tick size rule: .*",
        "tick_size",
        "The price is not on the market's grid, which may have become finer or coarser.",
        "nothing, if it happens once: the agent reads the new grid; else restart it",
    ),
    (
        r"invalid price \(.*\), min: .* - max: .*",
        "price_bounds",
        "The client found the price outside the market's bounds and sent nothing.",
        "lower or raise the price of the strategy so that it lies within the bounds",
    ),
    (
        _ORDER + r"Size \(.*\) lower than the minimum: .*",
        "min_size",
        "The order is smaller than the market's minimum of shares.",
        "raise sizing.fixed_size or risk.max_position_size, or leave this market out",
    ),
    (
        r"invalid amount for a marketable BUY order \(.*\), min size: .*",
        "min_notional",
        "A buy that matches at once must be for at least the stated amount.",
        "raise sizing.fixed_size to at least 1 USDC",
    ),
    (
        _ORDER + r"Duplicated\.",
        "duplicate",
        "The venue had these very bytes before.",
        "nothing: the agent takes it as proof that the order arrived, and asks for it by id",
    ),
    (
        r"order \S{1,80} crosses the book|invalid post-only order: order crosses book",
        "post_only_crosses",
        "A post-only order would have matched at once.",
        "nothing: the strategy quotes again at the new price; if it happens often, widen its spread",
    ),
    (
        r"invalid expiration",
        "expiration",
        "The order would end in the past or too soon.",
        "check that this machine's clock is right, or give orders a longer life",
    ),
    (
        r"not enough balance / allowance",
        "balance_or_allowance",
        "The wallet has too little, or has not allowed the exchange to take it.",
        "compare the wallet with its open orders, deposit, or approve the exchange on the venue's site",
    ),
    (
        r"not enough balance / allowance: the balance is not enough -> .*",
        "balance",
        "The wallet has too little for this order and all that is open or not yet settled.",
        "deposit, cancel other orders, or lower the size; just bought shares count only once settled, less the fee",
    ),
    (
        r"not enough balance / allowance: the allowance is not enough -> .*",
        "allowance",
        "The wallet has not allowed the exchange to take this much.",
        "approve the named contract on the venue's site; polymarket-agent never approves anything by itself",
    ),
    (
        r"invalid amounts, .*",
        "accuracy",
        "An amount has more decimals than the venue takes for this type of order.",
        "use resting orders (GTC or GTD) in this market, and " + _REPORT,
    ),
    (
        r"order canceled in the CTF exchange contract",
        "canceled_on_chain",
        "The order was cancelled in the contract itself.",
        "find out who else uses this key; if nobody should, move the money to a new one",
    ),
    (r"order match delayed due to market conditions", "delayed", "The venue held the match back.", _LOOK),
    (
        r"(?:CANCELED_)?order couldn't be fully filled\. FOK orders are fully filled or killed\.",
        "fok_not_filled",
        "There was not enough on the book for all of it, so nothing was done.",
        "use FAK or a smaller size where a part would do; otherwise nothing",
    ),
    (
        r"(?:CANCELED_)?no orders found to match with FAK order\. FAK orders are partially filled or killed if no match is found\.",
        "fak_not_filled",
        "There was nothing on the book within the price.",
        "nothing, or allow a worse price in the strategy",
    ),
    (r"context canceled", "context_canceled", "The venue gave up in the middle.", _LOOK),
    (r"order timed out", "timed_out", "The venue did not finish in time.", _LOOK),
    (r"could not insert order", "not_inserted", "The venue says that it did not store the order.", _LOOK),
    (r"there are no matching orders", "nothing_matches", "The venue lost the other side of a match.", _LOOK),
    (r"the trade contains rounding issues", "rounding", "The venue could not round a match.", _LOOK),
    (r"(?i)internal server error", "internal", "Something broke inside the venue.", _LOOK),
    (r"service not ready", "restarting", "The matching engine restarts.", "wait; the agent goes on by itself"),
    (r"Request exception!", "no_answer", "The client lost the venue's answer; the order may well be matched.", _LOOK),
    (
        r"Invalid Heartbeat ID",
        "heartbeat",
        "The heartbeat carried another id than the venue expects.",
        "nothing, if it happens once: the agent takes the expected id; else see that only one agent uses this key",
    ),
    (
        r"Order not found or already canceled",
        "cancel_not_found",
        "The order is not open any more, or was never there.",
        "nothing: the agent reads trades before it believes that nothing was matched",
    ),
    (
        r"already canceled or matched",
        "cancel_too_late",
        "The order was cancelled or matched before the cancel came.",
        "nothing: the agent reads trades and books what was matched",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?CANCELED_MARKET_RESOLVED",
        "market_resolved",
        "The market was answered and its orders cancelled.",
        "redeem winning shares; take the market out of the feed",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?CANCELED_NOT_ENOUGH_BALANCE",
        "lapsed_balance",
        "The wallet no longer covered the order, so the venue cancelled it.",
        "deposit, or lower sizes so that open orders fit the balance",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?CANCELED_MARKET_NOT_FOUND",
        "market_gone",
        "The venue closed the market of the order.",
        "take the market out of the feed",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?CANCELED_EXPIRED_ORDER",
        "expired",
        "The order reached its end.",
        "nothing, or give orders a longer life",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?CANCELED_ORDER_TIMED_OUT",
        "order_timed_out",
        "The venue gave the order up before it could match.",
        "nothing: the agent reads trades; if it happens often, look at the venue's status page",
    ),
    (
        r"(?i)(?:ORDER_STATUS_)?INVALID",
        "invalidated",
        "The venue took the order out: balance or allowance were gone, or the signature was made void.",
        "compare balance and allowances with the open orders; see who else uses this wallet",
    ),
)
