from __future__ import annotations

from pathlib import Path

import pytest

from polymarket_agent.adapters.recordings import FrameRecorder, open_recording
from polymarket_agent.errors import RecordingError
from tests.recordings.made import session


@pytest.mark.parametrize("name", ["frames.jsonl", "frames.jsonl.gz"])
def test_what_is_written_can_be_played(tmp_path: Path, name: str) -> None:
    """Frames written in two runs are one recording, compressed or not, equal to what was sent."""
    frames = session(tmp_path / "source").read_text().splitlines()
    for part in (frames[:3], frames[3:]):
        with FrameRecorder(tmp_path / name) as recorder:
            for frame in part:
                recorder.write(frame)
    made, source = open_recording(tmp_path / name).inspect(), open_recording(tmp_path / "source").inspect()

    assert {**made, "path": ""} == {**source, "path": ""}


def test_a_frame_is_one_line_whatever_it_holds(tmp_path: Path) -> None:
    """Line ends inside a frame become spaces."""
    with FrameRecorder(tmp_path / "f") as recorder:
        recorder.write(b'{"a":\r\n1}')

    assert (tmp_path / "f").read_bytes() == b'{"a":  1}\n'
    assert (recorder.written, recorder.dropped) == (1, 0)


def test_a_full_buffer_drops_and_counts(tmp_path: Path) -> None:
    """Nothing waits for the disk: what does not fit is counted."""
    recorder = FrameRecorder(tmp_path / "f", max_waiting=2)
    for _ in range(5):
        recorder.write(b"{}")

    assert recorder.dropped == 3


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A missing folder is one clear error."""
    with pytest.raises(RecordingError, match="cannot be written"), FrameRecorder(tmp_path / "no" / "f"):
        pass
