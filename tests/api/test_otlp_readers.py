"""The readers of OTLP meet whatever comes: broken bytes are refused, everything else is bounded."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agentrunner.api import otlp_json, otlp_protobuf
from agentrunner.domain.errors import InvalidRequest
from agentrunner.domain.telemetry_reading import counted, shown, spans_of, told

WHOLE = Span(trace_id=b"\x01" * 16, span_id=b"\x02" * 8, name="chat", end_time_unix_nano=10**18)
WHOLE.attributes.add(key="a").value.string_value = "bbbb"
WHOLE.attributes.add(key="c").value.array_value.values.add().int_value = -1
VALID = ExportTraceServiceRequest(
    resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=[WHOLE])])]
).SerializeToString()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
VALUE = st.dictionaries(
    st.sampled_from(["stringValue", "intValue", "doubleValue", "boolValue", "arrayValue", "kvlistValue", "bytesValue"]),
    JSON | st.fixed_dictionaries({"values": st.lists(JSON, max_size=3)}),
    max_size=2,
)
TIME = st.integers() | st.text(max_size=5) | st.none() | st.floats()
SPAN = st.fixed_dictionaries(
    {"traceId": st.just("a" * 32), "spanId": st.just("b" * 16), "name": st.text(max_size=10)},
    optional={
        "startTimeUnixNano": TIME,
        "endTimeUnixNano": TIME,
        "status": st.fixed_dictionaries({"code": TIME, "message": st.text(max_size=5)}),
        "attributes": st.lists(st.fixed_dictionaries({"key": st.text(max_size=9), "value": VALUE}), max_size=5),
    },
)


@given(st.binary(max_size=200))
def test_any_bytes(content: bytes) -> None:
    """They are read, or refused as the client's fault."""
    for read in (otlp_protobuf.read_traces, otlp_protobuf.read_logs, otlp_protobuf.count_points):
        try:
            read(content)
        except InvalidRequest:
            continue
    for read in (otlp_json.read_traces, otlp_json.read_logs, otlp_json.count_points):
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            read(b"\x00" + content)


@given(st.integers(0, len(VALID) - 1), st.integers(0, 255))
def test_one_wrong_byte(at: int, byte: int) -> None:
    """What is still a message is read, and can be shown; the rest is refused."""
    try:
        found = otlp_protobuf.read_traces(VALID[:at] + bytes([byte]) + VALID[at + 1 :])
    except InvalidRequest:
        return
    for record in found:
        if record is not None:
            assert shown(record).payload


@given(st.lists(SPAN, max_size=4))
def test_any_json(spans: list[dict[str, Any]]) -> None:
    """Values that are not what their fields say are left out; every record can be told, and its payload read."""
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return
    try:
        found = [record for record in otlp_json.read_traces(content) if record is not None]
    except msgspec.DecodeError:
        return
    assert len(found) == len(spans)
    for record in found:
        for event in told(record):
            assert isinstance(msgspec.json.decode(event.payload), dict)
        assert 0 <= record.started <= record.ts
    assert len(spans_of(1, found)) == len(found)
    list(counted(found))


def test_a_valid_span_is_read() -> None:
    """The one that the tests above break."""
    (record,) = otlp_protobuf.read_traces(VALID)
    assert record is not None
    assert (record.name, record.span_id, record.attributes) == ("chat", "02" * 8, {"a": "bbbb", "c": [-1]})


def test_a_record_that_is_too_large_is_left_out() -> None:
    """The others of its request are not."""
    large = Span(trace_id=b"\x01" * 16, span_id=b"\x03" * 8, name="x" * (otlp_protobuf.MAX_RECORD_BYTES + 1))
    request = ExportTraceServiceRequest.FromString(VALID)
    request.resource_spans[0].scope_spans[0].spans.append(large)
    first, second = otlp_protobuf.read_traces(request.SerializeToString())
    assert first is not None
    assert second is None
