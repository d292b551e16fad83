// Overview: the worst incident, the weakest control and connecting a source by mouse and by keyboard; at most six requests; reload comes back to the same state.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());


test("worst incident, weakest control, connecting a source", async () => {
  const asked = [];
  b.context.on("request", (r) => { const p = new URL(r.url()).pathname; if (!/\/assets\/|\/portal\/(?!api)/.test(p) && r.resourceType() !== "document") asked.push(`${r.method()} ${p}`); });
  const page = await b.page("/", { wait: "ring-picture" });
  await page.waitForSelector(".press rf-grid tbody tr, .press .state");
  await page.waitForTimeout(700);
  assert.ok(asked.length <= 6, `at most six requests: ${asked.join(", ")}`);

  // The picture has what the answers say: each control once, and the middle counts them.
  const rings = await page.evaluate(() => document.querySelector("ring-picture").data);
  assert.equal(rings.rings.length, 7);
  const all = rings.rings.flatMap((r) => r.segments), hold = all.filter((s) => s.state === "ok").length, known = all.filter((s) => /ok|partial|fail/.test(s.state)).length;
  assert.equal(rings.centre.value, `${hold}/${known}`);
  for (const s of all) assert.ok(s.detail, `${s.id} says why`);

  // As a list, and so again after reload.
  await page.locator(".rings header .btn").click();
  await page.waitForURL(/view=list/);
  assert.equal(await page.locator(".rings .lst li").count(), all.length);
  await page.reload();
  await page.waitForSelector(".rings .lst li");
  assert.match(page.url(), /view=list/);
  await page.locator(".rings header .btn").click();
  await page.waitForSelector("ring-picture");

  // The worst incident by key and by mouse.
  const worst = page.locator(".ph .acts .pri");
  if ((await worst.getAttribute("aria-disabled")) !== "true") {
    await page.keyboard.press("w");
    await page.waitForURL(/\/incidents\/\d+$/);
    await page.goBack();
    await page.waitForSelector(".press rf-grid tbody tr");
    const title = await page.locator(".press rf-grid a.nm").first().innerText();
    await worst.click();
    await page.waitForURL(/\/incidents\/\d+$/);
    await page.locator("main h1", { hasText: title }).waitFor();
    await page.goBack();
    await page.waitForSelector(".press rf-grid tbody tr");
    // A row by arrows and Enter.
    await page.keyboard.press("j");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/incidents\/\d+$/);
    await page.goBack();
  }
  // The weakest control by key.
  await page.waitForSelector("ring-picture");
  if (await page.locator(".weak .btn").count()) {
    const to = await page.locator(".weak .btn").getAttribute("href");
    await page.locator("main h1").focus();
    await page.keyboard.press("e");
    await page.waitForFunction((x) => location.pathname + location.search === x || location.pathname === new URL(x, location.href).pathname, to);
    await page.goBack();
  }
  await page.waitForSelector("ring-picture");
  await page.locator(".ph .acts a", { hasText: "Connect" }).click();
  await page.waitForURL(/\/connect/);
  assert.deepEqual(page.faults, []);
});
