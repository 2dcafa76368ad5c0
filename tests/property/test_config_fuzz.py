from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from polymarket_agent.cli.config_template import CONFIG_TEMPLATE
from polymarket_agent.config import Config, RiskConfig, is_amount
from polymarket_agent.config_file import parse_config
from polymarket_agent.domain.money import usdc
from polymarket_agent.errors import ConfigError

MEANING = parse_config(CONFIG_TEMPLATE, source="whole")
JUNK = ["NaN", ".inf", "1e999", "0x10", "1_000", "yes", "-0", "1,5", "", "[]", "{}", "1e308"]


def sections() -> list[tuple[str, str, Any]]:
    """Return (section, key, field) of every key in a section that holds a number or a switch."""
    found = []
    for section, outer in Config.model_fields.items():
        model = outer.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found += [(section, key, field) for key, field in model.model_fields.items()]
    return [each for each in found if each[2].annotation in (int, float, bool)]


def read(text: str) -> Config | None:
    with contextlib.suppress(ConfigError):
        return parse_config(text, source="file")
    return None


def refusal(text: str) -> str:
    """Return the error of a text, or "" if it means a config."""
    try:
        parse_config(text, source="file")
    except ConfigError as error:
        return str(error)
    return ""


def test_a_template_cut_at_any_byte_is_an_error_or_means_the_same() -> None:
    """F81: whatever is lost at the end, no half of the limits is read; the error is one sentence."""
    raw = CONFIG_TEMPLATE.encode()

    for end in range(len(raw)):
        text = raw[:end].decode()
        said = refusal(text)
        assert (said.startswith("file") and "\n" not in said) or read(text) == MEANING, f"cut at byte {end}"


def test_every_key_refuses_what_is_no_plain_value() -> None:
    """F81: each number and switch of the config, given junk, is an error that names its key."""
    for section, key, field in sections():
        for junk in JUNK if field.annotation is not bool else [*JUNK, "1", "True", "on"]:
            said = refusal(f"{section}:\n  {key}: {junk}\n")
            assert f"{section}.{key}" in said, f"{section}.{key}: {junk} was taken"


@given(st.data(), st.binary(min_size=1, max_size=4), st.integers(0, len(CONFIG_TEMPLATE)))
def test_a_damaged_file_is_an_error_or_a_config(data: st.DataObject, patch: bytes, at: int) -> None:
    """Bytes that are changed, added or lost anywhere give a config or a ConfigError, and nothing else."""
    lost = data.draw(st.integers(0, 8))
    raw = CONFIG_TEMPLATE.encode()
    text = (raw[:at] + patch + raw[at + lost :]).decode(errors="replace")

    config = read(text)
    if config is not None:
        assert config.risk.max_daily_loss >= usdc(1)


@given(st.text(max_size=200))
@example("a: " * 60)
@example("[" * 200)
@example("- " * 100)
@example("&a " * 50)
@example("{a: " * 50)
@example("? " * 90)
@example("!!python/object/apply:os.system ['true']")
def test_any_text_is_an_error_or_a_config(text: str) -> None:
    """No text makes the reader raise anything but a ConfigError."""
    read(text)


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_an_amount_is_read_exactly_or_refused(number: Any) -> None:
    """A limit is the very number that was written, to the micro-unit, or an error."""
    config = read(f"risk:\n  max_daily_loss: {number}\n")

    if config is not None:
        assert config.risk.max_daily_loss == usdc(number)


AMOUNT_KEYS = sorted(key for key, field in RiskConfig.model_fields.items() if is_amount(field.metadata))


@given(st.integers(1, 10**6), st.sampled_from(AMOUNT_KEYS))
def test_the_environment_means_what_the_file_means(amount: int, key: str) -> None:
    """The same text gives the same limit, wherever it comes from."""
    name = f"POLYMARKET_AGENT__RISK__{key.upper()}"
    from_file = read(f"risk:\n  {key}: {amount}\n")
    try:
        from_outside: Config | None = parse_config("mode: paper\n", source="file", environ={name: str(amount)})
    except ConfigError:
        from_outside = None

    assert from_outside == from_file
