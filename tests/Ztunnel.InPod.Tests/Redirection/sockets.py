"""Sockets inside a test namespace.

serve PORT...                          TCP and UDP on every port, both families; answers "PORT peer=IP original=IP:PORT" and closes
ask tcp|udp HOST PORT [MARK] [SOURCE]  prints the answer; MARK is a number, 0 for none; SOURCE may be an address of somebody else
"""
import selectors
import socket
import struct
import sys

SO_ORIGINAL_DST = 80
IP_TRANSPARENT = 19
IPV6_TRANSPARENT = 75


def plain(address):
    return address.removeprefix("::ffff:")


def original(connection):
    """The destination before a redirect; the socket's own address where there was none."""
    try:
        raw = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        return f"{socket.inet_ntoa(raw[4:8])}:{struct.unpack('!H', raw[2:4])[0]}"
    except OSError:
        pass
    try:
        raw = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return f"{socket.inet_ntop(socket.AF_INET6, raw[8:24])}:{struct.unpack('!H', raw[2:4])[0]}"
    except OSError:
        host, port = connection.getsockname()[:2]
        return f"{plain(host)}:{port}"


def listen(kind, address, port):
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # What a TPROXY rule hands over needs a socket that may answer from anybody's address; the proxy's are.
    listener.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    if address == "::":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind((address, port))
    if kind == socket.SOCK_STREAM:
        listener.listen(16)
    return listener


def serve(ports):
    selector = selectors.DefaultSelector()
    for port in ports:
        selector.register(listen(socket.SOCK_STREAM, "::", port), selectors.EVENT_READ, port)
        # A redirected datagram arrives at loopback, and only an answer from there is translated back: a wildcard socket would answer from the pod's address.
        for address in ("127.0.0.1", "::1") if port == 15053 else ("::",):
            selector.register(listen(socket.SOCK_DGRAM, address, port), selectors.EVENT_READ, port)
    print("ready", flush=True)
    while True:
        for key, _ in selector.select():
            if key.fileobj.type == socket.SOCK_STREAM:
                connection, peer = key.fileobj.accept()
                with connection:
                    connection.sendall(f"{key.data} peer={plain(peer[0])} original={original(connection)}\n".encode())
            else:
                _, peer = key.fileobj.recvfrom(2048)
                key.fileobj.sendto(f"{key.data} peer={plain(peer[0])}\n".encode(), peer)


def ask(kind, host, port, mark=0, source=None):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        if mark:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        if source:
            if family == socket.AF_INET6:
                asking.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
            else:
                asking.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
            asking.bind((source, 0))
        asking.connect((host, port))
        if kind == "udp":
            asking.send(b"?")
        print(asking.recv(2048).decode(), end="")


if sys.argv[1] == "serve":
    serve([int(port) for port in sys.argv[2:]])
else:
    ask(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5], 0) if len(sys.argv) > 5 else 0, sys.argv[6] if len(sys.argv) > 6 else None)
