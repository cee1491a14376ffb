"""The scripted model, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from agentrunner.domain.run import Usage
from agentrunner.testing import Fault, ScriptedModel, ToolCall, Turn

TOOLS = [{"name": "Bash", "input_schema": {"type": "object"}}]
CALL = ToolCall(name="Bash", input={"command": "ls"})
SCRIPT = [Turn(thinking="hm", text="one two", tools=(CALL,)), Turn(text="done")]


def user(text: str) -> dict[str, Any]:
    """A prompt."""
    return {"role": "user", "content": text}


def ask(model: ScriptedModel, *messages: dict[str, Any], stream: bool = False, **fields: Any) -> httpx.Response:
    """Send a conversation."""
    body = {"model": "m", "max_tokens": 10, "tools": TOOLS, "messages": list(messages), "stream": stream, **fields}
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.post(f"{model.url}/v1/messages?beta=true", json=body)


def server_events(text: str) -> Iterator[dict[str, Any]]:
    """The data of server-sent events."""
    for frame in text.split("\n\n"):
        if frame:
            name, data = frame.split("\n")
            event = json.loads(data.removeprefix("data: "))
            assert name == f"event: {event['type']}"
            yield event


def said(text: str) -> list[dict[str, Any]]:
    """The content blocks that a stream adds up to, as an SDK would add them."""
    blocks: list[dict[str, Any]] = []
    for event in server_events(text):
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "json": ""})
        if event["type"] == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "input_json_delta":
                blocks[-1]["json"] += delta["partial_json"]
            else:
                field = delta["type"].removesuffix("_delta")
                blocks[-1][field] += delta[field]
    for block in blocks:
        if given := block.pop("json"):
            block["input"] = json.loads(given)
    return blocks


def test_streaming_and_not_streaming_say_the_same() -> None:
    """Blocks, stop reason and usage."""
    with ScriptedModel(SCRIPT) as model:
        whole = ask(model, user("go")).json()
        streamed = ask(model, user("go"), stream=True)
    assert said(streamed.text) == whole["content"]
    assert whole["content"][2] == {"type": "tool_use", "id": "toolu_0000_0", "name": "Bash", "input": {"command": "ls"}}
    events = list(server_events(streamed.text))
    assert events[0]["message"]["usage"]["cache_read_input_tokens"] == 200
    assert events[-2]["delta"]["stop_reason"] == whole["stop_reason"] == "tool_use"
    assert events[-2]["usage"]["output_tokens"] == whole["usage"]["output_tokens"] == 50
    assert events[-1] == {"type": "message_stop"}


def test_the_turn_is_read_from_the_conversation() -> None:
    """Asked twice it answers the same; an answer in the conversation moves it on."""
    with ScriptedModel(SCRIPT) as model:
        first = ask(model, user("go")).json()
        assert ask(model, user("go")).json() == first
        answer = {"role": "assistant", "content": first["content"]}
        results = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_0000_0", "content": "x"}]}
        second = ask(model, user("go"), answer, results).json()
        assert (second["content"], second["stop_reason"]) == ([{"type": "text", "text": "done"}], "end_turn")
        assert [request.number for request in model.requests] == [0, 0, 1]
        assert model.usage == Usage(input_tokens=2500, cache_read_tokens=600, output_tokens=160)


def test_a_conversation_beyond_its_script_fails_loudly() -> None:
    """With the number of turns there are."""
    with ScriptedModel([Turn(text="a")]) as model:
        refused = ask(model, user("go"), {"role": "assistant", "content": "a"}, user("more"))
    assert refused.status_code == 400
    assert "The script has 1 turns" in refused.json()["error"]["message"]


def test_scripts_are_chosen_by_prompt() -> None:
    """One model serves many agents; side questions without tools get a word."""
    with ScriptedModel(SCRIPT, scripts={"TEA": [Turn(text="tea")]}) as model:
        assert ask(model, user("make TEA")).json()["content"][0]["text"] == "tea"
        assert (
            ask(model, {"role": "user", "content": [{"type": "text", "text": "TEA"}]}).json()["content"][0]["text"]
            == "tea"
        )
        assert ask(model, user("go"), tools=[]).json()["content"][0]["text"] == "Scripted."


def test_turns_are_data() -> None:
    """Plain objects do, and mistakes in them are named."""
    with ScriptedModel([{"text": "x", "usage": {"input_tokens": 7, "output_tokens": 1}}]) as model:
        assert ask(model, user("go")).json()["usage"]["input_tokens"] == 7
        assert model.usage == Usage(input_tokens=7, output_tokens=1)
    with pytest.raises(msgspec.ValidationError, match="unknown field `txet`"):
        ScriptedModel([{"txet": "x"}])


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "authentication_error"), (429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error")],
)
def test_errors_are_the_vendors(status: int, kind: str) -> None:
    """Status, body, retry-after; nothing is counted."""
    with ScriptedModel(SCRIPT, fault=Fault(status=status, message="no", retry_after_s=2)) as model:
        failed = ask(model, user("go"))
        assert model.usage == Usage()
    assert (failed.status_code, failed.headers["retry-after"]) == (status, "2")
    assert failed.json()["error"] == {"type": kind, "message": "no"}


def test_a_fault_can_pass() -> None:
    """After as many times as it was given; a turn can have its own."""
    turns = [Turn(text="a", fault=Fault(status=529, times=1))]
    with ScriptedModel(turns, fault=Fault(times=2)) as model:
        assert [ask(model, user("go")).status_code for _ in range(4)] == [500, 500, 529, 200]


@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_answer_breaks_the_connection(stream: bool) -> None:
    """In the middle of what it says."""
    with ScriptedModel(SCRIPT, fault=Fault(kind="cut")) as model:
        with pytest.raises(httpx.RemoteProtocolError):
            ask(model, user("go"), stream=stream)
        assert model.usage == Usage()


def test_a_gate_holds_the_stream_until_it_is_opened() -> None:
    """The first half is out, the second comes after."""
    with ScriptedModel([Turn(text="one two three four", gate="half")]) as model:
        body = {"model": "m", "messages": [user("go")], "stream": True}
        with (
            httpx.Client(trust_env=False, timeout=10) as client,
            client.stream("POST", f"{model.url}/v1/messages", json=body) as response,
        ):
            chunks = response.iter_text()
            seen = ""
            while "two" not in seen:
                seen += next(chunks)
            assert model.reached("half")
            assert "three" not in seen
            model.open("half")
            assert said(seen + "".join(chunks))[0]["text"] == "one two three four"
        assert not model.reached("never", timeout=0)


@pytest.mark.parametrize(
    "turn", [Turn(text="a b", fault=Fault(kind="hang")), Turn(text="a b", gate="g"), Turn(text="a b", pace_s=60)]
)
def test_leaving_ends_every_answer(turn: Turn) -> None:
    """A client that waits for a hanging, held or slow answer keeps no thread alive."""
    before = set(threading.enumerate())
    with ScriptedModel([turn]) as model, httpx.Client(trust_env=False, timeout=0.3) as client:
        body = {"model": "m", "messages": [user("go")], "stream": True}
        with pytest.raises(httpx.ReadTimeout):
            client.post(f"{model.url}/v1/messages", json=body)
    assert set(threading.enumerate()) == before


def test_leaving_does_not_wait_for_clients_that_stay() -> None:
    """An idle connection is dropped, its thread ended."""
    before = set(threading.enumerate())
    with httpx.Client(trust_env=False, timeout=5) as client:
        with ScriptedModel() as model:
            assert client.head(model.url).status_code == 200
        assert set(threading.enumerate()) == before


def test_other_addresses() -> None:
    """What agents touch on the way: a warm-up, a token count, what is not there, what is no JSON."""
    with ScriptedModel(SCRIPT) as model, httpx.Client(trust_env=False, base_url=model.url) as client:
        assert client.head("/").status_code == 200
        assert client.post("/v1/messages/count_tokens", json={"messages": []}).json()["input_tokens"] > 0
        assert client.get("/v1/models").status_code == 404
        assert client.post("/v1/else", json={}).json()["error"]["type"] == "not_found_error"
        assert client.post("/v1/messages", content=b"[1").status_code == 400
        assert [request.method for request in model.requests] == ["HEAD", "POST", "GET", "POST"]


def test_many_clients_at_once_are_all_counted() -> None:
    """Every answer is in the sum."""
    with ScriptedModel(SCRIPT) as model:
        threads = [threading.Thread(target=ask, args=(model, user("go"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert model.usage.output_tokens == 20 * 50


async def test_it_serves_async_tests_too() -> None:
    """It runs on its own threads."""
    with ScriptedModel([Turn(text="x")]) as model:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"{model.url}/v1/messages", json={"messages": [user("go")]})
        assert answer.json()["content"] == [{"type": "text", "text": "x"}]
        assert model.environment()["ANTHROPIC_BASE_URL"] == model.url


def test_it_has_no_address_before_it_runs() -> None:
    """And says how to make it run."""
    with pytest.raises(RuntimeError, match="with ScriptedModel"):
        _ = ScriptedModel().url
