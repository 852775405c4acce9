"""The applications of a pod, a thread for each connection. 8080, 8085: echo. 8081: counts until the end, then answers. 8082: ends first, then reads on. 8083: what 8082 read. 8084: resets.
With an argument, a forward proxy for HTTP/1.1 on that port, whose destinations all echo as many bytes as their port says."""
import queue, socket, struct, sys, threading

heard = queue.Queue()


def read_all(sock):
    chunks = []
    while data := sock.recv(65536):
        chunks.append(data)
    return b"".join(chunks)


def echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)


def count(sock):
    sock.sendall(b"%d bytes" % len(read_all(sock)))


def bye(sock):
    sock.sendall(b"bye")
    sock.shutdown(socket.SHUT_WR)
    heard.put(read_all(sock))


def report(sock):
    sock.sendall(heard.get(timeout=10))


def abort(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def forward(sock):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    print("head", head.decode().replace("\r\n", "|"), flush=True)
    sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    left = int(head.split()[1].rsplit(b":", 1)[1])
    while left > 0 and (data := sock.recv(65536)):
        sock.sendall(data)
        left -= len(data)


def run(handler, sock):
    try:
        handler(sock)
    except OSError:
        pass
    finally:
        sock.close()


def listen(port, handler):
    listener = socket.create_server(("", port), backlog=128)

    def accept():
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=run, args=(handler, sock), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()


if len(sys.argv) > 1:
    listen(int(sys.argv[1]), forward)
else:
    for port, handler in {8080: echo, 8081: count, 8082: bye, 8083: report, 8084: abort, 8085: echo}.items():
        listen(port, handler)
print("ready", flush=True)
threading.Event().wait()
