"""The values of the configuration: text of the file to exact values by the type of a key, and back.

Plain scalars arrive as text, so `1e999`, `.inf`, `0x10`, `1_000` and `yes` mean nothing by accident.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from polymarket_agent.domain.money import decimal_text, usdc
from polymarket_agent.errors import MoneyError

__all__ = [
    "IDENTIFIER",
    "MOST",
    "ONE",
    "Amount",
    "FileName",
    "FileNameOrNone",
    "Flag",
    "Fraction",
    "Section",
    "Url",
    "Whole",
    "is_amount",
    "is_number",
    "to_plain",
]

# Digits as everybody writes them: 010 is eight to some readers of YAML, -0 is nothing, and ٣ is a digit to Python.
_DECIMAL = re.compile(r"(?!-0(\.0+)?$)-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,18})?")
_INTEGER = re.compile(r"(?!-0$)-?(0|[1-9][0-9]{0,11})")
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_URL = re.compile(r"(https?|wss?)://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?")


def _text(value: object, wanted: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal | float):
        raise ValueError(f"must be {wanted}")  # noqa: TRY004 - pydantic collects ValueErrors
    return str(value)


def _amount(value: object) -> int:
    text = _text(value, "an amount in USDC such as 25 or 12.50")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be an amount in USDC such as 25 or 12.50 (plain digits)")
    try:
        return usdc(text)
    except MoneyError as error:
        raise ValueError(str(error)) from error


def _fraction(value: object) -> float:
    text = _text(value, "a number such as 0.25")
    if not _DECIMAL.fullmatch(text):
        raise ValueError("must be a number such as 0.25 (plain digits)")
    return float(text)


def _whole(value: object) -> int:
    text = _text(value, "a whole number")
    if not _INTEGER.fullmatch(text):
        raise ValueError("must be a whole number (plain digits)")
    return int(text)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError("must be true or false")
    return value == "true"


def _file_name(value: object) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be the path of a file")
    return Path(value)


def _file_name_or_none(value: object) -> object:
    return None if value in (None, "") else _file_name(value)


def _url(value: object) -> str:
    if not isinstance(value, str) or not _URL.fullmatch(value):
        raise ValueError("must be an http(s) or ws(s) address without user, query or fragment")
    return value.rstrip("/")


Amount = Annotated[int, BeforeValidator(_amount)]
Fraction = Annotated[float, BeforeValidator(_fraction)]
Whole = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]
FileName = Annotated[Path, BeforeValidator(_file_name)]
FileNameOrNone = Annotated[Path | None, BeforeValidator(_file_name_or_none)]
Url = Annotated[str, BeforeValidator(_url)]

ONE = 1_000_000  # 1 USDC, the smallest limit
MOST = 1_000_000 * 1_000_000  # no limit can be set above a million USDC


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def to_plain(config: BaseModel) -> dict[str, Any]:
    """Return a config as plain values, amounts as decimal text, the way the file writes them."""
    plain: dict[str, Any] = {}
    for key, field in type(config).model_fields.items():
        plain[key] = _plain_value(getattr(config, key), is_amount=is_amount(field.metadata))
    return plain


def is_amount(metadata: list[Any]) -> bool:
    """Whether the metadata of a field says that it is an amount in micro-USDC."""
    return any(isinstance(each, BeforeValidator) and each.func is _amount for each in metadata)


def is_number(text: str) -> bool:
    """Whether a text is a number written in plain digits."""
    return _DECIMAL.fullmatch(text) is not None


def _plain_value(value: Any, *, is_amount: bool) -> Any:
    if is_amount:
        return decimal_text(value)
    if isinstance(value, BaseModel):
        return to_plain(value)
    if isinstance(value, tuple):
        return [_plain_value(each, is_amount=False) for each in value]
    if isinstance(value, Enum):
        return value.value
    if value is None:
        return ""
    return str(value) if isinstance(value, Path) else value
