"""The kinds of tries, and how one is drawn: the same seed and number always give the same bytes."""

import gzip
import random
from collections.abc import Callable
from urllib.parse import quote

from agentrunner.api import refusals
from fuzz import bodies, nasty, surfaces
from fuzz.bodies import Asked
from fuzz.shot import Ending, Shot, World

ENDINGS: tuple[Ending, ...] = ("half", "close", "reset")
CRLF = b"\r\n"
Headers = list[tuple[bytes, bytes]]


def draw(seed: int, number: int, world: World) -> Shot:
    """Try `number` of a drill."""
    rng = random.Random(f"{seed}/{number}")
    kinds, weights = zip(*KINDS.items(), strict=True)
    return rng.choices(kinds, weights)[0](rng, world)


def head(method: bytes, target: bytes, headers: Headers, version: bytes = b"HTTP/1.1") -> bytes:
    """The request line and headers."""
    lines = [method + b" " + target + b" " + version, *(name + b": " + text for name, text in headers)]
    return CRLF.join(lines) + CRLF + CRLF


def usual(rng: random.Random, world: World, asked: Asked) -> Headers:
    """The headers that a client sends, with the right token nine times out of ten; a surface knows two headers."""
    scope = asked.scope if rng.random() < 0.9 else rng.choice(list(world.tokens))
    token = world.tokens[scope].encode()
    shown = (b"authorization", b"Bearer " + token)
    if refusals.of(asked.path.partition("?")[0]) is not refusals.NATIVE and rng.random() < 0.5:
        shown = (b"x-api-key", rng.choice((*(token,) * 9, b"Bearer " + token, b"", token + b"x", b"\xff")))
    return [(b"host", b"localhost"), shown, *asked.headers]


def body(rng: random.Random, asked: Asked, spoilt: float = 0.8) -> bytes:
    """The body: spoilt values, spoilt text, or as it should be."""
    if asked.body is None:
        return b"" if rng.random() < 0.9 else rng.choice(nasty.BROKEN)
    if isinstance(asked.body, bytes):
        return asked.body
    if rng.random() < 0.1:
        return rng.choice(nasty.BROKEN)
    return nasty.encode(rng, nasty.mutate(rng, asked.body) if rng.random() < spoilt else asked.body)


def plain(rng: random.Random, world: World, asked: Asked, spoilt: float = 0.8) -> bytes:
    """A whole request."""
    content = body(rng, asked, spoilt)
    headers = usual(rng, world, asked)
    if content or asked.body is not None:
        headers += [(b"content-type", asked.kind.encode()), (b"content-length", b"%d" % len(content))]
    return head(asked.method.encode(), asked.path.encode(), headers) + content


def any_of(rng: random.Random, world: World) -> Asked:
    """A request of any part of the API."""
    return rng.choice((bodies.native, surfaces.any_of, surfaces.any_of, bodies.control))(rng, world)


def values(rng: random.Random, world: World) -> Shot:
    """Wrong types, huge numbers, unknown and missing fields in a body."""
    return Shot("values", (plain(rng, world, bodies.native(rng, world)),), local=rng.random() < 0.3)


def doors(rng: random.Random, world: World) -> Shot:
    """The same for the compatible surfaces and the figures."""
    kinds = (surfaces.ops, surfaces.runner, surfaces.metrics, surfaces.figures)
    asked = rng.choice(kinds)(rng, world)
    return Shot("doors", (plain(rng, world, asked, 0.6),), local=rng.random() < 0.3)


def telemetry(rng: random.Random, world: World) -> Shot:
    """Telemetry that is too large, too deep, cut, packed, or of another kind than it says."""
    return Shot("telemetry", (plain(rng, world, surfaces.telemetry(rng, world), 0.7),))


def protocol(rng: random.Random, world: World) -> Shot:
    """The same for the worker protocol."""
    asked = bodies.control(rng, world)
    lasting = asked.path.endswith(("claim", "wishes", "decisions"))
    return Shot("protocol", (plain(rng, world, asked, 0.6),), local=rng.random() < 0.5, lasting=lasting)


def ndjson(rng: random.Random, world: World) -> Shot:
    """Lines of events."""
    return Shot("ndjson", (plain(rng, world, bodies.lines(rng, world)),))


