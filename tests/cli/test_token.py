"""`agentrunner token` with the product itself."""

import json

from e2e.product import Product


def test_a_token_is_made_shown_once_used_and_revoked(real: Product) -> None:
    """Its text is the only thing on standard output."""
    made = real.command("token", "create", "for a look", "--scope", "read")
    text = made.stdout.strip()
    assert text.startswith("ar_")
    assert "not shown again" in made.stderr
    listed = real.command("token", "list").stdout
    assert text not in listed
    row = next(line for line in listed.splitlines() if "for a look" in line)
    real.environment["AGENTRUNNER_TOKEN"] = text
    try:
        assert real.command("ps").returncode == 0
        refused = real.command("run", "-d", "--", "true")
        assert (refused.returncode, "scope" in refused.stderr) == (1, True)
    finally:
        del real.environment["AGENTRUNNER_TOKEN"]
    assert real.command("token", "revoke", row.split()[0]).returncode == 0
    again = real.command("token", "revoke", row.split()[0])
    assert (again.returncode, again.stderr.count("\n")) == (4, 1)
    tokens = json.loads(real.command("token", "list", "--json").stdout)["items"]
    assert next(token for token in tokens if token["name"] == "for a look")["revoked_at"] is not None
