"""Checks that need no network: config, limits, strategies, libraries, key, hosts."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import stat
from pathlib import Path
from urllib.parse import urlsplit

from polymarket_agent.cli.common import CONFIG_NAME, effective_config
from polymarket_agent.cli.doctor_case import Case
from polymarket_agent.cli.doctor_findings import Finding, bad, fine, odd
from polymarket_agent.errors import AgentError, ConfigError

__all__ = ["check_config", "check_hosts", "check_key", "check_libraries", "check_limits", "check_strategies"]

_INSTALL = "pip install 'polymarket-agent[live]'"
_SIGNING = {"coincurve": "coincurve", "pycryptodome": "Crypto"}
_FIRST_LIMITS = ("max_position_size", "max_daily_loss", "max_open_orders")
_SMALLEST_ORDER = 5_000_000  # 5 shares at a price below 1, in micro-USDC


def check_config(case: Case) -> list[Finding]:
    """Read the config as every command does."""
    named = case.config_file or (Path(CONFIG_NAME) if Path(CONFIG_NAME).is_file() else None)
    try:
        settings = effective_config(case.config_file)
    except ConfigError as error:
        fix = error.hint or f"correct it, then: polymarket-agent config check{_option(case)}"
        return [bad("config", str(error), fix=fix, path=str(named or ""))]
    case.settings = settings
    overrides = sorted(name for name in case.environ if name.startswith("POLYMARKET_AGENT__"))
    said = f"{named or 'no file: the defaults hold'}, mode {settings.mode.value}"
    if overrides:
        said += f"; {len(overrides)} from the environment: {', '.join(overrides)}"
    if named is None:
        fix = "polymarket-agent setup"
        return [odd("config", said, cause="a run without strategies trades nothing", fix=fix, path="")]
    return [fine("config", said, path=str(named), mode=settings.mode.value, overrides=overrides)]


def _option(case: Case) -> str:
    return f" --config {case.config_file}" if case.config_file else ""


def check_limits(case: Case) -> list[Finding]:
    """Name every limit that is not given, with the value that holds instead."""
    from polymarket_agent.config import to_plain

    risk = case.config.risk
    plain = to_plain(risk)
    absent = {name: plain[name] for name in plain if name not in risk.model_fields_set}
    given = {name: plain[name] for name in plain if name in risk.model_fields_set}
    said = f"{len(given)} given, {len(absent)} absent"
    if absent:
        said += ": " + ", ".join(f"{name} {value}" for name, value in absent.items())
    missing = [name for name in _FIRST_LIMITS if name in absent]
    if missing:
        return [
            odd(
                "limits",
                said,
                cause=f"{', '.join(missing)} not given: the smallest holds, which lets almost nothing through",
                fix="give them in the section `risk` of the config; docs/configuration.md says what each means",
                given=given,
                absent=absent,
            )
        ]
    if risk.max_order_size < _SMALLEST_ORDER:
        return [
            odd(
                "limits",
                said,
                cause=f"max_order_size is {plain['max_order_size']} USDC; the venue's smallest resting order is mostly "
                "5 shares, so only cheap outcomes can be bought",
                fix="risk.max_order_size: 5",
                given=given,
                absent=absent,
            )
        ]
    return [fine("limits", said, given=given, absent=absent)]


def check_strategies(case: Case) -> list[Finding]:
    """Import and construct every strategy that the config names."""
    from polymarket_agent.strategies.base import build

    wanted = [each for each in case.config.strategies if each.enabled]
    for each in wanted:
        build(each.kind, each.params, name=each.label)
    if not wanted:
        return [odd("strategies", "none: the agent would only watch", fix="polymarket-agent setup", names=[])]
    return [fine("strategies", ", ".join(each.label for each in wanted), names=[each.label for each in wanted])]


def check_libraries(case: Case) -> list[Finding]:
    """See that what signs and what speaks to the venue is there, in a version that the tests ran with."""
    from polymarket_agent.adapters.polymarket.gateways import TESTED_VERSIONS

    missing = [name for name, module in _SIGNING.items() if importlib.util.find_spec(module) is None]
    if missing:
        return [bad("libraries", f"not installed: {', '.join(missing)}", cause="they sign orders", fix=_INSTALL)]
    client = case.config.live.client.value
    library = {"unified": "polymarket-client", "clob": "py-clob-client-v2"}.get(client)
    if library is None:
        return [fine("libraries", f"live.client is {client}: our own HTTP, no other library", client=client)]
    try:
        version = importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return [
            bad(
                "libraries",
                f"live.client is {client}, and {library} is not installed",
                fix=f"{_INSTALL}, or set live.client: direct",
            )
        ]
    tested = TESTED_VERSIONS[library]
    if version not in tested:
        return [
            bad(
                "libraries",
                f"{library} {version}; tested is {', '.join(tested)}",
                cause="answers of an untested version could be misread",
                fix=f"pip install '{library}=={tested[-1]}', or set live.client: direct",
            )
        ]
    return [
        fine("libraries", f"live.client is {client}: {library} {version}, as tested", client=client, version=version)
    ]


def check_key(case: Case) -> list[Finding]:
    """Load the key and say where it came from and whose it is; never any part of it."""
    from polymarket_agent.adapters.polymarket.wallets import address_of
    from polymarket_agent.keys import PRIVATE_KEY_VARIABLE, load_key

    live = case.config.live
    if case.key is None:
        case.key = load_key(case.environ, key_file=live.key_file, keystore=live.keystore, ask=case.ask)
    address = address_of(case.key)
    file = live.key_file or live.keystore
    if file is None:
        where = f"from the environment ({PRIVATE_KEY_VARIABLE})"
        return [fine("key", f"{where}, well formed; its address is {address}", source="environment", address=address)]
    kind = "the key file" if live.key_file else "the keystore"
    mode = stat.S_IMODE(os.stat(file).st_mode)  # noqa: PTH116 - a path, asked once
    said = f"from {kind} {file} (mode {mode:04o}), well formed; its address is {address}"
    return [fine("key", said, source=kind.removeprefix("the "), path=str(file), mode=f"{mode:04o}", address=address)]


def check_hosts(case: Case) -> list[Finding]:
    """See that nothing of an account would go anywhere but to the venue or to this machine."""
    from polymarket_agent.adapters.polymarket.gateways import urls_of
    from polymarket_agent.adapters.polymarket.hosts import VENUE_HOSTS

    feed = case.config.feed
    places = [feed.clob_url, feed.gamma_url, feed.market_ws_url]
    if case.live:
        case.urls = urls_of(case.config)
        places += [case.urls.data, case.urls.relayer, case.urls.user_ws, case.urls.geoblock]
    hosts = sorted({urlsplit(each).hostname or "" for each in places})
    if not case.live:
        try:
            urls_of(case.config)
        except AgentError as error:
            return [odd("hosts", str(error), cause="live trading would refuse it; paper trading does not", hosts=hosts)]
    if any(host not in VENUE_HOSTS for host in hosts):
        return [fine("hosts", f"{', '.join(hosts)}: this machine, so a rehearsal", hosts=hosts)]
    return [fine("hosts", f"the venue's own: {', '.join(hosts)}", hosts=hosts)]
