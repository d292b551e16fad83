// Every page, in three themes, at 200 % zoom and at 320 px: no violation that axe-core knows of, nothing that scrolls sideways, no error on the console, no request elsewhere.
// A page is loaded once. A theme changes colours alone, so these are looked at in each; what else there is to find is looked at in each size.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live, pages } from "../lib/live.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

// A browser at 200 % has half of the pixels that it had.
const views = [
  { theme: "light", width: 1440, height: 900, options: { runOnly: tags } },
  { theme: "dark", width: 1440, height: 900, options: { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } } },
  { theme: "contrast", width: 1440, height: 900, options: { runOnly: { type: "rule", values: ["color-contrast", "link-in-text-block"] } } },
  { theme: "light", width: 720, height: 450, options: { runOnly: tags } },
  { theme: "light", width: 320, height: 700, options: { runOnly: tags } },
];

/** Skeletons are gone, what was read stands, and for a moment nothing was drawn. */
const settled = (page) => page.evaluate(() => new Promise((ok) => {
  const end = performance.now() + 15000;
  let quiet = performance.now();
  const watch = new MutationObserver(() => { quiet = performance.now(); });
  watch.observe(document.body, { subtree: true, childList: true, attributes: true });
  const look = setInterval(() => { const now = performance.now(); if (now > end || (now - quiet > 250 && !document.querySelector("main .skel, main [aria-busy=true]"))) { clearInterval(look); watch.disconnect(); ok(); } }, 50);
}));

async function look(page, name) {
  await page.emulateMedia({ reducedMotion: "reduce" });   // or a colour would be met on its way
  await page.evaluate(axe);
  for (const { theme, width, height, options } of views) {
    await page.setViewportSize({ width, height });
    await page.evaluate((x) => { document.documentElement.dataset.theme = x; }, theme);
    await settled(page);
    const { violations } = await page.evaluate((o) => window.axe.run(document, { ...o, resultTypes: ["violations"] }), options);
    const told = violations.map((v) => `${v.id} (${v.impact}): ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ""} ${n.html.slice(0, 160)}`).join("; ")}`);
    assert.deepEqual(told, [], `${name} ${theme} ${width} px`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${name} scrolls sideways at ${width} px`);
  }
}

describe("axe", { concurrency: 3 }, async () => {
  for (const path of await pages())
    test(path, { timeout: 120000 }, async () => {
      const page = await b.page(path, { theme: "light" });
      await look(page, path);
      assert.deepEqual(page.faults, [], path);
      await page.close();
    });
  test("signing in", { timeout: 120000 }, async () => {
    const stranger = await b.context.browser().newContext({ ignoreHTTPSErrors: true, bypassCSP: true, locale: "en-GB" }), page = await stranger.newPage();
    await page.goto(`${live.address}/portal/signin?return=/portal/`);
    await look(page, "who");
    await page.fill("input[name=loginfmt]", live.user);
    await page.click("#idSIButton9");
    await page.waitForSelector("input[name=passwd]");
    await look(page, "password");
    await page.fill("input[name=passwd]", "not this one");
    await page.click("#idSIButton9");
    await page.waitForSelector("#passwordError");
    await look(page, "wrong password");
    for (const scheme of ["dark"]) { await page.emulateMedia({ colorScheme: scheme }); await look(page, "wrong password, dark"); }
    await stranger.close();
  });
});
