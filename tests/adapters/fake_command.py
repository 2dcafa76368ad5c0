"""Stand-ins for the `polymarket` command: small programs that really run."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path


def fake(folder: Path, body: str, name: str = "polymarket") -> str:
    """Write an executable Python script; `argv` holds its words."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\nimport json, os, subprocess, sys, time\nargv = sys.argv[1:]\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def printing(folder: Path, answer: object) -> str:
    return fake(folder, f"print({json.dumps(json.dumps(answer))})")
