import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

globalThis.location ??= new URL("https://here.example/portal/");
const m = await load("data/client", "data/live", "data/arm", "data/session"), client = m["data/client"], live = m["data/live"], arm = m["data/arm"];
let asked = [];
const answers = (...list) => { asked = []; globalThis.fetch = async (url, init) => { asked.push({ url, ...init }); const a = list.length > 1 ? list.shift() : list[0]; if (a instanceof Error) throw a; return a(); }; };
const json = (status, body, headers = {}) => () => new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } });

test("each call has the portal's header, its query and JSON", async () => {
  answers(json(200, { a: 1 }));
  assert.deepEqual(await client.post("/v1/x", { q: "é" }, { query: { "api-version": "7.4", none: undefined } }), { a: 1 });
  assert.equal(asked[0].url, "/v1/x?api-version=7.4");
  assert.equal(asked[0].headers["x-ringfort-portal"], "1");
  assert.equal(asked[0].headers["content-type"], "application/json");
  assert.equal(asked[0].body, '{"q":"é"}');
  assert.equal(asked[0].credentials, "same-origin");
});

test("no other origin is ever asked", async () => {
  answers(json(200, {}));
  for (const bad of ["https://evil.example/", "//evil.example/x", "x"]) await assert.rejects(client.get(bad), TypeError);
  assert.equal(asked.length, 0);
});

test("errors keep code, words and request id", async () => {
  answers(json(403, { error: { code: "AuthorizationFailed", message: "no right" } }, { "x-ms-request-id": "r-1" }));
  await assert.rejects(client.get("/a"), (e) => e.status === 403 && e.code === "AuthorizationFailed" && e.message === "no right" && e.requestId === "r-1" && e.forbidden);
  answers(json(400, { error: { code: "BadArgumentError", message: "outer", innererror: { code: "SyntaxError", message: "outer 2", innererror: { message: "a bracket is missing at 3" } } } }));
  await assert.rejects(client.get("/a"), (e) => e.message === "a bracket is missing at 3" && e.code === "BadArgumentError");
  answers(() => new Response("<html>", { status: 500 }));
  await assert.rejects(client.get("/a"), (e) => e.status === 500 && e.code === "HTTP 500");
});

test("a GET waits for a restarting server, a POST does not repeat itself", async () => {
  answers(new TypeError("fetch failed"), json(503, {}), json(200, { ok: 1 }));
  assert.deepEqual(await client.get("/a"), { ok: 1 });
  assert.equal(asked.length, 3);
  assert.equal(client.connection.value.state, "live");
  answers(new TypeError("fetch failed"), json(200, {}));
  await assert.rejects(client.post("/a", {}), (e) => e.unreachable && e.code === "NoAnswer");
  assert.equal(asked.length, 1);
  assert.equal(client.connection.value.state, "offline");
});

test("an abort ends the waiting", async () => {
  answers(new TypeError("fetch failed"));
  const end = new AbortController();
  setTimeout(() => end.abort(), 50);
  const from = Date.now();
  await assert.rejects(client.get("/a", { signal: end.signal }), { name: "AbortError" });
  assert.ok(Date.now() - from < 1000);
});

test("401 is the session's end", async () => {
  client.sessionEnded.set(false);
  answers(json(401, { error: { code: "SessionOver", message: "over" } }));
  await assert.rejects(client.get("/a"), (e) => e.status === 401);
  assert.equal(client.sessionEnded.value, true);
});

test("events of the stream, whatever the pieces", () => {
  const text = ": hello\n\nevent: pulse\ndata: {\"a\":1}\n\nid: 4\r\nevent: incident\r\ndata: {\"b\":\r\ndata: 2}\r\n\r\ndata: plain\n\n";
  for (const size of [1, 2, 3, 7, 1000]) {
    const got = [], take = live.parser((e, d) => got.push([e, d]));
    for (let i = 0; i < text.length; i += size) take(text.slice(i, i + size));
    assert.deepEqual(got, [["pulse", '{"a":1}'], ["incident", '{"b":\n2}'], ["message", "plain"]], `pieces of ${size}`);
  }
});

test("of many pulses one is painted, of incidents all", async () => {
  const seen = [];
  const end = live.subscribe("pulse", (p) => seen.push(p)), end2 = live.subscribe("incident", (p) => seen.push(p));
  for (let i = 0; i < 50; i++) live.publish("pulse", i);
  live.publish("incident", "a");
  live.publish("incident", "b");
  await new Promise((ok) => setTimeout(ok, 400));
  assert.deepEqual(seen, [49, "a", "b"]);
  end(); end2();
});

test("lists follow their pages and stay at this origin", async () => {
  answers(json(200, { value: [1, 2], nextLink: "https://public.example/subscriptions/s/x?api-version=1&$skipToken=t" }), json(200, { value: [3] }));
  assert.deepEqual(await arm.list("/subscriptions/s/x", { version: "1" }), [1, 2, 3]);
  assert.equal(asked[1].url, "/subscriptions/s/x?api-version=1&$skipToken=t");
});

test("ids taken apart", () => {
  assert.deepEqual(arm.parseId("/subscriptions/1/resourceGroups/g/providers/Microsoft.EventHub/namespaces/ns/eventhubs/h"), { subscription: "1", group: "g", type: "Microsoft.EventHub/namespaces/eventhubs", name: "h", parent: "/subscriptions/1/resourceGroups/g/providers/Microsoft.EventHub/namespaces/ns" });
  assert.equal(arm.parseId("/subscriptions/1/resourceGroups/g").name, "g");
  assert.equal(arm.apiVersion("/subscriptions/1/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/Microsoft.SecurityInsights/incidents/i"), "2025-09-01");
});
