// Rules: switched off and on, edited with a preview, tested on the past, saved with the etag of what was read, and undone; by mouse and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

const mark = `q1-${Date.now().toString(36)}`;
const until = async (f, what) => { for (let i = 0; i < 100; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };
/** Asks the server as the page would. */
const ask = (page, path, method = "GET", body, headers = {}) => page.evaluate(async ([p, m, x, h]) => {
  const r = await fetch(p, { method: m, headers: { "x-ringfort-portal": "1", "content-type": "application/json", ...h }, body: x === undefined ? undefined : JSON.stringify(x) });
  const text = await r.text();
  return { status: r.status, body: text && /json/.test(r.headers.get("content-type") ?? "") ? JSON.parse(text) : text };
}, [path, method, body, headers]);
const pathOf = async (page, id) => `${(await ask(page, "/portal/api/session")).body.workspace.id}/providers/Microsoft.SecurityInsights/alertRules/${id}?api-version=2025-09-01`;
// One row in every window of the past, whatever the estate has seen.
const one = 'print Message = "one row"';
const body = (name, more = {}) => ({ kind: "Scheduled", properties: { displayName: name, severity: "Low", enabled: false, query: one, queryFrequency: "PT1H", queryPeriod: "PT1H", triggerOperator: "GreaterThan", triggerThreshold: 5, suppressionEnabled: false, suppressionDuration: "PT5H", ...more } });
/** A page with a rule of its own, which goes with it. */
async function withRule(name, path, work, more) {
  const page = await b.page("/lab"), id = name.replaceAll(" ", "-"), at = await pathOf(page, id), read = async () => (await ask(page, at)).body.properties;
  const made = await ask(page, at, "PUT", body(name, more));
  assert.ok(made.status < 300, JSON.stringify(made.body));
  try {
    await page.goto(`${live.address}/portal${path(id)}`);
    await page.waitForSelector("main h1");
    await work(page, { id, at, read });
    assert.deepEqual(page.faults, []);
  } finally { await ask(page, at, "DELETE"); await page.close(); }
}

const editor = "rf-kql-editor .monaco-editor", query = (page) => page.$eval("rf-kql-editor", (e) => e.value);
/** Over what stands in the editor. */
const write = async (page, text) => { await page.locator(editor).waitFor(); await page.click(`${editor} .view-lines`); await page.keyboard.press("Control+a"); await page.keyboard.insertText(text); };

test("list: find, switch on and off, undo; a reload finds the same", () => withRule(`${mark} list`, () => "/rules", async (page, { id, read }) => {
  await page.waitForSelector("rf-grid tbody tr");
  await page.locator("main h1").focus();
  await page.keyboard.press("/");
  await page.keyboard.type(mark);
  await page.waitForURL(/q=q1-/);
  await page.locator("rf-grid tbody tr", { hasText: `${mark} list` }).waitFor();
  await page.keyboard.press("ArrowDown");
  await page.waitForURL(new RegExp(`sel=${id}`));

  // By keyboard on, and back by the tray.
  await page.keyboard.press("d");
  await until(async () => (await read()).enabled, "d switches it on");
  await page.locator('rf-grid tbody tr rf-state[s="ok"]').first().waitFor();
  await page.keyboard.press("Control+z");
  await until(async () => !(await read()).enabled, "the undo switches it off");

  // By mouse on; nothing else of the rule changes.
  await page.locator(".pane .acts button").first().click();
  await until(async () => (await read()).enabled, "the pane's button switches it on");
  assert.equal((await read()).query, one);
  await page.reload();
  await page.locator(".pane h2", { hasText: `${mark} list` }).waitFor();
  assert.equal(await page.inputValue("main input[type=search]"), mark);
  await page.locator('rf-grid tbody tr rf-state[s="ok"]').first().waitFor();

  // The counts are filters: among the disabled there is none of this name any more, and the way out is named.
  await page.locator(".cnt2").nth(1).click();
  await page.waitForURL(/f=state/);
  await page.locator(".card .state button").click();
  await page.locator("rf-grid tbody tr").nth(5).waitFor();
  assert.ok(!/[?&](f|q)=/.test(page.url()));
}));

test("rule: edit with preview, backtest, save, undo", () => withRule(`${mark} edit`, (id) => `/rules/${id}`, async (page, { id, read }) => {
  await page.locator(editor).waitFor();
  await page.click(`${editor} .view-lines`);
  await page.keyboard.press("Control+End");
  await page.keyboard.type(", Seen = now()");
  await page.keyboard.press("Shift+Enter");
  await page.locator(".pv rf-grid tbody tr", { hasText: "one row" }).waitFor();
  assert.match(await page.locator(".verdict").innerText(), /one row/);
  const quiet = await page.locator(".verdict b").innerText();
  await page.locator(".pv rf-chart").waitFor();   // the windows before, counted

  // An entity from a column of the preview's answer; a column that it has not is told before the server refuses it.
  await page.click('button[data-f="entityMappings"]');
  await page.fill(".map input", "Missing");
  await page.keyboard.press("Tab");
  await page.locator(".pv .note", { hasText: "Missing" }).waitFor();
  await page.fill(".map input", "Message");
  await page.keyboard.press("Tab");
  await page.locator(".pv .note").waitFor({ state: "detached" });

  // A lower threshold turns the verdict; what was typed outlives a reload.
  await page.fill('[data-f="triggerThreshold"]', "0");
  await page.keyboard.press("Tab");
  await until(async () => (await page.locator(".verdict b").innerText()) !== quiet, "the verdict follows the threshold");
  await page.reload();
  await page.locator("main .note", { hasText: /./ }).first().waitFor();
  assert.match(await query(page), /Seen = now\(\)/);
  assert.equal(await page.inputValue('[data-f="triggerThreshold"]'), "0");
  assert.equal((await read()).triggerThreshold, 5, "nothing is saved before it is said so");

  // Backtest by keyboard: a day has 24 windows of an hour, each with its one row.
  await page.locator("main h1").focus();
  await page.keyboard.press("b");
  await page.locator(".sum .big").first().waitFor({ timeout: 30000 });
  assert.deepEqual(await page.locator(".sum .big").allInnerTexts(), ["24", "24", "24"]);
  assert.match(page.url(), /tab=backtest/);

  // Save by mouse: the dialog shows the difference and what the backtest said.
  await page.click(".ph .acts .pri");
  await page.locator(".dlg rf-diff").waitFor();
  assert.match(await page.locator(".dlg").innerText(), /24/);
  await page.click(".dlg footer .pri");
  await until(async () => /Seen/.test((await read()).query), "saved");
  assert.equal((await read()).triggerThreshold, 0);
  assert.deepEqual((await read()).entityMappings, [{ entityType: "Account", fieldMappings: [{ identifier: "FullName", columnName: "Message" }] }]);
  await page.locator(".dlg").waitFor({ state: "detached" });
  assert.equal(await page.locator(".ph .acts .pri").getAttribute("aria-disabled"), "true");

  // Undo puts back the whole rule, on the page too.
  await page.locator("main h1").focus();
  await page.keyboard.press("Control+z");
  await until(async () => (await read()).query === one, "the undo writes what was");
  await page.goto(`${live.address}/portal/rules/${id}`);
  await page.locator(editor).waitFor();
  assert.equal(await query(page), one);
}));

test("rule: a change by somebody else in between is not written over", () => withRule(`${mark} etag`, (id) => `/rules/${id}`, async (page, { at, read }) => {
  await page.locator(editor).waitFor();
  assert.equal((await ask(page, at, "PUT", body(`${mark} etag`, { severity: "High" }))).status, 200);
  await write(page, `${one}, Mine = 1`);
  await page.locator("main h1").focus();
  await page.keyboard.press("w");
  await page.locator(".dlg rf-diff").waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".dlg [role=alert]").waitFor();
  assert.ok((await page.locator(".dlg [role=alert]").innerText()).includes(live.user), "who changed it is named");
  assert.equal((await read()).query, one);
  await page.keyboard.press("Escape");
  assert.match(await query(page), /Mine = 1/, "what was typed is kept");
  // With the newest version read, saving again shows the difference to it; it is knowingly written over.
  await page.keyboard.press("w");
  await page.locator(".dlg rf-diff", { hasText: "High" }).waitFor();
  await page.keyboard.press("Enter");
  await until(async () => /Mine/.test((await read()).query), "saved at the second time");
  page.faults = page.faults.filter((f) => !/412/.test(f));
}));

