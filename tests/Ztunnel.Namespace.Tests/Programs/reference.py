"""The applications of the recorded scenarios. `reference.py serve PORT...` prints "ready" and serves until it is ended; `reference.py client HOST PORT TEXT [noearly|silent]` prints what it saw, as the recording has it.
`reference.py hold HOST PORT` connects, prints "open" when a word has come back, then how it ended; a line on standard input makes it reset the connection.
`reference.py load HOST PORT...` makes one connection after the other, to each port in turn, until it is ended.

client: connects, sends TEXT, reads once, ends its sending side, reads to the end; with noearly it sends nothing, with silent it ends as soon as it is connected.
8080, 8081, 9000 send back what comes; 8083 speaks first; 8084 resets after the first bytes; 8085 says bye, ends its sending side and goes on reading.
"""
import asyncio
import socket
import struct
import sys
import threading


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def greet(reader, writer):
    writer.write(b"server says hi\n")
    await reader.read(-1)


async def reset(reader, writer):
    await reader.read(1)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def bye(reader, writer):
    await reader.read(1)
    writer.write(b"bye\n")
    writer.write_eof()
    await reader.read(-1)


BEHAVIOURS = {8083: greet, 8084: reset, 8085: bye}


async def serve(ports):
    for port in ports:
        behaviour = BEHAVIOURS.get(port, echo)

        async def handle(reader, writer, behaviour=behaviour):
            try:
                await behaviour(reader, writer)
            except ConnectionError:
                pass
            finally:
                writer.close()

        await asyncio.start_server(handle, sock=socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True))
    print("ready", flush=True)
    await asyncio.Event().wait()


def client(host, port, text, manner=""):
    try:
        with socket.create_connection((host, port), timeout=20) as connection:
            print("connected")
            if manner == "silent":
                return
            if manner != "noearly":
                connection.sendall(text.encode())
                print("sent", len(text))
            data = connection.recv(65536)
            print("recv", data)
            if not data:
                return
            connection.shutdown(socket.SHUT_WR)
            print("shut")
            while data:
                data = connection.recv(65536)
                print("recv", data)
    except OSError as problem:
        # A refusal may be there before the kernel has told us of the connection, or only with the first read.
        print("then:", type(problem).__name__)


def load(host, ports):
    print("ready", flush=True)
    while True:
        for port in ports:
            try:
                with socket.create_connection((host, port), timeout=20) as connection:
                    connection.sendall(b"hello")
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
            except OSError:
                pass


def hold(host, port):
    with socket.create_connection((host, port), timeout=60) as connection:
        connection.sendall(b"hello")
        connection.recv(65536)
        print("open", flush=True)
        threading.Thread(target=watch, args=(connection,), daemon=True).start()
        sys.stdin.readline()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def watch(connection):
    try:
        print("eof" if connection.recv(65536) == b"" else "data", flush=True)
    except OSError as problem:
        print(type(problem).__name__, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve([int(port) for port in sys.argv[2:]]))
    elif sys.argv[1] == "load":
        load(sys.argv[2], [int(port) for port in sys.argv[3:]])
    elif sys.argv[1] == "hold":
        hold(sys.argv[2], int(sys.argv[3]))
    else:
        client(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
