import pytest

from polymarket_agent.sandbox.auth import Credentials, Keyring, check_owner, l2_headers, signed_path
from polymarket_agent.sandbox.model import Refused
from polymarket_agent.sandbox.signing import Wallet
from tests.sandbox.signing_vectors import SECOND_KEY, TEST_ADDRESS, TEST_KEY

NOW_S = 1_795_360_427
BAD_L2 = Refused(401, "Unauthorized/Invalid api key")
BODY = b'{"orderID":"0xabab"}'


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(1, skew_s=60)


@pytest.fixture
def credentials(keyring: Keyring) -> Credentials:
    made = keyring.create(TEST_ADDRESS)
    assert isinstance(made, Credentials)
    return made


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/order", BODY),
        ("delete", "/order", BODY),
        ("DELETE", "/orders", BODY),
        ("DELETE", "/order", BODY.replace(b":", b": ")),
        ("DELETE", "/order", BODY + b"\n"),
        ("DELETE", "/order", b""),
        ("DELETE", "/clob", BODY),
    ],
)
def test_what_was_not_signed_is_refused(
    keyring: Keyring, credentials: Credentials, method: str, path: str, body: bytes
) -> None:
    """Method, path and each byte of the body are covered by the signature."""
    headers = l2_headers(credentials, "DELETE", "/order", BODY, now_s=NOW_S)
    assert keyring.check_l2(headers, "DELETE", "/order", BODY, NOW_S) == credentials

    assert keyring.check_l2(headers, method, path, body, NOW_S) == BAD_L2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLY_ADDRESS", Wallet(SECOND_KEY).eoa),
        ("POLY_ADDRESS", Wallet(TEST_KEY, 3).address),
        ("POLY_API_KEY", "9180014b-33c8-9240-a14b-bdca11c0a465"),
        ("POLY_PASSPHRASE", "a" * 64),
        ("POLY_SIGNATURE", "A" * 44),
        ("POLY_SIGNATURE", "\udcff" * 44),
        ("POLY_TIMESTAMP", str(NOW_S + 1)),
        ("POLY_TIMESTAMP", "\u0661"),
    ],
)
def test_wrong_l2_headers_are_refused(keyring: Keyring, credentials: Credentials, name: str, value: str) -> None:
    """Each L2 header is checked; the address is the key's own, not its wallet's."""
    headers = l2_headers(credentials, "DELETE", "/order", BODY, now_s=NOW_S)

    assert keyring.check_l2(headers | {name: value}, "DELETE", "/order", BODY, NOW_S) == BAD_L2
    del headers[name]
    assert keyring.check_l2(headers, "DELETE", "/order", BODY, NOW_S) == BAD_L2


def test_a_signature_keeps_its_padding(keyring: Keyring, credentials: Credentials) -> None:
    """The venue's signatures are padded base64; ours are compared as text."""
    headers = l2_headers(credentials, "GET", "/ok", now_s=NOW_S)
    headers["POLY_SIGNATURE"] = headers["POLY_SIGNATURE"].rstrip("=")

    assert keyring.check_l2(headers, "GET", "/ok", b"", NOW_S) == BAD_L2


@pytest.mark.parametrize(
    ("raw_path", "covered"),
    [
        ("/order", "/order"),
        ("/clob/order", "/order"),
        ("/clob/data/orders?market=0x1&next_cursor=MA==", "/data/orders"),
        ("/clob-markets/0x1", "/clob-markets/0x1"),
        ("/clob/clob-markets/0x1", "/clob-markets/0x1"),
    ],
)
def test_the_signed_path_has_no_query_and_no_prefix(raw_path: str, covered: str) -> None:
    """L2 signs the path that the venue's documentation names, wherever the sandbox serves it."""
    assert signed_path(raw_path) == covered


def test_the_owner_of_an_order_is_the_key_that_sends_it(credentials: Credentials) -> None:
    """An order body names its api key as owner; another is refused with the venue's text."""
    assert check_owner(credentials, credentials.api_key) is None
    assert check_owner(credentials, TEST_ADDRESS) == Refused(400, "the order owner has to be the owner of the API KEY")


def test_the_user_channel_opens_for_the_right_secrets(keyring: Keyring, credentials: Credentials) -> None:
    """A user subscription carries the credentials themselves; any part that differs is refused."""
    auth = {"apiKey": credentials.api_key, "secret": credentials.secret, "passphrase": credentials.passphrase}

    assert keyring.websocket_owner(auth) == credentials
    changes: tuple[dict[str, object], ...] = ({"apiKey": "x"}, {"apiKey": []}, {"secret": ""}, {"passphrase": None})
    for wrong in changes:
        assert keyring.websocket_owner({**auth, **wrong}) == BAD_L2
    assert keyring.websocket_owner(None) == BAD_L2
    assert keyring.websocket_owner([]) == BAD_L2
