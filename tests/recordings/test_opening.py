from __future__ import annotations

import gzip
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polymarket_agent.adapters.recordings import open_recording
from polymarket_agent.adapters.recordings.lines import LineReader
from polymarket_agent.domain.events import Event
from polymarket_agent.errors import AgentError, RecordingError
from tests.recordings.made import ask, both, lines, session, ticks
from tests.recordings.test_polled import book, polled, trade
from tests.recordings.test_tables import TWO_MARKETS, history, quotes


def write_frames(path: Path) -> Path:
    return session(path)


def write_books(path: Path) -> Path:
    return lines(path, [book(outcome, at, "0.4", "0.5") for outcome in ("up", "down") for at in range(3)])


def write_trades(path: Path) -> Path:
    return lines(path, [trade("up", at) for at in range(4)])


def write_session(path: Path) -> Path:
    return lines(path, [polled(str(at), at) for at in range(4)])


def write_ticks(path: Path) -> Path:
    return ticks(path, [*both(0, 0.40, 5, 0.40, 0.60), *ask(1, 0.60, 7, 0.40, 0.60), *both(2, 0.3, 1, 0.40, 0.60)])


def write_history(path: Path) -> Path:
    return history(path, TWO_MARKETS)


def write_quotes(path: Path) -> Path:
    return quotes(path, [(0, "a", 0.2, 0.3, 1), (3600, "b", None, 0.4, 0)])


KINDS: dict[str, Callable[[Path], Path]] = {
    "ws_frames": write_frames,
    "depth_books": write_books,
    "depth_trades": write_trades,
    "sessions": write_session,
    "ticks": write_ticks,
    "daily_closes": write_history,
    "hourly_quotes": write_quotes,
}


def play(path: Path) -> list[Event]:
    recording = open_recording(path)
    json.dumps(recording.inspect(), allow_nan=False)
    return [event for chunk in recording.feed().chunks() for event in chunk]


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_is_found_by_content(tmp_path: Path, kind: str) -> None:
    """A file is recognised whatever its name, its inspection is JSON, and it plays something."""
    path = KINDS[kind](tmp_path / "no-telling-name")

    assert open_recording(path).kind == kind
    assert play(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it holds no line"),
        (b"hello\n", "lines that are not JSON"),
        (b'{"a":1,"b":2}\n', "a JSON object with the keys 'a', 'b'"),
        (b"3\n", "a bare JSON int"),
        (b"PAR1", "damaged or cut Parquet"),
        (b"\x1f\x8b", "nothing but the rest of a cut gzip stream"),
        (bytes(range(256)), "lines that are not JSON"),
    ],
)
def test_an_unknown_file_is_named_in_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    """What is no recording is refused with what was found; the hint says what is supported or what to do."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=said) as caught:
        open_recording(path)

    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    """A path that is no file says so."""
    with pytest.raises(RecordingError, match="does not exist"):
        open_recording(tmp_path / "nothing")
    with pytest.raises(RecordingError, match="is a folder"):
        open_recording(tmp_path)


def test_a_foreign_table_is_named_by_its_columns(tmp_path: Path) -> None:
    """A Parquet file of another kind says which columns it has."""
    from tests.recordings.made import parquet

    with pytest.raises(RecordingError, match="the columns 'x', 'y'"):
        open_recording(parquet(tmp_path / "p", {"x": [1], "y": [2]}))


def test_a_table_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the data extra a Parquet file is refused with the command that installs it."""
    path = write_ticks(tmp_path / "t")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecordingError) as caught:
        open_recording(path)

    assert caught.value.hint == "pip install 'polymarket-agent[data]'"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_an_error_or_a_shorter_recording(tmp_path: Path, kind: str) -> None:
    """Cut at any byte, a file gives events or one of our errors, never a traceback of another family."""
    whole = KINDS[kind](tmp_path / "whole").read_bytes()
    most = len(play(tmp_path / "whole"))
    step = 1 if len(whole) < 2_000 else 7
    for end in range(0, len(whole), step):
        (tmp_path / "cut").write_bytes(whole[:end])
        try:
            assert len(play(tmp_path / "cut")) <= most
        except AgentError:
            continue


@pytest.mark.parametrize("kind", ["ws_frames", "depth_books", "sessions"])
def test_a_compressed_file_cut_anywhere_is_no_other_error(tmp_path: Path, kind: str) -> None:
    """The same holds for gzip, where the cut is counted."""
    packed = gzip.compress(KINDS[kind](tmp_path / "whole").read_bytes(), mtime=0)
    counted = 0
    for end in range(len(packed)):
        (tmp_path / "cut.gz").write_bytes(packed[:end])
        try:
            feed = open_recording(tmp_path / "cut.gz").feed()
            list(feed.chunks())
            counted += feed.dropped["the rest of a cut gzip stream"]
        except AgentError:
            continue

    assert counted


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), packed=st.booleans())
def test_flipped_bytes_are_an_error_or_dropped(tmp_path: Path, kind: str, seed: int, packed: bool) -> None:
    """With random bytes changed, a file still gives events or one of our errors."""
    whole = KINDS[kind](tmp_path / "whole").read_bytes()
    chance = random.Random(seed)
    damaged = bytearray(gzip.compress(whole, mtime=0) if packed and not whole.startswith(b"PAR1") else whole)
    for _ in range(chance.choice((1, 3, 20))):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    (tmp_path / "damaged").write_bytes(damaged)
    with suppress(AgentError):
        play(tmp_path / "damaged")


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=20), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_of_the_file(tmp_path: Path, rows: list[bytes], packed: bool) -> None:
    """Reading in pieces gives exactly the lines that were written, compressed in several members or not."""
    body = [row + b"\n" for row in rows]
    content = b"".join(gzip.compress(line) for line in body) if packed and body else b"".join(body)
    if not packed and content.startswith(b"\x1f\x8b"):
        return
    (tmp_path / "lines").write_bytes(content)

    assert list(LineReader(tmp_path / "lines", Counter())) == rows


def test_a_line_beyond_the_limit_is_dropped_and_the_next_arrives(tmp_path: Path) -> None:
    """An endless line costs no memory: it is counted, and reading goes on after it."""
    (tmp_path / "long").write_bytes(b"x" * 3_000_000 + b"\nshort\n" + b"y" * 2_000_000)
    dropped: Counter[str] = Counter()

    assert list(LineReader(tmp_path / "long", dropped, max_line_bytes=1_000_000)) == [b"short"]
    assert dropped == {"a line beyond the size limit": 2}
