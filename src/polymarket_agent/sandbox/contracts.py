"""The contracts of chain 137 that wallets call, and which of them must be allowed what. Lower-case addresses. Pure."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "APPROVALS",
    "AUTO_REDEEM",
    "BINARY_MODULE",
    "COLLATERAL",
    "COLLATERAL_ADAPTER",
    "CTF",
    "DEPOSIT_BEACON",
    "DEPOSIT_FACTORY",
    "ERC1155",
    "EXCHANGE",
    "EXCHANGE_NAMES",
    "EXCHANGE_V3",
    "NEG_RISK_ADAPTER",
    "NEG_RISK_COLLATERAL_ADAPTER",
    "NEG_RISK_EXCHANGE",
    "NEG_RISK_MODULE",
    "PERPS_DEPOSIT",
    "POSITION_MANAGER",
    "PROXY_FACTORY",
    "RELAY_HUB",
    "ROUTER",
    "SAFE_MULTISEND",
    "Approval",
]

COLLATERAL = "0xc011a7e12a19f7b1f670d46f03b03f3342e82dfb"
CTF = "0x4d97dcd97ec945f40cf65f87097ace5ea0476045"
NEG_RISK_ADAPTER = "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296"
COLLATERAL_ADAPTER = "0xada100db00ca00073811820692005400218fce1f"
NEG_RISK_COLLATERAL_ADAPTER = "0xada2005600dec949baf300f4c6120000bdb6eaab"
EXCHANGE = "0xe111180000d2663c0091e4f400237545b87b996b"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310f59"
EXCHANGE_V3 = "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"
AUTO_REDEEM = "0xa1200000d0002264c9a1698e001292d00e1b00af"
ROUTER = "0x12121212006e4cd160d18e3f00711da5c3372600"
BINARY_MODULE = "0x1000008dd9001b968442c1000017eae6e0da00ba"
NEG_RISK_MODULE = "0x200000900045e3b6259600682756002200028933"
POSITION_MANAGER = "0x006f54f7f9a22e0000cc2ab60031000000ae9fef"
PERPS_DEPOSIT = "0xdca4af75705dbb50f62437045aff9921947917d2"
SAFE_MULTISEND = "0xa238cbeb142c10ef7ad8442c6d1f9e89e07e7761"
PROXY_FACTORY = "0xab45c5a4b0c941a2f231c04c3f49182e1a254052"
RELAY_HUB = "0xd216153c06e857cd7f72665e0af1d7d82172f494"
DEPOSIT_FACTORY = "0x00000000000fb5c9adea0298d729a0cb3823cc07"
DEPOSIT_BEACON = "0x7a18edfe055488a3128f01f563e5b479d92ffc3a"

# Holders of outcome tokens; the neg-risk adapter answers balances of its markets as the CTF does.
ERC1155 = frozenset({CTF, NEG_RISK_ADAPTER, POSITION_MANAGER})

# The exchanges by the names that `Exchange.approve` takes.
EXCHANGE_NAMES = {EXCHANGE: "exchange", NEG_RISK_EXCHANGE: "neg_risk_exchange", EXCHANGE_V3: "exchange_v3"}


class Approval(NamedTuple):
    """Who must be allowed to take which token for everything to work."""

    token: str
    spender: str
    standard: str


APPROVALS: tuple[Approval, ...] = (
    *(
        Approval(COLLATERAL, spender, "ERC20")
        for spender in (
            EXCHANGE,
            NEG_RISK_EXCHANGE,
            COLLATERAL_ADAPTER,
            NEG_RISK_COLLATERAL_ADAPTER,
            ROUTER,
            EXCHANGE_V3,
            PERPS_DEPOSIT,
        )
    ),
    *(
        Approval(CTF, spender, "ERC1155")
        for spender in (
            EXCHANGE,
            NEG_RISK_EXCHANGE,
            COLLATERAL_ADAPTER,
            NEG_RISK_COLLATERAL_ADAPTER,
            AUTO_REDEEM,
            BINARY_MODULE,
            NEG_RISK_MODULE,
        )
    ),
    *(Approval(POSITION_MANAGER, spender, "ERC1155") for spender in (ROUTER, EXCHANGE_V3, AUTO_REDEEM)),
)
