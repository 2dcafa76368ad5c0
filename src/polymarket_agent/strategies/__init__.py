"""Strategies: pure, one file each, none knows another. They turn events and a view of the markets into wishes."""
