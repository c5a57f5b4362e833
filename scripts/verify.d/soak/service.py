"""The declared service of the soak: answers that may be cached, answers that stream, and a WebSocket that echoes. Standard library only."""

import asyncio
import base64
import hashlib
import json
import sys

BLOCK = bytes(range(256)) * 64
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Stock", "version": "1"},
    "paths": {
        "/items/{number}": {
            "get": {
                "operationId": "getItem",
                "parameters": [{"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {
                    "200": {
                        "description": "An item",
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "object",
                                    "required": ["id", "name"],
                                    "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
                                }
                            }
                        },
                    }
                },
            }
        },
        "/blocks/{count}": {
            "get": {
                "operationId": "getBlocks",
                "parameters": [{"name": "count", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": "Blocks of 16 KiB, one every 10 ms", "content": {"*/*": {}}}},
            }
        },
        "/echo": {"get": {"operationId": "echo", "responses": {"101": {"description": "A WebSocket"}}}},
    },
}


async def connection(reader, writer):
    """Answers requests until the other side has enough."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.split("\r\n")
            path = line.split(" ")[1].partition("?")[0]
            fields = dict(field.lower().split(": ", 1) for field in fields if ": " in field)
            if path == "/echo":
                key = next(field[len("sec-websocket-key: ") :] for field in head.split("\r\n") if field.lower().startswith("sec-websocket-key: "))
                await echo(reader, writer, key)
                return
            if path.startswith("/blocks/"):
                await blocks(writer, int(path.rpartition("/")[2]))
            elif path.startswith("/items/"):
                number = int(path.rpartition("/")[2])
                answer(writer, {"id": number, "name": f"Item {number} " + "x" * 200})
            else:
                # The gateway asks for a contract, which this service does not tell.
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def answer(writer, value):
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: public, max-age=2\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


async def blocks(writer, count):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(count):
        writer.write(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK))
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.write(b"0\r\n\r\n")


async def echo(reader, writer, key):
    """Frames of up to 125 bytes come back; a Close ends it."""
    accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
    writer.write(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    while True:
        first, second = await reader.readexactly(2)
        mask = await reader.readexactly(4) if second & 0x80 else bytes(4)
        length = second & 0x7F
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(await reader.readexactly(length)))
        writer.write(bytes([first, length]) + payload)
        await writer.drain()
        if first & 0x0F == 8:
            return


async def main():
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
