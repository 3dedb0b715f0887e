"""Knocks at an OTLP endpoint with an empty export, as the exporter itself would, and says how it answers."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SERVICES = {"traces": "trace.v1.TraceService", "metrics": "metrics.v1.MetricsService"}
HTTP_PORT, GRPC_PORT = 4318, 4317


class Address(NamedTuple):
    """Where one signal goes. `given` is what its variable says; one of its `own` alone is used as it stands."""

    signal: str
    grpc: bool
    url: str
    given: str
    own: bool

    @property
    def shown(self) -> str:
        """The URL without a password."""
        return re.sub(r"//[^/@]*@", "//***@", self.url)

    @property
    def variable(self) -> str:
        """The variable that decides."""
        return f"OTEL_EXPORTER_OTLP_{self.signal.upper()}_ENDPOINT" if self.own else "OTEL_EXPORTER_OTLP_ENDPOINT"


class Answer(NamedTuple):
    """How it answered: `trouble` is None when all is well, `fix` says what to do."""

    said: str
    trouble: str | None = None
    fix: str = ""


def address(environ: Mapping[str, str], signal: str, grpc: bool) -> Address:
    """Where OpenTelemetry's exporter would send `signal`."""
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip()
    if own:
        return Address(signal, grpc, own, own, True)
    given = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    given = given or f"http://localhost:{GRPC_PORT if grpc else HTTP_PORT}"
    return Address(signal, grpc, given if grpc else f"{given.removesuffix('/')}/v1/{signal}", given, False)


def knock(address: Address, environ: Mapping[str, str], seconds: float) -> Answer:
    """How `address` answers within `seconds`; never raises."""
    began = monotonic()
    try:
        answer = _grpc(address, environ, seconds) if address.grpc else _http(address, environ, seconds)
    except Exception as error:
        return Answer("cannot be tried", f"{type(error).__name__}: {error}", f"look at {address.variable}")
    if answer.trouble is None:
        return answer._replace(said=f"{answer.said} in {1000 * (monotonic() - began):.0f} ms")
    return answer


def _http(address: Address, environ: Mapping[str, str], seconds: float) -> Answer:
    import requests

    scheme = urlsplit(address.url).scheme
    if scheme not in ("http", "https"):
        return Answer("is no URL", "has no http:// or https://", f"export {address.variable}=http://{address.given}")
    certificate = _of(environ, "CERTIFICATE", address.signal)
    pair = _of(environ, "CLIENT_CERTIFICATE", address.signal), _of(environ, "CLIENT_KEY", address.signal)
    headers = {"Content-Type": "application/x-protobuf", **_headers(environ, address.signal)}
    try:
        response = requests.post(
            address.url,
            data=b"",
            headers=headers,
            timeout=seconds,
            allow_redirects=False,
            verify=certificate or True,
            cert=(pair if all(pair) else pair[0]) or None,
        )
    except requests.exceptions.SSLError as error:
        return _tls(address, str(error))
    except requests.exceptions.Timeout:
        return _timeout(address, seconds)
    except requests.exceptions.ConnectionError as error:
        return _connection(address, str(error))
    except OSError as error:
        return Answer("cannot be tried", str(error), "look at the variables of its certificates")
    return _status(address, response.status_code, response.headers, bool(_headers(environ, address.signal)))


def _status(address: Address, status: int, headers: Mapping[str, str], has_headers: bool) -> Answer:
    said = f"answers {status}"
    if status < 300:
        return Answer(said)
    if status < 400:
        place = headers.get("Location", "elsewhere")
        return Answer(
            said, f"it redirects to {place}, where exporters do not follow", f"export {address.variable} as that"
        )
    if status in (401, 403):
        why = "the headers that are sent do not let us in" if has_headers else "it wants to know who we are"
        return Answer(said, why, 'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20TOKEN"')
    if status in (404, 405):
        return Answer(said, *_path(address))
    if status in (429, 502, 503, 504):
        return Answer(
            said, "it is there, but takes nothing now", "look at the log of the Collector, and of what is behind it"
        )
    if status in (400, 415):
        return Answer(said, "it does not take OTLP in protobuf", f"does {address.variable} name an OTLP/HTTP receiver?")
    return Answer(said, "it fails", "look at the log of whatever listens there")


def _path(address: Address) -> tuple[str, str]:
    end, path = f"/v1/{address.signal}", urlsplit(address.url).path
    doubled = re.search(r"(/v1/(traces|metrics|logs))/v1/", path)
    if doubled is not None:
        base = address.url[: address.url.index(doubled[0])]
        why = f"{doubled[1]} is in {address.variable} already, and the exporter appends {end}"
        return why, f"export {address.variable}={base}"
    if address.own and not path.endswith(end):
        why = f"{address.variable} is used as it stands, and does not end in {end}"
        return why, f"export {address.variable}={address.url.rstrip('/')}{end}"
    return (
        f"nothing at {path} takes OTLP",
        f"is {address.variable} the base URL of an OTLP/HTTP receiver (port {HTTP_PORT})?",
    )


