"""A foreign HBONE server that misbehaves: TLS of Python's ssl, HTTP/2 frames by hand. usage: peer.py RIGHT WRONG ROOTS ADDRESS=VERB...
RIGHT and WRONG are files with key and chain. One listener on port 15008 of each address; VERB says what becomes of its connections.
Prints "ready", then a line for each tunnel, "tunnel ADDRESS NUMBER", for each CONNECT, "request ADDRESS name=value|name=value...", and for the end of a tunnel, "closed ADDRESS NUMBER CODE" with the code of its GOAWAY.

serves               answers 200 and echoes what comes, at its end of data
waypoint             the same behind the word "waypoint", and names itself in the baggage of the answer
gateway:HOST:PORT    answers 200 and carries the bytes of the stream to and from there
rst_in_handshake     resets the connection instead of a ServerHello
handshake_stalls     takes the ClientHello and says nothing
wrong_san            shows a certificate of somebody else
mute                 never answers the CONNECT
status_N             answers the CONNECT with status N
refuses_stream       RST_STREAM(REFUSED_STREAM) instead of an answer
goaway               GOAWAY that names no stream, instead of an answer
echoes               answers 200 and echoes at once
goaway_once          the same on the first connection; the next ones serve
goaway_later         answers 200, says GOAWAY that names the stream, then serves it to its end
resets_stream        answers 200, RST_STREAM(INTERNAL_ERROR) at the first data
flights              tells what each TLS record holds, "record ADDRESS FRAME FRAME...", and answers 200 when told by a line on standard input; echoes what comes
cuts                 answers 200, echoes the first data, then resets the TCP connection
"""
import socket
import ssl
import struct
import sys
import threading

import hpack

from tls_pipe import TlsPipe

LIMIT = 60
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE_BYTES = 24
INTERNAL_ERROR, REFUSED_STREAM = 2, 7

right, wrong, roots = sys.argv[1:4]


