from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from polymarket_agent.cli.config_template import CONFIG_TEMPLATE
from polymarket_agent.config import Config, Mode, RiskConfig, to_plain
from polymarket_agent.config_file import config_hash, load_config, parse_config
from polymarket_agent.domain.money import usdc
from polymarket_agent.errors import ConfigError


def parse(text: str, **environ: str) -> Config:
    return parse_config(text, source="agent.yaml", environ=environ)


def refusal(text: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, **environ)
    return str(caught.value)


def risk(key: str, value: str) -> str:
    return f"risk:\n  {key}: {value}\n"


def test_an_absent_risk_limit_is_the_smallest_one() -> None:
    """Nobody trades without limits by forgetting them: 1 USDC, 1 USDC a day, one order."""
    limits = parse("mode: paper\n").risk

    assert (limits.max_position_size, limits.max_daily_loss, limits.max_open_orders) == (usdc(1), usdc(1), 1)


def test_the_template_means_what_it_says() -> None:
    """What `config init` writes is read without an error, comments and all."""
    config = parse(CONFIG_TEMPLATE)

    assert config.mode is Mode.PAPER
    assert config.risk.max_slippage == usdc("0.02")
    assert [each.label for each in config.strategies] == ["signal_trader", "market_maker", "arbitrageur", "technical"]


AMOUNTS = [
    "NaN", ".nan", ".inf", "-.inf", "1e999", "1e3", "0x10", "0o17", "010", "1_000", "1,5", "yes", "true", "~", "null", '""',
    "-0", "-0.0", "+5", ".5", "5.", "5 USDC", "\u0665", "0.0000001", "9999999999999", "[5]", "{a: 5}", "5;", "1:30", "2026-01-01",
]  # fmt: skip