test("rule: a new one with its faults named, created, deleted", async () => {
  const page = await b.page("/rules", { wait: "rf-grid tbody tr" });
  let at = "";
  try {
    await page.locator("main h1").focus();
    await page.keyboard.press("n");
    await page.waitForURL(/\/rules\/new/);
    await page.locator(editor).waitFor();
    await write(page, "search *");
    await page.click(".ph .acts .pri");
    await until(() => page.evaluate(() => document.activeElement?.dataset.f === "displayName"), "the first fault has the focus");
    assert.ok((await page.locator(".bad[role=alert]").count()) >= 2, "name and query are faults");
    await page.fill('[data-f="displayName"]', `${mark} new`);
    await write(page, one);
    await page.locator("label.ck input").first().uncheck();   // it does not run
    await page.click(".ph .acts .pri");
    await page.click(".dlg footer .pri");
    await page.waitForURL((u) => /\/rules\/[0-9a-f-]{36}/.test(u.pathname));
    at = await pathOf(page, new URL(page.url()).pathname.split("/").pop());
    assert.equal((await ask(page, at)).body.properties.displayName, `${mark} new`);
    await page.locator("main h1", { hasText: `${mark} new` }).waitFor();
    await page.locator(".ph .acts button", { hasText: /./ }).nth(-2).click();
    await page.locator(".pop.menu [role^=menuitem]").last().click();
    await page.fill(".dlg input.in", `${mark} new`);
    await page.keyboard.press("Enter");
    await page.waitForURL((u) => u.pathname.endsWith("/rules"));
    assert.equal((await ask(page, at)).status, 404);
    page.faults = page.faults.filter((f) => !/404/.test(f));   // the line before asked for what is gone
    assert.deepEqual(page.faults, []);
  } finally { if (at) await ask(page, at, "DELETE"); await page.close(); }
});
