"""One HBONE connection of python3-h2 over Python's ssl, in either role. It writes down every frame that it receives."""
import socket, ssl
import h2.config, h2.connection, h2.events, h2.settings
import hyperframe.frame

LIMIT = 10
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def tls_context(server, certificate, roots, alpn=("h2",), newest=ssl.TLSVersion.TLSv1_3):
    """certificate: a file with key and chain, or None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = newest
    context.load_verify_locations(roots)
    if certificate:
        context.load_cert_chain(certificate)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def uri_names(tls):
    return ",".join(value for kind, value in tls.getpeercert().get("subjectAltName", ()) if kind == "URI")


class Peer:
    def __init__(self, tls, client, window=65535, frame=16384, streams=None):
        self.tls, self.client, self.frames, self.sent_frames = tls, client, [], []
        self._raw = b"" if client else None
        codes = h2.settings.SettingCodes
        settings = {codes.INITIAL_WINDOW_SIZE: window, codes.MAX_FRAME_SIZE: frame}
        if client:
            settings[codes.ENABLE_PUSH] = 0
        if streams:
            settings[codes.MAX_CONCURRENT_STREAMS] = streams
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=client, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(client=client, initial_values=settings)
        self.h2.max_inbound_frame_size = frame
        self.h2.initiate_connection()
        # One window for many streams: only the streams' own may hold anything back.
        self.h2.increment_flow_control_window(16 * 1024 * 1024 - 65535)
        self.queued, self.finishing = {}, set()
        self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.tls.sendall(data)

    def read(self):
        """Events of one read; None at the end of the connection."""
        data = self.tls.recv(65536)
        if not data:
            return None
        self._note(data)
        events = self.h2.receive_data(data)
        self.flush()
        return events

    def write(self, stream, data, end=False):
        """Sends as the windows allow; pump() sends the rest."""
        self.queued.setdefault(stream, bytearray()).extend(data)
        if end:
            self.finishing.add(stream)
        self.pump()

    def pump(self):
        for stream in list(self.queued):
            left = self.queued[stream]
            while left:
                n = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(left))
                if n <= 0:
                    break
                self.h2.send_data(stream, bytes(left[:n]))
                self.sent_frames.append(n)
                del left[:n]
                self.flush()
            if not left:
                del self.queued[stream]
                if stream in self.finishing:
                    self.finishing.discard(stream)
                    self.h2.end_stream(stream)
        self.flush()

    def forget(self, stream):
        self.queued.pop(stream, None)
        self.finishing.discard(stream)

    def _note(self, data):
        if self._raw is None:
            # Server: the preface comes first, on its own or not.
            self._preface = getattr(self, "_preface", b"") + data
            if len(self._preface) < len(PREFACE):
                return
            self.frames.append("preface" if self._preface.startswith(PREFACE) else "no preface")
            self._raw, data = b"", self._preface[len(PREFACE):]
        self._raw += data
        while len(self._raw) >= 9:
            frame, length = hyperframe.frame.Frame.parse_frame_header(memoryview(self._raw[:9]))
            if len(self._raw) < 9 + length:
                return
            frame.parse_body(memoryview(self._raw[9:9 + length]))
            self._raw = self._raw[9 + length:]
            self.frames.append(describe(frame, length))

    def data_sizes(self):
        return [int(frame.split()[2]) for frame in self.frames if frame.startswith("DATA")]


def describe(frame, length):
    kind = type(frame).__name__.replace("Frame", "")
    if kind == "Settings":
        names = {1: "HEADER_TABLE_SIZE", 2: "ENABLE_PUSH", 3: "MAX_CONCURRENT_STREAMS", 4: "INITIAL_WINDOW_SIZE", 5: "MAX_FRAME_SIZE", 6: "MAX_HEADER_LIST_SIZE"}
        values = " ".join("%s=%d" % (names.get(key, key), value) for key, value in frame.settings.items())
        return "SETTINGS ACK" if "ACK" in frame.flags else "SETTINGS " + values
    if kind == "WindowUpdate":
        return "WINDOW_UPDATE %d %d" % (frame.stream_id, frame.window_increment)
    if kind == "Ping":
        return "PING%s %s" % (" ACK" if "ACK" in frame.flags else "", frame.opaque_data.hex())
    if kind == "RstStream":
        return "RST_STREAM %d %d" % (frame.stream_id, frame.error_code)
    if kind == "GoAway":
        return "GOAWAY %d %d %s" % (frame.last_stream_id, frame.error_code, frame.additional_data.decode())
    end = " END_STREAM" if "END_STREAM" in frame.flags else ""
    return "%s %d %d%s" % (kind.upper(), frame.stream_id, length, end)


def connect(host, port, context):
    """A TCP connection with a completed handshake of our side; with TLS 1.3 the peer may still refuse our certificate."""
    sock = socket.create_connection((host, port), timeout=LIMIT)
    return context.wrap_socket(sock)
