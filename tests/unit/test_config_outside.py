from __future__ import annotations

import pytest

from polymarket_agent.config_secrets import redacted, secret_in
from polymarket_agent.domain.money import usdc
from tests.unit.test_config import parse, refusal, risk

KEY = "0x" + "4c" * 31 + "aB"
ENV = "POLYMARKET_AGENT__"


def test_the_environment_overrides_the_file() -> None:
    """Any key of a section can be set from outside, lists with commas; what is not ours is not read."""
    environ = {
        f"{ENV}RISK__MAX_DAILY_LOSS": "20",
        f"{ENV}FEED__SLUGS": "a, b",
        f"{ENV}DATABASE": "other.db",
        "POLYMARKET_AGENT_DEBUG": "1",
        "PATH": "x",
    }
    config = parse(risk("max_daily_loss", "5"), **environ)

    assert (config.risk.max_daily_loss, config.feed.slugs, str(config.database)) == (usdc(20), ("a", "b"), "other.db")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        (f"{ENV}RISK__MAX_DAYLY_LOSS", "5", "risk.max_dayly_loss is not a key; did you mean 'max_daily_loss'?"),
        (f"{ENV}RYSK__MAX_DAILY_LOSS", "5", "is not a key"),
        (f"{ENV}RISK__MAX_DAILY_LOSS__X", "5", "is not a key"),
        (f"{ENV}RISK", "5", f"names no key; write {ENV}RISK__MAX_DAILY_LOSS=50"),
        (ENV, "5", "is not a key"),
        (f"{ENV}STRATEGIES__0__KIND", "x", "strategies are set in the file only"),
        (f"{ENV}STRATEGIES", "x", "strategies are set in the file only"),
        (f"{ENV}risk__max_daily_loss", "5", "write it in capitals"),
        ("POLYMARKET_AGENT_RISK__MAX_DAILY_LOSS", "5", f"did you mean {ENV}RISK__MAX_DAILY_LOSS?"),
        ("POLYMARKET_AGENT_RISK_MAX_DAILY_LOSS", "5", "is not read"),
        (f"{ENV}RISK__MAX_DAILY_LOSS", ".inf", "= '.inf': must be an amount"),
        (f"{ENV}RISK__MAX_DAILY_LOSS", "-5", "= '-5' must be at least 1"),
    ],
)
def test_an_override_that_cannot_be_meant_is_an_error_that_names_it(name: str, value: str, words: str) -> None:
    """A limit that is silently not taken up would be worse than a stop."""
    said = refusal("mode: paper\n", **{name: value})

    assert said.startswith(f"environment {name}")
    assert words in said


SECRETS = {
    "a key": KEY,
    "a key without 0x": KEY[2:],
    "a key in a sentence": f"Bearer {KEY} please",
    "a key in a path": f"https://node.example/{KEY[2:]}",
    "an API secret": "aB3" * 14 + "c=",
    "words": "legal winner thank year wave sausage worth useful legal winner thank yellow",
    "a PEM file": "-----BEGIN" + " EC PRIVATE KEY-----",
}
PLACES = ["database: {}\n", "xyzzy: {}\n", "feed: {{search: {}}}\n", "strategies: [{{kind: a, params: {{x: [{}]}}}}]\n"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_repeated(place: str, what: str) -> None:
    """Wherever it stands, the error names the place and never the secret, nor a part of it."""
    secret = SECRETS[what]
    said = refusal(place.format(f'"{secret}"'))

    assert "looks like a" in said
    assert not any(secret[at : at + 12] in said for at in range(len(secret) - 11))


@pytest.mark.parametrize(
    "text", [f"{KEY}: 1\n", f"risk: {{{KEY}: 1}}\n", f"{KEY}: 1\n{KEY}: 2\n", f"a: !{KEY} x\n", f"a: *{KEY}\n"]
)
def test_a_secret_as_a_key_or_tag_is_not_repeated(text: str) -> None:
    """A secret in an odd place of the file does not reach the terminal by way of the error."""
    said = refusal(text)

    assert not any(KEY[at : at + 12] in said for at in range(len(KEY) - 11))


@pytest.mark.parametrize("name", ["private_key", "apiKey", "CLOB_SECRET", "passphrase", "wallet_password", "mnemonic"])
def test_what_is_named_like_a_secret_is_refused(name: str) -> None:
    """A short secret does not look like one; its name does, at the top and among the params of a strategy."""
    for text in (f"{name}: hunter2\n", f"strategies: [{{kind: a, params: {{{name}: hunter2}}}}]\n"):
        said = refusal(text)
        assert "is named like a secret" in said
        assert "hunter2" not in said


@pytest.mark.parametrize(
    "value",
    [
        KEY,
        KEY[:-1],
        KEY + "f",
        KEY + ",",
        f"'{KEY}'",
        "0X" + KEY[2:],
        "a1B2" * 6,
        "01234567-89ab-cdef-0123-456789abcdef",
    ],
)
@pytest.mark.parametrize("key", ["RISK__MAX_DAILY_LOSS", "MODE", "FEED__CLOB_URL", "DATABASE__X", "XYZZY"])
def test_a_secret_in_the_environment_is_not_repeated(key: str, value: str) -> None:
    """A key pasted into the wrong variable, whole, cut or quoted, is not shown by the error about it."""
    said = refusal("mode: paper\n", **{ENV + key: value})

    bare = value.strip("',")
    assert not any(bare[at : at + 12] in said for at in range(len(bare) - 11))


@pytest.mark.parametrize("url", ["https://user:hunter2@host/", "https://host/path?token=hunter2"])
def test_a_password_in_an_address_is_not_repeated(url: str) -> None:
    """An address with a user or a query is refused, and shown without them."""
    said = refusal(f"feed:\n  clob_url: {url}\n")

    assert "feed.clob_url" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "text",
    [
        "will-the-fed-cut-rates-in-march-2026-by-25-bps",
        "/srv/polymarket/ledgers/agent.db",
        "33956219822905628582013265612015434366211396853711",
        "will it rain in Lisbon",
    ],
)
def test_ordinary_values_are_no_secrets(text: str) -> None:
    """Slugs, paths, asset ids and searches can be written into a config."""
    assert secret_in("search", text) == ""
    if not text.isdigit():
        assert redacted(text) == text
