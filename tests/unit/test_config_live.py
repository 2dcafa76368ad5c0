"""The section about live trading: strict, and without a place for a secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from polymarket_agent.config import Config, LiveClient, to_plain
from polymarket_agent.config_file import config_hash, parse_config
from polymarket_agent.errors import ConfigError

KEY = "0x" + "4c" * 32


def parse(text: str, **environ: str) -> Config:
    return parse_config(text, source="agent.yaml", environ=environ)


def live(line: str) -> str:
    return f"live:\n  {line}\n"


def refusal(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, **environ)
    return str(caught.value)


def test_without_the_section_live_trading_is_careful() -> None:
    """Orders are cancelled at both ends, the dead-man's switch is armed, and no key is named."""
    section = parse("mode: paper\n").live

    assert (section.client, section.cancel_on_start, section.cancel_on_stop, section.heartbeat) == (
        LiveClient.UNIFIED,
        True,
        True,
        True,
    )
    assert (section.key_file, section.keystore) == (None, None)


@pytest.mark.parametrize("key", ["key_file", "keystore"])
def test_the_name_of_a_file_is_no_secret(key: str) -> None:
    """Where the key is may stand in the file and in an override; "" takes it back."""
    path = "keys/agent.json"

    assert getattr(parse(live(f"{key}: {path}")).live, key) == Path(path)
    override = {f"POLYMARKET_AGENT__LIVE__{key.upper()}": path}
    assert getattr(parse("mode: paper\n", **override).live, key) == Path(path)
    assert getattr(parse(live(f'{key}: ""')).live, key) is None


@pytest.mark.parametrize("key", ["key_file", "keystore"])
@pytest.mark.parametrize("value", [KEY, KEY[2:], f"/keys/{KEY}", " ".join(["word"] * 12)])
def test_the_key_itself_is_refused_and_not_repeated(key: str, value: str) -> None:
    """Who pastes the key where its file belongs reads that, and not the key."""
    for said in (
        refusal(live(f'{key}: "{value}"')),
        refusal("mode: paper\n", **{f"POLYMARKET_AGENT__LIVE__{key.upper()}": value}),
    ):
        assert value not in said
        assert KEY[2:34] not in said
        assert "secret" in said or "private key" in said


@pytest.mark.parametrize("name", ["private_key", "secret", "passphrase", "api_key", "mnemonic"])
def test_there_is_no_place_for_a_secret(name: str) -> None:
    """A key that is named like a secret is refused with the hint to the environment."""
    assert "secrets do not belong into a config" in refusal(live(f"{name}: abc"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("client: web3", ("live.client = 'web3'", "'unified', 'clob' or 'direct'")),
        ("http_timeout_s: 0", ("live.http_timeout_s = '0'", "at least 1")),
        ("http_timeout_s: 61", ("live.http_timeout_s = '61'", "at most 60")),
        ("quarantine_absent_s: 59", ("at least 60",)),
        ("quarantine_refused_s: 0", ("at least 1",)),
        ("heartbeat: yes", ("live.heartbeat = 'yes'", "true or false")),
        ("user_ws_url: wss://me:pw@host/ws", ("live.user_ws_url", "without user")),
        ("data_url: ftp://host", ("live.data_url", "http(s)")),
        ('key_file: "a\\nb"', ("live.key_file", "path of a file")),
        ("key_file: [a]", ("live.key_file", "path of a file")),
        ("cancel_on_stopp: true", ("live.cancel_on_stopp is not a key", "'cancel_on_stop'")),
    ],
)
def test_what_is_wrong_is_named(line: str, words: tuple[str, ...]) -> None:
    """Each mistake is one sentence with the key, the value and what would do."""
    said = refusal(live(line))

    assert [word for word in words if word not in said] == [], said


def test_what_is_shown_can_be_read_again() -> None:
    """With and without files, the effective config written as YAML means the same."""
    for text in ("mode: paper\n", live("key_file: /a/b")):
        config = parse(text)
        again = parse(yaml.safe_dump(to_plain(config)))
        assert again == config
        assert config_hash(again) == config_hash(config)


def test_a_wrong_limit_is_one_error_though_others_follow_from_it() -> None:
    """Limits that are made from a wrong one are not reported beside it."""
    said = refusal("risk:\n  max_position_size: -5\n")

    assert said == "agent.yaml: risk.max_position_size = '-5' must be at least 1"
