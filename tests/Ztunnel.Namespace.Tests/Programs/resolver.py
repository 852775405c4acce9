"""A resolver that may lie: resolver.py ADDRESS UPSTREAM_PORT. Port 53, UDP and TCP; what it does depends on the first label, all else goes to UPSTREAM_PORT of the same address.

lie     wrong id, wrong name, wrong type, an answer from another port, then the truth (192.0.2.1)
slow    the truth after 0.7 s
silent  nothing
"""
import socket
import sys
import threading
import time

address, upstream = sys.argv[1], int(sys.argv[2])
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((address, 53))
other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
other.bind((address, 0))


def answer(query, last, name=None, kind=b"\0\1"):
    end = query.index(0, 12)
    name = name or query[12:end + 1]
    record = b"\xc0\x0c" + kind + b"\0\1\0\0\0\x4d\0\4" + bytes([192, 0, 2, last])
    return query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + name + kind + b"\0\1" + record


def serve(query, client):
    label = query[13:13 + query[12]].decode("latin-1").lower()
    if label == "lie":
        lie = answer(query, 66)
        udp.sendto(bytes([lie[0] ^ 0x55]) + lie[1:], client)
        udp.sendto(answer(query, 66, name=b"\3big" + query[16:query.index(0, 12) + 1]), client)
        udp.sendto(answer(query, 66, kind=b"\0\x1c"), client)
        other.sendto(lie, client)
        udp.sendto(answer(query, 1), client)
    elif label == "slow":
        time.sleep(0.7)
        udp.sendto(answer(query, 1), client)
    elif label != "silent":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
            relay.settimeout(5)
            relay.sendto(query, (address, upstream))
            udp.sendto(relay.recv(65535), client)


def serve_stream(connection):
    with connection, socket.create_connection((address, upstream), 5) as relay:
        length = connection.recv(2, socket.MSG_WAITALL)
        relay.sendall(length + connection.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        length = relay.recv(2, socket.MSG_WAITALL)
        connection.sendall(length + relay.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))


def accept():
    with socket.create_server((address, 53)) as listener:
        while True:
            threading.Thread(target=serve_stream, args=(listener.accept()[0],), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
print("ready", flush=True)
while True:
    received, sender = udp.recvfrom(65535)
    threading.Thread(target=serve, args=(received, sender), daemon=True).start()
