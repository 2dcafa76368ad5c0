import re

import pytest

from tests.style.source import name_of, tracked_files

# The brackets keep this file from finding itself.
TRACES = {
    "a package registry's address": r'inde[x]-url|"resolve[d]": *"http|registr[y] = "http|https?://[^ ]*/simpl[e]',
    "a path of one machine": r"/(?:hom[e]|User[s])/[a-z]|/roo[t]/|/wor[k]/|/far[m]/",
    "a private key": r"-----BEGI[N] [A-Z ]*PRIVATE KEY|(?i:private_?key|secret|passphrase)[\"' ]*[:=][\"' ]*(?:0x)?[0-9a-fA-F]{64}",
}
LARGEST_FILE = 1 << 20


@pytest.mark.parametrize("trace", TRACES)
def test_no_tracked_file_carries_traces_of_one_machine(trace: str) -> None:
    """Whoever clones this gets no registry address, no stranger's path and no key."""
    pattern = re.compile(TRACES[trace])
    found = [
        f"{name_of(path)}:{number}: {line.strip()[:80]}"
        for path in tracked_files()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]

    assert not found, f"{trace} stands in a tracked file"


def test_no_tracked_file_is_large() -> None:
    """A clone stays small: recordings live beside the repository, not in it."""
    large = [name_of(path) for path in tracked_files() if path.stat().st_size > LARGEST_FILE]

    assert not large
