from __future__ import annotations

import os
from pathlib import Path

import pytest

from polymarket_agent.errors import ConfigError, LiveLockedError
from polymarket_agent.keys import PRIVATE_KEY_VARIABLE, Secret, load_key, parse_private_key, write_keystore
from tests.sandbox.signing_vectors import TEST_KEY

DIGITS = TEST_KEY[2:]
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PASS_VARIABLE = "POLYMARKET_KEYSTORE_PASSPHRASE"


def nobody(question: str) -> str:
    raise AssertionError(f"nobody may be asked: {question}")


def load(
    environ: dict[str, str] | None = None, *, key_file: Path | None = None, keystore: Path | None = None
) -> Secret:
    return load_key(environ or {}, key_file=key_file, keystore=keystore, ask=nobody)


def key_file(folder: Path, text: str = TEST_KEY, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text, encoding="ascii")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("text", [TEST_KEY, DIGITS, DIGITS.upper(), "0X" + DIGITS, f" \t{TEST_KEY}\r\n"])
def test_a_key_is_read_however_it_is_written(text: str) -> None:
    """With or without 0x, in any case, with blanks around it: the same key."""
    assert parse_private_key(text, "a test").reveal() == TEST_KEY


@pytest.mark.parametrize("number", [1, ORDER - 1])
def test_the_first_and_last_keys_of_the_curve_are_taken(number: int) -> None:
    """Every number from 1 to the order less one is a key."""
    assert int(parse_private_key(f"{number:064x}", "a test").reveal(), 16) == number


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("0x", "empty"),
        (DIGITS[:-1], "63 characters"),
        (DIGITS + "0", "65 characters"),
        ("0x0x" + DIGITS, "66 characters"),
        (DIGITS[:30] + "-" + DIGITS[31:], "not all"),
        ("٣" * 64, "not all"),
        (DIGITS[:32] + " " + DIGITS[33:], "not all"),
        ("0" * 64, "secp256k1"),
        (f"{ORDER:064x}", "secp256k1"),
        ("f" * 64, "secp256k1"),
        ("legal winner thank year wave sausage worth useful legal winner thank yellow", "seed phrase"),
    ],
)
def test_what_is_no_key_is_refused_with_its_reason(text: str, says: str) -> None:
    """The message names the place and what is wrong with the text."""
    with pytest.raises(ConfigError, match=says) as caught:
        parse_private_key(text, "the file k")

    assert str(caught.value).startswith("the file k holds no private key")


def test_the_environment_has_a_key() -> None:
    """POLYMARKET_PRIVATE_KEY is enough."""
    assert load({PRIVATE_KEY_VARIABLE: DIGITS}).reveal() == TEST_KEY


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_ones_own_has_a_key(tmp_path: Path, mode: int) -> None:
    """A key file that only its owner may read is taken, its last line break too; a blank variable counts as absent."""
    path = key_file(tmp_path, TEST_KEY + "\n", mode)

    assert load({PRIVATE_KEY_VARIABLE: " "}, key_file=path).reveal() == TEST_KEY


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602, 0o700])
def test_a_file_open_to_others_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    """Any right of group or others is refused, and the hint can be pasted."""
    path = key_file(tmp_path / "", mode=mode)
    with pytest.raises(ConfigError, match=f"{mode:04o}") as caught:
        load(key_file=path)

    assert caught.value.hint == f"chmod 600 {path}"


def test_a_hint_quotes_an_awkward_name(tmp_path: Path) -> None:
    """The command in the hint works for a path with blanks."""
    folder = tmp_path / "my keys"
    folder.mkdir()
    with pytest.raises(ConfigError) as caught:
        load(key_file=key_file(folder, mode=0o644))

    assert caught.value.hint == f"chmod 600 '{folder}/key'"


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    """A folder, a pipe that nobody writes to, a missing file: an error at once and no waiting."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path, pipe):
        with pytest.raises(ConfigError, match="not a regular file"):
            load(key_file=path)
    with pytest.raises(ConfigError, match="No such file"):
        load(key_file=tmp_path / "absent")


def test_a_long_file_is_refused(tmp_path: Path) -> None:
    """A file that no key can fill is not read."""
    with pytest.raises(ConfigError, match="no key is that long"):
        load(key_file=key_file(tmp_path, "0" * 20_000))


def test_a_link_is_judged_by_what_it_points_to(tmp_path: Path) -> None:
    """A link to an open file does not hide that it is open."""
    key_file(tmp_path, mode=0o644)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "key")
    with pytest.raises(ConfigError, match="0644"):
        load(key_file=link)


def test_a_key_inside_a_working_tree_is_refused(tmp_path: Path) -> None:
    """A plain key file below a folder with `.git` is one commit away from everybody."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep").mkdir()
    with pytest.raises(ConfigError, match="working tree"):
        load(key_file=key_file(tmp_path / "deep"))


def test_two_places_are_one_too_many(tmp_path: Path) -> None:
    """Every place that is given is named, and none is preferred."""
    path = key_file(tmp_path)
    with pytest.raises(ConfigError, match=f"{PRIVATE_KEY_VARIABLE}, the key file {path}"):
        load({PRIVATE_KEY_VARIABLE: DIGITS}, key_file=path)
    with pytest.raises(ConfigError, match=f"the key file {path}, the keystore"):
        load(key_file=path, keystore=tmp_path / "store")
    with pytest.raises(ConfigError, match=f"{PRIVATE_KEY_VARIABLE}, the keystore"):
        load({PRIVATE_KEY_VARIABLE: DIGITS}, keystore=tmp_path / "store")


def test_no_place_at_all_keeps_live_trading_locked() -> None:
    """Without a key the lock stays closed, and the hint names all three places."""
    with pytest.raises(LiveLockedError) as caught:
        load({PASS_VARIABLE: "a passphrase alone opens nothing"})

    assert caught.value.exit_code == 3
    assert all(each in caught.value.hint for each in (PRIVATE_KEY_VARIABLE, "key file", "keystore"))


def test_a_keystore_opens_with_the_passphrase_of_the_environment_or_of_a_person(tmp_path: Path) -> None:
    """The variable is used when set, else the question is asked once and names the file."""
    path, asked = tmp_path / "store.json", []
    write_keystore(Secret(TEST_KEY), Secret("right"), path, scrypt_n=2)

    def ask(question: str) -> str:
        asked.append(question)
        return "right"

    assert load({PASS_VARIABLE: "right"}, keystore=path).reveal() == TEST_KEY
    assert load_key({}, key_file=None, keystore=path, ask=ask).reveal() == TEST_KEY
    assert asked == [f"passphrase of {path}: "]
    with pytest.raises(ConfigError, match="got none"):
        load_key({}, key_file=None, keystore=path, ask=lambda _: "")
