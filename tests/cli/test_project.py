"""`agentrunner project` with the product itself."""

import json

from e2e.product import Product


def test_a_project_is_created_used_and_listed(real: Product) -> None:
    """Its runs work in its directory."""
    directory = real.data_dir / "work"
    directory.mkdir()
    assert real.command("project", "create", "mine", "--path", str(directory)).stdout == "Project mine is created.\n"
    assert real.command("run", "--raw", "--project", "mine", "--", "pwd").stdout == f"{directory}\n"
    projects = json.loads(real.command("project", "list", "--json").stdout)["items"]
    assert [project["name"] for project in projects] == ["default", "mine"]
    assert str(directory) in real.command("project", "list").stdout


def test_a_name_that_is_taken_is_exit_code_5(real: Product) -> None:
    """And one that is not there 4."""
    assert real.command("project", "create", "default").returncode == 5
    assert real.command("run", "-d", "--project", "nowhere", "--", "true").returncode == 4
