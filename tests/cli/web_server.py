# SPDX-License-Identifier: Apache-2.0
"""A web server with moods, and a proxy to itself: what downloads meet out there.

usage: web_server.py FOLDER
The address /MOOD/NAME gives FOLDER/NAME the way that MOOD says (see the methods). FOLDER/.port gets
the port when the server listens, FOLDER/.log a JSON line for each request. Requests for other hosts
(http_proxy) and tunnels to them (https_proxy) end here too, with a certificate made on the spot;
FOLDER/.certificate.pem is what has to be trusted for them.
"""
import hashlib
import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import time
import urllib.parse

FOLDER = pathlib.Path(sys.argv[1])
PIECE = 65536
NAMES = "DNS:huggingface.co,DNS:cdn-lfs.huggingface.co,DNS:mirror.example.org,DNS:huggingface.co.example.org"
seen = {}


def tls_context():
    key, certificate = FOLDER / ".key.pem", FOLDER / ".certificate.pem"
    if not certificate.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=test", "-addext", f"subjectAltName={NAMES}", "-keyout", key,
                        "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    tunnel = ""

    def log_message(self, *_):
        pass

    def do_CONNECT(self):
        self.log_request_line()
        self.tunnel = self.path.rsplit(":", 1)[0]
        self.send_response(200)
        self.end_headers()
        self.connection = tls_context().wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", buffering=0)

    def log_request_line(self):
        entry = {"method": self.command, "path": self.path, "tunnel": self.tunnel,
                 **{name.lower(): self.headers[name] for name in self.headers}}
        with open(FOLDER / ".log", "a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")

    def do_GET(self):
        self.log_request_line()
        path = urllib.parse.urlsplit(self.path).path
        mood, self.name = path.strip("/").split("/", 1)
        self.count = seen[path] = seen.get(path, 0) + 1
        getattr(self, mood.replace("-", "_"))()

    def content(self):
        return (FOLDER / self.name).read_bytes()

    def etag(self):
        return '"' + hashlib.sha256(self.content()).hexdigest()[:16] + '"'

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def page(self, status, text, headers=()):
        body = text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def start(self, ranges=True, etag=None, last_modified=None):
        """Sends the head; gives the bytes that are to follow."""
        body, first = self.content(), 0
        validator = etag or last_modified
        wanted = self.headers.get("Range", "")
        if ranges and wanted and self.headers.get("If-Range", validator) == validator:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(body):
                self.page(416, "", [("Content-Range", f"bytes */{len(body)}")])
                return b""
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        if etag:
            self.send_header("ETag", etag)
        if last_modified:
            self.send_header("Last-Modified", last_modified)
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        return body[first:]

    # What follows are the moods.

    def plain(self):
        self.wfile.write(self.start(etag=self.etag()))

    def dated(self):
        """No ETag."""
        when = self.date_time_string(int(os.stat(FOLDER / self.name).st_mtime))
        self.slowly(self.start(last_modified=when))

    def weak(self):
        """Nothing that stands for the very bytes."""
        self.slowly(self.start(etag="W/" + self.etag()))

    def slow(self):
        self.slowly(self.start(etag=self.etag()))

    def slow_whole(self):
        """Ranges are not known here."""
        self.slowly(self.start(ranges=False, etag=self.etag()))

    def slowly(self, body):
        for at in range(0, len(body), PIECE):
            self.wfile.write(body[at:at + PIECE])
            self.wfile.flush()
            time.sleep(0.02)

    def held(self):
        """Waits in the middle until there is a file `go_on`, for a minute at most."""
        body = self.start(etag=self.etag())
        self.wfile.write(body[:500000])
        self.wfile.flush()
        for _ in range(600):
            if (FOLDER / "go_on").exists():
                break
            time.sleep(0.1)
        self.wfile.write(body[500000:])

    def short(self):
        """Hangs up after 300 kB, every time."""
        self.wfile.write(self.start(etag=self.etag())[:300000])
        self.hang_up()

    def short_whole(self):
        self.wfile.write(self.start(ranges=False, etag=self.etag())[:300000])
        self.hang_up()

    def other_range(self):
        """Sends another part than asked for."""
        if "Range" not in self.headers:
            return self.short() if self.count == 1 else self.plain()
        body = self.content()
        self.send_response(206)
        self.send_header("ETag", self.etag())
        self.send_header("Content-Range", f"bytes 7-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - 7))
        self.end_headers()
        self.wfile.write(body[7:])
        return None

    def out_of_range(self):
        """Knows no part of the file any more."""
        if "Range" not in self.headers:
            return self.short() if self.count == 1 else self.plain()
        return self.page(416, "")

    def endless(self):
        """Does not say how long it is: the end of the connection is its end."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.content())
        self.hang_up()

    def endless_short(self):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(self.content()[:-100])
        self.hang_up()

    def stall_once(self):
        body = self.start(etag=self.etag())
        if self.count > 1:
            self.wfile.write(body)
            return
        self.wfile.write(body[:300000])
        self.wfile.flush()
        time.sleep(20)
        self.hang_up()

    def silent(self):
        time.sleep(20)
        self.hang_up()

    def busy(self):
        if self.count < 3:
            self.page(503, "later", [("Retry-After", "0")])
        else:
            self.plain()

    def always_busy(self):
        self.page(503, "later")

    def moved(self):
        self.page(302, "there", [("Location", f"/plain/{self.name}")])

    def moved_to(self):
        """/moved-to/NAME?ADDRESS"""
        self.page(307, "there", [("Location", urllib.parse.urlsplit(self.path).query)])

    def moved_round(self):
        self.page(301, "there", [("Location", self.path)])

    def status(self):
        self.page(int(self.name.split("/")[0]), "no")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that go away are what this is about."""


def main():
    server = Server(("127.0.0.1", 0), Handler)
    (FOLDER / ".port.new").write_text(str(server.server_address[1]))
    os.rename(FOLDER / ".port.new", FOLDER / ".port")
    server.serve_forever()


if __name__ == "__main__":
    main()
