"""Lines of a plain or gzip file, in bounded memory, up to the point where the file is damaged."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from polymarket_agent.adapters.recordings.exact import BadRowError
from polymarket_agent.errors import RecordingError

__all__ = ["LineReader", "decode_line", "decoded_lines"]

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
_CHUNK_BYTES = 1 << 18
# The largest line that is kept. The venue's largest frame, an opening array of 500 deep books, is some 10 MB.
_MAX_LINE_BYTES = 64 << 20

T = TypeVar("T")

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class LineReader:
    """Iterates over the lines of a file without their ends. `unterminated` says that the current line had none.

    Damage (a gzip stream that is cut or broken, a line beyond the limit) is counted in `dropped`; what stands
    before it arrives.

    Raises:
        RecordingError: the file cannot be opened or read at all.
    """

    def __init__(self, path: Path, dropped: Counter[str], max_line_bytes: int = _MAX_LINE_BYTES) -> None:
        self.path = path
        self.dropped = dropped
        self.unterminated = False
        self._max_line_bytes = max_line_bytes

    def __iter__(self) -> Iterator[bytes]:
        self.unterminated = False
        pending: list[bytes] = []
        held = 0
        overlong = False
        for chunk in self._chunks():
            head, *rest = chunk.split(b"\n")
            for piece in rest:
                if overlong or held + len(head) > self._max_line_bytes:
                    self.dropped["a line beyond the size limit"] += 1
                    overlong = False
                else:
                    pending.append(head)
                    yield b"".join(pending) if held else head
                pending.clear()
                held, head = 0, piece
            held += len(head)
            if held > self._max_line_bytes:
                overlong = True
                pending.clear()
                held = 0
            elif head and not overlong:
                pending.append(head)
        if overlong:
            self.dropped["a line beyond the size limit"] += 1
        elif held:
            self.unterminated = True
            yield b"".join(pending)

    def _chunks(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                start = file.read(2)
                file.seek(0)
                raw = iter(lambda: file.read(_CHUNK_BYTES), b"")
                yield from self._inflated(raw) if start == GZIP_MAGIC else raw
        except OSError as error:
            raise RecordingError(
                f"{self.path} cannot be read: {error.strerror or error}", hint="check the path and its rights"
            ) from error

    def _inflated(self, raw: Iterator[bytes]) -> Iterator[bytes]:
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        try:
            for block in raw:
                waiting = block
                while waiting:
                    if inflater.eof:  # a gzip file may consist of several members, one after the other
                        inflater = zlib.decompressobj(_GZIP_WINDOW)
                    yield inflater.decompress(waiting, _CHUNK_BYTES)
                    waiting = inflater.unconsumed_tail or inflater.unused_data
        except zlib.error:
            self.dropped["the rest of a damaged gzip stream"] += 1
            return
        if not inflater.eof:
            self.dropped["the rest of a cut gzip stream"] += 1


def decode_line(line: bytes, decoder: msgspec.json.Decoder[T], *, cut: bool) -> T:
    """Decode one line of JSON.

    Raises:
        BadRowError: it is not JSON, or not of the shape that the decoder wants.
    """
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as error:
        raise BadRowError("a line of another shape") from error
    except _UNREADABLE as error:
        raise BadRowError("a cut last line" if cut else "a line that is not JSON") from error


def decoded_lines(path: Path, decoder: msgspec.json.Decoder[T], dropped: Counter[str]) -> Iterator[T]:
    """Yield every line of a file that decodes; the others are counted by reason. Blank lines are no lines."""
    reader = LineReader(path, dropped)
    for line in reader:
        stripped = line.strip()
        if not stripped:
            continue
        try:
            yield decode_line(stripped, decoder, cut=reader.unterminated)
        except BadRowError as error:
            dropped[str(error)] += 1
