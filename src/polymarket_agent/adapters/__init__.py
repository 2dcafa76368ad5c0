"""The outside: one folder or file per system; parsing apart from I/O."""
