"""The OpenAPI 3.1 document: framework routes and raw routes, from the same types that decode and encode."""

import inspect
import re
import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from agentrunner.api import refusals
from agentrunner.api.errors import Problem
from agentrunner.api.query import MAX_ID
from agentrunner.api.routes import Raw
from agentrunner.domain.token import Scope

_REF = "#/components/schemas/{name}"
_REFUSALS = {
    400: "The request, its JSON or its cursor cannot be understood.",
    401: "No token, or one that is unknown or revoked.",
    403: "The token has not the scope, or another website asks.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "It collides with what is there, or the run's status does not allow it.",
    413: "The body is too large.",
    415: "The body has a content type that is not taken.",
    421: "The header Host names another server.",
    422: "A field has a value that is not allowed; `detail` names it.",
    429: "Too much is waiting already.",
    431: "The request line and headers are too large.",
    500: "A fault of the server; its log has the details under the request id.",
    503: "Not possible right now; try again shortly.",
}
_NAMED: dict[str, dict[str, Any]] = {
    "run_id": {"type": "integer", "minimum": 1, "maximum": MAX_ID},
    "action": {"type": "string", "enum": ["pause", "resume", "stop"]},
    "agent_id": {"type": "string", "pattern": "^[0-9A-Fa-f]{24}$"},
    "name": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[^/\\x00-\\x1f\\x7f]+$"},
}
"""The schemas of parameters in paths by their names; others are texts."""
_SOUGHT = {"agent", "name", "version"}
"""What a query may name that has to be there."""
_PROVING = "/v1/logins/token"
"""Open to everybody, but what is sent there has to be a token."""
_ALWAYS = (400, 403, 421, 422, 431, 500, 503)
_REQUEST_ID = {"description": "Names the request in the server's log.", "schema": {"type": "string"}, "required": True}
_DEMANDED = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
_ANSWERS = {200: "Done.", 201: "Created.", 202: "Accepted; not fact yet.", 204: "Done; no content."}


def document(raw: Sequence[Raw], framework: Litestar, version: str, backends: Sequence[str] = ()) -> bytes:
    """The document as JSON; `backends` are the names that a run may have."""
    schema: dict[str, Any] = framework.openapi_schema.to_schema()
    paths: dict[str, Any] = schema["paths"]
    scopes = dict(_scopes(framework))
    for path, item in paths.items():
        for method, operation in item.items():
            _finish(operation, method, path, scopes[method.upper(), path])
    kinds: list[Any] = [Problem]
    for route in raw:
        operation = _operation(route)
        _finish(operation, route.method.lower(), route.path, route.scope)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
        kinds.extend(kind for kind in (*route.bodies.values(), *route.answers.values()) if kind is not None)
    components = schema.setdefault("components", {})
    # msgspec describes its own structs exactly; the framework leaves bounds and unknown fields out.
    components["schemas"] = components.get("schemas", {}) | _components([*kinds, *_types(framework)])
    if backends:
        components["schemas"]["NewRun"]["properties"]["backend"]["enum"] = sorted(backends)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["info"] = {"title": "Agent Runner", "version": version}
    schema["servers"] = [{"url": "/"}]
    schema["paths"] = dict(sorted(paths.items()))
    return msgspec.json.encode(schema)


def config(version: str) -> OpenAPIConfig:
    """How the framework describes its routes."""
    return OpenAPIConfig(title="Agent Runner", version=version, create_examples=False)


