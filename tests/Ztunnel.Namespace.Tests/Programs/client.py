"""The clients of a test pod. `client.py VERB HOST PORT [ARGUMENT]` prints one line: what the application got.

send TEXT        sends, ends its sending side, prints the answer
parallel COUNT   as many connections at once, all open before the first byte; prints "COUNT ok" or what went wrong
transfer BYTES   as many bytes in both directions at once; prints "ok" when both digests agree
upload BYTES     sends as many bytes, prints "ok" when the answer is their digest
half             reads to the end of the server's data, then sends 100,000 bytes and ends
reset            sends a byte and resets as soon as told by a line on standard input
ask TEXT         sends, ends its sending side; prints "answer TEXT", with " then reset" where it ended so, or what it got instead: reset, eof, timeout
echo             sends a byte, prints "open" when it came back, stays until it is ended
many COUNT       as many connections at once, each sends "hello" and ends its side when all are open; prints "COUNT ok" when each got it back once
crowd COUNT      opens as many connections as it can of these, prints "connected", keeps them until it is ended
expect           sends a byte, prints how the connection ends: eof or reset
raw              sends what no protocol knows; prints refused, reset, eof, "data TEXT" or timeout
probe SOURCE     as send, from an address of its own choice
among LIVE,NEW   that many connections stay open while that many others come and go, 4 bytes each; then asks each that stayed once more; prints "N new, M stayed"
steady COUNT     as many threads open one connection after the other, prints "running" when each had one; with the end of standard input prints "N ok" or "N ok, M failed: REASON"
early            sends three words on their own, prints "sent", then what came back for them
watch            sends a byte, prints "open" when it came back, then waits for the end: prints "reset after SECONDS" or "eof after SECONDS"
pour             sends for ever, prints "pouring" when some MiB are gone, then how it ended: "reset after SECONDS"
hold             connects, prints "connected", sends what comes as lines on standard input and prints the answers, then how it ended
"""
import asyncio
import errno
import hashlib
import resource
import socket
import struct
import sys
import threading
import time

from server import CHUNK, pattern

RAW_SECONDS = 5


def connect(host, port, timeout=10):
    return socket.create_connection((host, port), timeout=timeout)


def read_all(connection):
    parts = []
    while data := connection.recv(CHUNK):
        parts.append(data)
    return b"".join(parts)


def send(host, port, text):
    with connect(host, port) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        print(read_all(connection).decode())


def is_doubled(answer, text):
    """The server sends back twice what each of its reads brought, and TCP keeps no message boundaries: any division of the text will do, as long as every piece is there twice, in order."""
    while text:
        size = next((size for size in range(len(text), 0, -1) if answer[:size] == text[:size] == answer[size : 2 * size]), 0)
        if size == 0:
            return False
        answer, text = answer[2 * size :], text[size:]
    return not answer


async def parallel(host, port, count):
    everybody_connected = asyncio.Event()
    connected = 0

    async def one(number):
        nonlocal connected
        reader, writer = await asyncio.open_connection(host, port)
        connected += 1
        if connected == int(count):
            everybody_connected.set()
        await everybody_connected.wait()
        # Without repetitions of its own, so that there is one way only to divide it.
        text = b"".join(hashlib.sha256(f"{number} {part}".encode()).digest() for part in range(20))
        writer.write(text)
        writer.write_eof()
        answer = await reader.read(-1)
        writer.close()
        return is_doubled(answer, text)

    results = await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(int(count))), return_exceptions=True), 60)
    wrong = [result for result in results if result is not True]
    print(f"{count} ok" if not wrong else f"{len(wrong)} of {count} failed, first: {wrong[0]!r}")


def digest_of_pattern(size):
    digest = hashlib.sha256()
    for block in pattern(size):
        digest.update(block)
    return digest.digest()


async def transfer(host, port, size):
    size = int(size)
    reader, writer = await asyncio.open_connection(host, port, limit=2 * CHUNK)
    received = hashlib.sha256()

    async def push():
        writer.write(struct.pack("!Q", size))
        for block in pattern(size):
            writer.write(block)
            await writer.drain()
        writer.write_eof()

    async def pull():
        left = size
        while left:
            data = await reader.read(min(CHUNK, left))
            if not data:
                raise ConnectionError(f"{left} of {size} bytes missing")
            received.update(data)
            left -= len(data)
        return await reader.read(-1)

    _, seen_by_server = await asyncio.gather(push(), pull())
    expected = digest_of_pattern(size)
    print("ok" if received.digest() == expected and seen_by_server == expected else "digests differ")


def upload(host, port, size):
    digest = hashlib.sha256()
    with connect(host, port, timeout=120) as connection:
        for block in pattern(int(size)):
            digest.update(block)
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        print("ok" if read_all(connection) == digest.digest() else "digests differ")


def half(host, port):
    with connect(host, port) as connection:
        banner = read_all(connection)
        connection.sendall(b"x" * 100_000)
        print(banner.decode())


def reset(host, port):
    connection = connect(host, port)
    connection.sendall(b"x")
    print("connected", flush=True)
    sys.stdin.readline()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def ending(connection):
    try:
        while connection.recv(CHUNK):
            pass
        return "eof"
    except ConnectionResetError:
        return "reset"
    except TimeoutError:
        return "timeout"


