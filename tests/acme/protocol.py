#!/usr/bin/python3
"""What clients of ACME seldom do, and what they must not do: protocol.py DIRECTORY CA.PEM KID HMAC HTTP-PORT.

Speaks RFC 8555 by itself; keys and requests are python3-cryptography's, which certbot brings along. Prints each check that fails; the status says whether any did.
"""
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

directory_url, ca, kid, mac_key, http_port = sys.argv[1:6]
context = ssl.create_default_context(cafile=ca)
failures = []


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}: {seen}")


def send(method, url, body=None, kind="application/jose+json"):
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind} if body is not None else {})
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as why:
        return why.code, dict(why.headers), why.read()


directory = json.loads(send("GET", directory_url)[2])


def nonce():
    status, headers, _ = send("HEAD", directory["newNonce"])
    check("HEAD of new-nonce is 200", status == 200, status)
    return headers["Replay-Nonce"]


class Key:
    def __init__(self, kind="ec"):
        self.kind = kind
        self.key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        numbers = self.key.public_key().public_numbers()
        if kind == "ec":
            self.jwk = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
        else:
            self.jwk = {"e": "AQAB", "kty": "RSA", "n": b64(numbers.n.to_bytes(256, "big"))}
        self.thumbprint = b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":")).encode()).digest())
        self.kid = None

    def sign(self, data):
        if self.kind == "rsa":
            from cryptography.hazmat.primitives.asymmetric import padding
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def jws(self, url, payload, by_jwk=False, /, **header):
        head = {"alg": "ES256" if self.kind == "ec" else "RS256", "url": url}
        head.update({"jwk": self.jwk} if by_jwk else {"kid": self.kid})
        head.update(header)
        protected = b64(json.dumps(head).encode())
        body = "" if payload is None else b64(json.dumps(payload).encode())
        return {"protected": protected, "payload": body, "signature": b64(self.sign(f"{protected}.{body}".encode()))}

    def post(self, url, payload, by_jwk=False, /, **header):
        header.setdefault("nonce", nonce())
        answer = send("POST", url, json.dumps(self.jws(url, payload, by_jwk, **header)).encode())
        check(f"{url} gives a nonce", "Replay-Nonce" in answer[1], answer[1])
        return answer

    def register(self, payload=None):
        status, headers, body = self.post(directory["newAccount"], payload if payload is not None else bound(self), True)
        self.kid = headers.get("Location")
        return status, headers, body


def bound(key, with_kid=kid, secret=mac_key, **extra):
    protected = b64(json.dumps({"alg": "HS256", "kid": with_kid, "url": directory["newAccount"]}).encode())
    payload = b64(json.dumps(key.jwk).encode())
    mac = hmac.new(base64.urlsafe_b64decode(secret + "=="), f"{protected}.{payload}".encode(), "sha256").digest()
    return {"termsOfServiceAgreed": True, "externalAccountBinding": {"protected": protected, "payload": payload, "signature": b64(mac)}, **extra}


def refused(what, answer, status, kind):
    body = answer[2].decode(errors="replace")
    found = json.loads(body).get("type", "") if body.startswith("{") else body
    check(what, answer[0] == status and found == f"urn:ietf:params:acme:error:{kind}", f"{answer[0]} {body[:300]}")
    check(f"{what}: a problem document", answer[1].get("Content-Type") == "application/problem+json", answer[1].get("Content-Type"))


# ---- accounts -----------------------------------------------------------------------------------------------------------------------

one, two = Key(), Key("rsa")
new_account = directory["newAccount"]
check("the directory says that external accounts are needed", directory["meta"]["externalAccountRequired"] is True)
check("GET of new-nonce is 204", send("GET", directory["newNonce"])[0] == 204)
refused("an account that is not there", one.post(new_account, {"onlyReturnExisting": True}, True), 400, "accountDoesNotExist")
refused("no external account", one.register({}), 403, "externalAccountRequired")
refused("an external account that is not known", one.register(bound(one, with_kid="nobody")), 401, "unauthorized")
refused("another key of the external account", one.register(bound(one, secret=b64(bytes(32)))), 401, "unauthorized")
refused("the binding of another key", one.register(bound(two)), 400, "malformed")
refused("a contact that is none", one.register(bound(one, contact=["tel:1"])), 400, "unsupportedContact")
refused("two addresses in a contact", one.register(bound(one, contact=["mailto:a@b.test,c@d.test"])), 400, "invalidContact")
status, headers, body = one.register(bound(one, contact=["mailto:fleet@contoso.example"]))
check("an account is made", status == 201 and json.loads(body)["status"] == "valid", body)
again = Key()
again.key, again.jwk, again.thumbprint = one.key, one.jwk, one.thumbprint
status, headers, body = again.register({})
check("the account of a key is found again", status == 200 and again.kid == one.kid, f"{status} {again.kid}")
check("another account is made", two.register()[0] == 201)
status, _, body = one.post(one.kid, {"contact": ["mailto:other@contoso.example"]})
check("contacts can be changed", status == 200 and json.loads(body)["contact"] == ["mailto:other@contoso.example"], body)
refused("another's account", one.post(two.kid, None), 403, "unauthorized")

