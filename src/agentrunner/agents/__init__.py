"""Backends: how each kind of agent program is started, understood and judged."""
