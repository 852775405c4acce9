"""A foreign HBONE client with one stream. usage: caller.py HOST AUTHORITY CERTIFICATE ROOTS. Sends a byte behind the CONNECT; prints "open STATUS" when it came back, "refused" when there is no tunnel,
"status STATUS" for another answer; then, when the connection has ended, "ended".
"""
import socket
import sys

from replay import DATA, HEADERS, Connection, context
from tls_pipe import TlsPipe

host, authority, certificate, roots = sys.argv[1:5]
STREAM = 1


def status(log):
    return log.entries[0].split("|")[0].removeprefix("HEADERS :status=") if log.entries else "-"


try:
    connection = Connection(TlsPipe(socket.create_connection((host, 15008), timeout=60), context(False, certificate, roots), is_server=False), is_server=False)
    connection.frame(HEADERS, 4, STREAM, connection.encoder.encode([(":method", "CONNECT"), (":authority", authority)]))
    connection.frame(DATA, 0, STREAM, b"x")
except (OSError, EOFError):
    print("refused", flush=True)
    sys.exit()
log = connection.log(STREAM)
connection.wait(lambda: log.data_bytes or log.ended or log.was_reset)
if log.data_bytes:
    print("open", status(log), flush=True)
elif log.has_headers:
    print("status", status(log), flush=True)
else:
    print("refused", flush=True)
connection.reader.join()
print("ended", flush=True)
