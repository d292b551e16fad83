// Every page in each state that a part may be in: waiting (a skeleton, then words and Stop), failed (words, code, request id, Try again), no right (the role named), read once and failing since (the old value with its time), nothing there yet (what to do next).
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live, pages } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

/** What stands where there is nothing, with the act that leads on; a page that is never empty has none. */
const nothing = {
  "/incidents": /No incident/, "/rules": /No rules?/, "/hubs": /No event hub/, "/vaults": /No vault|no vault/, "/resources": /No resource/,
};
const own = /^\/portal\/(api\/(session|preferences|live)|assets|signin)/;
const api = /^\/(portal\/(api|vaults)|subscriptions|v1\.0|beta|v1|providers)\//;
const fault = { status: 500, headers: { "x-ms-request-id": "11111111-2222-3333-4444-555555555555" }, json: { error: { code: "DiskFull", message: "There is no room left." } } };
const denied = { status: 403, headers: fault.headers, json: { error: { code: "AuthorizationFailed", message: "You have no right to read this." } } };

/** Answers the page's questions by `mode()`; what is about the frame goes to the server. */
async function between(page) {
  const held = [];
  let mode = "pass";
  await page.route((u) => api.test(u.pathname) && !own.test(u.pathname), async (route) => {
    if (route.request().resourceType() === "document") return route.fallback();
    if (mode === "wait") { held.push(route); return undefined; }
    if (mode === "fail") return route.fulfill(fault).catch(() => {});
    if (mode === "deny") return route.fulfill(denied).catch(() => {});
    if (mode === "none") {
      const path = new URL(route.request().url()).pathname;
      if (/\/query$/.test(path)) return route.fulfill({ json: { tables: [{ name: "PrimaryResult", columns: [], rows: [] }] } });
      if (/\/(incidents|alertRules|eventhubs|namespaces|vaults|resources|resourceGroups|users|locks)$/i.test(path) || /\/portal\/api\/hubs$/.test(path)) return route.fulfill({ json: { value: [], hubs: [] } });
    }
    return route.continue().catch(() => {});
  });
  return { set(next) { mode = next; if (next !== "wait") for (const r of held.splice(0)) void (next === "fail" ? r.fulfill(fault) : r.continue()).catch(() => {}); } };
}
const see = (page, what, seconds = 10) => page.waitForSelector(`main ${what}`, { timeout: seconds * 1000 });
const again = (page) => page.evaluate(() => document.querySelector("main").firstElementChild.reload());

describe("states", { concurrency: 3 }, async () => {
  for (const path of (await pages()).filter((p) => p !== "/lab"))   // the lab reads a file of one's own, nothing from the server
    test(path, { timeout: 120000 }, async () => {
      const page = await b.context.newPage(), answers = await between(page);
      try { await through(page, answers, path); } finally { answers.set("pass"); await page.close(); }
    });
});

async function through(page, answers, path) {
  answers.set("wait");
  await page.goto(`${live.address}/portal${path}`);
  await see(page, ".skel");
  await see(page, ".state-line button");
  answers.set("fail");
  await see(page, "[role=alert]");
  const words = await page.locator("main [role=alert]").first().innerText();
  assert.match(words, /There is no room left/, path);
  assert.match(words, /DiskFull 11111111/, path);
  answers.set("deny");
  await page.locator("main [role=alert] button", { hasText: "Try again" }).first().click();
  await see(page, ".state.outline");
  assert.match(await page.locator("main .state.outline").first().innerText(), /Needs .+ on .+|no right/i, path);
  answers.set("pass");
  await page.reload();
  await page.waitForFunction(() => document.querySelector("main h1") && !document.querySelector("main .skel, main .state.outline, main [role=alert]"), null, { timeout: 15000 });
  await page.waitForTimeout(700);
  answers.set("fail");
  await again(page);
  await see(page, ".note.stale");
  assert.match(await page.locator("main .note.stale").first().innerText(), /\d\d:\d\d/, path);
  if (nothing[path]) {
    answers.set("none");
    await page.reload();
    await page.waitForFunction((re) => new RegExp(re).test(document.querySelector("main")?.innerText), nothing[path].source, { timeout: 15000 });
    assert.ok(await page.locator("main .state a.btn, main .state button.btn").count(), `${path}: no way on from an empty page`);
  }
}
