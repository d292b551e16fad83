#!/usr/bin/env python3
"""One call to the vault of a server that a test has started, as the application of its bootstrap.json.

  vault_call.py BOOTSTRAP METHOD PATH [JSON]     prints the answer's body; the status is 0 for 2xx, else 1 with the body on standard error
"""
import json
import os
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

boot = json.load(open(sys.argv[1], encoding="utf-8"))
context = ssl.create_default_context(cafile=os.path.join(os.path.dirname(sys.argv[1]), "ca.pem"))
origin = boot["vault_url"].rstrip("/")


def send(method, url, body, headers):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        return answer.read().decode()


try:
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": boot["client_id"], "client_secret": boot["client_secret"],
                                   "scope": "https://vault.azure.net/.default"}).encode()
    token = json.loads(send("POST", f"{origin}/{boot['tenant_id']}/oauth2/v2.0/token", form, {}))["access_token"]
    method, path = sys.argv[2], sys.argv[3]
    body = sys.argv[4].encode() if len(sys.argv) > 4 else None
    print(send(method, f"{origin}{path}{'&' if '?' in path else '?'}api-version=7.4", body,
               {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}))
except urllib.error.HTTPError as why:
    sys.exit(f"{why.code} {why.read().decode()}")
