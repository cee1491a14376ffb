"""A verb with verbs of its own, such as `token create`: a wrong one is refused with the nearest."""

import difflib

import click


class Nouns(click.Group):
    """The verbs of a noun."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb asked for. Raises UsageError naming the nearest one."""
        known = self.list_commands(ctx)
        if args[0] in known or args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        raise click.UsageError(unknown(args[0], known), ctx)


def unknown(name: str, known: list[str]) -> str:
    """The sentence that refuses a verb."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"; did you mean `{found[0]}`?" if found else "."
    return f"There is no verb {name!r}{meant}"
