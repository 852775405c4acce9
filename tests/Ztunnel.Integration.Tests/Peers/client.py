"""A foreign HBONE client. usage: client.py SCENARIO HOST CERTIFICATE ROOTS [ARGUMENT...]. Prints what it saw, one fact a line."""
import hashlib, os, socket, ssl, sys, threading
import h2.events
from hbone import LIMIT, Peer, connect, tls_context, uri_names

scenario, host, certificate, roots = sys.argv[1:5]
arguments = sys.argv[5:]
BAGGAGE = ("baggage", "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=foreign")


class Client(Peer):
    """Streams with their outcome: status, baggage, digest of what came, how it ended."""

    def __init__(self, **options):
        super().__init__(connect(host, 15008, tls_context(False, certificate, roots)), client=True, **options)
        self.status, self.baggage, self.digest, self.data, self.ended, self.pongs = {}, {}, {}, {}, {}, []

    def open(self, authority, extra=(BAGGAGE,), end=False, headers=None):
        stream = self.h2.get_next_available_stream_id()
        self.digest[stream], self.data[stream] = hashlib.sha256(), b""
        self.h2.send_headers(stream, headers or [(":method", "CONNECT"), (":authority", authority), *extra], end_stream=end)
        self.flush()
        return stream

    def step(self):
        events = self.read()
        if events is None:
            raise SystemExit("connection closed")
        for event in events:
            stream = getattr(event, "stream_id", None)
            if isinstance(event, h2.events.ResponseReceived):
                headers = dict(event.headers)
                self.status[stream], self.baggage[stream] = headers[":status"], headers.get("baggage")
            elif isinstance(event, h2.events.DataReceived):
                self.digest[stream].update(event.data)
                self.data[stream] = (self.data[stream] + event.data)[:100]
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.setdefault(stream, "end")
            elif isinstance(event, h2.events.StreamReset):
                self.ended[stream] = (self.ended.get(stream, "") + " reset %d" % event.error_code).strip()
                self.forget(stream)
            elif isinstance(event, h2.events.PingAckReceived):
                self.pongs.append(event.ping_data)
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise SystemExit("goaway %d" % event.error_code)
        self.pump()

    def until(self, condition):
        while not condition():
            self.step()

    def ping(self):
        data = os.urandom(8)
        self.h2.ping(data)
        self.flush()
        self.until(lambda: data in self.pongs)

    def close(self):
        self.h2.close_connection()
        self.flush()
        self.tls.close()


def exchange(streams, size, window, frame):
    """Echo over several streams at once, each half-closed when all is sent; a digest tells whether the bytes came back."""
    client = Client(window=int(window), frame=int(frame))
    print("server", uri_names(client.tls), client.tls.version(), client.tls.selected_alpn_protocol())
    sent = {}
    for _ in range(int(streams)):
        stream = client.open(host + ":8080")
        content = os.urandom(int(size))
        sent[stream] = hashlib.sha256(content).digest()
        # Data follows at once: it may arrive before the application is connected.
        client.write(stream, content, end=True)
    client.until(lambda: len(client.ended) == len(sent))
    print("same", sum(client.digest[s].digest() == sent[s] and client.status[s] == "200" and client.ended[s] == "end" for s in sent), "of", len(sent))
    print("baggage", client.baggage[1])
    print("sent", max(client.sent_frames), "received", max(client.data_sizes()))
    client.ping()
    print("settings", next(f for f in client.frames if f.startswith("SETTINGS ")))
    print("first", client.frames[0].split()[0], "connection window", next(f for f in client.frames if f.startswith("WINDOW_UPDATE 0")))
    client.close()


def half_close():
    client = Client()
    ours = client.open(host + ":8081")          # answers when it has seen our end
    client.write(ours, b"question", end=True)
    client.until(lambda: ours in client.ended)
    print("ours first:", client.data[ours].decode(), client.ended[ours])
    theirs = client.open(host + ":8082")        # ends first, then reads on
    client.until(lambda: theirs in client.ended)
    print("theirs first:", client.data[theirs].decode(), client.ended[theirs])
    client.write(theirs, b"late words", end=True)
    witness = client.open(host + ":8083")       # tells what 8082 was told
    client.until(lambda: witness in client.ended)
    print("late:", client.data[witness].decode())
    both = client.open(host + ":8081", end=True)  # END_STREAM on the CONNECT itself
    client.until(lambda: both in client.ended)
    print("at once:", client.data[both].decode(), client.ended[both])
    client.close()


