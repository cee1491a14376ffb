"""Runs AI agents as supervised processes and keeps a true record of every step."""
