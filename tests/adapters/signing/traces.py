"""Looks for a secret, or any recognisable piece of it, in texts and in everything an exception carries."""

from __future__ import annotations

import base64
import traceback
from collections.abc import Iterator
from pathlib import Path

import polymarket_agent

PACKAGE = str(Path(polymarket_agent.__file__).parent)


def forms_of(digits: str) -> dict[str, str]:
    """Return the spellings in which 64 hexadecimal digits might show up."""
    raw = bytes.fromhex(digits)
    forms = {
        "hexadecimal": digits,
        "0x": "0x" + digits,
        "base64": base64.b64encode(raw).decode().rstrip("="),
        "URL base64": base64.urlsafe_b64encode(raw).decode().rstrip("="),
        "base64 of the text": base64.b64encode(digits.encode()).decode().rstrip("="),
        "reversed": digits[::-1],
        "decimal": str(int(digits, 16)),
        "bytes": repr(raw)[2:-1],
    }
    forms.update({f"digits {at} to {at + 12}": digits[at : at + 12] for at in range(0, 53, 4)})
    return {**forms, **{f"{name}, upper case": text.upper() for name, text in forms.items()}}


def found_in(text: str, digits: str) -> list[str]:
    """Return the names of the spellings that a text contains."""
    return [name for name, form in forms_of(digits).items() if form in text]


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error with all its causes and contexts, suppressed ones too."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def shown_by(error: BaseException) -> str:
    """Return everything that printing, logging or inspecting an error may show, except local variables."""
    parts = []
    for each in chain_of(error):
        parts += [repr(each), str(each), repr(each.args), repr(vars(each)), *traceback.format_exception(each)]
    return "\n".join(parts)


def locals_of(error: BaseException, module: str) -> str:
    """Return the local variables that a traceback would show for the functions of one of our modules."""
    parts = []
    for each in chain_of(error):
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename == f"{PACKAGE}/{module}":
                parts += [repr(value) for value in frame.f_locals.values()]
    return "\n".join(parts)
