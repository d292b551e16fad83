// The frame: navigation by mouse and keys, palette, menus, preferences, the end of a session, a server that is away for a moment.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());
const at = (page) => page.evaluate(() => location.pathname + location.search);
const heading = (page) => page.locator("main h1").first().textContent().then((s) => s.trim());
const focused = (page) => page.evaluate(() => document.activeElement?.tagName);

test("links, back and forward, focus to the heading", async () => {
  const page = await b.page("/incidents");
  await page.click("nav.nav a[href='/portal/rules']");
  await page.waitForFunction(() => document.title.startsWith("Rules"));
  assert.equal(await at(page), "/portal/rules");
  assert.equal(await focused(page), "H1");
  assert.equal(await page.locator("nav.nav a[aria-current=page]").textContent().then((s) => s.trim().replace(/\d.*$/, "")), "Rules");
  await page.goBack();
  await page.waitForFunction(() => document.title.startsWith("Incidents"));
  await page.goForward();
  await page.waitForFunction(() => document.title.startsWith("Rules"));
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("g and a letter, but not while typing", async () => {
  const page = await b.page("/health");
  await page.locator("main h1").first().focus();
  await page.keyboard.press("g");
  await page.keyboard.press("v");
  await page.waitForFunction(() => location.pathname === "/portal/vaults");
  await page.keyboard.press("Control+k");
  await page.waitForSelector("dialog.palette[open]");
  await page.keyboard.type("gi");
  assert.equal(await at(page), "/portal/vaults");
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog.palette", { state: "detached" });
  await page.close();
});

test("the palette finds pages, resources, people, tables and acts", async () => {
  const page = await b.page("/health");
  const ask = async (text) => {
    await page.keyboard.press("Control+k");
    await page.waitForSelector("dialog.palette[open]");
    await page.keyboard.type(text);
    await page.waitForFunction((first) => document.querySelector(".palette [role=option]") && !document.querySelector(".palette .none") && (document.querySelector(".palette [role=group]")?.getAttribute("aria-label") !== first), text.length > 1 && "#@/>".includes(text[0]) ? "Recent" : "none", { timeout: 8000 });
    const hits = await page.locator(".palette [role=option]").allTextContents();
    return hits;
  };
  assert.ok((await ask("vaults")).some((h) => h.includes("Key vaults")));
  await page.keyboard.press("Escape");
  assert.ok((await ask("/SigninL")).some((h) => h.includes("SigninLogs")));
  await page.keyboard.press("Escape");
  assert.ok((await ask(`@${live.user.slice(0, 3)}`)).some((h) => h.includes(live.user)));
  await page.keyboard.press("Escape");
  assert.ok((await ask(">dark")).some((h) => h.includes("Dark")));
  await page.keyboard.press("Escape");
  await ask("incidents");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => location.pathname === "/portal/incidents");
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("the sheet of keys names this page's and the frame's", async () => {
  const page = await b.page("/incidents");
  await page.locator("main h1").first().focus();
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open] .keys-sheet");
  const text = await page.locator(".keys-sheet").textContent();
  for (const word of ["Command palette", "Undo the last act", "Key vaults"]) assert.ok(text.includes(word), word);
  await page.keyboard.press("Escape");
  await page.waitForSelector("dialog", { state: "detached" });
  await page.close();
});

test("theme, zone and density are chosen, kept by the server and there after a reload", async () => {
  const page = await b.page("/health");
  const choose = async (button, item) => {
    await page.locator(".tools").getByRole("button", { name: button }).click();
    const kept = page.waitForResponse((r) => r.url().endsWith("/portal/api/preferences"));
    await page.getByRole("menuitemradio", { name: item, exact: true }).click();
    const r = await kept;
    assert.ok(r.ok(), `preferences: ${r.status()}`);
  };
  await choose(/Theme/, "Dark");
  await choose(/Time zone/, "UTC");
  await choose(/Theme/, "Comfortable rows");
  await page.evaluate(() => localStorage.clear());   // what comes back comes from the server
  await page.reload();
  await page.waitForSelector("main h1");
  assert.deepEqual(await page.evaluate(() => ({ ...document.documentElement.dataset })), { theme: "dark", density: "comfortable" });
  await choose(/Theme/, "As the system");
  await choose(/Theme/, "Compact rows");
  assert.deepEqual(await page.evaluate(() => ({ ...document.documentElement.dataset })), {});
  await page.close();
});

test("menus: arrows, Escape gives the focus back", async () => {
  const page = await b.page("/health");
  const button = page.locator(".tools").getByRole("button", { name: /Theme/ });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=menu]");
  await page.keyboard.press("End");
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), "Comfortable rows");
  await page.keyboard.press("Escape");
  await page.waitForSelector("[role=menu]", { state: "detached" });
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /Theme/);
  await page.close();
});

