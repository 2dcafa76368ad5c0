"""Reading the configuration file: strict YAML, environment overrides, errors that name the key."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from polymarket_agent.config import Config, StrategyConfig, is_amount, to_plain
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.errors import ConfigError

__all__ = ["ENV_PREFIX", "config_hash", "load_config", "parse_config"]

ENV_PREFIX = "POLYMARKET_AGENT__"
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 12
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,18})?")
_LOOKS_LIKE_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}")


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML where every plain scalar is text, keys are unique, and there are no anchors or tags."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise yaml.MarkedYAMLError(problem=f"the tag {tag} is not allowed", problem_mark=event.start_mark)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key '{key}' stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {}


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read a config file and the overrides `POLYMARKET_AGENT__SECTION__KEY=value` of the environment.

    Raises:
        ConfigError: anything that is not understood, with key, value and what is allowed. Nothing is half-read.
    """
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ConfigError(f"{path} has {size} bytes; a config has at most {_MAX_BYTES}")
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", hint="make one with: polymarket-agent config init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return parse_config(text, source=str(path), environ=environ or {})


def parse_config(text: str, *, source: str, environ: Mapping[str, str] | None = None) -> Config:
    """Turn the text of a config file into a `Config`; see `load_config`."""
    tree = _parse_yaml(text, source)
    for name, value in sorted((environ or {}).items()):
        if name.startswith(ENV_PREFIX):
            _override(tree, name, value)
    _refuse_secrets(tree, source, "")
    for strategy in tree.get("strategies") or []:
        if isinstance(strategy, dict) and isinstance(strategy.get("params"), dict):
            strategy["params"] = {key: _typed(value) for key, value in strategy["params"].items()}
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = [_explain(each) for each in error.errors()]
        raise ConfigError(f"{source}: " + "; ".join(lines)) from None


def config_hash(config: Config) -> str:
    """Return a short hash of the effective config, the same for the same meaning."""
    return hashlib.sha256(repr(to_plain(config)).encode()).hexdigest()[:12]


def _parse_yaml(text: str, source: str) -> dict[str, Any]:
    if not text.strip():
        raise ConfigError(f"{source} is empty", hint="make one with: polymarket-agent config init")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and lines[0].rstrip() == "---" and (lines[-1].rstrip() != "..." or not text.endswith("\n")):
        raise ConfigError(f"{source} begins with '---' and does not end with a line '...': it was cut off")
    try:
        tree = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader made stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{source}{where}: {error.problem or 'this is not YAML'}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} holds no keys; a config looks like 'mode: paper'")
    return tree


def _typed(value: Any) -> Any:
    """Give a free parameter the type that its text says: true/false, whole number, number, list, text."""
    if isinstance(value, list):
        return [_typed(each) for each in value]
    if isinstance(value, dict):
        return {key: _typed(each) for key, each in value.items()}
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value


def _override(tree: dict[str, Any], name: str, value: str) -> None:
    keys = name.removeprefix(ENV_PREFIX).lower().split("__")
    at: Any = tree
    for key in keys[:-1]:
        if key == "strategies":
            raise ConfigError(f"environment {name}: strategies are set in the file only")
        at = at.setdefault(key, {})
        if not isinstance(at, dict):
            raise ConfigError(f"environment {name}: '{key}' holds no keys")
    if not all(keys) or keys[-1] == "strategies":
        raise ConfigError(f"environment {name} names no key; write {ENV_PREFIX}RISK__MAX_DAILY_LOSS=50")
    at[keys[-1]] = value


def _refuse_secrets(value: Any, source: str, path: str) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            _refuse_secrets(each, source, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _refuse_secrets(each, source, f"{path}[{index}]")
    elif isinstance(value, str) and _LOOKS_LIKE_KEY.fullmatch(value.strip()):
        raise ConfigError(
            f"{source}: {path} looks like a private key; secrets do not belong into a config",
            hint="put it into the environment, and consider the key in the file as known to others",
        )


def _explain(error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    path = ".".join(location) or "the config"
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_at(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        advice = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(known)}"
        return f"{path} is not a key; {advice}"
    value = error.get("input")
    shown = repr(value)[:60] if not isinstance(value, dict | list) else f"a {type(value).__name__}"
    limits = {key: context[key] for key in ("ge", "gt", "le", "lt") if key in context}
    if limits:
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        amount = isinstance(value, int) and _is_amount(location)
        shown = decimal_text(value) if amount and isinstance(value, int) else shown
        wanted = ", ".join(f"{words[k]} {decimal_text(v) if amount else v}" for k, v in limits.items())
        return f"{path} = {shown} must be {wanted}"
    if kind == "missing":
        return f"{path} is missing"
    if kind in ("model_type", "dict_type"):
        return f"{path} = {shown} must hold keys, like 'key: value' on lines below it"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{path} = {shown}: {message[0].lower()}{message[1:]}"


def _model_at(location: list[str]) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Config
    for part in location:
        if model is None:
            return None
        field = model.model_fields.get(part)
        if field is None:
            model = StrategyConfig if part.isdigit() else None
        elif part == "strategies":
            continue
        else:
            model = field.annotation if isinstance(field.annotation, type) else None
            if model is not None and not issubclass(model, BaseModel):
                model = None
    return model


def _keys_at(location: list[str]) -> list[str]:
    model = _model_at(location)
    return sorted(model.model_fields) if model is not None else []


def _is_amount(location: list[str]) -> bool:
    model = _model_at(location[:-1])
    field = model.model_fields.get(location[-1]) if model is not None else None
    return field is not None and is_amount(field.metadata)
