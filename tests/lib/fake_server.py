#!/usr/bin/env python3
"""A server as the command line sees one, for tests/cli_server.sh: tokens, queries with set answers, resources in memory,
ingestion that keeps what it was sent. Speaks plain HTTP on 127.0.0.1.

  fake_server.py FOLDER    writes FOLDER/port when it listens, FOLDER/log.jsonl with a line per request
"""
import gzip
import http.server
import json
import os
import sys
import urllib.parse

FOLDER = sys.argv[1]
TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
SECRET = "s3cr3t+/= %&"
SUBSCRIPTION = "99999999-0000-0000-0000-000000000000"
WORKSPACE = "77777777-0000-0000-0000-000000000000"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/main"
WORKSPACE_ID = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/soc"

state = {"resources": {}, "tokens": 0, "busy": 0, "uploads": []}


def columns(*pairs):
    return [{"name": name, "type": kind} for name, kind in pairs]


TYPES = columns(("b", "bool"), ("i", "int"), ("l", "long"), ("r", "real"), ("n", "decimal"), ("d", "datetime"),
                ("t", "timespan"), ("g", "guid"), ("s", "string"), ("y", "dynamic"))
ANSWERS = {
    "types": {"tables": [{"name": "PrimaryResult", "columns": TYPES, "rows": [
        [True, 7, 9007199254740993, 1.5, "1.10", "2024-03-01T10:20:30.1234567Z", "1.02:03:04.5000000",
         "0a0b0c0d-0000-0000-0000-000000000001", "x,\u00fc", "{\"k\":[1,null]}"],
        [None, None, None, "NaN", None, None, None, None, "", None]]}]},
    "two": {"tables": [
        {"rows": [[1]], "columns": columns(("a", "long")), "name": "PrimaryResult"},
        {"name": "Second", "columns": columns(("b", "string")), "rows": [["x"]]}]},
    "many": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "long")),
                         "rows": [[n] for n in range(5000)]}]},
    "partial": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "long")), "rows": [[1]]}],
                "error": {"code": "PartialError", "message": "There were some errors.", "details": [
                    {"code": "EngineError", "message": "wrong",
                     "innererror": {"code": "-2133196797", "message": "too many rows"}}]}},
    "chart": {"tables": [{"name": "PrimaryResult", "columns": columns(("k", "string"), ("v", "long")),
                          "rows": [["x", 4], ["yy", 8]]}],
              "render": {"visualization": "piechart", "title": "T", "kind": None}},
    "stats": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "long")), "rows": [[1]]}],
              "statistics": {"query": {"executionTime": 0.125}}},
    "bad cell": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "long")), "rows": [["x"]]}]},
    "bad row": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "long")), "rows": [[1, 2]]}]},
    "bad table": {"tables": [{"name": "PrimaryResult", "columns": columns(("n", "blob")), "rows": []}]},
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None, headers=None):
        raw = b"" if body is None else json.dumps(body).encode()
        if len(raw) > 20000 and "gzip" in self.headers.get("Accept-Encoding", ""):
            raw = gzip.compress(raw)
            self.send_response(status)
            self.send_header("Content-Encoding", "gzip")
        else:
            self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def error(self, status, code, message, **more):
        self.answer(status, {"error": {"code": code, "message": message, **more}})

    def origin(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        with open(os.path.join(FOLDER, "log.jsonl"), "a", encoding="utf-8") as log:
            log.write(json.dumps({"method": self.command, "path": path, "query": query,
                                  "prefer": self.headers.get("Prefer"), "bytes": len(body)}) + "\n")
        if path == f"/{TENANT}/oauth2/v2.0/token":
            return self.token(dict(urllib.parse.parse_qsl(body.decode())))
        if self.headers.get("Authorization") != f"Bearer token-{state['tokens']}":
            return self.error(401, "AuthenticationFailed", "The token is not good.")
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if path.startswith("/v1/workspaces/"):
            return self.query(path, json.loads(body))
        if path.startswith("/dataCollectionRules/"):
            return self.upload(path, body)
        return self.resource(path, query, body)

    def token(self, form):
        if form.get("client_id") != CLIENT or form.get("client_secret") != SECRET:
            return self.answer(401, {"error": "invalid_client", "error_description": "AADSTS7000215: the secret is wrong."})
        if form.get("scope") != self.origin() + "/.default" or form.get("grant_type") != "client_credentials":
            return self.answer(400, {"error": "invalid_scope", "error_description": "AADSTS70011: the scope is wrong."})
        state["tokens"] += 1
        return self.answer(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": f"token-{state['tokens']}"})

    def query(self, path, body):
        if path != f"/v1/workspaces/{WORKSPACE}/query":
            return self.error(404, "PathNotFoundError", "The workspace is not there.")
        text = body["query"]
        if text == "busy" and state["busy"] < 2:
            state["busy"] += 1
            return self.answer(429, {"error": {"code": "ThrottledError", "message": "slow down"}}, {"Retry-After": "0"})
        if text == "new keys":
            state["tokens"] += 1
            return self.error(401, "AuthenticationFailed", "The token is not good.")
        if text.startswith("wrong"):
            return self.error(400, "BadArgumentError", "The request had some invalid properties", innererror={
                "code": "SemanticError", "message": "A semantic error occurred.", "innererror": {
                    "code": "SEM0100", "message": "'where' operator: no column named 'x'", "line": 2, "pos": 10, "token": "x"}})
        if text == "echo":
            return self.answer(200, {"tables": [{"name": "PrimaryResult", "columns": columns(("timespan", "string")),
                                                 "rows": [[body.get("timespan")]]}]})
        return self.answer(200, ANSWERS.get(text, ANSWERS["stats"]))

    def upload(self, path, body):
        rule, stream = path.split("/")[2], path.split("/")[4]
        rules = [r for r in state["resources"].values() if r["properties"].get("immutableId") == rule]
        if rule != "dcr-00000000000000000000000000000001" and not rules:
            return self.error(404, "NotFound", "There is no such rule.")
        if stream == "Custom-Broken":
            return self.error(400, "InvalidStream", "The rule has no such stream.")
        if state["busy"] < 3:
            state["busy"] += 1
            return self.answer(503, {"error": {"code": "Busy", "message": "later"}}, {"Retry-After": "0"})
        if len(body) > 1 << 20:
            return self.error(413, "ContentLengthLimitExceeded", "too long")
        with open(os.path.join(FOLDER, "uploads.jsonl"), "a", encoding="utf-8") as out:
            for record in json.loads(body):
                out.write(json.dumps({"stream": stream, **record}, ensure_ascii=False) + "\n")
        with open(os.path.join(FOLDER, "pieces"), "a", encoding="utf-8") as out:
            out.write(f"{len(body)}\n")
        return self.answer(204)

    def resource(self, path, query, body):
        if "api-version" not in query:
            return self.error(400, "MissingApiVersionParameter", "The api-version query parameter is missing.")
        known = state["resources"]
        key = path.lower()
        if path == "/subscriptions":
            return self.answer(200, {"value": [{"subscriptionId": SUBSCRIPTION}]})
        if path == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Insights":
            return self.answer(200, {"namespace": "Microsoft.Insights", "resourceTypes": [
                {"resourceType": "dataCollectionRules", "apiVersions": ["2021-04-01", "2024-01-01-preview", "2023-03-11"]}]})
        if path == f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.SecurityInsights":
            return self.answer(200, {"resourceTypes": [{"resourceType": "alertRules", "apiVersions": ["2024-03-01"]}]})
        if path.startswith(f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.") and path.count("/") == 4:
            return self.error(404, "InvalidResourceNamespace", "The namespace is not known.")
        if key == f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.operationalinsights/workspaces":
            return self.answer(200, {"value": [{"id": WORKSPACE_ID, "name": "soc", "properties": {"customerId": WORKSPACE}}]})
        if "/microsoft.resources/deployments/" in key:
            return self.error(400, "InvalidResourceType", "The type deployments is not known.")
        if self.command == "PUT":
            resource = json.loads(body)
            if set(resource) & {"id", "type", "name", "apiVersion", "scope", "resourceGroup"}:
                return self.error(400, "InvalidRequestContent", "members that are not sent")
            if resource.get("properties", {}).get("bad"):
                return self.error(400, "InvalidRequestContent", "Two things are wrong.", details=[
                    {"code": "A", "message": "one"}, {"code": "B", "message": "two"}])
            status = 200 if key in known else 201
            number = len(known) + 2
            resource.setdefault("properties", {}).setdefault("immutableId", f"dcr-{number:032x}")
            known[key] = {**resource, "id": path, "name": path.split("/")[-1], "type": "T/t"}
            if resource["properties"].get("slow"):
                return self.answer(202, None, {"Azure-AsyncOperation": f"{self.origin()}/operations/1?api-version=1",
                                               "Retry-After": "0"})
            return self.answer(status, known[key])
        if path == "/operations/1":
            state["polls"] = state.get("polls", 0) + 1
            return self.answer(200, {"status": "InProgress" if state["polls"] < 3 else "Succeeded"})
        if self.command == "DELETE":
            return self.answer(200 if known.pop(key, None) else 204)
        if key in known:
            return self.answer(200, known[key])
        below = [r for k, r in sorted(known.items()) if k.startswith(key + "/") or key.endswith("/resources")]
        if key.endswith(("/datacollectionrules", "/resources")):
            page = int(query.get("page", 0))
            more = {"nextLink": f"{self.origin()}{self.path}&page={page + 1}"} if page + 1 < len(below) else {}
            return self.answer(200, {"value": below[page:page + 1], **more})
        if key.endswith("/tables/known_cl"):
            return self.answer(200, {"name": "Known_CL", "properties": {"schema": {"columns": [
                {"name": "Number", "type": "long"}, {"name": "Note", "type": "string"}],
                "standardColumns": [{"name": "TimeGenerated", "type": "dateTime"}, {"name": "TenantId", "type": "guid"}]}}})
        return self.error(404, "ResourceNotFound", f"The resource '{path}' is not there.")

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
port = server.server_address[1]
with open(os.path.join(FOLDER, "bootstrap.json"), "w", encoding="utf-8") as file:
    json.dump({"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET, "authority": f"http://127.0.0.1:{port}/",
               "https": f"http://127.0.0.1:{port}", "subscription_id": SUBSCRIPTION, "resource_group": "main",
               "workspace_id": WORKSPACE, "workspace_name": "soc", "location": "local"}, file)
os.rename(os.path.join(FOLDER, "bootstrap.json"), os.path.join(FOLDER, "boot.json"))
with open(os.path.join(FOLDER, "port"), "w", encoding="utf-8") as file:
    file.write(str(port))
server.serve_forever()