test("an address that no page has, and a reload of one that has", async () => {
  const page = await b.page("/no/such/page");
  assert.equal(await heading(page), "No such page");
  assert.equal(await page.title(), "No such page - Ringfort");
  await page.goto(`${live.address}/portal/incidents?t=30d`);
  await page.waitForFunction(() => document.title.startsWith("Incidents"));
  await page.reload();
  await page.waitForFunction(() => document.title.startsWith("Incidents"));
  assert.equal(await at(page), "/portal/incidents?t=30d");
  await page.close();
});

test("a server that is away for a moment: the status line says so, and the answer still comes", async () => {
  const page = await b.page("/health");
  let away = 3;
  await page.route(/\/subscriptions\/[^/]+\/resources/, (route) => (away-- > 0 ? route.abort("connectionrefused") : route.continue()));
  await page.click("nav.nav a[href='/portal/incidents']");
  await page.keyboard.press("Control+k");
  await page.waitForSelector("dialog.palette[open]");
  await page.keyboard.type("main");
  await page.waitForFunction(() => /No answer since/.test(document.querySelector(".foot").textContent), null, { timeout: 5000 });
  await page.waitForFunction(() => [...document.querySelectorAll(".palette [role=option]")].some((o) => /workspaces/i.test(o.textContent)), null, { timeout: 15000 });
  await page.waitForFunction(() => !/No answer since/.test(document.querySelector(".foot").textContent));
  await page.close();
});

test("the session ends: what was typed stays, and a sign-in elsewhere is noticed", async () => {
  const page = await b.page("/health");
  let over = true;
  await page.route(/\/(portal\/api|subscriptions|v1\.0)\//, (route) => (over ? route.fulfill({ status: 401, json: { error: { code: "SessionOver", message: "The portal's session is over." } } }) : route.continue()));
  await page.keyboard.press("Control+k");
  await page.waitForSelector("dialog.palette[open]");
  await page.keyboard.type("@somebody");
  await page.waitForSelector(".bar-note");
  assert.equal(await page.locator(".palette input").inputValue(), "@somebody");
  await page.keyboard.press("Escape");
  assert.match(await page.locator(".bar-note a").getAttribute("href"), /^\/portal\/signin\?return=%2Fportal%2Fhealth/);
  over = false;
  await page.evaluate(() => dispatchEvent(new Event("focus")));
  await page.waitForSelector(".bar-note", { state: "detached" });
  await page.close();
});

test("narrow: nothing of the page is wider than the window", async () => {
  const page = await b.page("/incidents", { width: 360, height: 740 });
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await page.close();
});

test("another language: texts, dates and numbers, and back", async () => {
  const page = await b.page("/health");
  const choose = async (name, shown) => {
    await page.locator(".me").click();
    await page.getByRole("menuitemradio", { name, exact: true }).click();
    await page.waitForFunction((l) => document.documentElement.lang === l && document.querySelector("main h1"), shown, { timeout: 15000 });
  };
  await choose("Deutsch", "de");
  assert.match(await page.locator("nav.nav").textContent(), /Vorfälle/);
  await choose("Sprache des Browsers", "en");
  assert.match(await page.locator("nav.nav").textContent(), /Incidents/);
  assert.deepEqual(page.faults, []);
  await page.close();
});
