"""Ids of runs on the command line."""

import click

MAX_ID = 2**63 - 1


class _Id(click.ParamType[int]):
    """A whole number from 1 on."""

    name = "id"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; fails for anything else."""
        text = str(value)
        if text.isascii() and text.isdigit() and len(text) <= 19 and 1 <= int(text) <= MAX_ID:
            return int(text)
        self.fail(f"{text[:50]!r} is not the id of a run; `agentrunner ps --all` lists them", param, ctx)


RUN_ID = _Id()
