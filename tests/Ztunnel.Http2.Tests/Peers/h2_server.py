"""HTTP/2 echo server over a plain socket for one connection. usage: h2_server.py WINDOW FRAME STREAMS. Prints its port, later what it saw."""
import socket, sys
import h2.config, h2.connection, h2.events, h2.settings

window, frame, limit = map(int, sys.argv[1:])
listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(10)
print(listener.getsockname()[1], flush=True)
sock, _ = listener.accept()
sock.settimeout(10)
conn = h2.connection.H2Connection(h2.config.H2Configuration(
    client_side=False, header_encoding="utf-8", validate_outbound_headers=False, validate_inbound_headers=False))
conn.local_settings = h2.settings.Settings(client=False, initial_values={
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window,
    h2.settings.SettingCodes.MAX_FRAME_SIZE: frame,
    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: limit,
})
conn.max_inbound_frame_size = frame
conn.initiate_connection()
if window > 65535:
    conn.increment_flow_control_window(16 * 1024 * 1024 - 65535)
pending, finished, order, requests = {}, set(), [], 0

def pump():
    for sid in list(pending):
        while pending[sid]:
            n = min(conn.local_flow_control_window(sid), conn.max_outbound_frame_size, len(pending[sid]))
            if n <= 0:
                break
            conn.send_data(sid, bytes(pending[sid][:n]))
            del pending[sid][:n]
        if not pending[sid] and sid in finished:
            conn.end_stream(sid)
            del pending[sid]
    data = conn.data_to_send()
    if data:
        sock.sendall(data)

pump()
while True:
    data = sock.recv(65536)
    if not data:
        break
    for event in conn.receive_data(data):
        if isinstance(event, h2.events.RequestReceived):
            requests += 1
            order = [name for name, _ in event.headers]
            authority = dict(event.headers)[":authority"]
            if authority.startswith("refuse"):
                conn.send_headers(event.stream_id, [(":status", "503")], end_stream=True)
            else:
                conn.send_headers(event.stream_id, [(":status", "200"), ("baggage", "k8s.namespace.name=echo")])
                pending[event.stream_id] = bytearray()
        elif isinstance(event, h2.events.DataReceived):
            pending[event.stream_id] += event.data
            conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            finished.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            pending.pop(event.stream_id, None)
        elif isinstance(event, h2.events.ConnectionTerminated):
            print(requests, ",".join(order), "goaway", int(event.error_code), flush=True)
            sys.exit(0)
    pump()
print(requests, ",".join(order), "eof", flush=True)
