"""Examines a running Streamable HTTP server from outside: greeting, ping, listing, farewell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mcp_otel.doctor import messages
from mcp_otel.doctor.messages import Probe
from mcp_otel.doctor.patience import Patience
from mcp_otel.doctor.report import Report
from mcp_otel.doctor.web import Reply, Web

PINGS = 5
FINAL = (401, 403, 406, 421, 503)
"""Statuses that no other version of the protocol would change."""


def examine(report: Report, url: str, headers: Mapping[str, str], patience: Patience) -> None:
    """Connect, look, and leave; nothing is sent that has an effect."""
    report.topic = "the server"
    web = Web(url, headers, patience)
    greeting = first = web.ask("initialize", messages.initialize())
    modern = first.status not in FINAL and first.body is not None and messages.error_of(first.body) is not None
    if modern:
        greeting = web.ask("server/discover", modern=True)
    if greeting.body is None or messages.error_of(greeting.body) is not None:
        _no_greeting(report, url, first)
        return
    result = greeting.body.get("result")
    about: dict[str, Any] = result if isinstance(result, dict) else {}
    web.session = greeting.headers.get("Mcp-Session-Id")
    web.version = None if modern else about.get("protocolVersion")
    try:
        _describe(report, web, about, modern, greeting)
        if not modern:
            _accepted(report, web.tell("notifications/initialized"))
        trace = _look(report, web, about, modern)
    finally:
        if web.session is not None:
            _leave(report, web.end_session())
    report.topic = "is it observed?"
    report.note("observed", "that cannot be known from outside: telemetry goes from the server to its Collector")
    if trace is not None:
        report.note("trace", f"look for trace {trace} there: if spans arrive, it has one of our `{_probe(modern)}`")
    report.note("how", "or, where the server lives, let the doctor start it on stdio: mcp-otel doctor -- COMMAND")


def _describe(report: Report, web: Web, about: dict[str, Any], modern: bool, greeting: Reply) -> None:
    info = about.get("serverInfo") or (about.get("_meta") or {}).get(messages.ENVELOPE + "serverInfo") or {}
    who = f"{info.get('name', 'it')} {info.get('version', '')}".strip()
    version = messages.MODERN if modern else web.version
    report.ok("greeting", f"{who} speaks MCP {version}, greeted in {1000 * greeting.seconds:.0f} ms")
    if modern:
        report.ok("session", "no sessions: every request stands for itself")
    elif web.session is None:
        report.ok("session", "no session id: it is stateless")
    else:
        report.ok("session", "sessions: it gave us one of our own")


def _probe(modern: bool) -> str:
    return "server/discover" if modern else "ping"  # 2026-07-28 has no ping


def _look(report: Report, web: Web, about: dict[str, Any], modern: bool) -> str | None:
    """List and ping; the trace of the first ping if it was answered."""
    if "tools" in (about.get("capabilities") or {}):
        listed = web.ask("tools/list", modern=modern)
        tools = ((listed.body or {}).get("result") or {}).get("tools")
        if isinstance(tools, list):
            more = ", and more pages" if (listed.body or {})["result"].get("nextCursor") else ""
            report.ok("tools", f"{messages.counted(len(tools), 'tool')} listed in {1000 * listed.seconds:.0f} ms{more}")
        else:
            report.problem("tools", f"tools/list fails: {_said(listed)}", "look at the log of the server")
    method, probe = _probe(modern), Probe.new()
    replies = [web.ask(method, modern=modern, traceparent=probe.traceparent)]
    if _good(replies[0]):
        replies += [web.ask(method, modern=modern) for _ in range(PINGS - 1)]
    failed = [reply for reply in replies if not _good(reply)]
    if failed:
        report.problem("probe", f"{method} fails: {_said(failed[0])}", "every MCP server has to answer it")
        return None
    times = sorted(1000 * reply.seconds for reply in replies)
    report.ok("probe", f"{method} answered {PINGS} times, in {times[0]:.1f} to {times[-1]:.1f} ms")
    return probe.trace_id


def _good(reply: Reply) -> bool:
    return reply.body is not None and messages.error_of(reply.body) is None


def _accepted(report: Report, reply: Reply) -> None:
    if not 200 <= reply.status < 300:
        text = f"it does not take notifications/initialized: {_said(reply)}"
        report.problem("initialized", text, "look at the log of the server")


def _leave(report: Report, reply: Reply) -> None:
    if 200 <= reply.status < 300:
        report.ok("farewell", "our session is ended")
    elif reply.status == 405:
        report.note("farewell", "it lets no client end its session (405): ours ends when it idles")
    else:
        report.note("farewell", f"our session could not be ended: {_said(reply)}")


def _no_greeting(report: Report, url: str, reply: Reply) -> None:
    if reply.failure is not None:
        text, fix = _unreached(url, reply.failure, reply.seconds)
    elif reply.body is not None and (error := messages.error_of(reply.body)) is not None:
        text, fix = _refused(reply.status, *error)
    else:
        text, fix = _status(url, reply)
    start = [reply.text[:300]] if reply.text.strip() else []
    report.problem("greeting", text, fix, *start)


def _refused(status: int, code: int | None, said: str) -> tuple[str, str]:
    text = f"it refuses to be greeted: {said} ({code}, HTTP {status})"
    if status == 503:
        return text, "is it full? See its limit on sessions, and `mcp_otel.sessions.limit`"
    if status == 406:
        return text, "we accept JSON and events: does a proxy change the Accept header?"
    if status in (401, 403):
        return text, 'give it what it wants: --header "Authorization: Bearer TOKEN"'
    return text, "which protocol versions does it speak? See its documentation"


def _unreached(url: str, failure: BaseException, seconds: float) -> tuple[str, str]:
    from requests import exceptions as failures

    parts, text = urlsplit(url), str(failure)
    where = f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
    if isinstance(failure, failures.SSLError):
        if "CERTIFICATE_VERIFY" in text:
            return (
                "its certificate is not trusted",
                "export REQUESTS_CA_BUNDLE=the file of the authority that signed it",
            )
        if "WRONG_VERSION" in text or "record layer" in text:
            return f"{where} does not speak TLS", f"mcp-otel doctor {url.replace('https://', 'http://', 1)}"
        return f"TLS fails: {text[-150:]}", "look at its certificate"
    if isinstance(failure, TimeoutError | failures.Timeout):
        return f"no answer within {seconds:.0f} s (timeout)", "is it overloaded, or a firewall between? --timeout 60"
    if "refused" in text:
        return f"nothing listens at {where} (connection refused)", "is the server running, and the port right?"
    if "resolve" in text or "Name or service" in text or "getaddrinfo" in text:
        return f"there is no host {parts.hostname!r}", "mend the host in the URL, or DNS"
    if isinstance(failure, failures.ConnectionError) and ("BadStatusLine" in text or "aborted" in text):
        fix = f"if it speaks TLS: mcp-otel doctor {url.replace('http://', 'https://', 1)}"
        return f"what listens at {where} does not speak HTTP", fix
    return f"{where} cannot be reached: {text[:200]}", "mend the URL, or the network"


def _status(url: str, reply: Reply) -> tuple[str, str]:
    status, parts = reply.status, urlsplit(url)
    if 300 <= status < 400:
        place = reply.headers.get("Location", "")
        fix = f"use that URL in clients, too: mcp-otel doctor {_joined(url, place)}"
        return f"it redirects ({status}) to {place or 'nowhere'}, and not every client follows with a POST", fix
    if status == 401:
        wants = reply.headers.get("WWW-Authenticate", "")
        asked = f" ({wants.partition(' ')[0]})" if wants else ""
        return (
            f"it wants to know who we are: 401{asked}",
            f'mcp-otel doctor --header "Authorization: Bearer TOKEN" {url}',
        )
    if status in (403, 421):
        text = f"it does not let us in: {status} {reply.text[:60].strip()}".rstrip()
        return text, f"is {parts.netloc} among the hosts (and our user among those) that it allows?"
    if status == 404:
        return f"there is nothing at {parts.path or '/'}: 404", f"is the path right? Often it is {_joined(url, '/mcp')}"
    if status == 405:
        old = "the older HTTP+SSE transport is not known here; " if parts.path.rstrip("/").endswith("/sse") else ""
        return f"{parts.path or '/'} takes no POST: 405", f"{old}Streamable HTTP is often at {_joined(url, '/mcp')}"
    if status == 406:
        return "it answers 406, though we accept JSON and events", "does a proxy change the Accept header?"
    if status in (502, 503, 504):
        return (
            f"it answers {status}: a proxy without its server, or a server that is full",
            "look at the log of the proxy",
        )
    if status >= 500:
        return f"it fails: {status}", "look at the log of the server"
    kind = reply.kind or "nothing"
    return (
        f"it answers {status} with {kind}, which is no JSON-RPC",
        f"is it an MCP server? Often it is at {_joined(url, '/mcp')}",
    )


def _joined(url: str, place: str) -> str:
    """`place`, whole or a path, as a URL beside `url`."""
    parts, other = urlsplit(url), urlsplit(place)
    return place if other.scheme else urlunsplit((parts.scheme, parts.netloc, other.path, other.query, ""))


def _said(reply: Reply) -> str:
    """A reply that is not what was asked for, in a few words."""
    if reply.failure is not None:
        return "no answer in time" if isinstance(reply.failure, TimeoutError) else type(reply.failure).__name__
    error = messages.error_of(reply.body) if reply.body is not None else None
    return f"{error[1]} ({error[0]})" if error is not None else f"HTTP {reply.status}"
