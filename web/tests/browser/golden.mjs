// Golden pictures: pages drawn from fixed answers (tests/fixtures), in light and dark, beside the pictures of tests/golden. UPDATE_GOLDEN=1 writes them anew: look at them before they are kept.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

const here = new URL("../", import.meta.url), width = 1280, height = 800;
const now = new Date("2026-11-23T17:45:00Z");   // a little after the newest time in the fixtures
// What still counts as the same picture: at most this share of pixels that differ by more than `far` in a channel. Another build of the browser smooths letters a little otherwise.
const share = 0.005, far = 48;
const fixtures = (name) => JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, here), "utf8"));
const frame = fixtures("frame");

/** Pages with the element that says they have been drawn. */
const pages = [
  ["overview", "/", "ring-picture svg, ring-picture canvas"],
  ["incidents", "/incidents?sel=4", "rf-grid tbody tr"],
  ["incident", "/incidents/4", "rf-grid tbody tr"],
  ["vaults", "/vaults", ".p-vaults .lst li"],
  ["rules", "/rules", "rf-grid tbody tr"],
  ["resources", "/resources", "rf-grid tbody tr"],
];

let b, sheet, folder, open = [];
before(async () => {
  b = await browser(live);
  sheet = await b.context.newPage();
});
after(async () => { for (const x of open) await x.unrouteAll({ behavior: "ignoreErrors" }).catch(() => {}); await b?.close(); });

/** Answers every question of the page from the fixtures; one that has no answer there is noted. */
async function answer(page, name) {
  const known = [...fixtures(name), ...frame], unknown = [];
  open.push(page);
  await page.route((url) => !/^\/portal\/(?!api\/|vaults\/[^/]+\/)/.test(url.pathname), async (route) => {
    const r = route.request(), url = new URL(r.url()), ask = `${r.method()} ${decodeURIComponent(url.pathname + url.search)}`, body = r.postData() ?? "";
    if (r.resourceType() === "document") return route.fallback();
    if (url.pathname === "/portal/api/live") return;   // a stream on which nothing happens
    const found = known.find((f) => ask.startsWith(f.ask) && (!f.has || body.includes(f.has)));
    if (found) return route.fulfill({ status: found.status ?? 200, json: found.answer });
    unknown.push(`${ask} ${body}`.trim());
    return route.fulfill({ status: 404, json: { error: { code: "NoFixture", message: ask } } });
  });
  return unknown;
}

/** The page as a picture, once two in a row are the same. */
async function picture(page) {
  await page.evaluate(() => document.fonts.ready);
  let last;
  for (let i = 0; i < 20; i++) {
    const next = await page.screenshot({ type: "jpeg", quality: 70, animations: "disabled", caret: "hide" });
    if (last?.equals(next)) return next;
    last = next;
    await page.waitForTimeout(150);
  }
  assert.fail("the page does not come to rest");
}

/** How large a part of two pictures differs, and a picture of it: what differs is red, the rest pale. */
const compare = (one, two) => sheet.evaluate(async ([a, b, far]) => {
  const pixels = async (data) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), map = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    const canvas = new OffscreenCanvas(map.width, map.height), at = canvas.getContext("2d");
    at.drawImage(map, 0, 0);
    return at.getImageData(0, 0, map.width, map.height);
  };
  const [x, y] = await Promise.all([pixels(a), pixels(b)]);
  if (x.width !== y.width || x.height !== y.height) return { share: 1, size: `${x.width}x${x.height} and ${y.width}x${y.height}` };
  let n = 0;
  for (let i = 0; i < x.data.length; i += 4) {
    const differs = Math.max(Math.abs(x.data[i] - y.data[i]), Math.abs(x.data[i + 1] - y.data[i + 1]), Math.abs(x.data[i + 2] - y.data[i + 2])) > far;
    if (differs) n++;
    const pale = 200 + (x.data[i] + x.data[i + 1] + x.data[i + 2]) / 14;
    x.data.set(differs ? [220, 0, 0, 255] : [pale, pale, pale, 255], i);
  }
  const canvas = new OffscreenCanvas(x.width, x.height);
  canvas.getContext("2d").putImageData(x, 0, 0);
  const png = new Uint8Array(await (await canvas.convertToBlob({ type: "image/png" })).arrayBuffer());
  let text = "";
  for (let i = 0; i < png.length; i += 8192) text += String.fromCharCode(...png.subarray(i, i + 8192));
  return { share: n / (x.width * x.height), png: btoa(text) };
}, [one.toString("base64"), two.toString("base64"), far]);

