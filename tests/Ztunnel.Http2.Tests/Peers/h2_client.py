"""HTTP/2 client over a plain socket: CONNECT streams to an echo server, multiplexed. usage: h2_client.py PORT STREAMS BYTES WINDOW FRAME"""
import hashlib, os, select, socket, sys
import h2.config, h2.connection, h2.events, h2.settings

port, streams, size, window, frame = map(int, sys.argv[1:])
sock = socket.create_connection(("127.0.0.1", port), timeout=10)
conn = h2.connection.H2Connection(h2.config.H2Configuration(
    client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False, validate_inbound_headers=False))
conn.local_settings = h2.settings.Settings(client=True, initial_values={
    h2.settings.SettingCodes.ENABLE_PUSH: 0,
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
    h2.settings.SettingCodes.MAX_FRAME_SIZE: frame,
})
conn.max_inbound_frame_size = frame
conn.initiate_connection()
if window > 65535:
    conn.increment_flow_control_window(16 * 1024 * 1024 - 65535)
connect = [(":method", "CONNECT"), (":authority", "10.0.0.2:8080"), ("baggage", "k8s.cluster.name=Kubernetes"), ("forwarded", 'for="10.0.0.1:1"')]
left, sent, received, ended, status = {}, {}, {}, set(), {}

def flush():
    data = conn.data_to_send()
    if data:
        sock.sendall(data)

def pump():
    for sid in list(left):
        if status.get(sid) != "200":
            continue
        while left[sid]:
            n = min(conn.local_flow_control_window(sid), conn.max_outbound_frame_size, len(left[sid]))
            if n == 0:
                break
            conn.send_data(sid, left[sid][:n])
            left[sid] = left[sid][n:]
        if not left[sid]:
            conn.end_stream(sid)
            del left[sid]
    flush()

def step():
    data = sock.recv(65536)
    if not data:
        sys.exit("connection closed")
    for event in conn.receive_data(data):
        if isinstance(event, h2.events.ResponseReceived):
            status[event.stream_id] = dict(event.headers)[":status"]
        elif isinstance(event, h2.events.DataReceived):
            received[event.stream_id].update(event.data)
            conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            ended.add(event.stream_id)
            status[event.stream_id] = "%s reset %d" % (status.get(event.stream_id), event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            sys.exit("goaway %s %s" % (event.error_code, event.additional_data))
    pump()

for _ in range(streams):
    sid = conn.get_next_available_stream_id()
    left[sid] = os.urandom(size)
    sent[sid] = hashlib.sha256(left[sid]).hexdigest()
    received[sid] = hashlib.sha256()
    conn.send_headers(sid, connect)
flush()
while len(ended) < streams:
    step()
for sid in sent:
    if received[sid].hexdigest() != sent[sid]:
        sys.exit("stream %d: wrong bytes, status %s" % (sid, status.get(sid)))

# The peculiar ones: a method of no use, a refused stream, a malformed request, then a PING to see that the connection lives.
wanted = {}
for fields, end in [([(":method", "GET"), (":scheme", "http"), (":authority", "a:1"), (":path", "/")], True),
                    ([(":method", "CONNECT"), (":authority", "refuse:1")], False),
                    ([(":method", "CONNECT"), (":authority", "a:1"), (":path", "/")], False)]:
    sid = conn.get_next_available_stream_id()
    received[sid] = hashlib.sha256()
    wanted[sid] = fields
    conn.send_headers(sid, fields, end_stream=end)
flush()
while not all(sid in ended for sid in wanted):
    step()
while select.select([sock], [], [], 0)[0]:
    step()
print(" / ".join(str(status[sid]) for sid in sorted(wanted)))
conn.close_connection()
flush()
