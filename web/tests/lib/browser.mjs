// A browser for tests: Debian's chromium, signed in, with the shell and the assets of a freshly built folder laid over the server's.
//
//   const b = await browser({ address, user, password, out: "/tmp/…/web" });   // out: as given to build.mjs; without it the server's own files are tested
//   const page = await b.page("/incidents?sel=3", { theme: "dark", width: 1440, height: 900 });
//   …
//   assert.deepEqual(page.faults, []);      // console errors, script errors, refused by the content policy, requests to another host
//   await b.close();
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

const sleep = (ms) => new Promise((ok) => setTimeout(ok, ms));
const types = { js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", woff2: "font/woff2", html: "text/html; charset=utf-8" };
/** What the server sends with every page of the portal. */
export const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'";

const seen = async (page, what) => page.locator(what).first().isVisible().catch(() => false);
/** Goes through the sign-in pages, whose names are stable, until `done(url)`. `totp()` answers a code where one is asked. */
export async function signIn(page, { user, password, totp }, done) {
  for (let i = 0; i < 200; i++) {
    if (done(page.url())) return;
    const step = async (f) => { await f(); await page.waitForLoadState("domcontentloaded").catch(() => {}); await sleep(100); };
    const fault = await page.locator("#usernameError, #passwordError, #otcError, #errorText").first().textContent({ timeout: 50 }).catch(() => "");
    if (fault?.trim()) throw new Error(`the sign-in page says: ${fault.trim()}`);
    if (await seen(page, "input[name=passwd]")) await step(async () => { await page.fill("input[name=passwd]", password); await page.click("#idSIButton9"); });
    else if (await seen(page, "input[name=loginfmt]")) await step(async () => { await page.fill("input[name=loginfmt]", user); await page.click("#idSIButton9"); });
    else if (totp && (await seen(page, "#idSubmit_SAOTCC_Continue"))) await step(async () => { await page.fill("input[name=otc]", await totp()); await page.click("#idSubmit_SAOTCC_Continue"); });
    else if (await seen(page, "#idBtn_Accept")) await step(() => page.click("#idBtn_Accept"));
    else if (await seen(page, "#idBtn_Back")) await step(() => page.click("#idBtn_Back"));
    else await sleep(100);
  }
  throw new Error(`sign-in did not end; at ${page.url()}`);
}

/** Serves the built folder in place of the server's shell and assets; everything else goes to the server. */
export async function overlay(context, out) {
  const file = (path) => readFileSync(join(out, path));
  await context.route(/\/portal\/assets\//, (route) => {
    const name = decodeURIComponent(new URL(route.request().url()).pathname.slice("/portal/assets/".length));
    if (!/^[\w.-]+$/.test(name) || !existsSync(join(out, "assets", name))) return route.continue();
    return route.fulfill({ status: 200, contentType: types[name.split(".").pop()] ?? "application/octet-stream", body: file(join("assets", name)) });
  });
  // The page's policy is the server's own: only the text is ours.
  await context.route((url) => url.pathname.startsWith("/portal/") && !/^\/portal\/(api|assets|signin|signed-in|signout)(\/|$)/.test(url.pathname), async (route) => {
    if (route.request().resourceType() !== "document") return route.continue();
    const r = await route.fetch({ maxRedirects: 0 });
    if (r.status() !== 200 || !/html/.test(r.headers()["content-type"] ?? "")) return route.fulfill({ response: r });
    return route.fulfill({ status: 200, contentType: types.html, headers: { "content-security-policy": r.headers()["content-security-policy"] ?? policy }, body: file("index.html") });
  });
}

export async function browser({ address, user, password, totp, out, language = "en-GB" }) {
  const chrome = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--headless=new"] });
  const context = await chrome.newContext({ ignoreHTTPSErrors: true, locale: language, timezoneId: "UTC", viewport: { width: 1440, height: 900 } });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(address).origin }).catch(() => {});
  const first = await context.newPage();
  await first.goto(`${address}/portal/signin?return=/portal/`);
  await signIn(first, { user, password, totp }, (u) => { const p = new URL(u).pathname; return p.startsWith("/portal/") && !/signin|signed-in/.test(p); });
  await first.close();
  if (out) await overlay(context, out);
  return {
    context,
    /** Opens a page of the portal ("/incidents?sel=3") and waits until its heading stands. */
    async page(path = "/", { theme, width = 1440, height = 900, wait = "main h1" } = {}) {
      const page = await context.newPage();
      page.faults = [];
      const own = new URL(address).origin;
      page.on("console", (m) => { if (m.type() === "error") page.faults.push(m.text()); });
      page.on("pageerror", (e) => page.faults.push(String(e)));
      page.on("request", (r) => { if (!r.url().startsWith(own) && !/^(data|blob|about):/.test(r.url())) page.faults.push(`request to ${r.url()}`); });
      await page.setViewportSize({ width, height });
      if (theme) await page.addInitScript((x) => localStorage.setItem("rf-look", JSON.stringify({ theme: x })), theme);
      await page.goto(`${address}/portal${path}`);
      if (wait) await page.waitForSelector(wait, { timeout: 15000 });
      if (theme) await page.evaluate((x) => { document.documentElement.dataset.theme = x; }, theme);
      return page;
    },
    async close() { await chrome.close(); },
  };
}