def _handlers(framework: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in framework.routes:
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items():
            if "scope" in handler.opt:
                yield method, route.path_format, handler


def _scopes(framework: Litestar) -> Iterator[tuple[tuple[str, str], Scope | None]]:
    for method, path, handler in _handlers(framework):
        yield (method, path), handler.opt["scope"]


def _types(framework: Litestar) -> list[Any]:
    found: list[Any] = []
    for _, _, handler in _handlers(framework):
        fields = [*handler.parsed_fn_signature.parameters.values(), handler.parsed_fn_signature.return_type]
        found.extend(struct for field in fields for struct in _structs(field.annotation))
    return found


def _structs(kind: Any) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for inner in get_args(kind):
        yield from _structs(inner)


def _components(kinds: Sequence[Any]) -> dict[str, Any]:
    structs = {struct for kind in kinds for struct in _structs(kind)}
    ordered = sorted(structs, key=lambda struct: struct.__name__)
    known: dict[Any, Any] = {}
    return msgspec.json.schema_components([describable(kind, known) for kind in ordered], ref_template=_REF)[1]


def describable(kind: Any, known: dict[Any, Any]) -> Any:
    """The same type without `Raw` as a default: msgspec cannot write such a default into a schema."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        if kind not in known:
            known[kind] = _describable_struct(kind, known)
        return known[kind]
    if not (inner := get_args(kind)):
        return kind
    origin = get_origin(kind)
    if origin is Annotated:
        return Annotated[(describable(inner[0], known), *inner[1:])]
    if origin is Literal:
        return kind
    parts = tuple(describable(each, known) for each in inner)
    return Union[parts] if origin in (Union, types.UnionType) else origin[parts]  # noqa: UP007


def _describable_struct(kind: Any, known: dict[Any, Any]) -> Any:
    config = kind.__struct_config__
    return msgspec.defstruct(
        kind.__name__,
        [
            (field.name, describable(field.type, known), _describable_field(field))
            for field in msgspec.structs.fields(kind)
        ],
        kw_only=True,
        forbid_unknown_fields=config.forbid_unknown_fields,
        namespace={"__doc__": inspect.cleandoc(kind.__doc__ or "")},
    )


def _describable_field(field: Any) -> Any:
    name = field.encode_name if field.encode_name != field.name else None
    if field.required:
        return msgspec.field(name=name)
    if isinstance(field.default, msgspec.Raw | msgspec.Struct):
        return msgspec.field(name=name, default_factory=lambda: field.default)
    if field.default is not msgspec.NODEFAULT:
        return msgspec.field(name=name, default=field.default)
    return msgspec.field(name=name, default_factory=field.default_factory)


def _schema(kind: Any) -> dict[str, Any]:
    """A schema that refers to the components. msgspec describes no union of structs, so a union is put together."""
    if get_origin(kind) in (Union, types.UnionType):
        return {"oneOf": [_schema(inner) for inner in get_args(kind)]}
    return msgspec.json.schema_components([describable(kind, {})], ref_template=_REF)[0][0]


def _operation(route: Raw) -> dict[str, Any]:
    answers = {
        str(status): {
            "description": _ANSWERS[status],
            "content": {route.answer_type: {"schema": _described(route.answer_type, kind)}},
        }
        for status, kind in route.answers.items()
    }
    operation: dict[str, Any] = {"summary": route.summary, "parameters": _parameters(route), "responses": answers}
    if route.bodies:
        content = {kind: {"schema": _schema(body)} for kind, body in route.bodies.items()}
        operation["requestBody"] = {"required": not route.may_be_empty, "content": content}
    return operation


def _described(answer_type: str, kind: Any) -> dict[str, Any]:
    """The schema of an answer; one without a type of ours is text, or this document itself."""
    if kind is not None:
        return _schema(kind)
    return {"type": "object" if answer_type == "application/json" else "string"}


def _parameters(route: Raw) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in re.findall(r"\{(\w+)\}", route.path):
        schema = route.parameter or _NAMED.get(name) or {"type": "string", "minLength": 1}
        found.append({"name": name, "in": "path", "required": True, "schema": dict(schema)})
    if route.header is not None:
        found.append({"in": "header", **route.header})
    if route.query is not None:
        (described,), parts = msgspec.json.schema_components([route.query], ref_template=_REF)
        part = parts[described["$ref"].rpartition("/")[2]]
        needed = part.get("required", [])
        found.extend(
            {"name": name, "in": "query", "schema": schema} | ({"required": True} if name in needed else {})
            for name, schema in part["properties"].items()
        )
    return found


def _finish(operation: dict[str, Any], method: str, path: str, scope: Scope | None) -> None:
    """What every operation has: an id, who may call it, exact bounds, and the problem documents it may answer."""
    words = [word for word in re.split(r"[^a-z0-9]+", path) if word not in ("", "v1")]
    surface = ["runner"] if refusals.of(path) is refusals.RUNNER else []
    operation["operationId"] = "_".join([method, *surface, *words]) or method
    operation["security"] = [] if scope is None else [{"token": []}]
    operation["x-scope"] = None if scope is None else scope.value
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _exact(parameter["schema"])
    responses = operation["responses"]
    for response in responses.values():
        response.setdefault("headers", {})["X-Request-Id"] = _REQUEST_ID
    for status in _refusals(operation, method, path, scope):
        responses[str(status)] = _refusal(status, path)


def _exact(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema as it is checked.

    The framework writes bounds as floats, which rounds the largest id up, and says that a parameter may be null.
    """
    if "oneOf" in schema:
        rest = {name: value for name, value in schema.items() if name != "oneOf"}
        schema = next(each for each in schema["oneOf"] if each.get("type") != "null") | rest
    for bound in ("minimum", "maximum"):
        if isinstance(limit := schema.get(bound), float) and schema.get("type") == "integer":
            schema[bound] = min(int(limit), MAX_ID)
    return schema


def _refusals(operation: dict[str, Any], method: str, path: str, scope: Scope | None) -> list[int]:
    found = set(_ALWAYS)
    if scope is not None or path == _PROVING:
        found.add(401)
    names = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "query"}
    if "{" in path or method != "get" or names & _SOUGHT:
        found.add(404)
    if method != "get":
        found |= {409, 429}
    if "requestBody" in operation:
        found |= {408, 413, 415}
    return sorted(found)


def _refusal(status: int, path: str) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-Id": _REQUEST_ID}
    if (name := _DEMANDED.get(status)) is not None:
        headers[name] = {"schema": {"type": "string"}, "required": True}
    surface = refusals.of(path)
    if surface is not refusals.NATIVE:
        kind = surface.kind.partition(b";")[0].decode()
        content = {kind: {"schema": dict(surface.schema)}}
        return {"description": _REFUSALS[status], "headers": headers, "content": content}
    return {
        "description": f"{_REFUSALS[status]} A problem document.",
        "headers": headers,
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
