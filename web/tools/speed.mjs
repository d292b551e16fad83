// node web/tools/speed.mjs LIVE.json [TIMES] - how soon pages of a running server are painted and usable, in a browser that has loaded nothing before (cold) and in one that has (warm).
//   painted  first contentful paint            usable  the last answer is there, and no part of the page waits any more
// Medians and the worst of TIMES (9) loads, in milliseconds since the address was opened. Then: how long a key takes until its effect is painted, and frames while a million rows are scrolled.
import { readFileSync } from "node:fs";
import { browser } from "../tests/lib/browser.mjs";

const live = JSON.parse(readFileSync(process.argv[2], "utf8")), times = Number(process.argv[3] ?? 9);
const boot = JSON.parse(readFileSync(live.bootstrap, "utf8")), vault = new URL(boot.vault_named_url).hostname.split(".")[0];
const paths = process.argv.slice(4).length ? process.argv.slice(4) : ["/", "/incidents", "/logs", "/rules", "/hubs", `/vaults/${vault}`, "/identity", "/resources", "/health"];
const b = await browser(live);
const middle = (all) => all.toSorted((x, y) => x - y)[all.length >> 1];

async function load(path, cold) {
  const page = await b.context.newPage();
  if (cold) { const d = await b.context.newCDPSession(page); await d.send("Network.clearBrowserCache"); }
  await page.addInitScript(() => {
    window.usable = 0;
    const done = () => { const main = document.querySelector("main"); return main?.querySelector("h1") && !main.querySelector(".skel, [aria-busy=true], .state.wait") && document.querySelector("rf-app")?.dataset.loading === undefined; };
    let since = 0;
    const look = () => { if (done()) { since ||= performance.now(); if (performance.now() - since > 400) { window.usable = since; return; } } else since = 0; requestAnimationFrame(look); };
    requestAnimationFrame(look);
  });
  await page.goto(`${live.address}/portal${path}`);
  await page.waitForFunction(() => window.usable, null, { timeout: 60000 });
  const found = await page.evaluate(() => ({ painted: performance.getEntriesByName("first-contentful-paint")[0].startTime, usable: Math.max(window.usable, ...performance.getEntriesByType("resource").filter((r) => !r.name.includes("/portal/api/live") && r.responseEnd < window.usable + 400).map((r) => r.responseEnd)), requests: performance.getEntriesByType("resource").filter((r) => !r.name.includes("/assets/")).length }));
  await page.close();
  return found;
}
console.log("page                              cold: painted  usable (worst)   warm: painted  usable (worst)   requests");
for (const path of paths) {
  const cold = [], warm = [];
  for (let i = 0; i < times; i++) cold.push(await load(path, true));
  for (let i = 0; i < times; i++) warm.push(await load(path, false));
  const n = (x) => String(Math.round(x)).padStart(6), of = (all) => `${n(middle(all.map((x) => x.painted)))}  ${n(middle(all.map((x) => x.usable)))} (${n(Math.max(...all.map((x) => x.usable)))})`;
  console.log(path.padEnd(34), "     ", of(cold), "       ", of(warm), "     ", warm[0].requests);
}

/** From the event to the second frame behind it, when what it changed has been painted. */
const page = await b.page("/resources");
await page.waitForSelector("rf-grid tbody tr");
const act = (f) => page.evaluate(async (f) => { const from = performance.now(); new Function(f)(); await new Promise((ok) => requestAnimationFrame(() => requestAnimationFrame(ok))); return performance.now() - from; }, f);
const keys = [];
for (let i = 0; i < 30; i++) keys.push(await act(`document.activeElement.dispatchEvent(new KeyboardEvent("keydown",{key:"j",bubbles:true}))`));
console.log(`a key in the list of resources: median ${Math.round(middle(keys))} ms, worst ${Math.round(Math.max(...keys))} ms; rows ${await page.evaluate(() => document.querySelector("rf-grid").rows.length)}`);
// A million rows in the same grid, scrolled by a screen with each frame.
const frames = await page.evaluate(async () => {
  const g = document.querySelector("rf-grid"), one = g.rows[2];
  g.rows = Array.from({ length: 1_000_000 }, (_, i) => ({ ...one, id: `${one.id}-${i}`, name: `row ${i}` }));
  await g.updateComplete;
  const box = g.querySelector(".tw"), all = [];
  let last = performance.now();
  for (let i = 0; i < 240; i++) { box.scrollTop += 600; await new Promise((ok) => requestAnimationFrame(ok)); const now = performance.now(); all.push(now - last); last = now; }
  return all.slice(5);
});
const sorted = frames.toSorted((x, y) => x - y);
console.log(`a frame while a million rows are scrolled: median ${middle(frames).toFixed(1)} ms, 95 of 100 within ${sorted[Math.floor(sorted.length * 0.95)].toFixed(1)} ms, worst ${sorted.at(-1).toFixed(1)} ms`);
await b.close();
