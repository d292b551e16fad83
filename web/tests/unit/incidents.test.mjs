import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

globalThis.location ??= new URL("https://here.example/portal/");
const m = await load("data/incidents", "pages/overview/rings", "i18n/index");
const { entitiesIn, entitiesOf, entityQueries, whole, rank } = m["data/incidents"], { judge, assessed, weak } = m["pages/overview/rings"];

test("entities of an alert: one key for one thing, references told by name", () => {
  const all = entitiesIn(JSON.stringify([{ $id: "1", HostName: "web-1", DnsDomain: "contoso.example", Type: "host" }, { $id: "2", Name: "Ann", UPNSuffix: "contoso.example", Host: { $ref: "1" }, Type: "account" }, { $id: "3", Address: "192.0.2.1", Type: "ip" }, { $id: "4", Type: "ip" }]));
  assert.deepEqual(all.map((e) => e.label), ["web-1.contoso.example", "Ann@contoso.example", "192.0.2.1"]);
  assert.equal(all[1].fields.Host, "web-1.contoso.example");
  assert.equal(entitiesIn("nonsense").length, 0);
  const a = { entities: all }, b = { entities: entitiesIn('[{"Name":"ANN","UPNSuffix":"Contoso.example","Type":"account"}]') };
  assert.equal(entitiesOf([a, b])[0].alerts.length, 2, "case does not make another person");
  for (const e of all) for (const q of entityQueries(e)) assert.ok(q.query.includes(`"${e.label}"`));
});

test("a PUT says the whole incident, and what is to be cleared is left out", () => {
  const i = { properties: { title: "t", severity: "High", status: "Active", owner: { objectId: "o" }, labels: [{ labelName: "l" }], classification: "TruePositive" } };
  assert.deepEqual(whole(i, { status: "New", classification: undefined }).properties, { title: "t", severity: "High", status: "New", owner: { objectId: "o" }, labels: [{ labelName: "l" }] });
  assert.deepEqual(["High", "Medium", "Low", "Informational"].map(rank), [3, 2, 1, 0]);
});

const table = (row) => ({ name: "PrimaryResult", columns: Object.keys(row).map((name) => ({ name, type: "string" })), rows: [Object.values(row)], tables: [] });
const none = { name: "PrimaryResult", columns: [], rows: [], tables: [] };
const good = {
  graph: new Map(Object.entries({ defaults: { isEnabled: true }, policies: { value: [] }, emergency: { userIds: ["a"] }, applications: { value: [{ displayName: "x", passwordCredentials: [{ endDateTime: "2026-06-01T00:00:00Z" }] }] } }).map(([id, body]) => [id, { status: 200, body }])),
  kql: { factors: table({ People: 20, One: 0 }), listeners: table({ Listener: "l", Protocol: "syslog-tls" }), hardening: table({ Part: "server", Lacking: 0 }), rules: table({ Rules: 3, Failing: 0, First: "" }), vaultRows: table({ Rows: 5 }) },
  vaults: [{ name: "v", properties: { publicNetworkAccess: "Disabled", enableSoftDelete: true, enablePurgeProtection: true } }], asked: null,
};
const now = Date.parse("2026-01-01T00:00:00Z"), state = (all, id) => all.find((c) => c.id === id).state;

test("rings: all that was asked holds, the rest is not assessed", () => {
  const all = judge(good, now);
  assert.equal(assessed(all).length, 10);
  assert.ok(assessed(all).every((c) => c.state === "ok"));
  assert.equal(weak(all).length, 0);
  assert.equal(new Set(all.map((c) => c.ring)).size, 7);
});
test("rings: what is weak, and how weak", () => {
  const all = judge({ ...good, graph: new Map([...good.graph, ["defaults", { status: 200, body: { isEnabled: false } }], ["emergency", { status: 200, body: { userIds: [] } }]]), vaults: [{ name: "v", properties: { enableSoftDelete: true } }],
    kql: { ...good.kql, factors: table({ People: 20, One: 3 }), listeners: table({ Listener: "l", Protocol: "syslog-tcp" }), hardening: table({ Part: "server", Lacking: 2 }), rules: table({ Rules: 3, Failing: 3, First: "r" }) } }, Date.parse("2020-01-01T00:00:00Z"));
  for (const [id, s] of Object.entries({ "factor-policy": "fail", factors: "fail", emergency: "partial", listeners: "partial", "vault-network": "partial", "vault-delete": "partial", hardening: "partial", credentials: "partial", rules: "fail" })) assert.equal(state(all, id), s, id);
  assert.equal(weak(all)[0].state, "fail");
  const some = judge({ ...good, graph: new Map([...good.graph, ["defaults", { status: 200, body: { isEnabled: false } }], ["policies", { status: 200, body: { value: [{ displayName: "p", state: "enabled", conditions: { users: { includeUsers: ["All"] } }, grantControls: { builtInControls: ["mfa"] } }] } }]]), kql: { ...good.kql, factors: table({ People: 20, One: 1 }) } }, now);
  assert.equal(state(some, "factor-policy"), "ok");
  assert.equal(state(some, "factors"), "partial");
});
test("rings: no rows are no proof", () => {
  const all = judge({ ...good, kql: { ...good.kql, factors: table({ People: 0, One: 0 }), listeners: none, hardening: none, rules: table({ Rules: 0, Failing: 0, First: "" }), vaultRows: table({ Rows: 0 }) }, vaults: [] }, now);
  for (const id of ["factors", "listeners", "hardening", "rules", "vault-rows"]) assert.equal(state(all, id), "unknown", id);
  for (const id of ["vault-network", "vault-delete"]) assert.equal(state(all, id), "none", id);
});
