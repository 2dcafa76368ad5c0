"""Writes raw frames as they arrive, one a line, so that a session can be replayed and inspected later."""

from __future__ import annotations

import queue
import zlib
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import BinaryIO, Self

from polymarket_agent.errors import RecordingError

__all__ = ["FrameRecorder"]

# Frames that may wait for the disk. At 1 kB a frame this is some 64 MB, minutes of a busy feed.
MAX_WAITING = 65_536
_GZIP_WINDOW = 31
_BATCH_FRAMES = 1_024


class FrameRecorder:
    """Appends frames to a file; gzip if its name ends in `.gz`. Use as `with FrameRecorder(path) as recorder`.

    `write` never waits, so it may be called from the event loop: a thread of its own writes. When the buffer is
    full, a frame is left out and counted in `dropped`; the feed is not held up by a disk. Each run appends a gzip
    member of its own, so a crash damages no more than its own end.

    Raises:
        RecordingError: the file cannot be opened, or (on leaving) a write has failed.
    """

    def __init__(self, path: Path, *, max_waiting: int = MAX_WAITING) -> None:
        self.path = path
        self.written = 0
        self.dropped = 0
        self._frames: queue.Queue[bytes | None] = queue.Queue(max_waiting)
        self._thread: Thread | None = None
        self._failed: OSError | None = None

    def __enter__(self) -> Self:
        try:
            file = self.path.open("ab")
        except OSError as error:
            raise RecordingError(
                f"{self.path} cannot be written: {error.strerror or error}", hint="check the folder and its rights"
            ) from error
        self._thread = Thread(target=self._drain, args=(file,), name="frame-recorder", daemon=True)
        self._thread.start()
        return self

    def write(self, raw: bytes | str) -> None:
        """Take one frame. Line ends inside it become spaces, so that a line is a frame."""
        frame = raw.encode() if isinstance(raw, str) else raw
        try:
            self._frames.put_nowait(frame.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n")
        except queue.Full:
            self.dropped += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread is not None:
            self._frames.put(None)
            self._thread.join()
        if self._failed is not None and error is None:
            raise RecordingError(
                f"{self.path} is incomplete: {self._failed.strerror or self._failed}", hint="check the free space"
            ) from self._failed

    def _drain(self, file: BinaryIO) -> None:
        packer = zlib.compressobj(wbits=_GZIP_WINDOW) if self.path.suffix == ".gz" else None
        ended = False
        with file:
            while not ended:
                waiting = [self._frames.get()]
                while not self._frames.empty() and len(waiting) < _BATCH_FRAMES:
                    waiting.append(self._frames.get_nowait())
                ended = None in waiting
                frames = [frame for frame in waiting if frame is not None]
                block = b"".join(frames)
                if packer is not None:
                    block = packer.compress(block) + packer.flush(zlib.Z_FINISH if ended else zlib.Z_SYNC_FLUSH)
                try:
                    file.write(block)
                    file.flush()
                    self.written += len(frames)
                except OSError as error:
                    self._failed = error
                    self.dropped += len(frames)
