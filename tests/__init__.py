"""Tests. A package, because other distributions install a top-level `tests` of their own."""
