"""`without_accept.py PORT URL`: a relay for one scrape target that leaves out what the scraper accepts, so that a Prometheus that always prefers OpenMetrics gets text. Prints "ready"."""
import http.server
import sys
import urllib.request


class Relay(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(sys.argv[2], timeout=5) as answer:
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Relay)
print("ready", flush=True)
server.serve_forever()
