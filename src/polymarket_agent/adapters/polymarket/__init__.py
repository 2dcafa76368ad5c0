"""Polymarket: its public HTTP endpoints, its market websocket, and the parser of both."""
