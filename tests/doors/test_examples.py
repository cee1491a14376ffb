"""Pages are taken apart as a person reads them, and run as they stand."""

import pytest

from doors.examples import Door, blocks, commands, curls, fill, read_head, up_command

PAGE = """
Ask `curl http://localhost:8787/health` first.

```bash
# 1. start
make start
curl -X POST "http://localhost:8000/runs" \\
  -H "Content-Type: application/json" \\
  -d '{"project_id": 1,
       "goal": "it''s"}'

watch -n 1 'curl -s http://localhost:8000/runs/1 | cat'
```
   ```sh
   curl http://localhost:8787/last
   ```
```json
curl is no command here
```
Then `curl http://localhost:9999/after`.
"""


def test_every_curl_in_order() -> None:
    """Fences, indented fences, text and `watch`, in the order of the page; other commands are left out."""
    found = curls(PAGE)
    assert [each.split("\n")[0] for each in found] == [
        "curl http://localhost:8787/health",
        'curl -X POST "http://localhost:8000/runs" \\',
        "curl -s http://localhost:8000/runs/1 | cat",
        "curl http://localhost:8787/last",
        "curl http://localhost:9999/after",
    ]
    assert found[1].endswith('"goal": "it\'\'s"}\'')


def test_blocks_know_their_kind_and_line() -> None:
    """A failure can name the line of the page."""
    assert [(block.kind, block.line) for block in blocks(PAGE)] == [("bash", 4), ("sh", 14), ("json", 17)]
    assert blocks(PAGE, "sh")[0].text == "curl http://localhost:8787/last\n"


def test_filling_in_leaves_json_alone() -> None:
    """Only given names are ids; every loopback port is the server's."""
    text = "curl localhost:9999/{id}/<run-id>/:name -d '{\"id\": {}}' http://127.0.0.1:1/x myhost:80"
    filled = fill(text, "127.0.0.1:5", {"id": 7, "run-id": "r", "name": "n"})
    assert filled == "curl 127.0.0.1:5/7/r/n -d '{\"id\": {}}' http://127.0.0.1:5/x myhost:80"


def test_a_command_that_does_not_end_is_an_error() -> None:
    """A page with an open quote is broken, not short."""
    with pytest.raises(AssertionError, match="does not end"):
        list(commands("echo 'open\n"))


def test_how_a_page_starts_its_server() -> None:
    """Variables and flags count, the port does not."""
    page = "```sh\nmake setup\nKEY=a agentrunner up --port 9 --insecure-no-auth   # why\n```\n"
    assert up_command(page) == ({"KEY": "a"}, ["--insecure-no-auth"])
    assert up_command("no server") == ({}, [])


def test_the_last_of_several_heads_counts() -> None:
    """A `100 Continue` before the answer is not the answer."""
    head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX-A: b: c\r\n\r\n"
    assert read_head(head) == (201, {"x-a": "b: c"})
    assert read_head("") == (0, {})


def test_a_curl_runs_against_the_server(door: Door) -> None:
    """Status, headers and body arrive, also through a pipe."""
    plain = door.run("curl http://localhost:8787/health")
    assert plain.status == 200
    assert plain.headers["content-type"].startswith("application/json")
    assert door.run("curl -s http://localhost:1/health | python3 -m json.tool").json.keys() == plain.json.keys()
    assert door.run("curl http://localhost:1/{what}", {"what": "no-such"}).status == 404


def test_a_curl_that_fails_fails_the_test(door: Door) -> None:
    """curl's own failure is never taken for an answer."""
    with pytest.raises(AssertionError, match="curl"):
        door.run("curl --no-such-flag http://localhost:8787/health")
