#!/usr/bin/env python3
"""What tests/vault_rotate.sh needs of a server.

  tool.py BOOTSTRAP vaults N         makes N vaults, deletes every fourth
  tool.py BOOTSTRAP look N           whether all are as that left them: those that live hold a secret and give it, the others can be recovered
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
vaults = boot["vault_url"].rstrip("/")
origin = "https://localhost:%d" % urllib.parse.urlsplit(vaults).port
tokens = {}


def send(method, url, body=None, scope=None, host=None):
    headers = {"Content-Type": "application/json"}
    if scope:
        headers["Authorization"] = f"Bearer {token(scope)}"
    if host:
        headers["Host"] = host
    data = json.dumps(body).encode() if isinstance(body, dict) else body
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, context=context, timeout=30) as answer:
        text = answer.read().decode()
        return json.loads(text) if text else {}


def token(scope):
    if scope not in tokens:
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": boot["client_id"],
                                       "client_secret": boot["client_secret"], "scope": scope}).encode()
        request = urllib.request.Request(f"{origin}/{boot['tenant_id']}/oauth2/v2.0/token", data=form)
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            tokens[scope] = json.loads(answer.read())["access_token"]
    return tokens[scope]


def arm(method, path, body=None):
    return send(method, f"{origin}{path}?api-version=2022-07-01", body, "https://management.azure.com/.default")


def secret(name, body=None):
    """Of the vault whose host name that is."""
    uri = arm("GET", f"{group}/{provider}/vaults/{name}")["properties"]["vaultUri"]
    return send("PUT" if body else "GET", f"{origin}/secrets/of-{name}?api-version=7.4", body, "https://vault.azure.net/.default",
                urllib.parse.urlsplit(uri).netloc)


group = f"/subscriptions/{boot['subscription_id']}/resourceGroups/{boot.get('resource_group', 'ringfort')}"
provider = "providers/Microsoft.KeyVault"
location = "local"
count = int(sys.argv[3])
wrong = []
for i in range(count):
    name = f"rotated-{i}"
    path = f"{group}/{provider}/vaults/{name}"
    try:
        if sys.argv[2] == "vaults":
            arm("PUT", path, {"location": location, "properties": {"tenantId": boot["tenant_id"], "sku": {"family": "A", "name": "standard"},
                                                                   "enableRbacAuthorization": True}})
            secret(name, {"value": f"value of {name}"})
            if i % 4 == 0:
                arm("DELETE", path)
        elif i % 4 != 0:
            got = secret(name)["value"]
            if got != f"value of {name}":
                wrong.append(f"{name}: {got}")
        else:
            arm("GET", f"/subscriptions/{boot['subscription_id']}/{provider}/locations/{location}/deletedVaults/{name}")
    except urllib.error.HTTPError as why:
        sys.exit(f"{name}: {why.code} {why.read().decode()}")
if wrong:
    sys.exit("\n".join(wrong))
