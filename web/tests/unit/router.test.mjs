import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

const { match, find, href, isPage, needsLoad } = (await load("router")).router;

test("patterns", () => {
  assert.deepEqual(match("/", "/"), {});
  assert.deepEqual(match("/incidents/{n}", "/incidents/1042"), { n: "1042" });
  assert.equal(match("/incidents/{n}", "/incidents"), null);
  assert.equal(match("/incidents", "/incidents/1042"), null);
  assert.deepEqual(match("/hubs/{ns}/{hub}", "/hubs/a%20b/c%2Fd"), { ns: "a b", hub: "c/d" });
  assert.deepEqual(match("/resources/{id*}", "/resources/subscriptions/1/providers/M.K/vaults/kv"), { id: "subscriptions/1/providers/M.K/vaults/kv" });
  assert.equal(match("/resources/{id*}", "/resources"), null);
  assert.deepEqual(match("/x/{a}", "/x/%zz"), { a: "%zz" }, "a broken escape does not throw");
});

test("fixed words win over parameters, parameters over the rest", () => {
  const table = [{ name: "rest", path: "/{all*}" }, { name: "one", path: "/rules/{id}" }, { name: "new", path: "/rules/new" }];
  for (const order of [table, table.slice().reverse()]) {
    assert.equal(find(order, "/rules/new").route.name, "new");
    assert.equal(find(order, "/rules/7").route.name, "one");
    assert.equal(find(order, "/rules/7/8").route.name, "rest");
  }
});

test("addresses are made and read back", () => {
  assert.equal(href("/"), "/portal/");
  assert.equal(href("/incidents", {}, { t: "7d", sel: "", f: null }), "/portal/incidents?t=7d");
  assert.equal(href("/hubs/{ns}/{hub}", { ns: "a b", hub: "c/d" }), "/portal/hubs/a%20b/c%2Fd");
  const id = "/subscriptions/1/resourceGroups/r g/providers/M.K/vaults/kv";
  const to = href("/resources/{id*}", { id });
  assert.equal(to, "/portal/resources/subscriptions/1/resourceGroups/r%20g/providers/M.K/vaults/kv");
  assert.equal("/" + match("/resources/{id*}", to.slice("/portal".length)).id, id);
});

test("what the router takes and what it leaves to the server", () => {
  const is = (u) => isPage(new URL(u, "https://here.example"), "https://here.example");
  for (const yes of ["/portal", "/portal/", "/portal/incidents?sel=1", "/portal/vaults/kv/secrets/s", "/portal/signins"]) assert.ok(is(yes), yes);
  for (const no of ["https://evil.example/portal/", "/portalx", "/v1.0/users", "/portal/signin?return=/", "/portal/api/session", "/portal/assets/a.js", "/portal/signed-in?code=1", "/portal/vaults/kv/secrets/s?api-version=7.4", "//evil.example/portal/"]) assert.ok(!is(no), no);
});

test("pages with the editor need a document with their policy", () => {
  for (const path of ["/portal/logs", "/portal/logs/x", "/portal/rules/7"]) { assert.ok(needsLoad(path, false), path); assert.ok(!needsLoad(path, true), path); }
  for (const path of ["/portal/", "/portal/rules", "/portal/rules/", "/portal/incidents"]) assert.ok(!needsLoad(path, false), path);
});

test("every page of the table has an address of its own, an icon and a title", async () => {
  const { readFileSync } = await import("node:fs");
  const text = (f) => readFileSync(new URL(`../../src/${f}`, import.meta.url), "utf8");
  const entries = [...text("pages/index.ts").matchAll(/\{ name: "([\w-]+)", path: "([^"]+)", icon: "(\w+)"/g)].map(([, name, path, icon]) => ({ name, path, icon }));
  assert.ok(entries.length >= 17, "the table is read by this test");
  const titles = JSON.parse(text("i18n/en.json")).page, icons = text("parts/icons.ts");
  assert.equal(new Set(entries.map((e) => e.path)).size, entries.length);
  for (const e of entries) {
    assert.ok(titles[e.name], `page.${e.name} is missing in en.json`);
    assert.match(icons, new RegExp(`\\b${e.icon}:`), `icon ${e.icon}`);
    const path = e.path.replace(/\{\w+\*?\}/g, "x");
    assert.equal(find(entries, path).route.name, e.name, `${path} opens another page`);
  }
});