def _connection(address: Address, text: str) -> Answer:
    if "refused" in text:
        return _refused(address)
    if "resolve" in text or "Name or service" in text or "getaddrinfo" in text or "DNS" in text:
        host = urlsplit(address.url if "//" in address.url else f"//{address.url}").hostname
        return Answer("is not found", f"there is no host {host!r}", f"mend the host in {address.variable}, or DNS")
    if any(sign in text for sign in ("BadStatusLine", "RemoteDisconnected", "aborted", "HTTP/0.9", "reset")):
        fix = f"if it is a gRPC port ({GRPC_PORT}): export OTEL_EXPORTER_OTLP_PROTOCOL=grpc; else use port {HTTP_PORT}"
        return Answer("is open", "what listens there does not speak HTTP", fix)
    return Answer("cannot be reached", text[:200], f"mend {address.variable}, or the network")


def _refused(address: Address) -> Answer:
    why = "nothing listens there (connection refused)"
    return Answer("is closed", why, f"start the Collector, or mend {address.variable}")


def _timeout(address: Address, seconds: float) -> Answer:
    why = f"no answer within {seconds:g} s (timeout)"
    return Answer("is silent", why, f"is {address.variable} right, and does a firewall let it through?")


def _tls(address: Address, text: str) -> Answer:
    if "WRONG_VERSION" in text or "record layer" in text or "UNKNOWN_PROTOCOL" in text:
        why, fix = "it does not speak TLS", f"export {address.variable}={address.given.replace('https://', 'http://')}"
        return Answer("is open", why, fix)
    why = "its certificate is not trusted" if "CERTIFICATE_VERIFY" in text else f"TLS fails: {text[-150:]}"
    return Answer("is open", why, "export OTEL_EXPORTER_OTLP_CERTIFICATE=the file of the authority that signed it")


def _grpc(address: Address, environ: Mapping[str, str], seconds: float) -> Answer:
    import grpc

    parts = urlsplit(address.url)
    insecure = _of(environ, "INSECURE", address.signal)
    plain = parts.scheme != "https" and (insecure.lower() == "true" if insecure else parts.scheme == "http")
    target = parts.netloc or address.url
    host, _, port = target.rpartition(":")
    closed = _closed(address, host or target, int(port) if port.isdecimal() else 443, seconds)
    if closed is not None:
        return closed
    channel = (
        grpc.insecure_channel(target) if plain else grpc.secure_channel(target, _credentials(grpc, environ, address))
    )
    service = f"/opentelemetry.proto.collector.{SERVICES[address.signal]}/Export"
    metadata = tuple(_headers(environ, address.signal).items())
    with channel:
        try:
            channel.unary_unary(service)(b"", timeout=seconds, metadata=metadata)
        except grpc.RpcError as error:
            return _refusal(address, error, plain, seconds, bool(metadata))
    return Answer("answers OK")


def _refusal(address: Address, error: Any, plain: bool, seconds: float, has_headers: bool) -> Answer:
    code, text = error.code().name, str(error.details())
    said = f"answers {code}"
    if code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return _status(address, 401, {}, has_headers)._replace(said=said)
    if code == "DEADLINE_EXCEEDED":
        return _timeout(address, seconds)
    if code == "UNIMPLEMENTED":
        return Answer(said, f"it takes no {address.signal}", "is there a pipeline for them in the Collector?")
    if not plain and urlsplit(address.url).scheme != "https":
        why = "without http:// the exporter speaks TLS, and it does not"
        return Answer(said, why, f"export {address.variable}=http://{address.given}")
    if not plain:
        why = "TLS fails: it speaks none, or its certificate is not trusted"
        return Answer(said, why, "use http:// if it speaks none, else export OTEL_EXPORTER_OTLP_CERTIFICATE=FILE")
    if any(sign in text.lower() for sign in ("http1", "http/1", "http/2", "settings frame", "socket closed")):
        fix = f"export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use its gRPC port ({GRPC_PORT})"
        return Answer(said, "what listens there does not speak gRPC", fix)
    return Answer(said, text[:200], f"mend {address.variable}, or look at the log of the Collector")


def _closed(address: Address, host: str, port: int, seconds: float) -> Answer | None:
    """What is wrong with the mere connection: gRPC's own words for it are long and vary."""
    try:
        socket.create_connection((host.strip("[]"), port), seconds).close()
    except TimeoutError:
        return _timeout(address, seconds)
    except ConnectionRefusedError:
        return _refused(address)
    except OSError as error:
        return _connection(address, "getaddrinfo" if isinstance(error, socket.gaierror) else str(error))
    return None


def _credentials(grpc: Any, environ: Mapping[str, str], address: Address) -> Any:
    def read(name: str) -> bytes | None:
        path = _of(environ, name, address.signal)
        if not path:
            return None
        with open(path, "rb") as file:
            return file.read()

    return grpc.ssl_channel_credentials(read("CERTIFICATE"), read("CLIENT_KEY"), read("CLIENT_CERTIFICATE"))


def _headers(environ: Mapping[str, str], signal: str) -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers

    return dict(parse_env_headers(_of(environ, "HEADERS", signal), liberal=True))


def _of(environ: Mapping[str, str], name: str, signal: str) -> str:
    """A variable of OTLP exporters: the signal's own, else the one of all."""
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", "").strip()
    return own or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()
