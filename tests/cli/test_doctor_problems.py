"""Every problem that the doctor knows, provoked: it is named, its cause and its cure are said, and nothing is sent."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polymarket_agent.db import Database
from tests.cli.doctor_world import DoctorWorld, doctor_world

FOREIGN = "0x00000000000000000000000000000000000000A1"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DoctorWorld]:
    with doctor_world(tmp_path, monkeypatch) as made:
        made.config()
        yield made


def open_key_file(world: DoctorWorld) -> None:
    world.env("POLYMARKET_PRIVATE_KEY", None)
    file = world.folder / "key"
    file.write_text(world.account.private_key)
    file.chmod(0o644)
    world.config(change=lambda text: text.replace("live:\n", f"live:\n  key_file: {file}\n"))


def foreign_host(world: DoctorWorld) -> None:
    url = world.sandbox.urls["data_url"]
    world.config(change=lambda text: text.replace(f'"{url}"', '"https://data.example.com"'))


def wrong_version(world: DoctorWorld) -> None:
    world.sandbox.urls["clob_url"] += "/nowhere"
    world.config()


def killed(world: DoctorWorld) -> None:
    (world.folder / "agent.db.kill").write_text("")


def no_user_stream(world: DoctorWorld) -> None:
    world.config(change=lambda text: text.replace("/ws/user", "/ws/nothing"))


def no_market_stream(world: DoctorWorld) -> None:
    world.config(change=lambda text: text.replace("/ws/market", "/ws/nothing"))


def halted(world: DoctorWorld) -> None:
    with Database(world.folder / "agent.db") as db:
        db.run(
            lambda c: c.execute(
                "INSERT INTO agent_states (cause, state, detail, entered_ms) VALUES ('invariant', 'HALTED', 'x', 1)"
            )
        )


def other_wallets_ledger(world: DoctorWorld) -> None:
    venue = world.sandbox.urls["clob_url"].split("/")[2]
    with Database(world.folder / "agent.db") as db:
        db.run(lambda c: c.execute("INSERT INTO binding VALUES (1, ?, 137, ?)", (venue, FOREIGN)))


def foreign_ledger(world: DoctorWorld) -> None:
    connection = sqlite3.connect(world.folder / "agent.db")
    connection.execute("CREATE TABLE somebody (name TEXT)")
    connection.commit()
    connection.close()


PROBLEMS: list[tuple[str, Callable[[DoctorWorld], object], str, str, str]] = [
    ("no key", lambda w: w.env("POLYMARKET_PRIVATE_KEY", None), "key", "no private key", "POLYMARKET_PRIVATE_KEY"),
    ("bad key", lambda w: w.env("POLYMARKET_PRIVATE_KEY", "0xabc"), "key", "not 64 hexadecimal", "64 hexadecimal"),
    ("open key file", open_key_file, "key", "mode 0644", "chmod 600"),
    ("foreign host", foreign_host, "hosts", "data.example.com", "allowed are"),
    ("venue away", wrong_version, "venue", "404", ""),
    ("wrong wallet", lambda w: w.env("POLYMARKET_FUNDER", FOREIGN), "wallet", "is no wallet of the key", "its own are"),
    ("bad type", lambda w: w.env("POLYMARKET_SIGNATURE_TYPE", "9"), "wallet", "SIGNATURE_TYPE", "0 (EOA)"),
    (
        "no allowance",
        lambda w: w.admin("approve", wallet=w.account.wallet, amount="0"),
        "allowance: standard exchange",
        "0xE111180000d2663C0091e4f400237545B87B996B lacks an approval for buys",
        "polymarket.com",
    ),
    (
        "no money",
        lambda w: w.admin("fund", wallet=w.account.wallet, amount="-9998"),
        "balance",
        "2.00 pUSD",
        "deposit",
    ),
    ("blocked", lambda w: w.admin("choices", blocked_country="XX"), "place", "takes no orders from here (XX)", "paper"),
    (
        "closed only",
        lambda w: w.admin("ban", address=w.account.address, closed_only=True),
        "account",
        "only reduce",
        "support",
    ),
    ("skew", lambda w: w.admin("faults", point="clock", fault="step", argument=300, at_s=0), "clock", "-", "clock"),
    ("no user stream", no_user_stream, "user stream", "404", "websockets"),
    ("no market stream", no_market_stream, "market stream", "404", "websockets"),
    ("kill file", killed, "ledger: kill file", "nothing is sent", "polymarket-agent resume"),
    ("halted", halted, "ledger: invariant", "HALTED", "polymarket-agent resume"),
    ("another wallet's ledger", other_wallets_ledger, "ledger", f"belongs to wallet {FOREIGN}", "database"),
    ("another program's database", foreign_ledger, "ledger", "another program", ""),
]


@pytest.mark.parametrize(
    ("provoke", "check", "found", "fix"), [row[1:] for row in PROBLEMS], ids=[r[0] for r in PROBLEMS]
)
def test_a_problem_is_named_with_its_cure(
    world: DoctorWorld, provoke: Callable[[DoctorWorld], object], check: str, found: str, fix: str
) -> None:
    """What is wrong is one problem under its own name, with what mends it, and the exit code is 1."""
    provoke(world)
    code, findings = world.doctor()
    assert code == 1
    assert findings[check]["verdict"] == "problem", findings[check]
    assert found in findings[check]["found"]
    assert fix in findings[check]["fix"]
    same = check.partition(":")[0]
    others = [name for name, each in findings.items() if each["verdict"] == "problem" and not name.startswith(same)]
    assert others == [], "one cause makes one problem; what waits for it is not checked"


def test_another_agent_is_reported_and_is_no_problem(world: DoctorWorld) -> None:
    """While an agent holds the ledger, the doctor names its process and goes on, because that is no fault."""
    lock = world.folder / "agent.db.lock"
    lock.write_text("4242")
    file = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        code, findings = world.doctor()
    finally:
        os.close(file)
    assert code == 0
    assert findings["locks"]["verdict"] == "warning"
    assert "process 4242" in findings["locks"]["found"]


def test_a_plain_account_gets_its_note(world: DoctorWorld) -> None:
    """A key without a wallet of its own is warned that the venue refuses new plain accounts."""
    world.env("POLYMARKET_PRIVATE_KEY", world.sandbox.accounts[0].private_key)
    _, findings = world.doctor()
    assert findings["wallet"]["verdict"] == "warning"
    assert "maker address not allowed" in findings["wallet"]["cause"]


def test_nothing_is_checked_on_a_broken_base(world: DoctorWorld) -> None:
    """Without a key neither wallet nor account is looked at, and each says what it waits for."""
    world.env("POLYMARKET_PRIVATE_KEY", None)
    _, findings = world.doctor()
    for name in ("wallet", "credentials", "balance", "allowance", "user stream"):
        assert findings[name]["verdict"] == "not checked"
        assert findings[name]["found"].startswith("waits for")
    assert findings["market stream"]["verdict"] == "ok"
    assert findings["disk"]["verdict"] == "ok"


def test_an_examination_leaves_no_trace_at_the_venue(world: DoctorWorld) -> None:
    """No order of the wallet exists after it, and no ledger was made."""
    assert world.doctor()[0] == 0
    assert world.sandbox.exchange.orders_of(world.account.wallet) == []
    assert not (world.folder / "agent.db").exists()
