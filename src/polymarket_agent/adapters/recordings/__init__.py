"""Recordings of markets: what they hold, and how they are played to the engine.

`open_recording` finds the kind by content; a `Recording` can be inspected and played; `FrameRecorder` makes one.
"""

from __future__ import annotations

from polymarket_agent.adapters.recordings.base import Assumptions, Recording, RecordingFeed
from polymarket_agent.adapters.recordings.opening import open_recording
from polymarket_agent.adapters.recordings.writer import FrameRecorder

__all__ = ["Assumptions", "FrameRecorder", "Recording", "RecordingFeed", "open_recording"]
