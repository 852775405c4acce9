"""A foreign ztunnel: HBONE server on ADDRESS:15008, a thread for each connection. usage: server.py ADDRESS CERTIFICATE ROOTS [window=N] [frame=N] [streams=N] [mute]
The port of a CONNECT's authority says what happens to it. Prints "ready", then one fact a line: connection number, what."""
import socket, ssl, sys, threading
import h2.events
from hbone import LIMIT, Peer, tls_context, uri_names

address, certificate, roots = sys.argv[1:4]
options = dict(option.split("=") for option in sys.argv[4:] if "=" in option)
options = {name: int(value) for name, value in options.items()}
lock = threading.Lock()


def say(number, *words):
    with lock:
        print(number, *words, flush=True)


class Connection(Peer):
    def __init__(self, number, tls):
        super().__init__(tls, client=False, **options)
        self.number, self.behaviour, self.shown = number, {}, 0

    def serve(self):
        while (events := self.read()) is not None:
            for event in events:
                self.take(event)
            self.pump()
            if not self.shown:
                say(self.number, "first record", *(frame.split()[0] for frame in self.frames))
            for frame in self.frames[self.shown:]:
                say(self.number, "frame", frame)
            self.shown = len(self.frames)
        say(self.number, "eof")

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            say(self.number, "request", stream, "|".join("%s=%s" % field for field in event.headers))
            port = int(dict(event.headers)[":authority"].rsplit(":", 1)[1])
            self.behaviour[stream] = port
            if port in (8401, 8503):
                self.h2.send_headers(stream, [(":status", str(port - 8000))], end_stream=True)
            elif port != 8299:                                   # 8299 never hears an answer
                self.h2.send_headers(stream, [(":status", "200"), ("baggage", "k8s.namespace.name=foreign,service.name=echo")])
            if port == 8210:
                # "No more streams here": what is open goes on.
                self.h2.close_connection(last_stream_id=stream)
                self.h2.state_machine.state = h2.connection.ConnectionState.SERVER_OPEN
        elif isinstance(event, h2.events.DataReceived):
            if self.behaviour[stream] == 8202:
                if event.data:                                   # the end is an event with empty data, too
                    self.h2.reset_stream(stream, 2)
                return
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            self.write(stream, event.data)
        elif isinstance(event, h2.events.StreamEnded):
            if self.behaviour[stream] not in (8202, 8299, 8401, 8503):
                self.write(stream, b"", end=True)
        elif isinstance(event, h2.events.StreamReset):
            say(self.number, "reset", stream, int(event.error_code))
            self.forget(stream)
        elif isinstance(event, h2.events.ConnectionTerminated):
            say(self.number, "goaway", event.last_stream_id, int(event.error_code))


def serve(number, sock, context):
    sock.settimeout(6 * LIMIT)
    try:
        if "mute" in sys.argv:
            while sock.recv(4096):
                pass
            say(number, "gone")
            return
        tls = context.wrap_socket(sock, server_side=True)
        say(number, "tls", uri_names(tls), tls.version(), tls.selected_alpn_protocol())
        Connection(number, tls).serve()
    except ssl.SSLError as error:
        say(number, "alert", error.reason)
    except OSError as error:
        say(number, "error", type(error).__name__)
    except Exception as error:
        say(number, "failed", repr(error))
        raise


context = tls_context(True, certificate, roots)
context.sni_callback = lambda tls, name, _: say("sni", name)
listener = socket.create_server((address, 15008))
print("ready", flush=True)
number = 0
while True:
    accepted, _ = listener.accept()
    number += 1
    say(number, "accepted")
    threading.Thread(target=serve, args=(number, accepted, context), daemon=True).start()
