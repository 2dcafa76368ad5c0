"""The venue's words of a refusal, copied from the specification row by row: what the tests compare with."""

from __future__ import annotations

OURS = "0x" + "a1" * 32
OTHER = "0x" + "b2" * 32
JSON = "application/json"
HTML = "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"
FOK = "order couldn't be fully filled. FOK orders are fully filled or killed."
FAK = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."
LOW = "not enough balance / allowance"
SPENDER = "0xE111180000d2663C0091e4f400237545B87B996B"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"

# Rows of failure-model.md 2.5, each with every text of polymarket-wire.md 7.12 that belongs to it.
REFUSED = [
    "invalid signature",
    "Invalid order payload",
    "Invalid orderID",
    "Invalid token id",
    "Invalid side",
    "Invalid asset type",
    "Invalid signature_type",
    "Payload exceeds the limit",
    "Too many orders in payload: 16, max allowed: 15",
    f"order {OURS} is invalid. Size (1) lower than the minimum: 5",
    f"order {OURS} is invalid. Size (4.99) lower than the minimum: 5",
    "invalid expiration",
]
REFUSED_NOW = [
    f"order {OURS} is invalid. Price (0.505) breaks minimum tick size rule: 0.01",
    "invalid amount for a marketable BUY order ($0.05), min size: $1",
    LOW,
    f"{LOW}: the balance is not enough -> balance: 1933630, sum of matched orders: 1050000, order amount (inc. fees): 1056000",
    f"{LOW}: the balance is not enough -> balance: 1, sum of active orders: 2, sum of matched orders: 3, order amount (inc. fees): 4",
    f"{LOW}: the allowance is not enough -> spender: {SPENDER}, allowance: 0, order amount: 5000000",
    f"order {OURS} crosses the book",
    "invalid post-only order: order crosses book",
    FOK,
    FAK,
    "the market is not yet ready to process new orders",
    f"'{ADDRESS}' address in closed only mode",
]
UNKNOWN = [
    "context canceled",
    "order match delayed due to market conditions",
    "could not insert order",
    "order canceled in the CTF exchange contract",
    "order_version_mismatch",
    "the order owner has to be the owner of the API KEY",
    "the order signer address has to be the address of the API KEY",
    "maker address not allowed, please use the deposit wallet flow",
    f"'{ADDRESS}' address banned",
    "invalid amounts, the buy orders maker amount supports a max accuracy of 4 decimals, taker amount a max of 2 decimals",
    "something that nobody has seen yet",
    "",
]
NEAR = [
    "Invalid signature",
    "invalid signature.",
    "x invalid signature",
    "invalid signature\nand more",
    FOK[:-1],
    FOK * 2,
]
