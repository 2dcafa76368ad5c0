"""`setup` and `keys`: from a few answers to a config that works, whole or not at all, and never a word of a key."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymarket_agent.adapters.polymarket.wallets import addresses_of
from polymarket_agent.config import Mode
from polymarket_agent.config_file import load_config
from polymarket_agent.domain.money import usdc
from polymarket_agent.keys import Secret, read_keystore
from tests.cli.doctor_world import DoctorWorld, doctor_world

PASSPHRASE = "correct horse battery staple"
CONFIG = "polymarket-agent.yaml"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoctorWorld]:
    with doctor_world(tmp_path, monkeypatch) as made:
        made.env("POLYMARKET_PRIVATE_KEY", None)
        made.to_sandbox()
        yield made


def files_of(folder: Path) -> set[str]:
    """Return the files below a folder, without the locks of wallets, which hold nothing."""
    found = (each for each in folder.rglob("*") if each.is_file() and each.suffix != ".lock")
    return {each.relative_to(folder).as_posix() for each in found}


def shown_parts(text: str, secret: str) -> list[str]:
    """Return every piece of eight characters of a secret that a text shows."""
    plain = secret.lower().removeprefix("0x")
    return [part for at in range(len(plain) - 7) if (part := plain[at : at + 8]) in text.lower()]


def test_enter_four_times_gives_a_paper_config_that_runs(world: DoctorWorld) -> None:
    """A beginner who only presses Enter gets a paper config, a clean examination, and the two next commands."""
    result = world.call("setup", typed="\n\n\n\n")
    assert result.exit_code == 0, result.output
    config = load_config(Path(CONFIG))
    assert (config.mode, config.risk.max_daily_loss, config.risk.max_position_size) == (
        Mode.PAPER,
        usdc("25"),
        usdc("50"),
    )
    assert [each.kind for each in config.strategies] == ["signal_trader", "market_maker", "arbitrageur", "technical"]
    assert "polymarket-agent run\n" in result.output
    assert "polymarket-agent report\n" in result.output
    assert "problem" not in result.output


def test_a_wrong_answer_is_asked_for_again(world: DoctorWorld) -> None:
    """What the config would refuse is said at once, and the question comes again."""
    result = world.call("setup", "--no-check", typed="papr\npaper\nrain: 'or\" #shine\n0\n1e3\n7.50\nlots\n9\n")
    assert result.exit_code == 0, result.output
    config = load_config(Path(CONFIG))
    assert config.feed.search == "rain: 'or\" #shine"
    assert (config.risk.max_daily_loss, config.risk.max_position_size) == (usdc("7.50"), usdc("9"))


def test_options_answer_everything(world: DoctorWorld) -> None:
    """With --yes nothing is asked, the options hold, and --json tells where things are and what the doctor found."""
    words = (
        "--yes",
        "--mode",
        "paper",
        "--search",
        "rain",
        "--markets",
        "3",
        "--max-daily-loss",
        "4",
        "--per-market",
        "6",
    )
    result = world.call("setup", *words, "--config", "mine.yaml", "--json")
    said = json.loads(result.stdout)
    assert (said["written"], said["doctor"]["ok"]) == ("mine.yaml", True)
    assert said["next"][0] == "polymarket-agent run --config mine.yaml"
    config = load_config(Path("mine.yaml"))
    assert (config.feed.search, config.feed.limit, config.risk.max_daily_loss) == ("rain", 3, usdc("4"))


def test_an_existing_config_is_kept(world: DoctorWorld) -> None:
    """A config that is there is replaced with --force only."""
    Path(CONFIG).write_text("mode: paper\n")
    assert world.call("setup", "--yes", "--mode", "paper", "--no-check").exit_code == 2
    assert Path(CONFIG).read_text() == "mode: paper\n"
    assert world.call("setup", "--yes", "--mode", "paper", "--no-check", "--force").exit_code == 0
    assert "strategies" in Path(CONFIG).read_text()


@pytest.mark.parametrize(
    "typed",
    ["", "paper\n", "live\n\n\n\n", "live\n\n\n\n\n", "live\n\n\n\n\nKEY\n", "live\n\n\n\n\nKEY\nlong enough\n"],
)
def test_an_end_in_the_middle_leaves_nothing(world: DoctorWorld, typed: str) -> None:
    """When the answers end early there is no config, no keystore and no folder for one."""
    result = world.call("setup", typed=typed.replace("KEY", world.account.private_key))
    assert result.exit_code == 1
    assert files_of(world.folder) == set()
    assert not (world.folder / "home" / ".polymarket-agent").exists()


def test_a_live_setup_makes_an_encrypted_keystore_and_small_limits(world: DoctorWorld) -> None:
    """A typed key goes into a new 0600 keystore only, the first limits are 5, 5, 5 and 2, and the probe comes next."""
    key = world.account.private_key
    typed = f"live\nrain\n\n\n\n0x12\n{key}\n{PASSPHRASE}\n{PASSPHRASE}\n"
    result = world.call("setup", typed=typed)
    assert result.exit_code == 0, result.output
    config = load_config(Path(CONFIG))
    file = world.folder / "home" / ".polymarket-agent" / "keystore.json"
    assert (config.mode, config.live.keystore) == (Mode.LIVE, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_keystore(file, Secret(PASSPHRASE)).reveal() == key
    risk = config.risk
    assert (risk.max_order_size, risk.max_position_size, risk.max_daily_loss) == (usdc("5"),) * 3
    assert risk.max_open_orders == 2
    assert "polymarket-agent doctor --probe --live" in result.output
    assert f"its address is {world.account.address}" in " ".join(result.output.split())


def test_a_live_setup_takes_the_key_of_the_environment(world: DoctorWorld) -> None:
    """With the key in the environment no file is made of it, and the config names none."""
    world.env("POLYMARKET_PRIVATE_KEY", world.account.private_key)
    result = world.call("setup", "--yes", "--mode", "live", "--json")
    assert json.loads(result.stdout)["doctor"]["ok"], result.output
    assert load_config(Path(CONFIG)).live.keystore is None
    assert files_of(world.folder) == {CONFIG}


def test_a_live_setup_without_a_key_writes_nothing(world: DoctorWorld) -> None:
    """Where nobody can be asked and no key is given, the lock is named and no file is written."""
    result = world.call("setup", "--yes", "--mode", "live")
    assert result.exit_code == 3
    assert "polymarket-agent keys new-keystore" in result.output
    assert files_of(world.folder) == set()


KEY_WORDS = [
    ("setup", "--key", "KEY"),
    ("setup", "--private-key=KEY"),
    ("setup", "KEY"),
    ("setup", "--keystore", "KEY"),
    ("setup", "--yes", "--mode", "live", "--passphrase", "hunter2hunter2"),
    ("keys", "new-keystore", "KEY"),
    ("keys", "new-keystore", "k.json", "KEY"),
    ("keys", "new-keystore", "k.json", "--key", "KEY"),
    ("keys", "address", "KEY"),
]


@pytest.mark.parametrize("words", KEY_WORDS, ids=" ".join)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(world: DoctorWorld, words: tuple[str, ...]) -> None:
    """A key or passphrase given as a word is an error that shows no part of it, and no file is made."""
    key = world.account.private_key
    result = world.call(*(each.replace("KEY", key) for each in words), typed=f"{key}\n{PASSPHRASE}\n{PASSPHRASE}\n")
    assert result.exit_code == 2
    assert "nothing was done" in result.output or "not taken" in result.output
    assert shown_parts(result.output, key) == []
    assert "hunter2" not in result.output
    assert files_of(world.folder) == set()


def test_a_keystore_is_made_from_a_prompt(world: DoctorWorld) -> None:
    """`keys new-keystore` asks for key and passphrase without showing them, and tells the address."""
    result = world.call(
        "keys", "new-keystore", "k.json", typed=f"{world.account.private_key}\n{PASSPHRASE}\n{PASSPHRASE}\n"
    )
    assert result.exit_code == 0, result.output
    assert world.account.address in result.output
    assert stat.S_IMODE(Path("k.json").stat().st_mode) == 0o600
    assert read_keystore(Path("k.json"), Secret(PASSPHRASE)).reveal() == world.account.private_key


def test_a_keystore_is_never_overwritten(world: DoctorWorld) -> None:
    """A file of that name stays as it is, and no key is asked for."""
    Path("k.json").write_text("mine")
    result = world.call("keys", "new-keystore", "k.json")
    assert result.exit_code == 2
    assert Path("k.json").read_text() == "mine"


def test_a_short_passphrase_is_refused(world: DoctorWorld) -> None:
    """Fewer than eight characters make no keystore."""
    result = world.call("keys", "new-keystore", "k.json", typed=f"{world.account.private_key}\nshort\nshort\n")
    assert result.exit_code == 2
    assert files_of(world.folder) == set()


def test_addresses_are_told_without_asking_anybody(world: DoctorWorld) -> None:
    """`keys address` shows the key's address and those of its possible wallets."""
    world.env("POLYMARKET_PRIVATE_KEY", world.account.private_key)
    said = json.loads(world.call("keys", "address", "--json").stdout)
    own = addresses_of(world.account.address)
    assert list(said.values()) == [own.eoa, own.deposit, own.deposit_uups, own.safe, own.proxy]