def targets(rng: random.Random, world: World) -> Shot:
    """Request targets of every form there is, and of none."""
    one = world.targets[0]
    native = ("/v1/runs", f"/v1/runs/{one}/events", "/health", "/v1/stream?x=1", "/v1/stats", "/v1/usage", "/v1/agents")
    path = rng.choice((*native, "/api/runs", f"/api/runs/{one}/events", "/projects", "/runs", f"/runs/{one}/events"))
    raw = quote(nasty.text(rng).encode("utf-8", "surrogatepass")) if rng.random() < 0.7 else "\x7f\x01<>^`{|}"
    target = rng.choice(
        (
            *(
                f"http://localhost{path}",
                f"http://evil.test{path}",
                "*",
                "localhost:80",
                "//v1/runs",
                f"{path}/../../x",
            ),
            *(
                f"{path}?{raw}={raw}",
                f"{path}#{raw}",
                f"/{raw}",
                f"{path}%00",
                f"{path};a=b",
                "/v1/%72uns",
                "/V1/RUNS",
                "/%72uns",
            ),
            *(f"{path}?q={raw}", f"{path}?limit=1&limit=2", f"{path}?%ff=1", f"{path}?" + "a=b&" * 300, "", "/" * 5000),
            *(f"{path}?token={world.tokens['admin']}", f"/{world.tokens['admin']}", "/v1/runs/%2e%2e/tokens"),
        )
    ).encode("utf-8", "surrogatepass")
    method = rng.choice((b"GET", b"GET", b"POST", b"DELETE", b"PATCH"))
    content = head(method, target, usual(rng, world, Asked("GET", "")))
    return Shot("targets", (content,), ending=rng.choice(("read", "half")))


def methods(rng: random.Random, world: World) -> Shot:
    """Methods that are not possible, made up, or no words at all; versions of HTTP that there never were."""
    asked = any_of(rng, world)
    method = rng.choice(
        (
            *(
                b"PUT",
                b"HEAD",
                b"OPTIONS",
                b"TRACE",
                b"CONNECT",
                b"BREW",
                b"get",
                b"G" * 3000,
                b"",
                b" ",
                b"G\x00T",
                b"\xff",
            ),
            *(b"PRI", b"PROPFIND", b"M-SEARCH", b"DELETE", b"PATCH", b"POST"),
        )
    )
    version = rng.choice((b"HTTP/1.1",) * 6 + (b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"FTP/1.1", b""))
    content = head(method, asked.path.encode(), usual(rng, world, asked), version)
    return Shot("methods", (content,), ending="half" if method == b"CONNECT" else rng.choice(("read", "half")))


def headers(rng: random.Random, world: World) -> Shot:
    """Doubled, huge, many, folded, unnamed and foreign headers."""
    asked = any_of(rng, world)
    given = usual(rng, world, asked)
    odd = nasty.text(rng).encode("utf-8", "surrogatepass")[: rng.choice((100, 20_000))]
    extra: list[Headers] = [
        [(b"host", b"evil.test")],
        [(b"content-length", b"0"), (b"content-length", b"5")],
        [(b"content-length", rng.choice((b"-1", b"0x5", b"9" * 30, b"1, 1", b"", b"+1", b"1e3")))],
        [(b"transfer-encoding", rng.choice((b"chunked, chunked", b"gzip", b"identity", b"xchunked", b" chunked")))],
        [(b"x-a", b"a" * rng.choice((1000, 15_000, 17_000, 80_000)))],
        [(b"x-%d" % n, b"y") for n in range(rng.choice((50, 500, 3000)))],
        [
            (
                b"authorization",
                rng.choice((b"Bearer", b"Basic QQ==", b"Bearer ar_" + b"x" * 600, b"Bearer \xff\x00", odd)),
            )
        ],
        [(b"x-api-key", odd), (b"cookie", odd)],
        [(b"origin", rng.choice((b"http://evil.test", b"null", odd)))],
        [(b"sec-fetch-site", b"cross-site"), (b"referer", odd)],
        [(b"last-event-id", odd), (b"idempotency-key", odd)],
        [(b"accept", rng.choice((b"text/csv", b"*/*;q=0", odd))), (b"accept-encoding", b"gzip;q=1, br")],
        [(b"expect", rng.choice((b"100-continue", b"200-ok"))), (b"content-length", b"2")],
        [
            (b"connection", rng.choice((b"upgrade", b"close, x", b"keep-alive"))),
            (b"upgrade", rng.choice((b"h2c", b"websocket"))),
        ],
        [(rng.choice((b"x y", b"", b"x\x00", b"\xff", b"(x)")), b"v")],
        [(b"x-forwarded-for", b"127.0.0.1"), (b"forwarded", odd), (b"x-http-method-override", b"DELETE")],
        [(b"content-type", odd), (b"content-encoding", b"gzip")],
    ]
    found = rng.choice(extra)
    given = [each for each in given if each[0] != found[0][0]] + found if rng.random() < 0.5 else given + found
    if rng.random() < 0.1:
        given = [each for each in given if each[0] != b"host"]
    content = head(asked.method.encode(), asked.path.encode(), given)
    if rng.random() < 0.1:
        content = content.replace(CRLF, rng.choice((b"\n", b"\r", b"\r\n ")))
    return Shot(
        "headers", (content + rng.choice((b"", b"{}", b"0\r\n\r\n")),), "half", local=rng.random() < 0.3, answers=3
    )


