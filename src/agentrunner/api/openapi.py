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

from agentrunner.api.errors import Problem
from agentrunner.api.routes import Raw
from agentrunner.domain.token import Scope

_REF = "#/components/schemas/{name}"
_PROBLEM = {
    "description": "Refused: a problem document with a stable `code` and a `detail` that says what to do.",
    "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name="Problem")}}},
}
_ANSWERS = {200: "Done.", 201: "Created.", 202: "Accepted; not fact yet.", 204: "Done; no content."}


def document(raw: Sequence[Raw], framework: Litestar, version: str) -> bytes:
    """The document as JSON."""
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
            "content": {route.answer_type: {"schema": {"type": "string"} if kind is None else _schema(kind)}},
        }
        for status, kind in route.answers.items()
    }
    operation: dict[str, Any] = {"summary": route.summary, "parameters": _parameters(route), "responses": answers}
    if route.bodies:
        content = {kind: {"schema": _schema(body)} for kind, body in route.bodies.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(route: Raw) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if "{run_id}" in route.path:
        whole = {"type": "integer", "minimum": 1}
        found.append({"name": "run_id", "in": "path", "required": True, "schema": whole})
    if route.header is not None:
        name, text = route.header
        found.append({"name": name, "in": "header", "description": text, "schema": {"type": "string"}})
    if route.query is not None:
        (described,), parts = msgspec.json.schema_components([route.query], ref_template=_REF)
        properties = parts[described["$ref"].rpartition("/")[2]]["properties"]
        found.extend({"name": name, "in": "query", "schema": schema} for name, schema in properties.items())
    return found


def _finish(operation: dict[str, Any], method: str, path: str, scope: Scope | None) -> None:
    """What every operation has: an id, who may call it, and the problem document."""
    words = [word for word in re.split(r"[^a-z0-9]+", path) if word not in ("", "v1")]
    operation["operationId"] = "_".join([method, *words]) or method
    operation["security"] = [] if scope is None else [{"token": []}]
    operation["x-scope"] = None if scope is None else scope.value
    operation["responses"].pop("400", None)
    operation["responses"]["default"] = _PROBLEM
