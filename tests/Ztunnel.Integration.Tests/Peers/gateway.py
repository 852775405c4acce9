"""A foreign network gateway: ends the outer tunnel on ADDRESS:15008 and passes each stream's bytes on to TARGET:15008, whatever they are.
usage: gateway.py ADDRESS CERTIFICATE ROOTS TARGET [drop]. drop: closes the first stream's connection instead. Prints "ready", then one fact a line: connection number, what."""
import select, socket, sys, threading
import h2.events
from hbone import LIMIT, Peer, tls_context, uri_names

address, certificate, roots, target = sys.argv[1:5]
dropped = "drop" not in sys.argv
lock = threading.Lock()


def say(number, *words):
    with lock:
        print(number, *words, flush=True)


class Gateway(Peer):
    def __init__(self, number, tls):
        super().__init__(tls, client=False)
        self.number, self.pipes, self.streams = number, {}, {}

    def serve(self):
        while True:
            ready, _, _ = select.select([self.tls, *self.streams], [], [], 6 * LIMIT)
            for pipe in ready:
                if pipe is self.tls:
                    if not self.take():
                        return
                elif pipe in self.streams:
                    self.forward(pipe)

    def take(self):
        while True:
            events = self.read()
            if events is None:
                say(self.number, "eof")
                return False
            for event in events:
                self.on(event)
            self.pump()
            if not self.tls.pending():
                return True

    def on(self, event):
        global dropped
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            say(self.number, "request", stream, "|".join("%s=%s" % field for field in event.headers))
            self.h2.send_headers(stream, [(":status", "200")])
            if not dropped:
                dropped = True
                self.write(stream, b"", end=True)
                return
            self.pipes[stream] = socket.create_connection((target, 15008), timeout=LIMIT)
            self.streams[self.pipes[stream]] = stream
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            if stream in self.pipes:
                self.pipes[stream].sendall(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            say(self.number, "end", stream)
            if stream in self.pipes:
                self.pipes[stream].shutdown(socket.SHUT_WR)
        elif isinstance(event, h2.events.StreamReset):
            say(self.number, "reset", stream, int(event.error_code))
            self.forget(stream)
            if stream in self.pipes:
                self.streams.pop(self.pipes[stream], None)
                self.pipes.pop(stream).close()

    def forward(self, pipe):
        stream = self.streams[pipe]
        try:
            data = pipe.recv(30_000)              # cut anywhere but where the records end
        except ConnectionResetError:
            data = b""
        self.write(stream, data, end=not data)
        if not data:
            say(self.number, "far end", stream)
            del self.streams[pipe]


def serve(number, sock):
    sock.settimeout(6 * LIMIT)
    try:
        tls = context.wrap_socket(sock, server_side=True)
        say(number, "tls", uri_names(tls), tls.version(), tls.selected_alpn_protocol())
        Gateway(number, tls).serve()
    except OSError as error:
        say(number, "error", type(error).__name__, error)
    except Exception as error:
        say(number, "failed", repr(error))
        raise


context = tls_context(True, certificate, roots)
listener = socket.create_server((address, 15008))
print("ready", flush=True)
number = 0
while True:
    accepted, _ = listener.accept()
    number += 1
    say(number, "accepted")
    threading.Thread(target=serve, args=(number, accepted), daemon=True).start()
