"""Recordings of markets: what they hold, and how they are played to the engine."""