@pytest.mark.parametrize("value", AMOUNTS)
def test_an_amount_that_is_no_plain_number_is_an_error_with_key_and_value(value: str) -> None:
    """Nothing means a number by accident; the error names the key and shows the value as it was written."""
    said = refusal(risk("max_daily_loss", value))

    assert said.startswith("agent.yaml: risk.max_daily_loss")
    assert value.strip('"') in said or value[0] in "[{"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("max_daily_loss", "-5", "= '-5' must be at least 1"),
        ("max_daily_loss", "0", "= '0' must be at least 1"),
        ("max_position_size", "1000000.01", "= '1000000.01' must be at most 1000000"),
        ("max_open_orders", "0", "= '0' must be at least 1"),
        ("max_open_orders", "2.0", "= '2.0': must be a whole number (plain digits)"),
        ("max_open_orders", "1001", "= '1001' must be at most 1000"),
        ("max_slippage", "0.50", None),
        ("max_slippage", "0.51", "= '0.51' must be at most 0.5"),
    ],
)
def test_a_value_out_of_range_is_shown_as_written_with_what_is_allowed(
    key: str, value: str, wanted: str | None
) -> None:
    """The user reads the number of the file, not micro-units, and the limit in the same unit."""
    if wanted is None:
        parse(risk(key, value))
    else:
        assert refusal(risk(key, value)) == f"agent.yaml: risk.{key} {wanted}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("risk:\n  max_dayly_loss: 5\n", ("risk.max_dayly_loss is not a key", "did you mean 'max_daily_loss'?")),
        ("rysk:\n  a: 5\n", ("rysk is not a key", "did you mean 'risk'?")),
        ("xyzzy: 5\n", ("xyzzy is not a key", "known are: aggregation, database")),
        ("strategies:\n  - kind: a\n    parms: {}\n", ("strategies.0.parms is not a key", "'params'")),
        ("risk: 5\n", ("risk = '5' must hold keys",)),
        ("risk:\n", ("risk = '' must hold keys",)),
        ("risk: [1]\n", ("risk = a list must hold keys",)),
        ("mode: Paper\n", ("mode = 'Paper'", "'paper' or 'live'")),
        ("mode: paper\nmode: live\n", ("line 2", "the key 'mode' stands twice")),
        ("risk: {max_daily_loss: 5, max_daily_loss: 500}\n", ("'max_daily_loss' stands twice",)),
        ("strategies: [{kind: a}, {kind: a}]\n", ("two strategies are called 'a'",)),
        ('strategies: [{kind: ""}]\n', ("strategies.0.kind = ''", "must be a name")),
        ("strategies:\n  - name: a\n", ("strategies.0.kind is missing",)),
        ("strategies: {kind: a}\n", ("strategies = keys",)),
        ("paper:\n  book_through_fills: yes\n", ("paper.book_through_fills = 'yes'", "true or false")),
        ('database: ""\n', ("database = ''", "must be the path of a file")),
        ("feed:\n  clob_url: ftp://x\n", ("feed.clob_url = 'ftp://x'", "http(s)")),
        ("sizing:\n  method: all-in\n", ("sizing.method = 'all-in'", "'fixed' or 'kelly'")),
        ("risk: &a {max_daily_loss: 5}\n", ("line 1", "anchors and aliases are not allowed")),
        ("a: &a [x]\nb: *a\n", ("anchors and aliases are not allowed",)),
        ("risk: !!map {}\n", ("the tag tag:yaml.org,2002:map is not allowed",)),
        ("database: !secret x\n", ("the tag !secret is not allowed",)),
        ("risk:\n\tmax_daily_loss: 5\n", ("line 2", "'\\t'")),
        ("[" * 50 + "]" * 50, ("nested too deeply",)),
        ("? [a]\n: b\n", ("a key must be a word",)),
        ("a: b\n---\nc: d\n", ("another document",)),
        ("- a\n- b\n", ("holds no keys",)),
        ("just text\n", ("holds no keys",)),
        ("# only a comment\n", ("holds no keys",)),
        ("", ("is empty",)),
        (" \n\n", ("is empty",)),
        ("mode: pa\x00per\n", ("is not YAML",)),
        ("mode: 'paper\n", ("line",)),
        ("---\nmode: paper\n", ("it was cut off",)),
        ("--- # begin\nmode: paper\n", ("it was cut off",)),
        ("\ufeff---\nmode: paper\n", ("it was cut off",)),
    ],
)
def test_what_is_wrong_is_named(text: str, words: tuple[str, ...]) -> None:
    """Each mistake is one sentence with the file, the place and what would do."""
    said = refusal(text)

    assert said.startswith("agent.yaml")
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    "change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: "# hello\n" + t]
)
def test_line_ends_a_byte_order_mark_and_comments_change_nothing(change: Any) -> None:
    """A file that went through another editor means the same."""
    assert parse(change(CONFIG_TEMPLATE)) == parse(CONFIG_TEMPLATE)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"mode: \xff\xfe\n", "is not UTF-8 text: byte 6"),
        ("mode: paper\n".encode("utf-16"), "is not UTF-8 text"),
        (b"# " + b"x" * 300_000, "is too large: a config has at most 262144 bytes"),
        (None, "does not exist"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path, raw: bytes | None, words: str) -> None:
    """Other encodings, huge and absent files are errors with the path."""
    path = tmp_path / "agent.yaml"
    if raw is not None:
        path.write_bytes(raw)

    with pytest.raises(ConfigError, match=words) as caught:
        load_config(path)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    """A path that cannot be opened as a file says why."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


def test_what_is_shown_can_be_read_again() -> None:
    """The effective config as plain values, written as YAML, is the same config with the same hash."""
    config = parse(
        "strategies:\n  - kind: a\n    params: {x: 0.5, y: [1, true, text], z: 007}\n" + risk("max_daily_loss", "7.50")
    )
    again = parse(yaml.safe_dump(to_plain(config)))

    assert again == config
    assert config_hash(again) == config_hash(config)
    assert config.strategies[0].params == {"x": 0.5, "y": [1, True, "text"], "z": "007"}


def test_the_hash_is_of_the_meaning() -> None:
    """Order, comments and spelling of a number do not change it; a limit does."""
    one, two = (
        parse("risk: {max_daily_loss: 5, max_open_orders: 3}\n"),
        parse("# x\nrisk: {max_open_orders: 3, max_daily_loss: 5.0}\n"),
    )

    assert config_hash(one) == config_hash(two)
    assert config_hash(one) != config_hash(parse("risk: {max_daily_loss: 6, max_open_orders: 3}\n"))


def test_a_config_cannot_be_changed() -> None:
    """F82: a limit is read once; nothing at run time raises it."""
    limits = parse("mode: paper\n").risk

    with pytest.raises(ValueError, match="frozen"):
        limits.max_daily_loss = usdc(1_000)  # type: ignore[misc]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, 1e-9])
def test_limits_made_in_code_are_as_strict(value: object) -> None:
    """A number that is none cannot become a limit by way of Python either."""
    with pytest.raises(ValueError, match="max_daily_loss"):
        RiskConfig.model_validate({"max_daily_loss": value})
