"""Sends raw queries: dnsask.py ADDRESS PORT; a line `udp HEX` or `tcp HEX` each, answered by the answer's hex or `-` for none within two seconds."""
import socket
import sys

server = (sys.argv[1], int(sys.argv[2]))


def ask(protocol, query):
    if protocol == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect(server)
            client.send(query)
            return client.recv(65535)
    with socket.create_connection(server, 2) as client:
        client.sendall(len(query).to_bytes(2, "big") + query)
        return client.recv(int.from_bytes(client.recv(2, socket.MSG_WAITALL), "big"), socket.MSG_WAITALL)


for line in sys.stdin:
    protocol, query = line.split()
    try:
        print(ask(protocol, bytes.fromhex(query)).hex(), flush=True)
    except TimeoutError:
        print("-", flush=True)
