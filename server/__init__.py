"""Courtside: real-time court booking for sports clubs."""

from importlib.metadata import version

__version__ = version("courtside")
