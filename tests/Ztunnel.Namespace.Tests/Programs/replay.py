"""Replays recorded HBONE frames to our proxy and says, case by case, what was recorded and what came back.

replay.py client RECORDING HOST CERTIFICATE ROOTS    sends what the recorded client sent (RECORDING: server-role.*.txt)
replay.py server RECORDING HOST CERTIFICATE ROOTS    listens on HOST:15008 and sends what the recorded server sent; a line on standard input names the next case, an empty one says that its application is done

A line of JSON for each case: {"case", "recorded": [...], "actual": [...], "recorded_new_tunnel", "new_tunnel", "settings"}. The frames of a stream: HEADERS with its fields, DATA with all bytes that follow each other, END, RESET, GOAWAY.
"""
import ast
import json
import re
import socket
import ssl
import struct
import sys
import threading

import hpack

from tls_pipe import TlsPipe

LIMIT = 8
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
KINDS = {"DATA": DATA, "HEADERS": HEADERS, "RST_STREAM": RST_STREAM, "GOAWAY": GOAWAY}
FLAGS = {"END_STREAM": 1, "ACK": 1, "END_HEADERS": 4, "PADDED": 8, "-": 0}
CODES = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL",
         "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"]
SETTING_NAMES = {1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS", 4: "INITIAL_WINDOW_SIZE", 5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CLIENT_SETTINGS = [(2, 0), (4, 4194304), (5, 1048576), (6, 16384)]
SERVER_SETTINGS = [(3, 200), (4, 4194304), (5, 1048576)]
WINDOW_INCREMENT = 16711681
FRAME = re.compile(r"^(?:\[conn \d+\])?\s+[\d.]+ (zt|test) -> (\w+)(?: stream=(\d+) len=(\d+) flags=(\S+))?(?: (.*))?$")
FIELDS = re.compile(r"^(?:\[conn \d+\])?\s{12}(\S.*)$")


class Item:
    """A recorded frame, or what the recording says happened to the connection ("preface", "closed", "reset")."""

    def __init__(self, side, kind, stream=0, length=0, flags=0, info=""):
        self.side, self.kind, self.stream, self.length, self.flags, self.info, self.fields = side, kind, stream, length, flags, info, []

    @property
    def payload(self):
        return ast.literal_eval(self.info) if self.info else bytes(self.length)

    @property
    def code(self):
        return CODES.index(re.search(r"code=(\w+)", self.info)[1])

    @property
    def last_stream(self):
        return int(re.search(r"last_stream=(\d+)", self.info)[1])


class Case:
    def __init__(self, name):
        self.name, self.items, self.new_tunnel = name, [], False


def read_recording(path):
    cases, item = [], None
    for line in open(path, encoding="utf-8"):
        line = line.rstrip("\n")
        if line.startswith("### "):
            if cases and cases[-1].name.endswith("and closes"):
                cases[-1].items.append(Item("test", "closed"))
            cases.append(Case(line[4:]))
        elif not cases:
            continue
        elif line.endswith("accepted from 10.88.0.1"):
            cases[-1].new_tunnel = True
        elif line.endswith("(the test peer closed the TCP connection cleanly)"):
            cases[-1].items.append(Item("test", "closed"))
        elif line.endswith("(the test peer reset the TCP connection)"):
            cases[-1].items.append(Item("test", "reset"))
        elif match := FRAME.match(line):
            side, kind, stream, length, flags, info = match.groups()
            item = Item(side, kind, int(stream or 0), int(length or 0), sum(FLAGS[flag] for flag in (flags or "-").split("|")), info or "")
            cases[-1].items.append(item)
        elif (match := FIELDS.match(line)) and item is not None and item.kind == "HEADERS":
            # Ours on the wire: one field a line, its representation behind it. The test's: all in one line.
            texts = [re.sub(r"   \[.*\]$", "", match[1])] if item.side == "zt" else re.split(r", (?=[:\w-]+: )", match[1])
            for text in texts:
                name, _, value = text.partition(": ")
                item.fields.append((name.rstrip(":") if not _ else name, ast.literal_eval(value) if value.startswith("b'") else value))
    return cases


class Log:
    """The frames of one stream, in the order they came, as the result shows them."""

    def __init__(self):
        self.entries, self.data_bytes, self.ended, self.was_reset, self.has_headers = [], 0, False, False, False

    def headers(self, fields, ended):
        self.has_headers = True
        self.entries.append("HEADERS " + "|".join("%s=%s" % field for field in fields))
        if ended:
            self.end()

    def data(self, payload, ended):
        if payload:
            self.data_bytes += len(payload)
            if self.entries and self.entries[-1].startswith("DATA "):
                self.entries[-1] = "DATA " + repr(ast.literal_eval(self.entries[-1][5:]) + payload)
            else:
                self.entries.append("DATA " + repr(payload))
        if ended:
            self.end()

    def end(self):
        self.ended = True
        self.entries.append("END")

    def reset(self, code):
        self.was_reset = True
        self.entries.append("RESET " + CODES[code])


def recorded_log(case):
    log = Log()
    for item in case.items:
        if item.side != "zt":
            continue
        if item.kind == "HEADERS":
            log.headers(item.fields, item.flags & 1)
        elif item.kind == "DATA":
            log.data(item.payload, item.flags & 1)
        elif item.kind == "RST_STREAM":
            log.reset(item.code)
        elif item.kind == "GOAWAY":
            log.entries.append("GOAWAY " + CODES[item.code])
    return log


class Connection:
    """Frames by hand over a TLS connection; a thread reads."""

    def __init__(self, tls, is_server, on_headers=None):
        self.tls, self.is_server, self.on_headers = tls, is_server, on_headers
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.changed, self.logs, self.pongs, self.settings, self.goaway, self.closed = threading.Condition(), {}, 0, "", None, False
        if not is_server:
            self.write(PREFACE)
        self.frame(SETTINGS, 0, 0, b"".join(struct.pack("!HI", *setting) for setting in (SERVER_SETTINGS if is_server else CLIENT_SETTINGS)))
        self.frame(WINDOW_UPDATE, 0, 0, struct.pack("!I", WINDOW_INCREMENT))
        self.reader = threading.Thread(target=self.read_all, daemon=True)
        self.reader.start()

    def write(self, data):
        self.tls.sendall(data)

    def frame(self, kind, flags, stream, payload=b""):
        self.write(struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload)

    def send(self, item, stream):
        if item.kind == "HEADERS":
            self.frame(HEADERS, item.flags, stream, self.encoder.encode(item.fields))
        elif item.kind == "DATA":
            self.frame(DATA, item.flags, stream, item.payload)
        elif item.kind == "RST_STREAM":
            self.frame(RST_STREAM, 0, stream, struct.pack("!I", item.code))
        elif item.kind == "GOAWAY":
            self.frame(GOAWAY, 0, 0, struct.pack("!II", stream if item.last_stream else 0, item.code))
        elif item.kind == "closed":
            self.tls.close()
        elif item.kind == "reset":
            self.tls.close(reset=True)

    def log(self, stream):
        return self.logs.setdefault(stream, Log())

    def read_exactly(self, count):
        parts = b""
        while len(parts) < count:
            part = self.tls.recv(count - len(parts))
            if not part:
                raise EOFError
            parts += part
        return parts

    def read_all(self):
        try:
            if self.is_server:
                self.read_exactly(len(PREFACE))
            while True:
                head = self.read_exactly(9)
                kind, flags, stream = struct.unpack("!BBI", head[3:])
                self.on_frame(kind, flags, stream, self.read_exactly(int.from_bytes(head[:3], "big")))
        except (OSError, EOFError, ValueError):
            with self.changed:
                self.closed = True
                self.changed.notify_all()

    def on_frame(self, kind, flags, stream, payload):
        fields = self.decoder.decode(payload) if kind == HEADERS else None
        with self.changed:
            if kind == HEADERS:
                self.log(stream).headers(fields, flags & 1)
            elif kind == DATA:
                self.log(stream).data(payload, flags & 1)
            elif kind == RST_STREAM:
                self.log(stream).reset(struct.unpack("!I", payload)[0])
            elif kind == GOAWAY:
                self.goaway = CODES[struct.unpack("!II", payload[:8])[1]]
            elif kind == SETTINGS and not flags & 1:
                values = [struct.unpack("!HI", payload[at : at + 6]) for at in range(0, len(payload), 6)]
                self.settings = " ".join("%s=%d" % (SETTING_NAMES[name], value) for name, value in values)
            elif kind == PING and flags & 1:
                self.pongs += 1
            self.changed.notify_all()
        if kind in (SETTINGS, PING) and not flags & 1:
            self.frame(kind, 1, 0, payload if kind == PING else b"")
        if kind == HEADERS and self.on_headers:
            threading.Thread(target=self.on_headers, args=(self, stream), daemon=True).start()

    def wait(self, condition):
        with self.changed:
            self.changed.wait_for(lambda: condition() or self.closed, LIMIT)

    def wait_for(self, item, stream, data_bytes):
        log = self.log(stream)
        if item.kind == "HEADERS":
            self.wait(lambda: log.has_headers or log.was_reset)
        elif item.kind == "DATA":
            self.wait(lambda: (log.data_bytes >= data_bytes and (log.ended or not item.flags & 1)) or log.was_reset)
        elif item.kind == "RST_STREAM":
            self.wait(lambda: log.was_reset)
        elif item.kind == "GOAWAY":
            self.wait(lambda: self.goaway)

    def barrier(self):
        pongs = self.pongs
        try:
            self.frame(PING, 0, 0, b"in order")
        except OSError:
            pass
        self.wait(lambda: self.pongs > pongs)

    def follow(self, items, stream):
        """What the recording did, in its order."""
        data_bytes = 0
        for item in items:
            if item.side == "zt":
                if item.kind == "DATA":
                    data_bytes += len(item.payload)
                self.wait_for(item, stream, data_bytes)
            elif item.kind in ("preface", "SETTINGS", "WINDOW_UPDATE", "PING"):
                continue
            else:
                try:
                    self.send(item, stream)
                except OSError:
                    return


def say(case, entries, **more):
    print(json.dumps({"case": case.name, "recorded": recorded_log(case).entries, "actual": entries, "recorded_new_tunnel": case.new_tunnel, **more}), flush=True)


def context(is_server, certificate, roots):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(roots)
    made.load_cert_chain(certificate)
    made.set_alpn_protocols(["h2"])
    return made


def run_client(recording, host, certificate, roots):
    tls_context = context(False, certificate, roots)
    connection, next_stream = None, 1
    for case in read_recording(recording):
        if connection is None or connection.closed or any(item.kind == "preface" for item in case.items):
            if connection:
                connection.tls.close()
            connection, next_stream = Connection(TlsPipe(socket.create_connection((host, 15008), timeout=60), tls_context, is_server=False), is_server=False), 1
        if all(item.stream == 0 for item in case.items):
            continue
        stream, next_stream = next_stream, next_stream + 2
        connection.follow([item for item in case.items if item.stream or item.kind == "GOAWAY"], stream)
        # A frame behind the answer would come now.
        connection.barrier()
        log = connection.log(stream)
        entries = log.entries + (["GOAWAY " + connection.goaway] if connection.goaway else [])
        say(case, entries, new_tunnel=False, settings=connection.settings)
        if case.name.startswith("we abort"):
            connection.send(Item("test", "reset"), 0)
            connection = None
        elif case.name.startswith("we close"):
            connection.tls.close()
            connection = None
        elif not connection.closed and not (log.was_reset or any(item.kind == "RST_STREAM" and item.side == "test" for item in case.items)):
            connection.frame(RST_STREAM, 0, stream, struct.pack("!I", CODES.index("CANCEL")))


def run_server(recording, host, certificate, roots):
    tls_context = context(True, certificate, roots)
    cases = {case.name: case for case in read_recording(recording)}
    state = {"case": None, "streams": [], "accepted": 0}

    def on_headers(connection, stream):
        case = state["case"]
        state["streams"].append((connection, stream))
        items = [item for item in case.items if item.stream or item.kind in ("GOAWAY", "closed", "reset")]
        while items and items[0].kind != "HEADERS":
            items.pop(0)
        connection.follow(items, stream)

    def serve(sock):
        try:
            Connection(TlsPipe(sock, tls_context, is_server=True), is_server=True, on_headers=on_headers).reader.join()
        except (OSError, EOFError):
            pass    # a handshake that the other side gave up

    def accept(listener):
        while True:
            sock, _ = listener.accept()
            state["accepted"] += 1
            sock.settimeout(60)
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    listening = socket.create_server((host, 15008), backlog=64)
    threading.Thread(target=accept, args=(listening,), daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        name = line.rstrip("\n")
        if name:
            state.update(case=cases[name], streams=[], accepted=0)
            print("case", flush=True)
            continue
        entries, settings = [], ""
        for connection, stream in state["streams"]:
            # Its end may still be on its way.
            recorded = recorded_log(state["case"]).entries
            log, says_goaway = connection.log(stream), any(entry.startswith("GOAWAY") for entry in recorded)
            connection.wait(lambda: (len(log.entries) + bool(connection.goaway) >= len(recorded) and (connection.goaway or not says_goaway)) or log.was_reset)
            if not connection.closed:
                connection.barrier()
            entries += log.entries
            settings = connection.settings
            if connection.goaway:
                entries.append("GOAWAY " + connection.goaway)
        say(state["case"], entries, new_tunnel=state["accepted"] > 0, settings=settings)


if __name__ == "__main__":
    (run_client if sys.argv[1] == "client" else run_server)(*sys.argv[2:])
