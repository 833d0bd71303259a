"""A small imitation of the weights hub: files of one repository over HTTP, with ranges and broken connections."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Serves `files` of any repository at one commit; `cut` maps a file to the bytes after which it once breaks off."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.cut, self.requests, self.status = files, {}, [], 200
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self._answer(body=False)

            def do_GET(self):
                self._answer(body=True)

            def log_message(self, *args):
                pass

            def _answer(self, body):
                name = self.path.split("?")[0].split("/resolve/")[-1].partition("/")[2]
                hub.requests.append((self.command, name, self.headers.get("Range")))
                if hub.status != 200 or name not in hub.files:
                    self.send_response(hub.status if hub.status != 200 else 404)
                    self.send_header("X-Error-Code", "GatedRepo" if hub.status == 403 else "EntryNotFound")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                data = hub.files[name]
                begin = int(self.headers["Range"][6:].split("-")[0]) if self.headers.get("Range") else 0
                self.send_response(206 if begin else 200)
                etag = hashlib.sha256(data).hexdigest()
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{etag}"')
                self.send_header("Accept-Ranges", "bytes")
                if begin:
                    self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - begin))
                self.end_headers()
                if not body:
                    return
                stop = hub.cut.pop(name, None)
                self.wfile.write(data[begin:stop])
                if stop is not None:
                    self.close_connection = True

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
