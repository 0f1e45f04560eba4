"""A W&B server on loopback, just large enough for a run to be made, filled, ended and resumed."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Received:
    """What the runs sent, by run id."""

    def __init__(self) -> None:
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.exit_code: dict[str, int] = {}
        self.buckets: dict[str, dict[str, Any]] = {}
        self.bodies: list[bytes] = []
        self.delay_s = 0.0


def _bucket(run: str, received: Received) -> dict[str, Any]:
    entity = {"id": "1", "name": "somebody"}
    return {
        "id": run,
        "name": run,
        "displayName": run,
        "description": "",
        "config": received.buckets.get(run, {}).get("config") or "{}",
        "sweepName": None,
        "project": {"id": "1", "name": "unet-losses", "entity": entity},
        "historyLineCount": len(received.history.get(run, [])),
    }


def _resume_status(run: str, received: Received) -> dict[str, Any]:
    history = received.history.get(run)
    bucket = None
    if history is not None:
        tail = json.dumps([json.dumps(row) for row in history[-1:]])
        bucket = _bucket(run, received) | {"summaryMetrics": json.dumps(received.summary.get(run, {})), "historyTail": tail}
        bucket |= {"logLineCount": 0, "eventsLineCount": 0, "eventsTail": "[]"}
        bucket |= {"tags": [], "notes": "", "wandbConfig": json.dumps({"t": 1})}
    return {"model": {"id": "1", "name": "unet-losses", "entity": {"id": "1", "name": "somebody"}, "bucket": bucket}}


def _answer(operation: str, variables: dict[str, Any], received: Received) -> dict[str, Any]:
    run = variables.get("name") or variables.get("run") or ""
    if operation == "RunResumeStatus":
        return _resume_status(run, received)
    if operation == "UpsertBucket":
        known = run in received.buckets
        received.buckets.setdefault(run, {}).update({key: value for key, value in variables.items() if value is not None})
        return {"upsertBucket": {"bucket": _bucket(run, received), "inserted": not known}}
    if operation == "CreateRunFiles":
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": []}}
    return {}


def _take(run: str, body: dict[str, Any], received: Received) -> None:
    files = body.get("files", {})
    received.history.setdefault(run, []).extend(json.loads(line) for line in files.get("wandb-history.jsonl", {}).get("content", []))
    for line in files.get("wandb-summary.json", {}).get("content", []):
        received.summary[run] = json.loads(line)
    if body.get("complete"):
        received.exit_code[run] = body["exitcode"]


def _handler(received: Received) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None: ...

        def do_POST(self) -> None:
            time.sleep(received.delay_s)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            raw = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
            received.bodies.append(raw)
            body = json.loads(raw)
            if self.path == "/graphql":
                self._send({"data": _answer(body.get("operationName", ""), body.get("variables") or {}, received)})
            else:
                _take(self.path.split("/")[-2], body, received)
                self._send({})

        def do_GET(self) -> None:
            time.sleep(received.delay_s)
            self._send({})

        do_PUT = do_GET

        def _send(self, answer: dict[str, Any]) -> None:
            encoded = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

    return Handler


@contextmanager
def wandb_server() -> Iterator[tuple[str, Received]]:
    """Yield the server's address and what it receives."""
    received = Received()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(received))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        server.socket.close()  # and not server_close: it would wait for answers that are delayed on purpose
