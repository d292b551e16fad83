// A vault under its own name: the clients' check that the vault's host belongs to the resource of the token stays on.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { createRequire } from "node:module";
import { randomBytes } from "node:crypto";
import { boot, admin, uniq } from "./lib.mjs";
import { SecretClient } from "@azure/keyvault-secrets";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { CertificateClient } from "@azure/keyvault-certificates";

// Names below .localhost are this machine (RFC 6761), but not every resolver knows.
const dns = createRequire(import.meta.url)("node:dns");
const lookup = dns.lookup;
dns.lookup = (name, options, done) => lookup(name.endsWith(".localhost") ? "127.0.0.1" : name, options, done);

const url = boot.vault_named_url;
const name = uniq("named");
const clients = [SecretClient, KeyClient, CertificateClient].map((Client) => new Client(url, admin));
const [secrets, keys, certificates] = clients;
const poll = { intervalInMs: 150 };
after(async () => {
  for (const begin of [() => secrets.beginDeleteSecret(name, poll), () => keys.beginDeleteKey(name, poll), () => certificates.beginDeleteCertificate(`${name}-c`, poll)])
    await begin().then((poller) => poller.pollUntilDone()).catch(() => {});
  await secrets.purgeDeletedSecret(name).catch(() => {});
  await keys.purgeDeletedKey(name).catch(() => {});
  await certificates.purgeDeletedCertificate(`${name}-c`).catch(() => {});
});

describe("a vault under its own name", () => {
  it("is what bootstrap.json says", () => assert.match(new URL(url).hostname, /^[a-z0-9-]+\.vault\./));
  it("keeps secrets", async () => {
    await secrets.setSecret(name, "over the named host");
    const got = await secrets.getSecret(name);
    assert.equal(got.value, "over the named host");
    assert.equal(new URL(got.properties.id).hostname, new URL(url).hostname);
  });
  it("makes keys and signs with them", async () => {
    const key = await keys.createEcKey(name, { curve: "P-256" });
    const crypto = new CryptographyClient(key, admin);
    const digest = randomBytes(32);
    const signed = await crypto.sign("ES256", digest);
    assert.equal((await crypto.verify("ES256", digest, signed.result)).result, true);
  });
  it("makes certificates", async () => {
    const poller = await certificates.beginCreateCertificate(`${name}-c`, { issuerName: "Self", subject: "CN=named" }, poll);
    assert.ok((await poller.pollUntilDone()).cer?.length > 100);
  });
});
