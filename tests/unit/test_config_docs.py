"""docs/configuration.md has every key as the program has it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from polymarket_agent.cli.config_template import CONFIG_TEMPLATE
from polymarket_agent.config import Config, LiveConfig, RiskConfig, is_amount, to_plain
from polymarket_agent.config_file import parse_config
from polymarket_agent.domain.money import decimal_text

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
SECTIONS = ["risk", "sizing", "aggregation", "paper", "feed", "live"]
WORDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def table(section: str) -> str:
    """Return the table of a section as the page has it: key, default, what is allowed, what it says."""
    model = Config.model_fields[section].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    defaults = to_plain(model())
    lines = ["| key | default | allowed | what it says |", "|---|---|---|---|"]
    for key, field in model.model_fields.items():
        default = "see above" if field.default_factory else shown(defaults[key])
        lines.append(f"| `{key}` | {default} | {allowed(field)} | {field.description or ''} |")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    if value in ("", []):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def allowed(field: FieldInfo) -> str:
    """Return the bounds of a field in the unit of the file."""
    amount, bounds = is_amount(field.metadata), []
    for each in field.metadata:
        for name, sign in WORDS.items():
            bound = getattr(each, name, None)
            if bound is not None:
                bounds.append(f"{sign} {decimal_text(bound) if amount else bound}")
    kinds = getattr(field.annotation, "__members__", None)
    return ", ".join(f"`{kind.value}`" for kind in kinds.values()) if kinds else ", ".join(bounds)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_page_has_every_key_with_its_default_and_range(section: str) -> None:
    """A key, a default, a range or a description that changes without the page fails here."""
    assert table(section) in PAGE.read_text(encoding="utf-8")


def test_no_section_is_missing() -> None:
    """Every section of the config has a heading, and the page has no other."""
    headings = re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(set(Config.model_fields) - {"mode", "database"})


def test_every_key_says_what_it_is() -> None:
    """The operator reads the description; a key without one is not allowed."""
    for section in SECTIONS:
        model = Config.model_fields[section].annotation
        fields = getattr(model, "model_fields", {})
        assert [key for key, field in fields.items() if not field.description] == []


def test_the_page_says_what_an_absent_limit_means() -> None:
    """Exactly the limits that follow from others stand in the table of derivations."""
    text = PAGE.read_text(encoding="utf-8")
    rows = text[text.index("| absent | means |") : text.index("At risk")]
    named = {
        key for line in rows.splitlines() for key in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }
    assert named == {key for key, field in RiskConfig.model_fields.items() if field.default_factory}


def test_the_template_names_every_switch_of_live_trading() -> None:
    """What `config init` writes shows each key of `live` but the addresses, two of them as comments."""
    for key in LiveConfig.model_fields:
        assert key.endswith("_url") or f"  {key}: " in CONFIG_TEMPLATE or f"# {key}: " in CONFIG_TEMPLATE, key


def test_the_template_sets_limits_that_fit_each_other() -> None:
    """From one order to everything, no limit of the template is above the one around it."""
    risk = parse_config(CONFIG_TEMPLATE, source="template").risk
    assert risk.max_order_size <= risk.max_position_size <= risk.max_event_exposure <= risk.max_total_exposure
    assert risk.max_strategy_exposure <= risk.max_total_exposure <= risk.max_daily_turnover
    assert risk.max_daily_loss <= risk.max_drawdown