async function same(name, got, limit = share) {
  const file = new URL(`golden/${name}.jpg`, here);
  if (process.env.UPDATE_GOLDEN) { writeFileSync(file, got); return; }
  assert.ok(existsSync(file), `there is no picture tests/golden/${name}.jpg: make it with UPDATE_GOLDEN=1`);
  const kept = readFileSync(file);
  if (kept.equals(got)) return;
  const d = await compare(kept, got);
  if (d.share <= limit) return;
  folder ??= process.env.GOLDEN_OUT ?? mkdtempSync(join(tmpdir(), "golden-"));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.jpg`), got);
  if (d.png) writeFileSync(join(folder, `${name}-difference.png`), Buffer.from(d.png, "base64"));
  assert.fail(`${name}: ${d.size ? `sizes are ${d.size}` : `${(d.share * 100).toFixed(2)} % of the pixels differ, ${limit * 100} % may`}. The new picture and the difference are in ${folder}; if it should look so, keep it with UPDATE_GOLDEN=1`);
}

async function draw(page, theme) {
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
}

for (const [name, path, wait] of pages) test(name, async () => {
  const page = await b.context.newPage(), faults = [];
  page.on("pageerror", (e) => faults.push(String(e)));
  await page.clock.setFixedTime(now);
  // Code is set in a font of the system's, which differs from machine to machine: Liberation Mono is there wherever these tests run.
  await page.addInitScript(() => addEventListener("DOMContentLoaded", () => document.documentElement.style.setProperty("--rf-mono", '"Liberation Mono"')));
  const unknown = await answer(page, name);
  await draw(page, "light");
  await page.goto(`${live.address}/portal${path}`);
  await page.waitForSelector(wait, { timeout: 15000 }).catch(() => {});
  await page.waitForTimeout(400);
  assert.deepEqual(unknown, [], `tests/fixtures/${name}.json has an answer to each question`);
  await same(`${name}-light`, await picture(page));
  await draw(page, "dark");
  await same(`${name}-dark`, await picture(page));
  assert.deepEqual(faults, []);
  await page.close();
});

test("sign-in", async () => {
  // Made by the server, so it says who that is, in a font of the system's: both are set to what is the same everywhere. Letters of that font may differ a little more.
  const guest = await b.context.browser().newContext({ ignoreHTTPSErrors: true, locale: "en-GB" }), page = await guest.newPage();
  await draw(page, "light");
  await page.goto(`${live.address}/portal/signin?return=/portal/`);
  await page.waitForSelector("input[name=loginfmt]");
  await page.evaluate(() => {
    document.body.style.fontFamily = '"Liberation Sans"';
    for (const x of document.querySelectorAll("input, button")) x.style.fontFamily = "inherit";
    const text = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let n; (n = text.nextNode());) if (n.data.trim() === location.host) n.data = "portal.contoso.example";
    const [mark, name] = [document.querySelector(".org .av"), document.querySelector(".org .av").nextElementSibling ?? document.querySelector(".org .av").nextSibling];
    mark.textContent = "CS";
    name.textContent = "Contoso Shipping";
  });
  await same("sign-in-light", await picture(page), 0.01);
  await draw(page, "dark");
  await same("sign-in-dark", await picture(page), 0.01);
  await guest.close();
});