# ---- signatures ---------------------------------------------------------------------------------------------------------------------

used = nonce()
check("a nonce is good once", one.post(one.kid, None, nonce=used)[0] == 200)
refused("a nonce is not good twice", one.post(one.kid, None, nonce=used), 400, "badNonce")
refused("a nonce of somebody else's", one.post(one.kid, None, nonce=b64(bytes(24))), 400, "badNonce")
refused("another url", one.post(one.kid, None, url=two.kid), 401, "unauthorized")
refused("another algorithm", one.post(one.kid, None, alg="HS256"), 400, "badSignatureAlgorithm")
refused("no account of this server", one.post(one.kid, None, kid="https://other.test/acct/1"), 400, "accountDoesNotExist")
refused("by a key where an account is wanted", one.post(one.kid, None, True), 400, "malformed")
broken = one.jws(one.kid, {"contact": []}, nonce=nonce())
broken["payload"] = b64(b'{"status":"deactivated"}')
refused("another payload under a signature", send("POST", one.kid, json.dumps(broken).encode()), 400, "malformed")
refused("no JWS", send("POST", one.kid, b"{}"), 400, "malformed")
refused("no JSON", send("POST", one.kid, b"\xff\x00"), 400, "malformed")
refused("another content type", send("POST", one.kid, b"{}", "application/json"), 415, "malformed")
forged = two.jws(one.kid, None, nonce=nonce(), kid=one.kid)
refused("another's signature", send("POST", one.kid, json.dumps(forged).encode()), 400, "malformed")

# ---- orders -------------------------------------------------------------------------------------------------------------------------

new_order = directory["newOrder"]


def names(*list_of):
    return {"identifiers": [{"type": "dns", "value": name} for name in list_of]}


refused("no names", one.post(new_order, {"identifiers": []}), 400, "malformed")
refused("a name of another zone", one.post(new_order, names("www.fabrikam.test")), 403, "rejectedIdentifier")
refused("no name", one.post(new_order, names("a_b.contoso.test")), 400, "rejectedIdentifier")
refused("an address", one.post(new_order, {"identifiers": [{"type": "ip", "value": "127.0.0.1"}]}), 400, "unsupportedIdentifier")
status, headers, body = one.post(new_order, names("A.contoso.test", "a.contoso.test", "b.contoso.test"))
order, order_url = json.loads(body), headers["Location"]
check("an order has each name once", status == 201 and [i["value"] for i in order["identifiers"]] == ["a.contoso.test", "b.contoso.test"], body)
check("an order begins as pending", order["status"] == "pending" and len(order["authorizations"]) == 2, body)
refused("another's order", two.post(order_url, None), 404, "malformed")
refused("another's authorization", two.post(order["authorizations"][0], None), 404, "malformed")
refused("an authorization that is not there", one.post(order["authorizations"][0][:-1] + "9", None), 404, "malformed")
status, _, body = one.post(one.kid + "/orders", None)
check("orders are listed", order_url in json.loads(body)["orders"], body)
status, _, body = two.post(two.kid + "/orders", None)
check("orders of others are not", json.loads(body)["orders"] == [], body)


def request_of(key, *list_of):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in list_of]), critical=False)
    return {"csr": b64(builder.sign(key.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))}


leaf = Key()
refused("too early", one.post(order["finalize"], request_of(leaf, "a.contoso.test", "b.contoso.test")), 403, "orderNotReady")

# The proofs, by a server of our own.
proofs = {}


class Proofs(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = proofs.get((self.headers["Host"].split(":")[0], self.path.rsplit("/", 1)[-1]))
        if text is None:
            self.send_error(404)
            return
        if text.startswith("http"):
            self.send_response(302)
            self.send_header("Location", text)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(http_port)), Proofs)
threading.Thread(target=server.serve_forever, daemon=True).start()


def authorization(key, url):
    return json.loads(key.post(url, None)[2])


def answer_challenge(key, url, text=None):
    found = authorization(key, url)
    challenge = next(c for c in found["challenges"] if c["type"] == "http-01")
    proofs[found["identifier"]["value"], challenge["token"]] = text or f"{challenge['token']}.{key.thumbprint}"
    check("a challenge is taken", key.post(challenge["url"], {})[0] == 200)
    for _ in range(200):
        found = authorization(key, url)
        if found["status"] != "pending":
            break
        time.sleep(0.05)
    return found


