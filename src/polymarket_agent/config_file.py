"""Reading the configuration file: strict YAML, environment overrides, errors that name the key."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from polymarket_agent.config import Config, StrategyConfig, is_amount, is_number, to_plain
from polymarket_agent.config_secrets import redacted, secret_in
from polymarket_agent.domain.money import decimal_text
from polymarket_agent.errors import ConfigError

__all__ = ["ENV_PREFIX", "config_hash", "load_config", "parse_config"]

ENV_PREFIX = "POLYMARKET_AGENT__"
_ALMOST_PREFIX = "POLYMARKET_AGENT_"
_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 12
_SHOWN = 60
_LIMIT_WORDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML where every plain scalar is text, keys are unique, and there are no anchors or tags."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases are not allowed", problem_mark=event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None:
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
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be a word", problem_mark=key_node.start_mark)
            if key_node.value in seen:
                problem = f"the key '{key_node.value}' stands twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {}


def load_config(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read a config file and the overrides `POLYMARKET_AGENT__SECTION__KEY=value` of the environment.

    Raises:
        ConfigError: anything that is not understood, with key, value and what is allowed. Nothing is half-read.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
        if len(raw) > _MAX_BYTES:
            raise ConfigError(f"{path} is too large: a config has at most {_MAX_BYTES} bytes")
        text = raw.decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist", hint="make one with: polymarket-agent config init") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: byte {error.start} cannot be read") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    return parse_config(text, source=str(path), environ=environ or {})


def parse_config(text: str, *, source: str, environ: Mapping[str, str] | None = None) -> Config:
    """Turn the text of a config file into a `Config`; see `load_config`."""
    tree = _parse_yaml(text.removeprefix("\ufeff"), source)
    _refuse_secrets(tree, source, "")
    named: dict[str, str] = {}
    for name, value in sorted((environ or {}).items()):
        if name.startswith(_ALMOST_PREFIX):
            _override(tree, name, value, named)
    try:
        return Config.model_validate(_with_typed_params(tree))
    except ValidationError as error:
        # A limit that follows from another one has no error of its own when that one is wrong.
        wrong = [each for each in error.errors() if each["type"] != "default_factory_not_called"]
        lines = [_explain(each, tree, source, named) for each in wrong]
        raise ConfigError("; ".join(lines)) from None


def config_hash(config: Config) -> str:
    """Return a short hash of the effective config, the same for the same meaning."""
    meaning = json.dumps(to_plain(config), sort_keys=True, default=str)
    return hashlib.sha256(meaning.encode()).hexdigest()[:12]


# -- the file -------------------------------------------------------------------------------------------------------


def _parse_yaml(text: str, source: str) -> dict[str, Any]:
    if not text.strip():
        raise ConfigError(f"{source} is empty", hint="make one with: polymarket-agent config init")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and lines[0].split("#")[0].rstrip() == "---" and (lines[-1].rstrip() != "..." or text[-1] not in "\r\n"):
        raise ConfigError(f"{source} begins with '---' and does not end with a line '...': it was cut off")
    try:
        tree = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader made stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{source}{where}: {redacted(error.problem or 'this is not YAML')}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{source} is not YAML: {redacted(str(error).splitlines()[0])}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{source} holds no keys; a config looks like 'mode: paper'")
    return tree


def _refuse_secrets(value: Any, source: str, path: str) -> None:
    """Refuse what looks like a secret wherever it stands, as a key too, without saying it."""
    if isinstance(value, dict):
        for key, each in value.items():
            if secret_in("", key):
                raise ConfigError(f"{source}: a key in {path or 'the config'} looks like a private key", hint=_HINT)
            _refuse_secrets(each, source, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            _refuse_secrets(each, source, f"{path}.{index}")
    elif what := secret_in(path.rpartition(".")[2], str(value)):
        raise ConfigError(f"{source}: {redacted(path)} {what}; secrets do not belong into a config", hint=_HINT)


_HINT = "put it into the environment, and consider what stands in the file as known to others"


def _with_typed_params(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree with the free parameters of strategies as what their text says."""
    strategies = tree.get("strategies")
    if not isinstance(strategies, list):
        return tree
    typed = [
        {**each, "params": _typed(each["params"])} if isinstance(each, dict) and "params" in each else each
        for each in strategies
    ]
    return {**tree, "strategies": typed}


