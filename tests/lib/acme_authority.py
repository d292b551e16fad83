#!/usr/bin/env python3
"""An authority as a client of ACME (RFC 8555) sees one, for tests/vault_acme_client.sh: checks each signature, nonce and proof, issues by openssl, and
misbehaves as it is told. TLS on localhost with FOLDER/server.pem; issues with FOLDER/ca.pem, ca.key.

  acme_authority.py FOLDER HTTP_PORT TLS_PORT    proofs are looked for at these ports of 127.0.0.1; writes FOLDER/port when it listens

  PUT /tell {"badNonce":N,"limit":N,"down":N,"processing":N,"refuse":TEXT,"forget":"account"|"order","eab":{KID:HMAC},...}
  GET /told     what it has seen
"""
import base64, hashlib, hmac, http.client, http.server, json, os, socket, ssl, subprocess, sys, threading, time

FOLDER, HTTP_PORT, TLS_PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
told = {"badNonce": 0, "limit": 0, "down": 0, "processing": 0, "refuse": None, "eab": None, "wrongName": False, "offer": ["http-01", "tls-alpn-01", "dns-01"]}
seen = {"accounts": 0, "orders": 0, "proofs": [], "hooks": [], "bad": [], "limited": 0, "nonces": 0, "waited": [], "contacts": [], "bound": []}
nonces, accounts, orders, authorizations, certificates, records = set(), {}, {}, {}, {}, {}
lock = threading.RLock()

# ---- P-256, enough to check a signature ----
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
def plus(a, b):
    if a is None: return b
    if b is None: return a
    if a[0] == b[0] and (a[1] + b[1]) % P == 0: return None
    s = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (s * s - a[0] - b[0]) % P
    return x, (s * (a[0] - x) - a[1]) % P
def times(k, a):
    out = None
    while k:
        if k & 1: out = plus(out, a)
        a, k = plus(a, a), k >> 1
    return out
def signed(jwk, text, signature):
    x, y = (int.from_bytes(unb64(jwk[m]), "big") for m in "xy")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(signature) != 64 or not (0 < r < N and 0 < s < N) or (y * y - x * x * x + 3 * x - B) % P: return False
    w, z = pow(s, -1, N), int.from_bytes(hashlib.sha256(text).digest(), "big")
    point = plus(times(z * w % N, G), times(r * w % N, (x, y)))
    return point is not None and point[0] % N == r

def b64(b): return base64.urlsafe_b64encode(b).rstrip(b"=").decode()
def unb64(t): return base64.urlsafe_b64decode(t + "=" * (-len(t) % 4))
def thumbprint(jwk): return b64(hashlib.sha256(json.dumps({m: jwk[m] for m in sorted(("crv", "kty", "x", "y"))}, separators=(",", ":")).encode()).digest())

class Problem(Exception):
    def __init__(self, status, kind, detail, **more): self.status, self.body = status, dict(type="urn:ietf:params:acme:error:" + kind, detail=detail, **more)

# ---- proofs ----
def prove(name, challenge, key):
    want = challenge["token"] + "." + key
    digest = hashlib.sha256(want.encode()).digest()
    if challenge["type"] == "http-01":
        c = http.client.HTTPConnection("127.0.0.1", HTTP_PORT, timeout=5)
        c.request("GET", "/.well-known/acme-challenge/" + challenge["token"], headers={"Host": name})
        a = c.getresponse()
        if a.status != 200 or a.read().decode() != want: raise Problem(403, "unauthorized", "nothing fits at the path")
    elif challenge["type"] == "tls-alpn-01":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["acme-tls/1"])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", TLS_PORT), 5), server_hostname=name) as s:
            der = s.getpeercert(True)
            if s.selected_alpn_protocol() != "acme-tls/1": raise Problem(403, "unauthorized", "another protocol")
        if bytes.fromhex("06082b0601050507011f0101ff04220420") + digest not in der or b"\x82" + bytes([len(name)]) + name.encode() not in der:
            raise Problem(403, "unauthorized", "the certificate does not prove it")
    elif b64(digest) not in records.get("_acme-challenge." + name, []): raise Problem(403, "dns", "no such TXT record")
    seen["proofs"].append(challenge["type"] + " " + name)