def ask(host, port, text):
    received, end = b"", ""
    try:
        with connect(host, port, 60) as connection:
            connection.sendall(text.encode())
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(CHUNK):
                received += data
            end = "eof"
    except (ConnectionResetError, BrokenPipeError):
        end = "reset"
    except OSError as problem:
        # shutdown() on a connection that was reset meanwhile
        end = "reset" if problem.errno == errno.ENOTCONN else type(problem).__name__
    if received:
        print(f"answer {received.decode()}" + ("" if end == "eof" else f" then {end}"))
    else:
        print(end)


def echo(host, port):
    with connect(host, port, 60) as connection:
        connection.sendall(b"x")
        if connection.recv(1):
            print("open", flush=True)
        sys.stdin.readline()


async def many(host, port, count):
    count = int(count)
    connections = await asyncio.gather(*(asyncio.open_connection(host, port) for _ in range(count)))
    for _, writer in connections:
        writer.write(b"hello")
        writer.write_eof()
    answers = await asyncio.wait_for(asyncio.gather(*(reader.read(-1) for reader, _ in connections)), 60)
    print(f"{answers.count(b'hello')} ok")


def crowd(host, port, count):
    # Not above what is allowed anyway: two descriptors stay for the program itself.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, int(count) + 16)), hard))
    kept = []
    for _ in range(int(count)):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex((host, port))
        kept.append(connection)
    print("connected", flush=True)
    sys.stdin.readline()


def expect(host, port):
    try:
        # On a busy machine the reset may be there before the connect has returned.
        with connect(host, port) as connection:
            connection.sendall(b"x")
            print(ending(connection))
    except (ConnectionResetError, BrokenPipeError):
        print("reset")


def raw(host, port):
    try:
        with connect(host, port, RAW_SECONDS) as connection:
            connection.sendall(b"\x00\xffwhat is this\r\n\r\n")
            data = connection.recv(CHUNK)
            print(f"data {data[:64]!r}" if data else "eof")
    except ConnectionRefusedError:
        print("refused")
    except (ConnectionResetError, BrokenPipeError):
        print("reset")
    except TimeoutError:
        print("timeout")


def early(host, port):
    with connect(host, port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for word in (b"one", b"two", b"three"):
            connection.sendall(word)
        print("sent", flush=True)
        print("answer", connection.recv(11, socket.MSG_WAITALL).decode(), flush=True)


def hold(host, port):
    with connect(host, port, timeout=60) as connection:
        print("connected", flush=True)
        for line in sys.stdin:
            text = line.strip().encode()
            if not text:
                break
            try:
                connection.sendall(text)
                answer = b""
                while len(answer) < 2 * len(text):
                    data = connection.recv(CHUNK)
                    if not data:
                        break
                    answer += data
                print(f"answer {answer.decode()}", flush=True)
            except ConnectionError as problem:
                print(type(problem).__name__, flush=True)
                return
        print(ending(connection), flush=True)


def watch(host, port):
    with connect(host, port, 120) as connection:
        connection.sendall(b"x")
        connection.recv(2, socket.MSG_WAITALL)
        print("open", flush=True)
        begin = time.monotonic()
        print(f"{ending(connection)} after {time.monotonic() - begin:.1f}")


def pour(host, port):
    with connect(host, port, 120) as connection:
        for _ in range(16):
            connection.sendall(b"x" * CHUNK)
        print("pouring", flush=True)
        begin = time.monotonic()
        try:
            while True:
                connection.sendall(b"x" * CHUNK)
        except (ConnectionResetError, BrokenPipeError):
            print(f"reset after {time.monotonic() - begin:.1f}")


def probe(host, port, source):
    with socket.create_connection((host, port), timeout=5, source_address=(source, 0)) as connection:
        connection.sendall(b"x")
        connection.shutdown(socket.SHUT_WR)
        print(read_all(connection).decode())


def among(host, port, counts):
    live, new = (int(count) for count in counts.split(","))

    def ping(connection):
        connection.sendall(b"ping")
        answer = b""
        while len(answer) < 8:
            if not (more := connection.recv(8 - len(answer))):
                raise ConnectionError("ended")
            answer += more

    staying = [connect(host, port) for _ in range(live)]
    for connection in staying:
        ping(connection)
    for _ in range(new):
        with connect(host, port) as connection:
            ping(connection)
    stayed = 0
    for connection in staying:
        try:
            ping(connection)
            stayed += 1
        except OSError:
            pass
    print(f"{new} new, {stayed} stayed")


def steady(host, port, count):
    done, failed = [0] * int(count), []
    started, ending = threading.Barrier(int(count) + 1), threading.Event()

    def work(number):
        first = True
        while not ending.is_set():
            try:
                with connect(host, port) as connection:
                    connection.sendall(b"ping")
                    connection.shutdown(socket.SHUT_WR)
                    if (answer := read_all(connection)) != b"pingping":
                        raise ConnectionError(f"answer {answer!r}")
                done[number] += 1
            except OSError as problem:
                failed.append(repr(problem))
            if first:
                first = False
                started.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(int(count))]
    for thread in threads:
        thread.start()
    started.wait()
    print("running", flush=True)
    sys.stdin.readline()
    ending.set()
    for thread in threads:
        thread.join()
    print(f"{sum(done)} ok" + (f", {len(failed)} failed: {failed[0]}" if failed else ""))


if __name__ == "__main__":
    verb, host, port, arguments = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    result = globals()[verb](host, port, *arguments)
    if asyncio.iscoroutine(result):
        asyncio.run(result)
