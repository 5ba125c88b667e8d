"""A transparent proxy on loopback that keeps the requests a client makes. Answers pass through as they arrive."""

import http.client
import http.server
import json
import threading
import urllib.parse


class Recorder:
    """Stands before the gateway; `requests` has what came through, in order of arrival."""

    def __init__(self, gateway_url):
        self.requests, self.lock = [], threading.Lock()
        target = urllib.parse.urlsplit(gateway_url)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                length = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(length)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                recorder.keep(self.command, self.path, headers, body)
                upstream = http.client.HTTPConnection(target.hostname, target.port, timeout=600)
                try:
                    upstream.request(self.command, self.path, body, headers | {"Host": target.netloc})
                    self.back(upstream.getresponse())
                finally:
                    upstream.close()

            def back(self, answer):
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                known = answer.getheader("content-length")
                self.send_header(*(("Content-Length", known) if known else ("Transfer-Encoding", "chunked")))
                self.end_headers()
                while piece := answer.read1(65536):
                    self.wfile.write(piece if known else b"%x\r\n%s\r\n" % (len(piece), piece))
                    self.wfile.flush()
                if not known:
                    self.wfile.write(b"0\r\n\r\n")

            do_GET = do_POST = do_DELETE = do_HEAD = forward

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def keep(self, method, path, headers, body):
        try:
            body = json.loads(body) if body else None
        except ValueError:
            return
        with self.lock:
            self.requests.append({"method": method, "path": path, "headers": headers, "body": body})

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
