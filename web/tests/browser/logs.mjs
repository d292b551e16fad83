// The Logs page against a living server: write with completion, run, filter from a cell, chart, share. RINGFORT_LIVE names the server (tests/lib/live.mjs).
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());
const at = (q, more = "") => `/logs?q=${encodeURIComponent(q)}${more}`;
const editor = "rf-kql-editor .monaco-editor", rows = "rf-grid tbody tr[data-r]";
const text = (page) => page.evaluate(() => document.querySelector("rf-kql-editor").value);
const ready = async (page) => { await page.waitForSelector(`${editor} .view-lines`, { timeout: 20000 }); };
/** The language service has looked at the text. */
const checked = (page, what) => page.locator(".edbar [role=status]").filter({ hasText: what }).waitFor({ timeout: 40000 });

test("a query is written with completion, checked, run by Shift+Enter, and stands in the address", async () => {
  const page = await b.page("/logs");
  await ready(page);
  await page.click(`${editor} .view-lines`);
  await page.keyboard.press("Control+a");
  await page.keyboard.type("SigninLo", { delay: 20 });
  const row = page.locator(".suggest-widget .monaco-list-row").filter({ hasText: "SigninLogs" }).first();
  await row.waitFor({ timeout: 40000 });
  await page.keyboard.press("Tab");
  await page.keyboard.type("where ResultType !in (\"zz\") | take 7", { delay: 5 });
  await page.keyboard.press("Escape");
  await checked(page, /Valid, at most/);
  assert.match(await text(page), /^SigninLogs\s*\| where ResultType !in \("zz"\) \| take 7$/);
  await page.keyboard.press("Shift+Enter");
  await page.waitForSelector(rows);
  assert.equal(await page.locator(rows).count(), 7);
  await page.waitForURL((u) => /take 7/.test(u.searchParams.get("q") ?? ""));
  assert.match(await page.locator(".stat").textContent(), /7 rows.*read .* rows/s);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("a name that is not there is marked by the language service before it is run, and by the server after", async () => {
  const page = await b.page(at("SigninLogs\n| where Foo == 1"));
  await ready(page);
  await checked(page, /Line 2, column 9/);
  await page.waitForSelector(".res [role=alert]");
  assert.match(await page.locator(".res [role=alert]").textContent(), /Line 2, column 9: there is no column 'Foo' here.*kept.*SEM0100/s);
  assert.equal(await text(page), "SigninLogs\n| where Foo == 1");
  await page.waitForSelector(`${editor} .squiggly-error`);
  assert.deepEqual(page.faults.filter((f) => !/status of 400/.test(f)), []);
  await page.close();
});

test("only this from a cell goes before render and runs; the link gives the same state again", async () => {
  const query = "SigninLogs\n| summarize Rows = count() by IPAddress, bin(TimeGenerated, 10m)\n| order by Rows desc\n| render columnchart";
  const page = await b.page(at(query, "&t=7d"));
  await page.waitForSelector(rows);
  await page.waitForSelector("aside rf-result-chart svg.ch");
  const cell = page.locator(`rf-grid tbody tr[data-r="0"] td[data-c="0"]`), ip = (await cell.textContent()).trim();
  await cell.click();
  await page.keyboard.press("+");
  const expected = query.replace("\n| render", `\n| where IPAddress == "${ip}"\n| render`);
  await page.waitForFunction((x) => document.querySelector("rf-kql-editor").value === x, expected);
  await page.waitForFunction((x) => { const all = [...document.querySelectorAll('rf-grid tbody td[data-c="0"]')]; return all.length > 0 && all.every((c) => c.textContent.trim() === x); }, ip);
  await page.waitForURL((u) => u.searchParams.get("q") === expected && u.searchParams.get("t") === "7d");
  const other = await b.page(new URL(page.url()).pathname.replace("/portal", "") + new URL(page.url()).search);
  await other.waitForSelector(rows);
  assert.equal(await text(other), expected);
  assert.match(await other.locator("rf-time-picker").textContent(), /Last 7 days/);
  assert.equal(await other.locator(`rf-grid tbody td[data-c="0"]`).first().textContent().then((x) => x.trim()), ip);
  await page.goBack();
  await page.waitForFunction((x) => document.querySelector("rf-kql-editor").value === x, query);
  assert.deepEqual([...page.faults, ...other.faults], []);
  await page.close();
  await other.close();
});

test("sorting is in the address; Enter opens the row, with dynamics as a tree, and Escape goes back to it", async () => {
  const page = await b.page(at('range N from 1 to 5 step 1 | extend Bag = bag_pack("user", strcat("u", N), "n", N)'));
  await page.waitForSelector(rows);
  const head = page.locator('rf-grid thead [data-c="0"] .hd');
  await head.click();
  await head.click();
  await page.waitForURL((u) => u.searchParams.get("sort") === "-0");
  assert.equal((await page.locator('rf-grid tbody tr[data-r="0"] td[data-c="0"]').textContent()).trim(), "5");
  await page.locator('rf-grid tbody tr[data-r="0"] td[data-c="0"]').click();
  await page.keyboard.press("Enter");
  await page.waitForSelector(".row-pane rf-inspector");
  assert.match(await page.locator(".row-pane").textContent(), /u5/);
  await page.locator('.row-pane [data-path="Bag.user"] button[aria-label="Only this"]').first().dispatchEvent("click");
  await page.waitForFunction(() => document.querySelector("rf-kql-editor").value.endsWith('\n| where tostring(Bag.user) == "u5"'));
  await page.waitForFunction(() => document.querySelectorAll("rf-grid tbody tr[data-r]").length === 1);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("half a million rows scroll, and the server's limit is said in words", async () => {
  const page = await b.page(at("range N from 1 to 600000 step 1 | extend Text = strcat('row ', N)"));
  await page.waitForSelector(rows, { timeout: 30000 });
  assert.match(await page.locator(".res-note").textContent(), /first 500,000 rows.*more than 500000 rows/s);
  await page.locator('rf-grid tbody tr[data-r="0"] td[data-c="0"]').click();
  await page.keyboard.press("Control+End");
  await page.waitForSelector('rf-grid tbody tr[data-r="499999"]');
  assert.equal((await page.locator('rf-grid tbody tr[data-r="499999"] td[data-c="1"]').textContent()).trim(), "row 500000");
  assert.ok(await page.locator("rf-grid tbody tr").count() < 120);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("every chart that render names is drawn, and each has its table", async () => {
  const page = await b.page("/logs");
  await ready(page);
  const base = "range N from 1 to 60 step 1 | extend T = datetime(2026-01-01) + N * 1h, Kind = strcat('k', N % 8), V = N % 13 ";
  const all = { timechart: "| project T, Kind, V", linechart: "| project T, V", areachart: "| project T, Kind, V", columnchart: "| summarize V = sum(V) by Kind", barchart: "| summarize V = sum(V) by Kind", piechart: "| summarize V = sum(V) by Kind", scatterchart: "| project N, V" };
  for (const [kind, shape] of Object.entries(all)) {
    await page.goto(`${live.address}/portal${at(`${base}${shape} | render ${kind} with (title="Title of ${kind}")`, "&view=chart")}`);
    await page.waitForSelector("rf-result-chart :is(svg.ch, .plot-bars)");
    assert.match(await page.locator("rf-result-chart h2").textContent(), new RegExp(`Title of ${kind}`));
    assert.ok((await page.locator("rf-result-chart .plot-about").textContent()).length > 15, kind);
    await page.locator("rf-result-chart .plot-head button").click();
    assert.ok(await page.locator("rf-result-chart table tbody tr").count() > 1, kind);
  }
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("without the large editor a plain field does, with the same keys", async () => {
  const page = await b.context.newPage();
  await page.route(/\/assets\/editor-[^/]*\.js$/, (route) => route.abort());
  await page.goto(`${live.address}/portal/logs`);
  const field = page.locator("textarea.kql-plain");
  await field.waitFor();
  await page.waitForSelector(".kql-failed");
  await field.fill("print Answer = 42");
  await field.press("Shift+Enter");
  await page.waitForSelector(rows);
  assert.equal((await page.locator(rows).first().textContent()).trim(), "42");
  await page.close();
});

test("what is typed while the editor loads goes over into it; Escape and Tab leave it", async () => {
  const page = await b.context.newPage();
  let go;
  const wait = new Promise((ok) => { go = ok; });
  await page.route(/\/assets\/editor-[^/]*\.js$/, async (route) => { await wait; await route.fallback(); });
  await page.goto(`${live.address}/portal/logs`);
  const field = page.locator("textarea.kql-plain");
  await field.waitFor();
  await field.pressSequentially("print Before = 1");
  go();
  await ready(page);
  assert.equal(await text(page), "print Before = 1");
  await page.waitForFunction(() => document.activeElement?.closest(".monaco-editor"));
  await page.keyboard.type(", After = 2");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await text(page), "print Before = 1, After = 2");
  assert.ok(await page.evaluate(() => !document.activeElement.closest(".monaco-editor")));
  await page.close();
});

test("saved as a function it can be called, and undo takes it away", async () => {
  const alias = `SavedByTest${Date.now().toString(36)}`, page = await b.page(at("print X = 1"));
  await page.waitForSelector(rows);
  await page.getByRole("button", { name: "Save as" }).click();
  await page.getByRole("menuitem", { name: "Function" }).click();
  await page.getByLabel("Name", { exact: true }).fill(alias);
  await page.getByLabel("Called in queries as").fill(alias);
  await page.getByRole("button", { name: "Show what changes" }).click();
  await page.locator("dialog").filter({ hasText: `${alias}()` }).getByRole("button", { name: "Save", exact: true }).click();
  await page.waitForSelector("dialog", { state: "detached" });
  const called = await b.page(at(`${alias}()`));
  await called.waitForSelector(rows);
  assert.equal((await called.locator(rows).first().textContent()).trim(), "1");
  await page.locator(".ph h1").focus();
  await page.keyboard.press("Control+z");
  await page.waitForTimeout(1500);
  await called.keyboard.press("Shift+Enter");
  await called.waitForSelector(".res [role=alert]");
  assert.deepEqual(page.faults, []);
  await page.close();
  await called.close();
});
