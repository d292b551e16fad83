// Health and audit: the hardening report as the server gives it, who did what by filters and search, the way from a row to its resource; by mouse and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

const mark = `q2-${Date.now().toString(36)}`;
const until = async (f, what) => { for (let i = 0; i < 100; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };
const ask = (page, path, method = "GET", body, headers = {}) => page.evaluate(async ([p, m, x, h]) => {
  const r = await fetch(p, { method: m, headers: { "x-ringfort-portal": "1", "content-type": "application/json", ...h }, body: x === undefined ? undefined : JSON.stringify(x) });
  const text = await r.text();
  return { status: r.status, body: text && /json/.test(r.headers.get("content-type") ?? "") ? JSON.parse(text) : text };
}, [path, method, body, headers]);

test("health: processes, disk and each layer of each process as the server reports them", async () => {
  const page = await b.page("/health", { wait: ".hard tbody tr" });
  const h = (await ask(page, "/portal/api/health")).body, names = Object.keys(h.hardening[0].report.Layers);
  assert.deepEqual(await page.locator(".hard tbody th").allInnerTexts(), names);
  assert.deepEqual(await page.locator(".hard thead th").allInnerTexts().then((x) => x.slice(1)), h.hardening.map((x) => x.report.Role));
  for (const [i, { report: r }] of h.hardening.entries())
    for (const [k, n] of names.entries()) {
      const cell = page.locator(".hard tbody tr").nth(k).locator("td").nth(i);
      const want = r.Layers[n] ? "ok" : r.Reasons[n] === "not of this role" ? null : "fail";
      assert.equal(await cell.locator("rf-state").count() ? await cell.locator("rf-state").getAttribute("s") : null, want, `${r.Role} ${n}`);
    }
  // Each process that the server can name, each queue with its room, the signed end of each log.
  const text = await page.locator("main").innerText();
  for (const p of h.processes) assert.ok(text.includes(p.pid > 1 ? `${p.role} pid ${p.pid}` : p.role), p.role);
  assert.equal(await page.locator(".queues li").count(), (h.queues ?? []).length);
  assert.equal(await page.locator('[aria-label] li code[title]').count(), (h.logs ?? []).length);
  // Read again, by key and by mouse: each asks the server.
  for (const run of [async () => { await page.locator("main h1").focus(); await page.keyboard.press("r"); }, () => page.locator(".ph .acts > button").last().click()]) {
    const asked = page.waitForResponse((r) => r.url().endsWith("/portal/api/health"));
    await run();
    assert.equal((await asked).status(), 200);
  }
  // From the report to its rows, by keyboard.
  await page.locator(".card:has(.hard) header a").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((u) => u.pathname.endsWith("/portal/logs") && /RingfortHardening/.test(u.searchParams.get("q") ?? ""));
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("audit: search, filters, a row and its resource; a reload finds the same", async () => {
  const page = await b.page("/health"), ws = (await ask(page, "/portal/api/session")).body.workspace.id, rule = `${ws}/providers/Microsoft.SecurityInsights/alertRules/${mark}?api-version=2025-09-01`;
  const body = { kind: "Scheduled", properties: { displayName: mark, severity: "Low", enabled: false, query: "print 1", queryFrequency: "PT1H", queryPeriod: "PT1H", triggerOperator: "GreaterThan", triggerThreshold: 0, suppressionEnabled: false, suppressionDuration: "PT5H" } };
  try {
    assert.equal((await ask(page, rule, "PUT", body)).status, 201);
    assert.equal((await ask(page, rule, "PUT", body, { "if-match": '"0"' })).status, 412, "one that is refused");
    await page.locator("main h1").focus();
    await page.keyboard.press("2");
    await page.waitForURL(/tab=audit/);
    await page.locator("rf-grid tbody tr").first().waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type(mark);
    await page.waitForURL(/q=q2-/);
    const rows = page.locator("rf-grid tbody tr", { hasText: mark });
    await until(async () => { await page.locator("main h1").focus(); await page.keyboard.press("r"); await page.waitForTimeout(400); return (await rows.count()) === 2; }, "both writes are in the list");

    // Only what failed, by the menu.
    await page.click(".flt [aria-haspopup=menu]");
    await page.locator(".pop.menu [role^=menuitem]").nth(3).click();
    await page.waitForURL(/f=result/);
    await until(async () => (await rows.count()) === 1, "one of them failed");
    assert.equal(await rows.first().locator("rf-state").getAttribute("s"), "fail");

    // Into the row by keyboard; it survives a reload.
    await page.focus("main input[type=search]");
    await page.keyboard.press("ArrowDown");
    await page.waitForURL(/sel=/);
    await page.locator(".pane rf-inspector", { hasText: live.user }).waitFor();
    await page.reload();
    await page.locator(".pane rf-inspector", { hasText: mark }).waitFor();
    assert.equal(await page.inputValue("main input[type=search]"), mark);
    assert.equal(await rows.count(), 1);
    // Escape closes the pane and gives the focus back to the row; Enter goes from it to the links.
    await page.locator("rf-grid td[tabindex='0']").first().focus();
    await page.keyboard.press("Escape");
    await page.waitForURL((u) => !u.searchParams.get("sel"));
    // The chip takes the filter away.
    await page.locator(".flt .chip button, .flt button.chip").first().click();
    await until(async () => (await rows.count()) === 2, "the filter is gone");
    await rows.first().locator("td").nth(1).click();
    await page.locator(".pane .links a").first().click();
    await page.waitForURL((u) => u.pathname.includes("/portal/resources/"));

    // A search that finds nothing says so and goes away by one key.
    await page.goto(`${live.address}/portal/health?tab=audit&q=no-such-thing-${mark}`);
    await page.locator(".card.audit .state button").focus();
    await page.keyboard.press("Enter");
    await page.locator("rf-grid tbody tr").nth(2).waitFor();
    page.faults = page.faults.filter((f) => !/412/.test(f));
    assert.deepEqual(page.faults, []);
  } finally { await ask(page, rule, "DELETE"); await page.close(); }
});
