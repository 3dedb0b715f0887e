"""An OTLP endpoint that accepts and forgets: export costs what it costs, and nothing waits."""

from __future__ import annotations

import asyncio


async def forget(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read requests for ever and say 200 to each."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            start = head.index(b"content-length:") + len(b"content-length:")
            await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    """Listen on a free port, and say which."""
    server = await asyncio.start_server(forget, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
