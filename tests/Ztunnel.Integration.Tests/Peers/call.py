"""An unmodified program of a pod. usage: call.py HOST PORT BYTES [hold | count]. Sends, half-closes, and compares what comes back until the end.
hold: sends, waits for the echo, prints "open" and stays until it is ended. count: does not half-close, ends after as many bytes as it sent."""
import os, socket, sys, threading

host, port, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
mode = sys.argv[4] if len(sys.argv) > 4 else ""
content = os.urandom(size)
try:
    sock = socket.create_connection((host, port), timeout=10)
except ConnectionResetError:
    print("reset")               # refused so fast that connect itself hears of it
    sys.exit()
sock.settimeout(60)


def send():
    try:
        sock.sendall(content)
        if not mode:
            sock.shutdown(socket.SHUT_WR)
    except ConnectionResetError:
        resets.append(True)      # a reset is told to one of the two, whoever asks first
    except OSError:
        pass                     # the reader says how it ended


resets = []
sender = threading.Thread(target=send, daemon=True)
sender.start()
received = bytearray()
try:
    while not mode or len(received) < size:
        data = sock.recv(65536)
        if not data:
            break
        received += data
    if mode == "hold":
        print("open", flush=True)
        threading.Event().wait()
    if not received and size:
        sender.join(1)
    print("same" if received == content else "reset" if resets else "%d of %d bytes" % (len(received), size))
except ConnectionResetError:
    print("reset")
