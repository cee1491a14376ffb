"""`agentrunner config` as a process."""

import json
from pathlib import Path
from typing import Any

from agentrunner.config import SETTINGS
from cli.conftest import Cli


def rows(text: str) -> dict[str, Any]:
    """The settings by name."""
    return {row["name"]: row for row in json.loads(text)["items"]}


def test_every_setting_says_where_it_comes_from(cli: Cli, data_dir: Path) -> None:
    """Flag over environment over file over default."""
    (data_dir / "agentrunner.toml").write_text("slots = 3\nport = 1\n")
    found = rows(cli("config", "--json", "--data-dir", str(data_dir), AGENTRUNNER_PORT="2").stdout)
    assert list(found) == [setting.name for setting in SETTINGS]
    sources = {name: (found[name]["value"], found[name]["source"]) for name in ("data_dir", "port", "slots", "host")}
    assert sources == {
        "data_dir": (str(data_dir), "flag"),
        "port": (2, "environment"),
        "slots": (3, "file"),
        "host": ("127.0.0.1", "default"),
    }


def test_secrets_are_not_shown(cli: Cli) -> None:
    """Neither the token, nor a key, nor a password in an address."""
    urls = ("postgresql://u:geheim@h:5/db", "postgresql://h/db?password=geheim", "postgresql://[geheim")
    for url in urls:
        done = cli("config", "--json", AGENTRUNNER_TOKEN="geheim", AGENTRUNNER_DATABASE_URL=url)
        assert done.returncode == 0
        assert "geheim" not in done.stdout + done.stderr
    done = cli("config", "--json", AGENTOPS_API_KEY="geheim")
    assert rows(done.stdout)["agentops_api_key"]["source"] == "environment"
    assert "geheim" not in done.stdout + done.stderr


def test_a_wrong_setting_is_named(cli: Cli, data_dir: Path) -> None:
    """With the nearest one, in one line."""
    (data_dir / "agentrunner.toml").write_text("slot = 3\n")
    done = cli("config")
    assert done.returncode == 2
    assert "did you mean 'slots'" in done.stderr
    assert done.stderr.count("\n") == 1
