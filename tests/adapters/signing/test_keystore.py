"""Encrypted keystores: the format's own examples, and keystores handed to and taken from the common wallet library."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polymarket_agent.errors import ConfigError
from polymarket_agent.keys import Secret, read_keystore, write_keystore
from polymarket_agent.keystore import seal
from tests.sandbox.signing_vectors import TEST_KEY

RIGHT = Secret("correct horse; café")
# The two examples of the Web3 Secret Storage definition; passphrase and key are published with them.
EXAMPLE_PASS = Secret("testpassword")
EXAMPLE_KEY = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
PBKDF2_EXAMPLE = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262_144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}
SCRYPT_EXAMPLE = {
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf": "scrypt",
        "kdfparams": {
            "dklen": 32,
            "n": 262_144,
            "r": 1,
            "p": 8,
            "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
        },
        "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3,
}


def stored(folder: Path, content: Any) -> Path:
    path = folder / "store.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    path.chmod(0o600)
    return path


def made() -> dict[str, Any]:
    """Return a keystore of ours that is quick to open, as JSON."""
    return dict(json.loads(seal(bytes.fromhex(TEST_KEY[2:]), RIGHT.reveal(), scrypt_n=2)))


@pytest.mark.parametrize("example", [PBKDF2_EXAMPLE, SCRYPT_EXAMPLE], ids=["pbkdf2", "scrypt"])
def test_the_examples_of_the_format_open(tmp_path: Path, example: dict[str, Any]) -> None:
    """Both published keystores give their published key."""
    assert read_keystore(stored(tmp_path, example), EXAMPLE_PASS).reveal() == EXAMPLE_KEY


@pytest.mark.parametrize(("kdf", "iterations"), [("scrypt", 1024), ("pbkdf2", 1000)])
def test_keystores_of_the_common_library_open(tmp_path: Path, kdf: Any, iterations: int) -> None:
    """What the wallet library encrypts with either derivation opens here."""
    account = pytest.importorskip("eth_account").Account
    theirs = account.encrypt(TEST_KEY, RIGHT.reveal(), kdf=kdf, iterations=iterations)

    assert read_keystore(stored(tmp_path, theirs), RIGHT).reveal() == TEST_KEY


@pytest.mark.parametrize("scrypt_n", [1 << 10, None])
def test_keystores_of_ours_open_with_the_common_library(tmp_path: Path, scrypt_n: int | None) -> None:
    """What is written here, with the normal work too, opens there, and the key stands nowhere in the file."""
    account = pytest.importorskip("eth_account").Account
    path = tmp_path / "store.json"
    write_keystore(Secret(TEST_KEY), RIGHT, path, **({"scrypt_n": scrypt_n} if scrypt_n else {}))
    text = path.read_text(encoding="ascii")

    assert bytes(account.decrypt(text, RIGHT.reveal())).hex() == TEST_KEY[2:]
    assert TEST_KEY[2:14] not in text
    assert json.loads(text)["crypto"]["kdfparams"]["n"] == (scrypt_n or 1 << 17)


def test_a_keystore_is_written_for_its_owner_alone_and_never_over_another(tmp_path: Path) -> None:
    """The file has mode 0600 whatever the umask, and a second write is refused and changes nothing."""
    path = tmp_path / "store.json"
    write_keystore(Secret(TEST_KEY), RIGHT, path, scrypt_n=2)
    before = path.read_bytes()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="never overwritten"):
        write_keystore(Secret(TEST_KEY), Secret("other"), path, scrypt_n=2)
    assert path.read_bytes() == before
    with pytest.raises(ConfigError, match="No such file"):
        write_keystore(Secret(TEST_KEY), RIGHT, tmp_path / "no" / "store.json", scrypt_n=2)
    with pytest.raises(ConfigError, match="passphrase"):
        write_keystore(Secret(TEST_KEY), Secret(""), tmp_path / "other.json", scrypt_n=2)


def test_two_keystores_of_one_key_have_nothing_in_common(tmp_path: Path) -> None:
    """Salt, counter and id are drawn anew each time."""
    first, second = made(), made()

    assert first["id"] != second["id"]
    for name in ("ciphertext", "mac"):
        assert first["crypto"][name] != second["crypto"][name]
    assert first["crypto"]["kdfparams"]["salt"] != second["crypto"]["kdfparams"]["salt"]
    assert first["crypto"]["cipherparams"]["iv"] != second["crypto"]["cipherparams"]["iv"]


def test_a_wrong_passphrase_opens_nothing(tmp_path: Path) -> None:
    """The message says that it may be the passphrase, and does not repeat it."""
    with pytest.raises(ConfigError, match="passphrase is wrong") as caught:
        read_keystore(stored(tmp_path, made()), Secret("incorrect horse"))

    assert "incorrect horse" not in str(caught.value)


@pytest.mark.parametrize("digit", range(0, 64, 9))
@pytest.mark.parametrize("name", ["ciphertext", "mac"])
def test_a_damaged_digit_is_noticed(tmp_path: Path, name: str, digit: int) -> None:
    """One changed digit of the hidden key or of its check never gives another key."""
    content = made()
    text = content["crypto"][name]
    content["crypto"][name] = text[:digit] + format(int(text[digit], 16) ^ 1, "x") + text[digit + 1 :]
    with pytest.raises(ConfigError, match="does not open"):
        read_keystore(stored(tmp_path, content), RIGHT)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("version",), 1),
        (("version",), None),
        (("crypto",), []),
        (("crypto", "cipher"), "aes-256-cbc"),
        (("crypto", "cipherparams"), None),
        (("crypto", "cipherparams", "iv"), "00"),
        (("crypto", "cipherparams", "iv"), "zz" * 16),
        (("crypto", "ciphertext"), "00" * 31),
        (("crypto", "ciphertext"), 7),
        (("crypto", "mac"), None),
        (("crypto", "kdf"), "argon2id"),
        (("crypto", "kdf"), ["scrypt"]),
        (("crypto", "kdfparams"), None),
        (("crypto", "kdfparams", "dklen"), 16),
        (("crypto", "kdfparams", "dklen"), 64),
        (("crypto", "kdfparams", "n"), 0),
        (("crypto", "kdfparams", "n"), -2),
        (("crypto", "kdfparams", "n"), 1),
        (("crypto", "kdfparams", "n"), 3),
        (("crypto", "kdfparams", "n"), "2"),
        (("crypto", "kdfparams", "n"), True),
        (("crypto", "kdfparams", "n"), 1 << 40),
        (("crypto", "kdfparams", "r"), 1 << 40),
        (("crypto", "kdfparams", "p"), 1 << 30),
        (("crypto", "kdfparams", "salt"), None),
        (("crypto", "kdfparams", "salt"), "not hexadecimal"),
    ],
)
def test_a_keystore_that_is_none_is_refused(tmp_path: Path, where: tuple[str, ...], value: Any) -> None:
    """Another version or cipher, missing parts, and derivations that would eat the machine are errors and no work."""
    content = made()
    inside = content
    for name in where[:-1]:
        inside = inside[name]
    inside[where[-1]] = value
    with pytest.raises(ConfigError, match="the keystore"):
        read_keystore(stored(tmp_path, content), RIGHT)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', "[" * 5000, '{"version": 3}', "\x00\xff"])
def test_a_text_that_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    """Garbage is refused in one sentence."""
    with pytest.raises(ConfigError, match="not a keystore of version 3"):
        read_keystore(stored(tmp_path, text), RIGHT)


def test_too_many_rounds_are_refused(tmp_path: Path) -> None:
    """PBKDF2 with more rounds than anyone waits for, or with another hash, is not begun."""
    for change in ({"c": 1 << 40}, {"prf": "hmac-sha512"}):
        content = json.loads(json.dumps(PBKDF2_EXAMPLE))
        content["crypto"]["kdfparams"].update(change)
        with pytest.raises(ConfigError, match="outside of what is taken"):
            read_keystore(stored(tmp_path, content), EXAMPLE_PASS)


def test_a_keystore_open_to_others_is_refused(tmp_path: Path) -> None:
    """An encrypted file that others may read can be guessed at in peace, so it is refused too."""
    path = stored(tmp_path, made())
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="0644"):
        read_keystore(path, RIGHT)


WITHOUT = """
import sys
sys.modules["Crypto"] = sys.modules["coincurve"] = None
from polymarket_agent.errors import LiveLockedError
{code}
"""


@pytest.mark.parametrize(
    "code",
    [
        "import polymarket_agent.adapters.polymarket.signer",
        "from polymarket_agent.keystore import seal; seal(bytes(32), 'p', scrypt_n=2)",
        "import polymarket_agent.adapters.polymarket.wallets",
    ],
)
def test_without_the_libraries_live_trading_is_locked_and_says_how_to_install_them(code: str) -> None:
    """A base installation gets one sentence with the command, and not an ImportError."""
    attempt = f"try:\n    {code}\nexcept LiveLockedError as error:\n    print(error.hint)\n"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(code=attempt)], capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == "pip install 'polymarket-agent[live]'", done.stderr


def test_keys_are_parsed_without_any_library() -> None:
    """Reading a key from the environment loads neither curve nor hash library."""
    code = "from polymarket_agent.keys import load_key\nload_key({'POLYMARKET_PRIVATE_KEY': '1' * 64}, key_file=None, keystore=None, ask=input)"
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT.format(code=code)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
