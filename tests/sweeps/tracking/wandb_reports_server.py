"""The W&B server on loopback, grown to what publishing a report asks of it, and able to fail at any one of its operations."""

import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.sweeps.tracking.wandb_server import Handler, Received, _answer, _take, wandb_server

ENTITY = "somebody"
_LONG_AGO = "2026-01-01T00:00:00Z"
#: every field that the client's models ask for, or it refuses the whole answer
_USER: dict[str, Any] = {
    "__typename": "User",
    "id": "VXNlcjox",
    "name": ENTITY,
    "username": ENTITY,
    "email": None,
    "admin": False,
    "flags": None,
    "entity": ENTITY,
    "deletedAt": None,
    "apiKeys": {"edges": []},
    "teams": {"edges": []},
}


class Reports:
    """The reports that arrived, and how the server is to misbehave."""

    def __init__(self, received: Received) -> None:
        self.received = received
        self.views: dict[str, dict[str, Any]] = {}
        """By id; the spec is the text that arrived."""
        self.saves: list[dict[str, Any]] = []
        """The variables of every `upsertView`, in order."""
        self.projects: set[str] = {"another"}
        self.asked: list[str] = []
        """Names of the operations, in order."""
        self.faults: dict[str, int | str] = {}
        """Operation -> the status to answer with, "hang" or "cut"."""

    def spec(self) -> dict[str, Any]:
        """The content of the one report that there is."""
        (view,) = self.views.values()
        return json.loads(view["spec"])

    def answer(self, operation: str, variables: dict[str, Any]) -> Any:
        """What W&B would say; None where it says that what is named is not there."""
        if operation in ("Viewer", "GetDefaultEntity"):
            return {"viewer": _USER}
        known = {
            "GetProjects": self._projects,
            "CreateProject": self._create_project,
            "ProjectInternalId": self._internal_id,
            "Runs": self._runs,
            "SpecificReport": self._view,
            "upsertView": self._upsert_view,
        }
        if operation in known:
            return known[operation](variables)
        if operation == "UpsertBucket":
            self.projects.add(variables["project"])
        return _answer(operation, variables, self.received)

    def _projects(self, variables: dict[str, Any]) -> dict[str, Any]:
        edges = [{"node": _project(name), "cursor": name} for name in sorted(self.projects)]
        return {"models": {"pageInfo": {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}, "edges": edges}}

    def _create_project(self, variables: dict[str, Any]) -> dict[str, Any]:
        name = variables["input"]["name"]
        self.projects.add(name)
        project = _project(name) | {"description": None, "access": "PRIVATE", "views": "{}"}
        return {"result": {"project": project, "model": project, "inserted": True}}

    def _internal_id(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"id": "UHJvamVjdDox", "internalId": "1"} if variables["projectName"] in self.projects else None}

    def _runs(self, variables: dict[str, Any]) -> dict[str, Any]:
        if variables["project"] not in self.projects:
            return {"project": None}
        group = json.loads(variables["filters"])["group"]
        found = [run for run, bucket in self.received.buckets.items() if bucket.get("groupName") == group]
        edges = [{"node": _run(run, self.received), "cursor": run} for run in found]
        page = {"endCursor": None, "hasNextPage": False}
        return {"project": {"internalId": "1", "runCount": len(found), "readOnly": False, "runs": {"edges": edges, "pageInfo": page}}}

    def _view(self, variables: dict[str, Any]) -> dict[str, Any]:
        return {"view": self.views.get(variables["reportId"])}

    def _upsert_view(self, variables: dict[str, Any]) -> dict[str, Any] | None:
        self.saves.append(variables)
        view_id = variables.get("id")
        if view_id is not None and view_id not in self.views:
            return None
        new = view_id or f"Vmlldzo{len(self.saves):05}"
        view = self.views.setdefault(new, {"id": new, "createdAt": _LONG_AGO})
        view |= {key: variables[key] for key in ("type", "name", "displayName", "description", "spec")}
        view |= {"project": _project(variables["projectName"]), "updatedAt": _LONG_AGO}
        return {"upsertView": {"view": view, "inserted": view_id is None}}


def _project(name: str) -> dict[str, Any]:
    known = {"id": f"UHJvamVjdDo{name}", "name": name, "entityName": ENTITY, "createdAt": _LONG_AGO, "isBenchmark": False}
    return {"__typename": "Project", **known, "user": _USER}


def _run(run: str, received: Received) -> dict[str, Any]:
    bucket = received.buckets[run]
    named = {"id": f"UnVuOj{run}", "name": run, "displayName": bucket.get("displayName", run), "group": bucket.get("groupName")}
    told = {"tags": [], "sweepName": None, "state": "finished", "jobType": bucket.get("jobType"), "commit": None, "readOnly": False}
    times = {"createdAt": _LONG_AGO, "heartbeatAt": None, "description": None, "notes": None}
    counted = {"historyLineCount": len(received.history.get(run, [])), "projectId": "1"}
    return named | told | times | counted | {"user": {"name": ENTITY, "username": ENTITY}}


class ReportsHandler(Handler):
    """Answers from `reports`, unless the operation is to fail."""

    reports: Reports

    def do_POST(self) -> None:
        raw = self._body()
        if self.path != "/graphql" and not self.path.endswith("/file_stream"):
            self._send({})  # W&B's own telemetry, which is no JSON
            return
        raw = gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw
        self.received.bodies.append(raw)
        body = json.loads(raw)
        if self.path != "/graphql":
            _take(self.path.split("/")[-2], body, self.received)
            self._send({})
            return
        named = re.search(r"\b(?:query|mutation)\s+(\w+)", body["query"])
        operation = body.get("operationName") or (named[1] if named else "")
        self.reports.asked.append(operation)
        if operation in self.reports.faults:
            self._misbehave(self.reports.faults[operation])
            return
        data = self.reports.answer(operation, body.get("variables") or {})
        self._send({"data": data} if data is not None else {"data": None, "errors": [{"message": f"{operation}: not found"}]})

    def _misbehave(self, fault: int | str) -> None:
        if isinstance(fault, int):
            self._send({"errors": [{"message": f"the server says {fault}"}]}, fault)
        elif fault == "hang":
            self.received.closed.wait()
        else:  # the answer ends in its middle
            with suppress(OSError):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"data": {"upsertVi')
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = self.close_connection or not isinstance(fault, int)


@contextmanager
def wandb_reports_server() -> Iterator[tuple[str, Received, Reports]]:
    """Yield the server's address, what runs sent and what reports sent."""
    made: list[Reports] = []

    def make(received: Received) -> type[Handler]:
        made.append(Reports(received))
        return type("BoundHandler", (ReportsHandler,), {"received": received, "reports": made[0]})

    with wandb_server(make) as (address, received):
        yield address, received, made[0]
