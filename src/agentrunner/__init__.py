"""Runs AI agents as supervised processes and keeps a true record of every step, whatever is killed."""

__version__ = "0.1.0"

__all__ = ["__version__"]
