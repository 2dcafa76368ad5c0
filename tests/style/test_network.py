import socket

import pytest

from tests.conftest import NetworkClosedError


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_connection_beyond_loopback_is_refused(family: socket.AddressFamily) -> None:
    """A test that reaches for the network fails with a sentence, before a packet leaves."""
    address = ("192.0.2.1", 443) if family == socket.AF_INET else ("2001:db8::1", 443)
    with socket.socket(family) as outside, pytest.raises(AssertionError, match="tests reach loopback only"):
        outside.connect(address)


def test_a_name_beyond_loopback_is_not_looked_up() -> None:
    """Name look-ups leave the machine too, so they are refused alike."""
    with pytest.raises(AssertionError, match="tests reach loopback only"):
        socket.getaddrinfo("example.org", 443)


def test_loopback_is_open() -> None:
    """A server of the test itself, on loopback, can be reached."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as client,
    ):
        assert client.getpeername() == server.getsockname()


def test_the_refusal_is_not_taken_for_a_network_error() -> None:
    """Code that retries on OSError must not swallow the refusal."""
    assert not issubclass(NetworkClosedError, OSError)
