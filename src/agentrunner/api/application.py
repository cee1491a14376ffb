"""The ASGI application: every request passes the same door, then goes to a raw route or to the framework."""

import time
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, NoReturn

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig

from agentrunner.api import (
    agents,
    bulk,
    config,
    console,
    console_login,
    control,
    events,
    exposition,
    health,
    metrics,
    openapi,
    ops,
    ops_events,
    otlp,
    projects,
    query,
    retention,
    runner,
    runner_events,
    runner_workers,
    runs,
    samples,
    search_events,
    sessions,
    stats,
    stream,
    system,
    tokens,
    usage,
    views,
)
from agentrunner.api import services as services_route
from agentrunner.api import workers as worker_routes
from agentrunner.api.asgi import Bounds, Receive, Scope, Send
from agentrunner.api.auth import Tokens, permit
from agentrunner.api.call import BODY_BYTES, Call
from agentrunner.api.changes import Changes
from agentrunner.api.context import Context
from agentrunner.api.feed import Feeds
from agentrunner.api.figures import Figures
from agentrunner.api.hosts import Doorkeeper
from agentrunner.api.request import CALL, StrictRequest
from agentrunner.api.routes import Raw, Table
from agentrunner.domain.errors import MethodNotAllowed
from agentrunner.domain.token import Scope as TokenScope
from agentrunner.engine.runs import EXTERNAL
from agentrunner.engine.services import Services

_GONE = 499
"""What is counted for a client that closed before it was answered."""
_METHODS = {"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"}