def say(*words):
    """A line in one piece: threads speak at the same time."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def context_of(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(roots)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2"])
    return context


CONTEXTS = {False: context_of(right), True: context_of(wrong)}


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Connection:
    def __init__(self, tls, address, verb, number):
        self.tls, self.address, self.verb, self.number, self.received, self.onward = tls, address, verb, number, {}, {}
        self.decoder, self.goaway = hpack.Decoder(), "-"
        say("tunnel", address, number)
        self.says_goaway = verb == "goaway" or (verb == "goaway_once" and number == 1)

    def send(self, kind, flags, stream, payload=b""):
        self.tls.sendall(struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload)

    def status(self, stream, code, flags=END_HEADERS, baggage=b""):
        # :status as a literal with the name of entry 8 of the static table; baggage with a name of its own.
        fields = b"\x08\x03" + str(code).encode()
        if baggage:
            fields += b"\x00\x07baggage" + bytes([len(baggage)]) + baggage
        self.send(HEADERS, flags, stream, fields)

    def read(self, count):
        parts = b""
        while len(parts) < count:
            part = self.tls.recv(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    def serve(self):
        self.send(SETTINGS, 0, 0)
        self.read(PREFACE_BYTES)
        while True:
            head = self.read(9)
            length = int.from_bytes(head[:3], "big")
            kind, flags, stream = struct.unpack("!BBI", head[3:])
            payload = self.read(length)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.send(kind, ACK, 0, payload if kind == PING else b"")
            elif kind == HEADERS:
                say("request", self.address, "|".join("%s=%s" % field for field in self.decoder.decode(payload)))
                self.on_connect(stream)
            elif kind == GOAWAY:
                self.goaway = struct.unpack("!II", payload[:8])[1]
            elif kind == DATA:
                self.on_data(stream, payload, flags & END_STREAM)

    def on_connect(self, stream):
        self.received[stream] = b""
        if self.verb == "mute":
            return
        if self.verb.startswith("status_"):
            self.status(stream, int(self.verb[7:]), END_HEADERS | END_STREAM)
        elif self.verb == "refuses_stream":
            self.send(RST_STREAM, 0, stream, struct.pack("!I", REFUSED_STREAM))
        elif self.says_goaway:
            self.send(GOAWAY, 0, 0, struct.pack("!II", 0, 0))
        elif self.verb == "waypoint":
            self.status(stream, 200, baggage=b"k8s.namespace.name=default,k8s.deployment.name=waypoint")
            self.send(DATA, 0, stream, b"waypoint ")
        elif self.verb.startswith("gateway:"):
            host, port = self.verb.split(":")[1:]
            self.onward[stream] = socket.create_connection((host, int(port)), timeout=LIMIT)
            threading.Thread(target=self.carry_back, args=(stream, self.onward[stream]), daemon=True).start()
            self.status(stream, 200)
        else:
            self.status(stream, 200)
            if self.verb == "goaway_later":
                self.send(GOAWAY, 0, 0, struct.pack("!II", stream, 0))

    def carry_back(self, stream, onward):
        try:
            while data := onward.recv(16000):
                self.send(DATA, 0, stream, data)
            self.send(DATA, END_STREAM, stream)
        except OSError:
            pass    # the stream's other end has gone

    def on_data(self, stream, payload, ended):
        if stream in self.onward:
            self.onward[stream].sendall(payload)
            if ended:
                self.onward[stream].shutdown(socket.SHUT_WR)
            return
        if self.verb == "resets_stream":
            self.send(RST_STREAM, 0, stream, struct.pack("!I", INTERNAL_ERROR))
            return
        if self.verb == "cuts":
            self.send(DATA, 0, stream, payload)
            raise ConnectionAbortedError
        if self.verb == "echoes":
            self.send(DATA, ended, stream, payload)
            return
        self.received[stream] += payload
        if ended:
            self.send(DATA, END_STREAM, stream, self.received[stream])


NAMES = {DATA: "DATA", HEADERS: "HEADERS", RST_STREAM: "RST_STREAM", SETTINGS: "SETTINGS", PING: "PING", GOAWAY: "GOAWAY", 8: "WINDOW_UPDATE"}


def tell_flights(connection):
    """The library hands out one record at a time, and frames as small as these are never cut."""
    connection.send(SETTINGS, 0, 0)
    first = True
    while record := connection.tls.recv(65536):
        words, answers = [], []
        if first:
            words, record, first = [record[:3].decode()], record[PREFACE_BYTES:], False
        while record:
            length, kind, flags = int.from_bytes(record[:3], "big"), record[3], record[4]
            stream, payload, record = int.from_bytes(record[5:9], "big"), record[9:9 + length], record[9 + length:]
            words.append(NAMES[kind] + ("+ACK" if kind == SETTINGS and flags & ACK else "") + (":" + payload.decode() if kind == DATA else ""))
            answers.append((kind, flags, stream, payload))
        say("record", connection.address, *words)
        for kind, flags, stream, payload in answers:
            if kind == SETTINGS and not flags & ACK:
                connection.send(SETTINGS, ACK, 0)
            elif kind == HEADERS:
                sys.stdin.readline()
                connection.status(stream, 200)
            elif kind == DATA:
                connection.send(DATA, flags & END_STREAM, stream, payload)


def serve(sock, address, verb, number):
    sock.settimeout(LIMIT)
    if verb == "rst_in_handshake":
        sock.recv(1)
        reset(sock)
        return
    if verb == "handshake_stalls":
        while sock.recv(65536):
            pass
        return
    tls = TlsPipe(sock, CONTEXTS[verb == "wrong_san"], is_server=True)
    connection = Connection(tls, address, verb, number)
    try:
        tell_flights(connection) if verb == "flights" else connection.serve()
    except ConnectionAbortedError:
        tls.close(reset=True)
    except EOFError:
        tls.close()
        say("closed", address, number, connection.goaway)


def guarded(sock, address, verb, number):
    try:
        serve(sock, address, verb, number)
    except (OSError, EOFError):
        pass    # the other side has had enough; ssl's errors are OSErrors, too


def accept(listener, address, verb):
    number = 0
    while True:
        sock, _ = listener.accept()
        number += 1
        threading.Thread(target=guarded, args=(sock, address, verb, number), daemon=True).start()


for entry in sys.argv[4:]:
    address, verb = entry.split("=", 1)
    listening = socket.create_server((address, 15008), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=64)
    threading.Thread(target=accept, args=(listening, address, verb), daemon=True).start()
say("ready")
threading.Event().wait()
