"""Bodies that no good client sends, as raw JSON: the wire is where they are what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator

TRACE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
DEEP = 100_000


def with_params(params: str, request_id: str = '"x"', method: str = '"tools/call"') -> bytes:
    return f'{{"jsonrpc":"2.0","id":{request_id},"method":{method},"params":{params}}}'.encode()


def with_meta(meta: str) -> bytes:
    return with_params(f'{{"name":"echo","arguments":{{"text":"ok"}},"_meta":{meta}}}')


def traced(**fields: str) -> bytes:
    return with_meta(json.dumps({"traceparent": TRACE, **fields}))


def nested(depth: int, opening: str = "[", closing: str = "]", inside: str = "") -> str:
    return opening * depth + inside + closing * depth


def meta() -> Iterator[bytes]:
    """`_meta` of every kind."""
    for kind in ("null", "true", "7", "1.5", '"text"', "[]", '[{"traceparent":1}]', "{}", "1e999", "NaN"):
        yield with_meta(kind)
    for depth in (50, 500, 5_000):
        yield with_meta(nested(depth))
        yield with_meta(f'{{"traceparent":{nested(depth)}}}')
        yield with_meta(nested(depth, '{"a":', "}", "1"))
    for token in (
        "null",
        "true",
        "1.5",
        "-1",
        "[]",
        "{}",
        '""',
        '"' + "t" * 100_000 + '"',
        "9" * 400,
        "1e999",
        '"\\u0000"',
    ):
        yield with_meta(f'{{"progressToken":{token}}}')
    yield with_meta("{" + ",".join(f'"k{number}":{number}' for number in range(20_000)) + "}")
    yield with_meta('{"' + "k" * 1_000_000 + '":1}')
    yield with_meta('{"traceparent":"' + TRACE + '","traceparent":7}')


def traces() -> Iterator[bytes]:
    """Contexts that are none, or too much of one."""
    tails = ("", "-", "-extra", "-" + "x" * 100_000)
    for version in ("00", "01", "fe", "ff", "0", "zz", "FF"):
        for tail in tails:
            yield traced(traceparent=version + TRACE[2:] + tail)
    for bad in (
        *("", " ", "\u0000", TRACE.upper(), TRACE[:-1], TRACE + "\n", " " + TRACE + " ", TRACE.replace("ab", "00")),
        *(
            TRACE.replace("cd", "00"),
            "00-" + "g" * 32 + TRACE[35:],
            TRACE.replace("-", "_"),
            "x" * 1_000_000,
            "\u0661" * 55,
        ),
    ):
        yield traced(traceparent=bad)
    for state in (
        *(
            "",
            ",",
            "=",
            "a",
            "a=",
            "a=b,a=b",
            "A=b",
            "a=\u00fc",
            "a=b\nc=d",
            "a=b\u0000",
            "a=" + "b" * 300,
            "a" * 300 + "=b",
        ),
        *("x=" + "y" * 100_000, ",".join(f"k{number}=v" for number in range(33)), "," * 100_000),
        *(",".join(f"k{number}=v" for number in range(32)), ",".join(f"k{n}={'v' * 250}" for n in range(31))),
        *("a=b" + " " * 50_000, "k=" + "\u2028" * 1000),
    ):
        yield traced(tracestate=state)
    for baggage in (
        *("", "=", "a", "a=", "a=b;", "a=b;c=d", "a=%ff%00", "\u00fc=1", "a=\u00fc", "a b=c", ";,;,=", "a=b\nc=d"),
        *("a=" + "b" * 100_000, ",".join(f"k{number}=v" for number in range(200)), "," * 100_000, "k" * 5000 + "=v"),
        *("=" * 8000, "%" * 8000, "a=" + "%41" * 1300, "not a pair," * 700),
    ):
        yield traced(baggage=baggage)
        yield with_meta(json.dumps({"baggage": baggage}))


def ids() -> Iterator[bytes]:
    """Ids of every type and size."""
    text = (
        '""',
        '"' + "i" * 1_000_000 + '"',
        '"\\u0000"',
        '"\\ud83d\\ude00"',
        '"\\ud800"',
        '"' + "\u00fc" * 127 + "\U0001f600" + '"',
    )
    number = (
        "0",
        "-0",
        "-1",
        "1.0",
        "1.5",
        "1e3",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 30,
        "9" * 4299,
        "9" * 5000,
    )
    for request_id in (*text, *number, "null", "true", "[]", "{}", "[1]", '{"a":1}'):
        yield with_params('{"name":"echo","arguments":{"text":"ok"}}', request_id)
        yield with_params("{}", request_id, '"ping"')
    yield b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping","method":"tools/list"}'
    yield b'{"jsonrpc":"2.0","id":1,"method":"ping","jsonrpc":"1.0"}'
    yield b'{"id":1,"method":"ping"}'


def numbers() -> Iterator[bytes]:
    """Numbers that are none, everywhere."""
    for number in (
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 4000,
        "9" * 6000,
        "1" + "0" * 400 + ".5",
        "0x10",
        "01",
        "+1",
        ".5",
    ):
        yield with_params(f'{{"name":"echo","arguments":{{"text":{number}}}}}')
        yield with_params(f'{{"name":{number}}}')
        yield with_params(number)


def shapes() -> Iterator[bytes]:
    """What is hardly JSON, or far too much of it."""
    call = with_params('{"name":"echo","arguments":{"text":"ok"}}')
    yield from (
        b"",
        b" ",
        b"\x00",
        b"{",
        b"}",
        b"[",
        b'"',
        b"null",
        b"true",
        b"7",
        b'"text"',
        b"{}",
        b"[]",
        b"\xef\xbb\xbf" + call,
    )
    yield from (
        b"[" + call + b"]",
        b"[" + call + b"," + call + b"]",
        b"[[" + call + b"]]",
        b"[" + b"1," * 50_000 + b"1]",
    )
    yield from (
        call + call,
        call + b"garbage",
        call[:-1],
        call.replace(b"ok", b"\xff\xfe"),
        call.replace(b"ok", b"\xed\xa0\x80"),
    )
    yield from (
        call.replace(b"ok", b"o\x00k"),
        call.replace(b"ok", b"\\u0000"),
        call.replace(b"ok", b"\\ud800"),
        call.decode().encode("utf-16"),
    )
    yield call.replace(b"tools/call", b"tools\\u0000/call")
    yield nested(DEEP).encode()
    yield nested(DEEP, '{"a":', "}", "1").encode()
    yield with_params(nested(DEEP, '{"a":', "}", "1"))
    yield with_params('{"name":"echo","arguments":{"text":' + nested(DEEP) + "}}")
    yield with_params('{"name":"echo","arguments":{"text":' + nested(150) + "}}")
    yield with_params('{"name":"echo","arguments":{"text":"ok"}}', method='"' + "m" * 1_000_000 + '"')
    yield with_params('{"name":"' + "n" * 1_000_000 + '"}')
    yield with_params('{"name":"nobody' + "\\u0000" * 10 + '"}')
    yield with_params('{"uri":"' + "u" * 1_000_000 + '"}', method='"resources/read"')
    yield with_params('{"uri":7}', method='"resources/read"')
    for method in (
        '""',
        '" "',
        '"\\u0000"',
        "null",
        "7",
        "[]",
        "{}",
        '"\\ud800"',
        '"tools/call\\n"',
        '"TOOLS/CALL"',
        '"rpc.discover"',
    ):
        yield with_params("{}", method=method)
    for params in (
        "null",
        "[]",
        "[1]",
        '"text"',
        "7",
        "true",
        '{"name":null}',
        '{"name":[]}',
        '{"name":"echo","arguments":[]}',
    ):
        yield with_params(params)
        yield with_params(params, method='"initialize"')
        yield with_params(params, method='"notifications/cancelled"')


def answers() -> Iterator[bytes]:
    """Answers to what nobody asked, and notices of what nobody did."""
    for request_id in ("1", '"x"', "null", "[]", "1e999", '"' + "i" * 100_000 + '"'):
        yield f'{{"jsonrpc":"2.0","id":{request_id},"result":{{}}}}'.encode()
        yield f'{{"jsonrpc":"2.0","id":{request_id},"error":{{"code":1e999,"message":7}}}}'.encode()
        yield f'{{"jsonrpc":"2.0","id":{request_id},"error":{{"code":{"9" * 400},"message":"m"}}}}'.encode()
        yield f'{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{request_id}}}}}'.encode()
        params = f'{{"progressToken":{request_id},"progress":1e999}}'
        yield f'{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}'.encode()
    yield b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"both"}}'
    yield b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}'


KINDS = {each.__name__: each for each in (meta, traces, ids, numbers, shapes, answers)}
