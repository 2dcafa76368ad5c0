"""A trading agent for Polymarket that is honest about orders, fills and numbers."""

__version__ = "0.1.0"

__all__ = ["__version__"]