first = answer_challenge(one, order["authorizations"][0])
check("the first name is proved", first["status"] == "valid", first)
check("the order still waits", json.loads(one.post(order_url, None)[2])["status"] == "pending")
# The second by a redirect to the place of the first.
second = authorization(one, order["authorizations"][1])
token = next(c["token"] for c in second["challenges"] if c["type"] == "http-01")
proofs["a.contoso.test", "elsewhere"] = f"{token}.{one.thumbprint}"
second = answer_challenge(one, order["authorizations"][1], f"http://a.contoso.test:{http_port}/elsewhere")
check("the second name is proved behind a redirect", second["status"] == "valid", second)
check("the order is ready", json.loads(one.post(order_url, None)[2])["status"] == "ready")
refused("fewer names", one.post(order["finalize"], request_of(leaf, "a.contoso.test")), 400, "badCSR")
refused("more names", one.post(order["finalize"], request_of(leaf, "a.contoso.test", "b.contoso.test", "c.contoso.test")), 400, "badCSR")
refused("the account's key", one.post(order["finalize"], request_of(one, "a.contoso.test", "b.contoso.test")), 400, "badCSR")
refused("no request", one.post(order["finalize"], {"csr": "AAAA"}), 400, "badCSR")
refused("another's finalize", two.post(order["finalize"], request_of(leaf, "a.contoso.test", "b.contoso.test")), 404, "malformed")
status, _, body = one.post(order["finalize"], request_of(leaf, "a.contoso.test", "b.contoso.test"))
done = json.loads(body)
check("the order is finished", status == 200 and done["status"] == "valid", body)
status, headers, pem = one.post(done["certificate"], None)
check("the chain is PEM", status == 200 and headers["Content-Type"] == "application/pem-certificate-chain" and pem.count(b"BEGIN CERTIFICATE") >= 2, pem)
refused("another's certificate", two.post(done["certificate"], None), 404, "malformed")
refused("an order is finished once", one.post(order["finalize"], request_of(leaf, "a.contoso.test", "b.contoso.test")), 403, "orderNotReady")

# What is wrong is told, and is the end of the order.
_, headers, body = one.post(new_order, names("c.contoso.test"))
wrong = answer_challenge(one, json.loads(body)["authorizations"][0], "something else")
told = next(c for c in wrong["challenges"] if c["type"] == "http-01")
check("a wrong proof is told", wrong["status"] == "invalid" and told["error"]["type"].endswith("incorrectResponse"), wrong)
check("and is the end of the order", json.loads(one.post(headers["Location"], None)[2])["status"] == "invalid")
_, headers, body = one.post(new_order, names("d.contoso.test"))
wrong = answer_challenge(one, json.loads(body)["authorizations"][0], "http://127.0.0.1:1/x")
check("redirects to addresses are not followed", wrong["status"] == "invalid", wrong)
_, headers, body = one.post(new_order, names("*.e.contoso.test"))
wild = authorization(one, json.loads(body)["authorizations"][0])
check("a wildcard is proved by DNS alone", [c["type"] for c in wild["challenges"]] == ["dns-01"] and wild["wildcard"] is True, wild)
status, _, body = one.post(json.loads(body)["authorizations"][0], {"status": "deactivated"})
check("an authorization can be given up", json.loads(body)["status"] == "deactivated", body)
check("which is the end of its order", json.loads(one.post(headers["Location"], None)[2])["status"] == "invalid")

# ---- another key, revocation, the end --------------------------------------------------------------------------------------------------

change = directory["keyChange"]
three = Key()


def changed(old, new, by=None, **payload):
    inner = {"account": one.kid, "oldKey": old.jwk, **payload}
    return one.post(change, (by or new).jws(change, inner, True, jwk=new.jwk, alg="ES256" if new.kind == "ec" else "RS256"))


refused("a key that did not sign", changed(one, three, by=two), 400, "malformed")
refused("another old key", changed(two, three), 400, "malformed")
refused("another account", changed(one, three, account=two.kid), 400, "malformed")
status, headers, body = changed(one, two)
check("a key that has an account", status == 409 and headers["Location"] == two.kid, body)
check("the key is changed", changed(one, three)[0] == 200)
refused("the old key is of no use", one.post(one.kid, None), 400, "malformed")
three.kid = one.kid
check("the new one is", three.post(three.kid, None)[0] == 200)
der = b64(x509.load_pem_x509_certificate(pem).public_bytes(serialization.Encoding.DER))
revoke = directory["revokeCert"]
refused("another's certificate is not revoked", two.post(revoke, {"certificate": der}), 403, "unauthorized")
refused("nor by another key", Key().post(revoke, {"certificate": der}, True), 403, "unauthorized")
refused("nor for no reason", three.post(revoke, {"certificate": der, "reason": 99}), 400, "badRevocationReason")
refused("nor what is none", three.post(revoke, {"certificate": b64(b"x")}), 400, "malformed")
check("its own key revokes it", leaf.post(revoke, {"certificate": der, "reason": 1}, True)[0] == 200)
refused("once", three.post(revoke, {"certificate": der}), 400, "alreadyRevoked")
check("an account can be given up", json.loads(three.post(three.kid, {"status": "deactivated"})[2])["status"] == "deactivated")
refused("and is of no use then", three.post(new_order, names("a.contoso.test")), 401, "unauthorized")
refused("nor made anew", three.register(bound(three)), 401, "unauthorized")
print(f"{len(failures)} failures")
sys.exit(1 if failures else 0)