def _typed(value: Any) -> Any:
    """Give a free parameter the type that its text says: true/false, whole number, number, list, text."""
    if isinstance(value, list):
        return [_typed(each) for each in value]
    if isinstance(value, dict):
        return {key: _typed(each) for key, each in value.items()}
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and is_number(value):
        return float(value) if "." in value else int(value)
    return value


# -- the environment ------------------------------------------------------------------------------------------------


def _override(tree: dict[str, Any], name: str, value: str, named: dict[str, str]) -> None:
    """Set one key from the environment; `named` learns where it came from, for errors.

    Raises:
        ConfigError: the name means no key, or nearly means one: a limit that is not taken up is worse than a stop.
    """
    keys = name.removeprefix(ENV_PREFIX).lower().split("__")
    if not name.startswith(ENV_PREFIX):
        rest = name.removeprefix(_ALMOST_PREFIX)
        if "__" in rest or rest.split("_")[0].lower() in Config.model_fields:
            raise ConfigError(f"environment {name} is not read; did you mean {ENV_PREFIX}{rest.lstrip('_')}?")
        return
    if name != name.upper():
        raise ConfigError(f"environment {name}: write it in capitals, {name.upper()}")
    if keys[0] == "strategies":
        raise ConfigError(f"environment {name}: strategies are set in the file only")
    path = ".".join(keys)
    model = _model_at(keys[:-1])
    field = model.model_fields.get(keys[-1]) if model is not None else None
    if field is None:
        raise ConfigError(f"environment {name}: {_unknown(keys)}")
    if _model_at(keys) is not None:
        raise ConfigError(f"environment {name} names no key; write {ENV_PREFIX}RISK__MAX_DAILY_LOSS=50")
    if what := secret_in(keys[-1], value):
        raise ConfigError(f"environment {name} {what}; this key does not hold secrets")
    at = tree if len(keys) == 1 else tree.setdefault(keys[0], {})
    if not isinstance(at, dict):
        return  # the file has no keys there, and the error about that says so
    listed = field.annotation == tuple[str, ...]
    at[keys[-1]] = [each.strip() for each in value.split(",") if each.strip()] if listed else value
    named[path] = name


# -- errors ---------------------------------------------------------------------------------------------------------


def _explain(error: Any, tree: dict[str, Any], source: str, named: Mapping[str, str]) -> str:
    location = [str(part) for part in error["loc"]]
    path = ".".join(location) or "the config"
    said = f"environment {named[path]}" if path in named else f"{source}: {redacted(path)}"
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{source}: {_unknown(location)}"
    if kind == "missing":
        return f"{said} is missing"
    shown = _shown(_raw_at(tree, location))
    limits = {key: context[key] for key in _LIMIT_WORDS if key in context}
    if limits:
        amount = _is_amount(location)
        wanted = ", ".join(f"{_LIMIT_WORDS[k]} {decimal_text(v) if amount else v}" for k, v in limits.items())
        return f"{said} = {shown} must be {wanted}"
    if kind in ("model_type", "dict_type"):
        return f"{said} = {shown} must hold keys, like 'key: value' on lines below it"
    message = redacted(str(error["msg"]).removeprefix("Value error, "))
    return f"{said} = {shown}: {message[0].lower()}{message[1:]}"


def _unknown(location: Sequence[str]) -> str:
    known = _keys_at(list(location[:-1])) or sorted(Config.model_fields)
    near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
    advice = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(known)}"
    return f"{redacted('.'.join(location))} is not a key; {advice}"


def _shown(value: Any) -> str:
    """Return a value the way the file has it, unless it may be somebody's key."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "keys"
    text = redacted(str(value))
    return f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}…'"


def _raw_at(tree: Any, location: Sequence[str]) -> Any:
    for part in location:
        if isinstance(tree, list):
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            break
    return tree


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
