"""Settings: one table; flags over environment over file over defaults."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentrunner.config import BY_NAME, SETTINGS, BadSetting, convert, default_data_dir, load
from agentrunner.domain.control import MAX_WAIT_S, ClaimRequest


def write(directory: Path, text: str) -> dict[str, str]:
    """An environment whose data directory has this file."""
    (directory / "agentrunner.toml").write_text(text)
    return {"AGENTRUNNER_DATA_DIR": str(directory)}


def test_defaults(tmp_path: Path) -> None:
    """Without anything said, every row has its default, and the data directory its usual place."""
    settings = load({"XDG_DATA_HOME": str(tmp_path)})
    assert settings.data_path == tmp_path / "agentrunner"
    assert {s.name: s.default for s in SETTINGS if s.name != "data_dir"} == {
        name: value for name, value in settings.values.items() if name != "data_dir"
    }


def test_the_usual_place_is_below_home() -> None:
    """$XDG_DATA_HOME, else ~/.local/share."""
    assert default_data_dir({"HOME": "/home/a"}) == "/home/a/.local/share/agentrunner"
    assert default_data_dir({"HOME": "/home/a", "XDG_DATA_HOME": "/data"}) == "/data/agentrunner"


def test_precedence(tmp_path: Path) -> None:
    """Each layer wins over those below it; a flag that was not given (None) says nothing."""
    environment = write(tmp_path, "port = 1\nslots = 1\nmax_queued = 1\n")
    environment |= {"AGENTRUNNER_PORT": "2", "AGENTRUNNER_SLOTS": "2"}
    settings = load(environment, {"port": 3, "slots": None})
    assert (settings.port, settings.slots, settings.max_queued, settings.max_running) == (3, 2, 1, 1000)


def test_the_data_directory_of_a_flag_has_the_file(tmp_path: Path) -> None:
    """The file that counts is in the directory that counts, which is always absolute."""
    write(tmp_path, "port = 7")
    settings = load({"AGENTRUNNER_DATA_DIR": "/nowhere"}, {"data_dir": str(tmp_path)})
    assert (settings.port, settings.data_dir) == (7, str(tmp_path))
    assert Path(load({}, {"data_dir": "some/where"}).data_dir).is_absolute()


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("port", "8080", 8080),
        ("port", 8080, 8080),
        ("lease_s", "1.5", 1.5),
        ("lease_s", 2, 2.0),
        ("insecure_no_auth", "yes", True),
        ("insecure_no_auth", " TRUE ", True),
        ("insecure_no_auth", "0", False),
        ("insecure_no_auth", "", False),
        ("insecure_no_auth", True, True),
        ("host", "::1", "::1"),
    ],
)
def test_values(name: str, value: Any, result: Any) -> None:
    """Text and TOML values become the row's type."""
    converted = convert(BY_NAME[name], value)
    assert converted == result
    assert type(converted) is BY_NAME[name].type


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "eighty"),
        ("port", ""),
        ("port", 80.5),
        ("port", True),
        ("port", -1),
        ("port", [1]),
        ("lease_s", "soon"),
        ("lease_s", "nan"),
        ("lease_s", "inf"),
        ("lease_s", "-1"),
        ("lease_s", False),
        ("insecure_no_auth", "maybe"),
        ("insecure_no_auth", 1),
        ("host", 127),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: Any) -> None:
    """Nothing is cut or guessed, and the message names the setting."""
    with pytest.raises(BadSetting, match=re.compile(name, re.IGNORECASE)):
        convert(BY_NAME[name], value)


def test_the_documents_variables() -> None:
    """Under their own names; what is false is false, and not true for being there."""
    given = {"WORKER_CHECK_INTERVAL": "2", "WORKER_BATCH_SIZE": "10", "DISABLE_WORKER": "1"}
    settings = load(given)
    assert (settings.worker_check_interval, settings.worker_batch_size, settings.disable_worker) == (2.0, 10, True)
    assert load({}).worker_check_interval == 5.0
    for said in ("false", "0", "", "False", "no"):
        assert load({"DISABLE_WORKER": said}).disable_worker is False


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WORKER_CHECK_INTERVAL", "0"),
        ("WORKER_CHECK_INTERVAL", "0.9"),
        ("WORKER_CHECK_INTERVAL", "31"),
        ("WORKER_BATCH_SIZE", "0"),
        ("WORKER_BATCH_SIZE", "1001"),
    ],
)
def test_what_a_worker_may_ask_is_bounded(variable: str, value: str) -> None:
    """By what the worker protocol takes, and never without a pause; the message has the variable and the bounds."""
    with pytest.raises(BadSetting, match=rf"{variable}={value} must be from 1 to "):
        load({variable: value})
    most = load({"WORKER_CHECK_INTERVAL": f"{MAX_WAIT_S}", "WORKER_BATCH_SIZE": "1000"})
    body = {"worker_id": "w", "epoch": 1, "claim_id": "c"}
    bounds = {"slots": most.worker_batch_size, "wait_s": most.worker_check_interval}
    assert msgspec.convert({**body, **bounds}, ClaimRequest).wait_s == MAX_WAIT_S


def test_unknown_names_suggest_the_nearest(tmp_path: Path) -> None:
    """In the file and among flags; the message says where."""
    with pytest.raises(BadSetting, match=r"agentrunner\.toml: unknown setting 'prot'; did you mean 'port'\?"):
        load(write(tmp_path, "prot = 1"))
    with pytest.raises(BadSetting, match=r"unknown setting 'slot'; did you mean 'slots'\?"):
        load({"AGENTRUNNER_DATA_DIR": "/nowhere"}, {"slot": 1})
    with pytest.raises(BadSetting, match=r"known are agentops_api_key, allow_hosts"):
        load(write(tmp_path, "zzzzzz = 1"))


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """The message names the file."""
    (tmp_path / "agentrunner.toml").write_bytes(content)
    with pytest.raises(BadSetting, match=r"agentrunner\.toml cannot be read"):
        load({"AGENTRUNNER_DATA_DIR": str(tmp_path)})


def test_attributes(tmp_path: Path) -> None:
    """Every row is an attribute; anything else is an AttributeError."""
    settings = load({"AGENTRUNNER_DATA_DIR": str(tmp_path)})
    assert all(getattr(settings, setting.name) == settings.values[setting.name] for setting in SETTINGS)
    with pytest.raises(AttributeError):
        settings.nothing  # noqa: B018


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_rows(setting: Any) -> None:
    """A default of the row's own type, one line of help, one variable."""
    assert type(setting.default) is setting.type
    assert setting.help
    assert "\n" not in setting.help
    usual = "AGENTRUNNER_" + setting.name.upper().replace(".", "_")
    assert setting.variable == (setting.known_as or usual)
    assert load({setting.variable: str(setting.default)}).values[setting.name] is not None


def test_names_are_unique() -> None:
    """One row each."""
    assert len(BY_NAME) == len(SETTINGS)