def encodings(rng: random.Random, world: World) -> Shot:
    """Bodies that are not what their headers say: length, chunks, compression, content type."""
    asked = any_of(rng, world)
    content = body(rng, asked, 0.2) or b"{}"
    given = [*usual(rng, world, asked), (b"content-type", rng.choice((asked.kind.encode(), b"text/plain", b"\xff")))]
    how = rng.randrange(5)
    if how == 0:
        length = max(0, len(content) + rng.choice((-1, 1, -10, 1000, 10**7, 10**12)))
        given.append((b"content-length", b"%d" % length))
    elif how == 1:
        given += [(b"content-encoding", rng.choice((b"gzip", b"br", b"x"))), (b"content-length", b"%d" % len(content))]
    elif how == 2:
        content = gzip.compress(content, mtime=0)
        given += [(b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(content))]
    else:
        given.append((b"transfer-encoding", b"chunked"))
        if how == 4:
            given.append((b"content-length", b"%d" % len(content)))
        content = chunks(rng, content)
    request = head(asked.method.encode(), asked.path.encode(), given)
    return Shot("encodings", (request, content), "half", local=rng.random() < 0.3, answers=3)


def chunks(rng: random.Random, content: bytes) -> bytes:
    """The content in chunks, one of which may lie."""
    size = rng.choice((1, 7, 1000, 100_000))
    parts = [content[at : at + size] for at in range(0, min(len(content), size * 200), size)]
    found = [b"%x" % len(part) + rng.choice((b"", b"", b";a=b")) + CRLF + part + CRLF for part in parts]
    if rng.random() < 0.5:
        lie = (
            rng.choice((b"ffffffffffffffff", b"-1", b"zz", b"0x5", b"5", b"", b"1" + b"0" * 30)) + CRLF + b"abc" + CRLF
        )
        found.insert(rng.randrange(len(found) + 1), lie)
    trailer = rng.choice((CRLF, CRLF, b"x: y\r\n\r\n", b"x" * 20_000 + CRLF + CRLF))
    return b"".join(found) + rng.choice((b"0\r\n", b"0\r\n", b"00000\r\n", b"")) + trailer


def streams(rng: random.Random, world: World) -> Shot:
    """Streams with cursors of every kind, cut after their first bytes."""
    some = bodies.run_id(rng, world)
    surface = (f"/runs/{some}/events/stream", f"/api/runs/{some}/stream", "/api/runs/run-1/stream")
    path = rng.choice((f"/v1/runs/{some}/stream", "/v1/stream", *surface))
    if rng.random() < 0.5:
        path += f"?{rng.choice(('after', 'after_id', 'x', 'after=1&after'))}={quote(nasty.number(rng)[:40])}"
    given = usual(rng, world, Asked("GET", path, scope="read"))
    if rng.random() < 0.7:
        last = (
            nasty.number(rng)[:60] if rng.random() < 0.6 else nasty.text(rng).replace("\n", "").replace("\r", "")[:2000]
        )
        given.append((b"Last-Event-ID", last.encode("utf-8", "surrogatepass")))
    return Shot("streams", (head(b"GET", path.encode(), given),), rng.choice(("read", "read", "close", "reset")))


def pipelined(rng: random.Random, world: World) -> Shot:
    """Several requests in one write, the last perhaps broken."""
    count = rng.randrange(2, 20)
    several = [plain(rng, world, any_of(rng, world), 0.3) for _ in range(count)]
    if rng.random() < 0.3:
        several[-1] = nasty.spoil(rng, several[-1])
    return Shot("pipelined", (b"".join(several),), "half", local=rng.random() < 0.5, answers=2 * count)


def slow(rng: random.Random, world: World) -> Shot:
    """A request in small pieces."""
    content = plain(rng, world, any_of(rng, world), 0.3)[:3000]
    size = max(1, len(content) // rng.choice((5, 20, 60)))
    pieces = tuple(content[at : at + size] for at in range(0, len(content), size))
    return Shot("slow", pieces, "half", pause_s=rng.choice((0.0005, 0.002)), local=rng.random() < 0.3)


def cut(rng: random.Random, world: World) -> Shot:
    """A good request that breaks off anywhere."""
    content = plain(rng, world, any_of(rng, world), 0.0)
    return Shot("cut", (content[: rng.randrange(len(content))],), rng.choice(ENDINGS), local=rng.random() < 0.5)


def noise(rng: random.Random, world: World) -> Shot:
    """No HTTP at all, or HTTP with a few bytes changed."""
    if rng.random() < 0.3:
        return Shot("noise", (rng.randbytes(rng.choice((1, 10, 1000, 30_000))),), "half")
    content = plain(rng, world, any_of(rng, world), 0.0)
    for _ in range(rng.choice((1, 2, 5))):
        content = nasty.spoil(rng, content)
    return Shot("noise", (content,), "half", local=rng.random() < 0.3, answers=3)


KINDS: dict[Callable[[random.Random, World], Shot], int] = {
    **{values: 14, doors: 24, telemetry: 6, protocol: 10, ndjson: 4, targets: 8, methods: 5, headers: 9, encodings: 9},
    **{streams: 6, pipelined: 4, slow: 3, cut: 6, noise: 6},
}
"""With how often each comes."""
