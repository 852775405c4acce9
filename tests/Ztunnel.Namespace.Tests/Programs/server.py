"""The applications of a test pod: one behaviour a port, both families. Prints "ready", then what it has seen.

8080 twice     what comes in goes back twice, until the client's end of data
8081 transfer  see transfer() in client.py: pattern and digests, both directions at once
8082 banner    says "banner", ends its sending side at once, keeps reading; prints "received N bytes then eof|reset"
8083 resets    waits for a byte, then resets the connection
8084 whoami    answers with the address and the port the connection comes from
8085 slow      reads a little at a time, never faster than 4 MiB a second, then answers with the digest of all
8086 silent    reads for ever, says nothing; prints "received N bytes then eof|reset"
15088 proxied  expects a PROXY v2 header; answers with what it says: "SOURCE:PORT DESTINATION:PORT D0=IDENTITY D1=HOSTNAME", then the bytes behind it
"""
import asyncio
import hashlib
import socket
import struct
import sys

CHUNK = 256 * 1024
SLOW_BYTES_PER_SECOND = 4 * 1024 * 1024


def say(text):
    print(text, flush=True)


def pattern(size):
    """Deterministic and without short periods that a dropped or doubled buffer could hide behind: 16 bytes of counter, hashed once for each chunk."""
    done = 0
    while done < size:
        block = hashlib.sha256(struct.pack("!Q", done)).digest() * (CHUNK // 32)
        block = block[: min(CHUNK, size - done)]
        done += len(block)
        yield block


async def twice(reader, writer):
    while data := await reader.read(CHUNK):
        writer.write(data + data)
        await writer.drain()
    writer.write_eof()


async def transfer(reader, writer):
    size = struct.unpack("!Q", await reader.readexactly(8))[0]
    received = hashlib.sha256()

    async def send():
        for block in pattern(size):
            writer.write(block)
            await writer.drain()

    async def receive():
        while data := await reader.read(CHUNK):
            received.update(data)

    await asyncio.gather(send(), receive())
    writer.write(received.digest())
    await writer.drain()
    writer.write_eof()


async def read_to_end(reader):
    count = 0
    try:
        while data := await reader.read(CHUNK):
            count += len(data)
        return f"received {count} bytes then eof"
    except ConnectionResetError:
        return f"received {count} bytes then reset"


async def banner(reader, writer):
    writer.write(b"banner")
    await writer.drain()
    writer.write_eof()
    say(f"banner {await read_to_end(reader)}")


async def silent(reader, _):
    say("silent connected")
    say(f"silent {await read_to_end(reader)}")


async def resets(reader, writer):
    await reader.readexactly(1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def whoami(reader, writer):
    # To the end: closing with bytes unread would be a reset.
    await reader.read(-1)
    host, port = writer.get_extra_info("peername")[:2]
    writer.write(f"{host.removeprefix('::ffff:')} {port}".encode())
    await writer.drain()


async def slow(reader, writer):
    digest = hashlib.sha256()
    while data := await reader.read(CHUNK):
        digest.update(data)
        await asyncio.sleep(len(data) / SLOW_BYTES_PER_SECOND)
    writer.write(digest.digest())
    await writer.drain()


async def proxied(reader, writer):
    head = await reader.readexactly(16)
    if head[:13] != b"\r\n\r\n\0\r\nQUIT\n\x21":
        writer.write(b"no PROXY v2 header: " + head)
        return
    family, length = head[13], int.from_bytes(head[14:])
    rest = await reader.readexactly(length)
    size = {0x11: 4, 0x21: 16}[family]
    kind = socket.AF_INET if size == 4 else socket.AF_INET6
    source, destination = socket.inet_ntop(kind, rest[:size]), socket.inet_ntop(kind, rest[size : 2 * size])
    ports = struct.unpack("!HH", rest[2 * size : 2 * size + 4])
    rest, fields = rest[2 * size + 4 :], ""
    while rest:
        end = 3 + int.from_bytes(rest[1:3])
        fields += f" {rest[0]:02X}={rest[3:end].decode()}"
        rest = rest[end:]
    writer.write(f"{source}:{ports[0]} {destination}:{ports[1]}{fields} ".encode() + await reader.read(-1))


BEHAVIOURS = {15088: proxied, 8080: twice, 8081: transfer, 8082: banner, 8083: resets, 8084: whoami, 8085: slow, 8086: silent}


async def listen(port, behaviour):
    async def serve(reader, writer):
        try:
            await behaviour(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError) as problem:
            say(f"{behaviour.__name__} {type(problem).__name__}")
        finally:
            writer.close()

    listening = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    # It listens anew, with 100 places unless told otherwise: a thousand clients at once would be met with resets by the kernel.
    await asyncio.start_server(serve, sock=listening, limit=2 * CHUNK, backlog=1024)


async def main():
    for port, behaviour in BEHAVIOURS.items():
        await listen(port, behaviour)
    say("ready")
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
