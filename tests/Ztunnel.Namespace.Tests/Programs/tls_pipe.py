"""TLS over a socket that one thread may read while others write: the library's object is not made for that, so it only ever sees memory, under a lock."""
import os
import select
import socket
import ssl
import struct
import threading


class TlsPipe:
    def __init__(self, sock, context, is_server, limit=60):
        self.sock, self.incoming, self.outgoing, self.lock = sock, ssl.MemoryBIO(), ssl.MemoryBIO(), threading.Lock()
        self.limit, self.wake, self.waker = limit, *os.pipe()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                if not self._receive():
                    raise EOFError
            except ssl.SSLError:
                self._flush()   # the alert
                raise
        self._flush()

    def recv(self, count):
        """Empty at the end, also when this side has closed meanwhile."""
        while True:
            with self.lock:
                try:
                    return self.tls.read(count)
                except ssl.SSLWantReadError:
                    self._flush()
                except ssl.SSLZeroReturnError:
                    return b""
            if not self._receive():
                return b""

    def sendall(self, data):
        with self.lock:
            self.tls.write(data)
            self._flush()

    def close(self, reset=False):
        """Ends the connection with FIN or RST; whoever reads is told first, since a socket that is being read does not close."""
        os.write(self.waker, b"x")
        with self.lock:
            if reset:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()

    def _flush(self):
        if data := self.outgoing.read():
            self.sock.sendall(data)

    def _receive(self):
        try:
            ready, _, _ = select.select([self.sock, self.wake], [], [], self.limit)
            data = self.sock.recv(65536) if ready == [self.sock] else b""
        except (OSError, ValueError):
            return False
        with self.lock:
            self.incoming.write(data)
        return data
