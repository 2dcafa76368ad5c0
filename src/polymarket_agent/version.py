"""The version, in a place that every module may look at."""

__all__ = ["__version__"]

__version__ = "0.1.0"
