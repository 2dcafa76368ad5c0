"""Pure values and rules: money, markets, books, orders, positions. No clock, no I/O, no randomness."""
