// Incident: entity, evidence and note by mouse and by keyboard; the bundle's hashes are right; reload comes back to the same state.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

const until = async (f, what) => { for (let i = 0; i < 80; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };

test("entity, evidence, note, bundle, close", async () => {
  // One with an alert and entities: the first of the list that a rule raised.
  const first = await b.page("/incidents");
  const n = await first.evaluate(async () => {
    const h = { "x-ringfort-portal": "1" }, s = await (await fetch("/portal/api/session", { headers: h })).json();
    const all = await (await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01`, { headers: h })).json();
    return all.value.filter((i) => i.properties.additionalData.alertsCount).pop()?.properties.incidentNumber;
  });
  assert.ok(n, "the server has an incident with alerts");
  await first.close();

  const page = await b.page(`/incidents/${n}`, { wait: ".gr a.n" });
  assert.ok(await page.locator(".story li").count(), "the story has the alerts");
  assert.ok(await page.locator(".gr path.e").count() >= 0);

  // An entity by mouse: its pane has queries for Logs.
  await page.locator(".gr a.n circle").first().click();
  await page.waitForURL(/sel=/);
  const name = await page.locator(".entity h2").innerText();
  const link = await page.locator(".entity .links a").last().getAttribute("href");
  assert.match(decodeURIComponent(link), /\/portal\/logs\?q=/);
  assert.ok(decodeURIComponent(link).includes(name), "the query is about the entity");

  // The same by keyboard: Escape closes it, Tab and Enter open it again.
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !location.search.includes("sel="));
  await page.locator(".gr a.n").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/sel=/);

  // Rows with it, then reload: the same entity, the same rows.
  await page.locator(".entity .links button").click();
  await page.waitForURL(/alert=entity/);
  await page.waitForSelector(".tabs-card rf-grid tbody tr, .tabs-card .state");
  const at = page.url();
  await page.reload();
  await page.waitForSelector(".entity h2");
  assert.equal(page.url(), at);
  assert.equal(await page.locator(".entity h2").innerText(), name);

  // The list stands for the graph.
  await page.locator(".graph-card header .btn").first().click();
  await page.waitForURL(/view=list/);
  assert.ok(await page.locator(".graph-card .lst a").count());

  // A note by keyboard: n, text, Ctrl+Enter; Ctrl+Z takes it away.
  await page.locator("main h1").focus();
  await page.keyboard.press("n");
  await page.waitForFunction(() => document.activeElement?.tagName === "TEXTAREA");
  const note = `Seen by the portal's test ${Date.now().toString(36)}`;
  await page.keyboard.type(note);
  await page.keyboard.press("Control+Enter");
  await page.locator(".notes .message", { hasText: note }).waitFor();
  await page.locator("main h1").focus();
  await page.keyboard.press("Control+z");
  await until(async () => (await page.locator(".notes .message", { hasText: note }).count()) === 0, "the note is gone");

  // Changes: who changed what.
  await page.locator(".tabs-card .tabs a").last().click();
  await page.waitForSelector(".tabs-card table tbody tr");

  // The bundle: each part's hash is that of its text.
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator(".ph .acts .btn", { hasText: "Evidence bundle" }).click()]);
  const bundle = JSON.parse(readFileSync(await file.path(), "utf8")), sha = (s) => createHash("sha256").update(s).digest("hex");
  assert.equal(bundle.incident, n);
  for (const [k, v] of Object.entries(bundle.parts)) assert.equal(bundle.hashes[k], sha(JSON.stringify(v)), `hash of ${k}`);
  assert.equal(bundle.all, sha(JSON.stringify(bundle.hashes)));
  assert.ok(bundle.parts.alerts.length && bundle.parts.entities.length && bundle.parts.evidence.length);

  // Close asks first; Escape leaves all as it is.
  await page.locator("main h1").focus();
  await page.keyboard.press("c");
  await page.waitForSelector(".dlg .radios");
  await page.keyboard.press("Escape");
  await until(async () => (await page.locator(".dlg").count()) === 0, "the dialog is closed");
  assert.deepEqual(page.faults, []);

  // An incident that is not there says so.
  const none = await b.page("/incidents/99999999", { wait: ".state" });
  assert.match(await none.locator(".state").innerText(), /99999999/);
});

test("an act on a person of this server: dry run, done, undone", async () => {
  const page = await b.page("/incidents"), h = { "x-ringfort-portal": "1", "content-type": "application/json" };
  const { n, made } = await page.evaluate(async (h) => {
    const s = await (await fetch("/portal/api/session", { headers: h })).json(), name = `case-${Date.now().toString(36)}`;
    const all = await (await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01`, { headers: h })).json();
    const r = await fetch("/v1.0/users", { method: "POST", headers: h, body: JSON.stringify({ accountEnabled: true, displayName: "Case Person", mailNickname: name, userPrincipalName: `${name}@${s.tenant.domain}`, passwordProfile: { password: "harbour-lamp-cedar-nine", forceChangePasswordNextSignIn: false } }) });
    return { n: all.value.filter((i) => /Account|Sign-in|Password|Vault/.test(i.properties.title) && i.properties.additionalData.alertsCount).pop()?.properties.incidentNumber, made: await r.json() };
  }, h);
  assert.ok(n && made.id, "an incident with an account, and a person");
  const [name, suffix] = made.userPrincipalName.split("@"), enabled = () => page.evaluate(async ([id, h]) => (await (await fetch(`/v1.0/users/${id}?$select=accountEnabled`, { headers: h })).json()).accountEnabled, [made.id, h]);
  // The account of the story is nobody here, so its alert's row comes back with the person's name in it; all else is the server's.
  await page.route("**/v1/workspaces/*/query", async (route) => {
    if (!/SecurityAlert/.test(route.request().postData() ?? "")) return route.continue();
    const r = await route.fetch();
    return route.fulfill({ response: r, body: (await r.text()).replace(/(\\"Name\\":\\")[^"\\]+(\\",\\"UPNSuffix\\":\\")[^"\\]+/g, `$1${name}$2${suffix}`) });
  });
  try {
    await page.goto(page.url().replace(/\/incidents.*/, `/incidents/${n}`));
    const item = page.locator(".do li", { hasText: "Disable sign-in of Case Person" });
    await item.locator("button").click();
    await page.locator(".dlg rf-diff").waitFor();
    assert.match(await page.locator(".dlg-body").innerText(), /Case Person/, "who is hit");
    assert.equal(await enabled(), true, "a dry run changes nothing");
    await page.locator(".dlg footer .pri").click();
    await until(async () => (await enabled()) === false, "disabled");
    await until(async () => (await page.locator(".dlg").count()) === 0, "the dialog is closed");
    await page.locator(".do li", { hasText: "Sign-in is disabled" }).waitFor();
    // Two acts: the note on the incident, then what it tells of.
    await page.locator("main h1").focus();
    await page.keyboard.press("Control+z");
    await new Promise((ok) => setTimeout(ok, 500));
    await page.keyboard.press("Control+z");
    await until(async () => (await enabled()) === true, "enabled again");
    // What cannot be undone is typed out.
    await page.locator(".do li", { hasText: "End all sessions of Case Person" }).locator("button").click();
    const go = page.locator(".dlg footer .pri");
    assert.equal(await go.getAttribute("aria-disabled"), "true");
    await page.fill(".dlg input", made.userPrincipalName);
    assert.equal(await go.getAttribute("aria-disabled"), null);
    await page.keyboard.press("Escape");
  } finally {
    await page.evaluate(async ([id, h]) => { await fetch(`/v1.0/users/${id}`, { method: "DELETE", headers: h }); }, [made.id, h]);
  }
  assert.deepEqual(page.faults, []);
});
