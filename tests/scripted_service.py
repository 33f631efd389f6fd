"""A service over real HTTP that answers what a test wants of it."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

READY = {"model_loaded": True, "db_connected": True, "model_version": "finbert-1"}
PREDICTION = {"label": "positive", "scores": {"positive": 0.9, "negative": 0.05, "neutral": 0.05}}


class ScriptedService:
    """By method and path the answers in turn, the last for ever: status, body and headers of each."""

    def __init__(self):
        self.requests = []
        self.by_route = {
            "GET /ready": [(200, READY, {})],
            "POST /api/v1/predict": [(200, PREDICTION, {})],
            "GET /health": [(200, {"status": "ok"}, {})],
        }
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answers.requests.append((f"{self.command} {self.path}", dict(self.headers), body))
                queue = answers.by_route[f"{self.command} {self.path.removeprefix('/stage')}"]
                status, content, headers = queue.pop(0) if len(queue) > 1 else queue[0]
                content = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = handle_one  # noqa: N815 - the library's names

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