class Application:
    """Agent Runner's HTTP. Called itself it serves what came over TCP; `on_socket` what came over the Unix socket."""

    def __init__(self, context: Context, host: str | None) -> None:
        self.context = context
        self._doorkeeper = Doorkeeper(context.services.settings, host)
        self._raw = [
            *runs.ROUTES,
            *events.ROUTES,
            *stream.ROUTES,
            *search_events.ROUTES,
            *control.ROUTES,
            *otlp.ROUTES,
            *exposition.ROUTES,
            *config.ROUTES,
            *sessions.ROUTES,
            *metrics.ROUTES,
            *ops.ROUTES,
            *ops_events.ROUTES,
            *runner.ROUTES,
            *runner_events.ROUTES,
            *runner_workers.ROUTES,
            Raw("GET", "/openapi.json", TokenScope.READ, self._describe, "This document", answers={200: None}),
        ]
        self._table = Table(self._raw)
        self._lasting = control.LASTING | {
            route.path for route in self._raw if route.answer_type == stream.EVENT_STREAM
        }
        self._framework = self._build_framework()
        self._parameters = dict(_parameters(self._framework))
        self._document: bytes | None = None

    def _build_framework(self, described: OpenAPIConfig | None = None) -> Litestar:
        context = self.context
        return Litestar(
            _HANDLERS,
            dependencies={"context": Provide(lambda: context, sync_to_thread=False)},
            guards=[self.guard],
            request_class=StrictRequest,
            exception_handlers={Exception: _raise, 500: _raise},
            openapi_config=described,
            logging_config=None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that came over the network."""
        await self._serve(scope, receive, send, local=False)

    async def on_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request that came over the Unix socket."""
        await self._serve(scope, receive, send, local=True)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, *, local: bool) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        call = Call(scope, receive, send, self.context.bounds, local=local)
        try:
            await self._handle(call)
        except Exception as error:
            await call.fail(error)
        finally:
            lasting = call.template in self._lasting
            method = call.method if call.method in _METHODS else "other"
            seconds = None if lasting else time.perf_counter() - started
            self.context.figures.answered(method, call.template, call.status or _GONE, seconds)

    async def _handle(self, call: Call) -> None:
        self._doorkeeper.admit(call)
        if (head := self._doorkeeper.preflight(call)) is not None:
            await call.send({"type": "http.response.start", "status": 204, "headers": list(head)})
            await call.send({"type": "http.response.body", "body": b""})
            return
        by_method, text = self._table.find(call.path)
        if (route := by_method.get(call.method)) is not None:
            call.template = route.path
            await self._permit(call, route.scope)
            await route.serve(self.context, call, text)
        elif call.path == sessions.LOGIN:
            call.template = sessions.LOGIN
            await console_login.serve(self.context, call)
        elif console.is_below(call.path):
            call.template = console.PREFIX
            await self.context.console.serve(call)
        elif call.path == "/" and console.wants_page(call):
            call.template = "/"
            await console.lead(call, console.PREFIX, [(b"vary", b"accept")])
        else:
            await self._to_framework(call, by_method)

    async def _to_framework(self, call: Call, by_method: Mapping[str, Raw]) -> None:
        if call.method == "OPTIONS":
            raise MethodNotAllowed("OPTIONS is answered only to browsers of a configured origin.")
        call.announce_body(BODY_BYTES)
        call.expect_json()
        call.expect_utf8()
        call.scope[CALL] = call
        if call.local:
            # Its refusals name the address, for which any Host will do but none or a broken one.
            others = [header for header in call.scope["headers"] if header[0] != b"host"]
            call.scope["headers"] = [*others, (b"host", b"localhost")]
        try:
            await self._framework(call.scope, call.receive, call.send)  # type: ignore[arg-type]
        except (NotFoundException, MethodNotAllowedException) as error:
            if allowed := set(by_method) | self._framework_methods(call.path):
                raise self._not_allowed(call, allowed) from error
            raise
        finally:
            call.template = call.scope.get("path_template", call.template)

    def _not_allowed(self, call: Call, methods: set[str]) -> MethodNotAllowed:
        allowed = sorted(methods)
        return MethodNotAllowed(
            f"{call.method[:20]} is not possible at {call.path[:200]}; it takes {', '.join(allowed)}.", allow=allowed
        )

    def _framework_methods(self, path: str) -> set[str]:
        try:
            found = self._framework.asgi_router.handle_routing(path=path, method="OPTIONS")
        except Exception:
            return set()
        return {method for method, template in self._parameters if template == found[-1]}

    async def _permit(self, call: Call, needed: TokenScope | None) -> None:
        if needed is not None:
            call.held = await self.context.tokens.held(call)
            permit(call, needed, self.context.services)

    async def guard(self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """The framework's side of the door: scope and query parameters, before a body is read."""
        call: Call = connection.scope[CALL]  # type: ignore[literal-required]
        await self._permit(call, handler.opt.get("scope", TokenScope.ADMIN))
        key = (call.method, connection.scope["path_template"])
        known, lists = self._parameters.get(key, ((), ()))
        query.check(call.scope["query_string"], known, lists)

    async def _describe(self, _context: Context, call: Call, _text: str) -> None:
        """`GET /openapi.json`."""
        query.check(call.scope["query_string"], (), ())
        await call.answer(self.document())

    def document(self) -> bytes:
        """The OpenAPI document."""
        if self._document is None:
            number = version("agentrunner")
            framework = self._build_framework(openapi.config(number))
            self._document = openapi.document(self._raw, framework, number, self._backends())
        return self._document

    def _backends(self) -> list[str]:
        return [*self.context.services.backends.names, EXTERNAL]

    def stop(self) -> None:
        """End streams and long polls at once; further requests are still answered."""
        self.context.stopping.set()
        self.context.feeds.stop()
        self.context.changes.stop()


_HANDLERS = [
    *runs.HANDLERS,
    *bulk.HANDLERS,
    *views.HANDLERS,
    *worker_routes.HANDLERS,
    *projects.HANDLERS,
    *agents.HANDLERS,
    *stats.HANDLERS,
    *usage.HANDLERS,
    *retention.HANDLERS,
    *samples.HANDLERS,
    *tokens.HANDLERS,
    *sessions.HANDLERS,
    *services_route.HANDLERS,
    *system.HANDLERS,
    *health.HANDLERS,
]


def _raise(_: Request[Any, Any, Any], error: Exception) -> NoReturn:
    """Errors of the framework's routes are answered where those of the raw routes are."""
    raise error


def _parameters(framework: Litestar) -> Iterator[tuple[tuple[str, str], tuple[set[str], set[str]]]]:
    """By method and path: the names of the query parameters, and which of them may come several times."""
    for route in framework.routes:
        for method, (handler, model) in getattr(route, "route_handler_map", {}).items():
            if "scope" in handler.opt:
                found = model.expected_query_params
                lists = {each.field_alias for each in found if each.is_sequence}
                yield (method, route.path_format), ({each.field_alias for each in found}, lists)


def build(services: Services, *, host: str | None = "127.0.0.1", bounds: Bounds | None = None) -> Application:
    """The application over `services`; `host` is the address it will listen on, a name that Host may have."""
    limits = bounds or Bounds()
    context = Context(
        services=services,
        bounds=limits,
        tokens=Tokens(services),
        figures=Figures(services),
        feeds=Feeds(services, limits),
        changes=Changes(services, limits),
    )
    return Application(context, host)