@pytest.mark.parametrize("debug", ["", "1"])
def test_no_part_of_a_secret_leaves(world: DoctorWorld, debug: str) -> None:
    """Key, passphrase and API secret are in no output, no error and no file, whatever goes well or wrong."""
    if debug:
        world.env("POLYMARKET_AGENT_DEBUG", debug)
    key = world.account.private_key
    world.call("setup", typed=f"live\nrain\n\n\n\n{key[:-2]}\n{key}\n{PASSPHRASE}\n{PASSPHRASE}\n")
    world.env("POLYMARKET_KEYSTORE_PASSPHRASE", PASSPHRASE)
    assert world.call("doctor", "--probe", "--live", "--yes").exit_code == 0
    world.call("keys", "address")
    world.call("doctor", "--json")
    world.env("POLYMARKET_KEYSTORE_PASSPHRASE", PASSPHRASE + " not")
    assert world.call("doctor").exit_code == 1
    world.call("keys", "address")
    world.env("POLYMARKET_PRIVATE_KEY", key[:-1])
    world.call("doctor")
    world.call("setup", "--force", "--yes", "--mode", "live")
    (api_key,) = world.sandbox.venue.keyring.list_keys(world.account.address)
    credentials = world.sandbox.venue.keyring.find(api_key)
    assert credentials is not None
    written = [each.read_bytes().decode("latin-1") for each in world.folder.rglob("*") if each.is_file()]
    for secret in (key, credentials.secret, credentials.passphrase):
        for text in (*world.outputs, *written):
            assert shown_parts(text, secret) == []
    assert not [text for text in (*world.outputs, *written) if PASSPHRASE in text]
