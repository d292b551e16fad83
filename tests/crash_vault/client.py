#!/usr/bin/env python3
"""A client of the vault that is told what was acknowledged, while the server is killed.

  client.py BOOTSTRAP prepare               waits for nothing: ends with 0 when the vault answers
  client.py BOOTSTRAP work NAME SECONDS     sets, changes, deletes and purges secrets of its own, signs with a key; a line for each:
                                            KIND OBJECT DETAIL acknowledged|unknown
  client.py BOOTSTRAP check FILE            whether all that FILE says was acknowledged is so
"""
import base64
import http.client
import json
import os
import random
import ssl
import sys
import time
import urllib.parse

boot = json.load(open(sys.argv[1], encoding="utf-8"))
context = ssl.create_default_context(cafile=os.path.join(os.path.dirname(sys.argv[1]), "ca.pem"))
where = urllib.parse.urlsplit(boot["vault_url"])
state = {"connection": None, "token": None}


class Unanswered(Exception):
    pass


def send(method, path, body, headers):
    try:
        if state["connection"] is None:
            state["connection"] = http.client.HTTPSConnection(where.hostname, where.port, context=context, timeout=20)
        state["connection"].request(method, path, body, headers)
        answer = state["connection"].getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as why:
        state["connection"] = None
        raise Unanswered(str(why)) from why
    # What the server says while its keeper is away is no answer to what was asked.
    if answer.status in (429, 500, 503):
        raise Unanswered(f"{answer.status} {text[:200]!r}")
    return answer.status, json.loads(text) if text else {}


def token():
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": boot["client_id"],
                                   "client_secret": boot["client_secret"], "scope": "https://vault.azure.net/.default"})
    status, answer = send("POST", f"/{boot['tenant_id']}/oauth2/v2.0/token", form,
                          {"Content-Type": "application/x-www-form-urlencoded"})
    if status != 200:
        raise Unanswered(str(answer))
    return answer["access_token"]


def call(method, path, body=None):
    if state["token"] is None:
        state["token"] = token()
    headers = {"Authorization": f"Bearer {state['token']}", "Content-Type": "application/json"}
    return send(method, f"{path}{'&' if '?' in path else '?'}api-version=7.4", json.dumps(body) if body is not None else None, headers)


def say(kind, name, detail, acknowledged):
    print(kind, name, detail, "acknowledged" if acknowledged else "unknown", flush=True)


def attempt(kind, name, detail, method, path, body, good):
    """One operation; what it answered, or None when nobody knows whether it was done."""
    try:
        status, answer = call(method, path, body)
    except Unanswered:
        say(kind, name, "-" if callable(detail) else detail, False)
        time.sleep(0.05)
        return None
    if status not in good:
        sys.exit(f"{method} {path}: {status} {answer}")
    say(kind, name, detail(answer) if callable(detail) else detail, True)
    return answer


def version(answer):
    return answer["id"].rsplit("/", 1)[1]


def life(prefix, number):
    """One secret's life. It ends where an answer is missing, as nobody knows then what comes next."""
    name, value = f"{prefix}-{number}", f"value-{prefix}-{number}"
    made = attempt("set", name, lambda a: f"{version(a)}={value}", "PUT", f"/secrets/{name}", {"value": value}, (200,))
    if made is None:
        return
    if number % 3 == 0:
        off = attempt("disable", name, version(made), "PATCH", f"/secrets/{name}/{version(made)}", {"attributes": {"enabled": False}}, (200,))
        if off is None:
            return
    if number % 2 == 0:
        if attempt("delete", name, "-", "DELETE", f"/secrets/{name}", None, (200,)) is None:
            return
        if number % 4 == 0:
            attempt("purge", name, "-", "DELETE", f"/deletedsecrets/{name}", None, (204,))


def work(prefix, seconds):
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        number += 1
        life(prefix, number)
        if number % 10 == 0:
            attempt("key", f"{prefix}-k{number}", lambda a: a["key"]["kid"].rsplit("/", 1)[1], "POST", f"/keys/{prefix}-k{number}/create", {"kty": "EC"}, (200,))


def check(path):
    objects, wrong, looked = {}, [], 0
    for line in open(path, encoding="utf-8"):
        kind, name, detail, how = line.split()
        objects.setdefault(name, []).append((kind, detail, how == "acknowledged"))
    for name, events in sorted(objects.items()):
        done = {kind: detail for kind, detail, good in events if good}
        maybe = {kind for kind, _, good in events if not good}
        looked += len(done)
        if "key" in done:
            digest = base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")
            status, answer = call("POST", f"/keys/{name}/{done['key']}/sign", {"alg": "ES256", "value": digest})
            if status != 200:
                wrong.append(f"key {name}: {status} {answer}")
            continue
        if "set" not in done:
            continue
        which, value = done["set"].split("=", 1)
        status, answer = call("GET", f"/secrets/{name}/{which}")
        gone, _ = call("GET", f"/deletedsecrets/{name}")
        if "purge" in done:
            good = status == 404 and gone == 404
        elif "delete" in done:
            good = status == 404 and (gone == 200 or "purge" in maybe)
        elif "delete" in maybe and status == 404:
            good = gone == 200
        elif "disable" in done:
            good = status == 403
        else:
            good = (status == 200 and answer["value"] == value) or (status == 403 and "disable" in maybe)
        if not good:
            wrong.append(f"{name}: {events}, found {status}, deleted {gone}")
    print("\n".join(wrong[:20]))
    print(f"{looked} acknowledged, {len(wrong)} wrong")
    return 1 if wrong or looked == 0 else 0


def main():
    if sys.argv[2] == "prepare":
        try:
            return 0 if call("GET", "/secrets")[0] == 200 else 1
        except Unanswered as why:
            sys.exit(str(why))
    if sys.argv[2] == "work":
        random.seed(sys.argv[3])
        work(sys.argv[3], float(sys.argv[4]))
        return 0
    return check(sys.argv[3])


sys.exit(main())
