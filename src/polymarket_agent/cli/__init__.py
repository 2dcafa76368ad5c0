"""The command line: thin functions. Nothing heavy is imported before a command needs it."""

from polymarket_agent.cli.app import main

__all__ = ["main"]