def issue(csr, names):
    path = os.path.join(FOLDER, "csr%d" % len(certificates))
    with open(path, "wb") as f: f.write(csr)
    text = subprocess.run(["openssl", "req", "-inform", "DER", "-in", path, "-noout", "-text", "-verify"], capture_output=True, text=True)
    listed = sorted(p.strip()[4:] for l in text.stdout.splitlines() if "DNS:" in l for p in l.split(","))
    if text.returncode or listed != sorted(names): raise Problem(400, "badCSR", "the request is for %s" % listed)
    with open(path + ".ext", "w") as f: f.write("subjectAltName=" + ",".join("DNS:" + n for n in (["other.test"] if told["wrongName"] else names)) + "\nextendedKeyUsage=serverAuth\n")
    out = subprocess.run(["openssl", "x509", "-req", "-inform", "DER", "-in", path, "-CA", FOLDER + "/ca.pem", "-CAkey", FOLDER + "/ca.key", "-days", "30",
                          "-set_serial", str(1000 + len(certificates)), "-extfile", path + ".ext"], capture_output=True, text=True)
    return out.stdout + open(FOLDER + "/ca.pem").read()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def base(self): return "https://localhost:%d" % self.server.server_port
    def say(self, status, body=b"", headers=(), kind="application/json"):
        if not isinstance(body, bytes): body = (json.dumps(body) if not isinstance(body, str) else body).encode()
        nonce = b64(os.urandom(12))
        nonces.add(nonce)
        self.send_response(status)
        for n, v in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Replay-Nonce", nonce), *headers): self.send_header(n, v)
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)
    def guarded(self, work):
        with lock:
            try: work()
            except Problem as p:
                if p.body["type"].split(":")[-1] not in ("badNonce", "rateLimited", "serverInternal"): seen["bad"].append("%s: %s" % (self.path, p.body["detail"]))
                headers = [("Retry-After", str(told.get("retryAfter", 1)))] if p.status == 429 else []
                self.say(p.status, p.body, headers, "application/problem+json")
    def do_HEAD(self):
        seen["nonces"] += 1
        self.say(200)
    def do_GET(self):
        if self.path == "/told": return self.say(200, seen)
        b = self.base()
        if self.path != "/directory": return self.say(404)
        if told["down"] > 0:
            told["down"] -= 1
            return self.say(503, "later", [("Retry-After", "1")], "text/plain")
        self.say(200, {"newNonce": b + "/nonce", "newAccount": b + "/account", "newOrder": b + "/order", "revokeCert": b + "/revoke", "keyChange": b + "/key",
                       "meta": {"externalAccountRequired": told["eab"] is not None}})
    def body(self): return self.rfile.read(int(self.headers.get("Content-Length", 0)))
    def do_PUT(self):
        wanted = json.loads(self.body())
        forget = wanted.pop("forget", None)
        with lock:
            told.update(wanted)
            if forget == "account": accounts.clear()
            if forget == "order": orders.clear()
        self.say(200, {})
    def do_POST(self):
        text = self.body()
        if self.path == "/hook":
            with lock:
                asked = json.loads(text)
                seen["hooks"].append("%s %s" % (asked["action"], asked["name"]))
                if asked["action"] == "add": records.setdefault(asked["name"], []).append(asked["value"])
                else: records.get(asked["name"], []).remove(asked["value"])
            return self.say(204)
        self.guarded(lambda: self.acme(json.loads(text)))
    def acme(self, jws):
        header, payload = json.loads(unb64(jws["protected"])), jws["payload"] and json.loads(unb64(jws["payload"]))
        if self.headers.get("Content-Type") != "application/jose+json": raise Problem(415, "malformed", "content type")
        if header["url"] != self.base() + self.path: raise Problem(401, "unauthorized", "url is %s" % header["url"])
        if told["limit"] > 0 and self.path == "/order":
            told["limit"] -= 1; seen["limited"] += 1
            raise Problem(429, "rateLimited", "too many orders")
        if header["nonce"] not in nonces: raise Problem(400, "badNonce", "a used nonce")
        nonces.discard(header["nonce"])
        if told["badNonce"] > 0:
            told["badNonce"] -= 1
            raise Problem(400, "badNonce", "not this one")
        jwk = header.get("jwk") or accounts.get(header["kid"])
        if jwk is None: raise Problem(400, "accountDoesNotExist", "no such account")
        if header["alg"] != "ES256" or not signed(jwk, (jws["protected"] + "." + jws["payload"]).encode(), unb64(jws["signature"])): raise Problem(401, "unauthorized", "the signature does not hold")
        if ("jwk" in header) != (self.path == "/account"): raise Problem(400, "malformed", "jwk or kid")
        part = self.path.split("/")
        getattr(self, "on_" + part[1])(jwk, payload, part[2:])
    def on_account(self, jwk, payload, _):
        if payload.get("termsOfServiceAgreed") is not True: raise Problem(403, "userActionRequired", "terms")
        if told["eab"] is not None:
            proof = payload.get("externalAccountBinding")
            if proof is None: raise Problem(403, "externalAccountRequired", "an external account is needed")
            header = json.loads(unb64(proof["protected"]))
            key = told["eab"].get(header["kid"])
            mac = hmac.new(unb64(key or ""), (proof["protected"] + "." + proof["payload"]).encode(), "sha256").digest()
            if header["alg"] != "HS256" or header["url"] != self.base() + "/account" or json.loads(unb64(proof["payload"])) != jwk or mac != unb64(proof["signature"]):
                raise Problem(403, "unauthorized", "the external account is not proved")
            seen["bound"].append(header["kid"])
        url = self.base() + "/acct/" + thumbprint(jwk)
        if url not in accounts: seen["accounts"] += 1
        accounts[url] = jwk
        seen["contacts"] += payload.get("contact", [])
        self.say(201, {"status": "valid"}, [("Location", url)])
    def order_json(self, order): return {k: order[k] for k in ("status", "authorizations", "finalize", "identifiers", "certificate", "error") if k in order}
    def on_order(self, jwk, payload, rest):
        if rest:
            order = orders.get(rest[0])
            if order is None: raise Problem(404, "malformed", "no such order")
            self.settle(order)
            return self.say(200, self.order_json(order), [("Retry-After", "1")] if order["status"] == "processing" else [])
        if told["refuse"]: raise Problem(400, "rejectedIdentifier", told["refuse"], subproblems=[{"type": "urn:ietf:params:acme:error:caa", "detail": "not for us", "identifier": {"type": "dns", "value": payload["identifiers"][0]["value"]}}])
        seen["orders"] += 1
        number = str(seen["orders"])
        names = [i["value"] for i in payload["identifiers"]]
        order = {"status": "pending", "names": names, "identifiers": payload["identifiers"], "authorizations": [], "finalize": self.base() + "/finalize/" + number, "number": number, "jwk": jwk}
        for i, n in enumerate(names):
            a = "%s-%d" % (number, i)
            base = n[2:] if n.startswith("*.") else n
            authorizations[a] = {"status": "pending", "identifier": {"type": "dns", "value": base}, "wildcard": n != base, "challenges": [
                {"type": t, "status": "pending", "token": b64(os.urandom(18)), "url": "%s/challenge/%s/%s" % (self.base(), a, t)} for t in told["offer"] if n == base or t == "dns-01"]}
            order["authorizations"].append(self.base() + "/authz/" + a)
        orders[number] = order
        self.say(201, self.order_json(order), [("Location", self.base() + "/order/" + number)])
    def settle(self, order):
        states = [authorizations[u.split("/")[-1]]["status"] for u in order["authorizations"]]
        if order["status"] == "pending" and "invalid" in states: order["status"] = "invalid"
        elif order["status"] == "pending" and all(s == "valid" for s in states): order["status"] = "ready"
        elif order["status"] == "processing":
            order["left"] -= 1
            if order["left"] <= 0: order["status"] = "valid"
    def on_authz(self, jwk, payload, rest):
        a = authorizations[rest[0]]
        self.say(200, {k: a[k] for k in a if k != "asked"})
    def on_challenge(self, jwk, payload, rest):
        a = authorizations[rest[0]]
        c = next(c for c in a["challenges"] if c["type"] == rest[1])
        if payload != {}: raise Problem(400, "malformed", "a challenge is answered with {}")
        c["status"] = "processing"
        def work():
            try: prove(a["identifier"]["value"], c, thumbprint(jwk)); c["status"] = a["status"] = "valid"
            except Exception as e:
                c["status"] = a["status"] = "invalid"
                c["error"] = e.body if isinstance(e, Problem) else {"type": "urn:ietf:params:acme:error:connection", "detail": repr(e)}
        threading.Timer(0.1, work).start()
        self.say(200, c)
    def on_finalize(self, jwk, payload, rest):
        order = orders[rest[0]]
        self.settle(order)
        if order["status"] != "ready": raise Problem(403, "orderNotReady", order["status"])
        certificates[rest[0]] = issue(unb64(payload["csr"]), order["names"])
        order["certificate"] = self.base() + "/certificate/" + rest[0]
        order["left"] = told["processing"]
        order["status"] = "processing" if told["processing"] else "valid"
        self.say(200, self.order_json(order), [("Location", self.base() + "/order/" + rest[0])])
    def on_certificate(self, jwk, payload, rest): self.say(200, certificates[rest[0]], kind="application/pem-certificate-chain")

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(FOLDER + "/server.pem", FOLDER + "/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
with open(FOLDER + "/port.new", "w") as f: f.write(str(server.server_port))
os.rename(FOLDER + "/port.new", FOLDER + "/port")
server.serve_forever()
