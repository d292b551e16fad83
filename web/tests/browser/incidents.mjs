// Incidents: the three acts that matter by mouse and by keyboard, reload comes back to the same state, nothing fails and nothing leaves the origin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

const { user } = live;
let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

const text = (page, what) => page.locator(what).first().innerText();
const row = (page, title) => page.locator("rf-grid tbody tr", { hasText: title });
/** The incident as the server has it. */
const stored = (page, title) => page.evaluate(async (t) => {
  const get = async (u) => (await fetch(u, { headers: { "x-ringfort-portal": "1" } })).json(), s = await get("/portal/api/session");
  return (await get(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01&$filter=${encodeURIComponent(`properties/title eq '${t}'`)}`)).value;
}, title);
const until = async (f, what) => { for (let i = 0; i < 60; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };

test("triage by mouse and by keyboard", async () => {
  const page = await b.page("/incidents", { wait: "rf-grid tbody tr" });
  const mark = `Portal test ${Date.now().toString(36)}`;

  // A new incident by mouse: two of them, to have something of our own to work on.
  for (const name of [`${mark} a`, `${mark} b`]) {
    await page.click(".ph .acts > .btn:last-child");
    await page.fill(".dlg input:not([type])", name);
    await page.uncheck(".dlg input[type=checkbox]");
    await page.click(".dlg footer .pri");
    await row(page, name).waitFor();
  }
  const [made] = await stored(page, `${mark} a`);
  assert.equal(made.properties.status, "New");
  assert.match(page.url(), /sel=\d+/, "the new one is chosen");

  // One that another makes waits behind a button: nothing moves by itself.
  const rows = await page.locator("rf-grid tbody tr").count();
  await page.evaluate(async (title) => {
    const h = { "x-ringfort-portal": "1", "content-type": "application/json" }, s = await (await fetch("/portal/api/session", { headers: h })).json();
    await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents/${crypto.randomUUID()}?api-version=2025-09-01`, { method: "PUT", headers: h, body: JSON.stringify({ properties: { title, severity: "High", status: "New" } }) });
  }, `${mark} c`);
  await page.waitForSelector(".newer");
  assert.equal(await page.locator("rf-grid tbody tr").count(), rows);
  await page.click(".newer");
  await row(page, `${mark} c`).waitFor();

  // Severity in place by keyboard: v, up to High, Enter.
  await page.fill(".flt input", mark);
  await page.waitForURL(/q=Portal/);
  await row(page, `${mark} a`).locator("td[data-c='2']").click({ position: { x: 250, y: 8 } });
  assert.equal(await text(page, ".pane h2"), `${mark} a`);
  await page.keyboard.press("v");
  await page.waitForSelector(".pop.menu");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await until(async () => (await stored(page, `${mark} a`))[0].properties.severity === "High", "severity is High at the server");
  assert.match(await page.evaluate(() => document.activeElement.closest("tr")?.innerText ?? ""), /Portal test/, "focus is back in the row");

  // Owner by keyboard: o, Enter takes me.
  await page.keyboard.press("o");
  await page.waitForSelector(".owners .opt");
  await page.keyboard.press("Enter");
  await until(async () => (await stored(page, `${mark} a`))[0].properties.owner.userPrincipalName === user, "I own it");
  assert.equal((await stored(page, `${mark} a`))[0].properties.severity, "High", "what was not meant stays");

  // Undo by the tray's key: the owner is gone again.
  await page.keyboard.press("Control+z");
  await until(async () => !(await stored(page, `${mark} a`))[0].properties.owner.userPrincipalName, "undone");

  // Status by mouse from the pane.
  await page.click(".pane [data-act=status]");
  await page.click(".pop.menu [role^=menuitem]:nth-child(2)");
  await until(async () => (await stored(page, `${mark} a`))[0].properties.status === "Active", "active");

  // Reload: the same search, the same row.
  const at = page.url();
  await page.reload();
  await page.waitForSelector(".pane h2");
  assert.equal(page.url(), at);
  assert.equal(await text(page, ".pane h2"), `${mark} a`);
  assert.equal(await page.inputValue(".flt input"), mark);
  await row(page, `${mark} b`).waitFor();
  await page.evaluate(async (title) => {
    const h = { "x-ringfort-portal": "1" }, s = await (await fetch("/portal/api/session", { headers: h })).json();
    const all = await (await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01&$filter=${encodeURIComponent(`properties/title eq '${title}'`)}`, { headers: h })).json();
    for (const i of all.value) await fetch(`${i.id}?api-version=2025-09-01`, { method: "DELETE", headers: h });
  }, `${mark} c`);
  await page.keyboard.press("r");
  await until(async () => (await row(page, mark).count()) === 2, "two are left");

  // Several at once: j, x on both; the odd ones out are said; close asks what it was.
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.waitForSelector(".picked");
  assert.match(await text(page, ".picked"), /2 selected/);
  assert.match(await text(page, ".picked"), /1 Active|1 New/);
  await page.keyboard.press("c");
  await page.waitForSelector(".dlg .radios");
  await page.click(".dlg footer .pri");
  assert.match(await text(page, ".dlg [role=alert]"), /./, "a classification has to be chosen");
  await page.check(".dlg .radios label:nth-of-type(2) input");
  await page.click(".dlg footer .pri");
  for (const name of ["a", "b"]) await until(async () => (await stored(page, `${mark} ${name}`))[0].properties.classificationReason === "SuspiciousButExpected", `closed ${name}`);
  await until(async () => (await row(page, mark).count()) === 0, "closed ones leave the list");
  assert.match(await text(page, ".card .state"), /./, "which filter hides them is said");

  // Merge by keyboard: the other goes into the one that is chosen; undone, it is as it was.
  await page.goto(page.url().replace(/\?.*/, `?q=${encodeURIComponent(mark)}&f=all:`));
  await row(page, `${mark} b`).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("x");
  await page.keyboard.press("Shift+ArrowDown");
  await page.waitForSelector(".picked");
  await page.keyboard.press("s");
  await page.waitForSelector(".pop.menu");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  for (const name of ["a", "b"]) await until(async () => { const p = (await stored(page, `${mark} ${name}`))[0].properties; return p.status === "New" && !p.classification; }, `open again ${name}`);
  await page.keyboard.press("m");
  await page.waitForSelector(".dlg .radios");
  const into = (await text(page, ".dlg .radios label:has(input:checked)")).replace(/\D*(\d+).*/s, "$1");
  await page.click(".dlg footer .pri");
  const merged = async () => (await Promise.all(["a", "b"].map(async (x) => (await stored(page, `${mark} ${x}`))[0].properties))).filter((p) => p.classificationComment === `Merged into ${into}`);
  await until(async () => (await merged()).length === 1, "one is merged into the other");
  assert.notEqual(String((await merged())[0].incidentNumber), into);
  await page.keyboard.press("Control+z");
  await until(async () => !(await merged()).length, "undone");
  await page.keyboard.press("Escape");
  await page.waitForSelector(".flt input");

  // Filter by mouse; it is in the address.
  await page.fill(".flt input", "");
  await page.locator(".cnt2", { hasText: "High" }).click();
  await page.waitForURL(/f=.*severity/);
  assert.equal(await page.locator(".cnt2", { hasText: "High" }).getAttribute("aria-pressed"), "true");

  // Copy as KQL says the filter.
  await page.locator(".ph .acts button", { hasText: "Copy as" }).click();
  await page.locator(".pop.menu button", { hasText: "KQL" }).click();
  await until(async () => /Severity in \("High"\)/.test(await page.evaluate(() => navigator.clipboard.readText())), "KQL is in the clipboard");

  // Enter opens the incident.
  if (await page.locator("rf-grid tbody tr").count()) {
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/incidents\/\d+/);
  }
  // Away with what the test made.
  await page.evaluate(async (m) => {
    const h = { "x-ringfort-portal": "1" }, s = await (await fetch("/portal/api/session", { headers: h })).json();
    const all = await (await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/incidents?api-version=2025-09-01&$filter=${encodeURIComponent(`startswith(properties/title,'${m}')`)}`, { headers: h })).json();
    for (const i of all.value) await fetch(`${i.id}?api-version=2025-09-01`, { method: "DELETE", headers: h });
  }, mark);
  assert.deepEqual(page.faults, []);
});
