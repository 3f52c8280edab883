"""How the network runs: shapes and errors around the native engine."""

from .engine import Engine

__all__ = ["Engine"]
