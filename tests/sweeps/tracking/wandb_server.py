"""A W&B server on loopback, just large enough for a run to be made, filled, ended and resumed; and the ways in which one fails.

Rows of a history lie at the place that their sender names, as with W&B: what is sent twice is there once.
"""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a server does instead of answering."""

    kind: int | str
    """A status such as 401, 403 or 500; `hang`: the request is taken and never answered; `cut`: the connection is closed."""
    after_rows: int = 0
    """The fault begins when so many rows, of all histories together, have arrived."""


class Received:
    """What the runs sent, by run id."""

    def __init__(self) -> None:
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.summary: dict[str, dict[str, Any]] = {}
        self.exit_code: dict[str, int] = {}
        self.buckets: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}  # by RUN/NAME; those of artifacts by artifact-NUMBER/NAME
        self.artifacts: list[dict[str, Any]] = []  # what CreateArtifact told of each, and whether it is committed
        self.bodies: list[bytes] = []
        self.failed: list[str] = []  # the requests that met the fault
        self.address = ""
        self.delay_s = 0.0
        self.fault: Fault | None = None
        self.closed = threading.Event()

    def failing(self) -> bool:
        return self.fault is not None and sum(map(len, self.history.values())) >= self.fault.after_rows

    def epochs(self, run: str) -> list[int]:
        """The epochs of a run's history as they lie there; rows of pictures and tables have none."""
        return [row["epoch"] for row in self.history.get(run, []) if "epoch" in row]


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
        files = [{"name": name, "uploadUrl": f"{received.address}/storage/{run}/{name}"} for name in variables["files"]]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}
    return _answer_artifact(operation, variables, received)


def _answer_artifact(operation: str, variables: dict[str, Any], received: Received) -> dict[str, Any]:
    number = variables.get("artifactID") or str(len(received.artifacts))
    place = f"{received.address}/storage/artifact-{number}"
    if operation == "ArtifactType":
        return {"project": None}
    if operation == "CreateArtifact":
        received.artifacts.append(variables["input"] | {"committed": False})
        sequence = {"id": "s", "latestArtifact": None}
        return {"createArtifact": {"artifact": {"id": number, "state": "PENDING", "artifactSequence": sequence}}}
    if operation == "CreateArtifactManifest":
        file = {"id": "f", "uploadUrl": f"{place}/manifest.json" if variables["includeUpload"] else None, "uploadHeaders": []}
        return {"createArtifactManifest": {"artifactManifest": {"id": number, "file": file}}}
    if operation == "UpdateArtifactManifest":
        number = variables["artifactManifestID"]
        file = {"id": "f", "uploadUrl": f"{received.address}/storage/artifact-{number}/manifest.json", "uploadHeaders": []}
        return {"updateArtifactManifest": {"artifactManifest": {"id": number, "file": file}}}
    if operation == "CreateArtifactFiles":
        nodes = []
        for spec in variables["input"]["artifactFiles"]:
            url = f"{received.address}/storage/artifact-{spec['artifactID']}/{spec['name']}"
            node = {"storagePath": spec["name"], "uploadUrl": url, "uploadHeaders": [], "uploadMultipartUrls": None}
            nodes.append({"node": node | {"artifact": {"id": spec["artifactID"]}}})
        return {"createArtifactFiles": {"files": {"edges": nodes}}}
    if operation == "CommitArtifact":
        told = received.artifacts[int(number)]
        told["committed"] = True
        return {"commitArtifact": {"artifact": {"id": number, "digest": told["digest"]}}}
    return {}


def _take(run: str, body: dict[str, Any], received: Received) -> None:
    files = body.get("files", {})
    if "wandb-history.jsonl" in files:
        chunk, history = files["wandb-history.jsonl"], received.history.setdefault(run, [])
        assert chunk["offset"] <= len(history), f"{run}: rows from {chunk['offset']} on, {len(history)} are there"
        history[chunk["offset"] : chunk["offset"] + len(chunk["content"])] = [json.loads(line) for line in chunk["content"]]
    received.history.setdefault(run, [])
    for line in files.get("wandb-summary.json", {}).get("content", []):
        received.summary[run] = json.loads(line)
    if body.get("complete"):
        received.exit_code[run] = body["exitcode"]


class Handler(BaseHTTPRequestHandler):
    """Answers as W&B does, by `answer`, unless the fault has come."""

    protocol_version = "HTTP/1.1"
    received: Received
    answer: Callable[[str, dict[str, Any], Received], dict[str, Any]]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_POST(self) -> None:
        raw = self._body()
        raw = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
        self.received.bodies.append(raw)
        if self._fails():
            return
        body = json.loads(raw)
        if self.path == "/graphql":
            self._send({"data": type(self).answer(body.get("operationName", ""), body.get("variables") or {}, self.received)})
        else:
            _take(self.path.split("/")[-2], body, self.received)
            self._send({})

    def do_PUT(self) -> None:
        raw = self._body()
        if not self._fails():
            self.received.files[unquote(self.path.removeprefix("/storage/"))] = raw
            self._send({})

    def do_GET(self) -> None:
        time.sleep(self.received.delay_s)
        if not self._fails():
            self._send({})

    def _body(self) -> bytes:
        time.sleep(self.received.delay_s)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _fails(self) -> bool:
        fault = self.received.fault
        if fault is None or not self.received.failing():
            return False
        self.received.failed.append(self.path)
        if isinstance(fault.kind, int):
            self._send({"errors": [{"message": f"the server says {fault.kind}"}], "error": f"the server says {fault.kind}"}, fault.kind)
            return True
        if fault.kind == "hang":
            self.received.closed.wait()
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return True

    def _send(self, answer: dict[str, Any], status: int = 200) -> None:
        encoded = json.dumps(answer).encode()
        with suppress(OSError):  # who asked may have gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)


def _handler(received: Received) -> type[Handler]:
    return type("BoundHandler", (Handler,), {"received": received, "answer": staticmethod(_answer)})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def wandb_server(make_handler: Callable[[Received], type[Handler]] = _handler) -> Iterator[tuple[str, Received]]:
    """Yield the server's address and what it receives."""
    received = Received()
    server = _Server(("127.0.0.1", 0), make_handler(received))
    received.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield received.address, received
    finally:
        received.closed.set()
        server.shutdown()
        server.socket.close()  # and not server_close: it would wait for answers that are delayed on purpose