def refusals():
    client = Client()
    wanted = [
        ("other address", dict(authority="10.203.0.99:8080")),
        ("no port", dict(authority=host)),
        ("unknown name", dict(authority="nobody.default.svc.cluster.local:80")),
        ("own port", dict(authority=host + ":15008")),
        ("denied", dict(authority=host + ":8085")),
        ("nobody listens", dict(authority=host + ":8099")),
        ("GET", dict(authority="", end=True, headers=[(":method", "GET"), (":scheme", "http"), (":authority", host + ":8080"), (":path", "/")])),
        ("CONNECT with path", dict(authority="", headers=[(":method", "CONNECT"), (":authority", host + ":8080"), (":path", "/")])),
    ]
    for name, request in wanted:
        stream = client.open(**request)
        client.until(lambda: stream in client.ended)
        client.ping()                            # what follows the answer has arrived, too
        print(name + ":", client.status.get(stream), client.ended[stream], client.baggage.get(stream))
    alive = client.open(host + ":8080")
    client.write(alive, b"still alive", end=True)
    client.until(lambda: alive in client.ended)
    print("then:", client.data[alive].decode(), "port", client.tls.getsockname()[1])
    client.close()


def resets():
    """We reset one of two streams: the other one does not notice."""
    client = Client()
    first, second = client.open(host + ":8080"), client.open(host + ":8080")
    client.write(first, b"first")
    client.write(second, b"second")
    client.until(lambda: client.data[first] == b"first" and client.data[second] == b"second")
    client.h2.reset_stream(first, 8)
    client.flush()
    client.write(second, b" lives", end=True)
    client.until(lambda: second in client.ended)
    print(client.data[second].decode(), client.ended[second], "port", client.tls.getsockname()[1])
    # An application that resets its connection ends the stream; the tunnel stays.
    third = client.open(host + ":8084")
    client.until(lambda: third in client.ended)
    print("application reset:", client.data[third].decode(), client.ended[third])
    client.ping()
    print("pong", len(client.pongs))
    client.close()


def raw(what):
    """Beyond the protocol: the connection ends, with a GOAWAY where there is one to send."""
    client = Client()
    client.open(host + ":8080")
    client.until(lambda: 1 in client.status)
    if what == "frame":
        client.tls.sendall(b"\x10\x00\x01\x00\x00\x00\x00\x00\x01")     # DATA of 1 MiB + 1
    elif what == "headers":
        client.tls.sendall(b"\x00\x00\x03\x01\x05\x00\x00\x00\x03\xff\xff\x03")   # an index beyond every table
    try:
        while client.read() is not None:
            pass
    except (h2.exceptions.ProtocolError, OSError) as error:
        print("after", type(error).__name__)
    print([frame for frame in client.frames if frame.startswith("GOAWAY")])


def http1(port):
    """An HTTP/1.1 client of a forward proxy; ends when it has every byte."""
    sock = socket.create_connection(("127.0.0.1", int(port)), timeout=LIMIT)
    sock.sendall(("CONNECT %s:8080 HTTP/1.1\r\nHost: %s:8080\r\n\r\n" % (host, host)).encode())
    head, content, back = b"", os.urandom(300_000), bytearray()
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    print(head.split(b"\r\n")[0].decode())
    threading.Thread(target=sock.sendall, args=(content,), daemon=True).start()
    while len(back) < len(content) and (data := sock.recv(65536)):
        back += data
    print("same" if back == content else "different", len(back))


def bad_preface():
    tls = connect(host, 15008, tls_context(False, certificate, roots))
    tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    print(drain(tls))


def name(error):
    """Of a newer alert this Python has the text only: "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)"."""
    return error.reason or str(error).split(" (")[0]


def drain(tls):
    """How the peer ends it: what it says before does not matter here."""
    try:
        while tls.recv(65536):
            pass
        return "closed"
    except ssl.SSLError as error:
        return name(error)
    except ConnectionResetError:
        return "reset"


def handshake(kind):
    """A peer that must not come in. Prints how it learns of it, and its port for the log."""
    sock = socket.create_connection((host, 15008), timeout=3 * LIMIT if kind in ("silent", "half") else LIMIT)
    print("port", sock.getsockname()[1])
    sys.stdout.flush()
    if kind in ("garbage", "silent", "half"):
        if kind == "garbage":
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(range(256)))
        elif kind == "half":
            sock.sendall(bytes.fromhex("160301020001"))                     # a record that never ends
        try:
            while sock.recv(4096):
                pass
            print("closed")
        except ConnectionResetError:
            print("reset")
        return
    context = tls_context(
        False, None if kind == "none" else certificate, roots,
        alpn=("http/1.1",) if kind == "http1" else ("h2",),
        newest=ssl.TLSVersion.TLSv1_2 if kind == "tls12" else ssl.TLSVersion.TLSv1_3)
    try:
        print(drain(context.wrap_socket(sock)))
    except ssl.SSLError as error:
        print(name(error))


import h2.exceptions
globals()[scenario](*arguments)
