// One's own ways to sign in: behind a new sign-in with a second factor a passkey is made by the browser and used, recovery codes come once, the factor is removed again, and other sessions are ended.
import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { test } from "node:test";
import { browser, signIn } from "../lib/browser.mjs";
import { live, token } from "../lib/live.mjs";

const password = `five-quiet-words-${randomUUID().slice(0, 8)}`, name = `wren-${randomUUID().slice(0, 6)}`, upn = `${name}@${live.user.split("@")[1]}`;
const graph = async (method, path, body) => {
  const r = await fetch(`${live.address}/v1.0/${path}`, { method, headers: { authorization: `Bearer ${await token("https://graph.microsoft.com")}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  assert.ok(r.ok, `${method} ${path}: ${r.status} ${r.ok ? "" : await r.text()}`);
  return r.status === 204 ? null : r.json();
};
const base32 = (s) => { let bits = 0, held = 0; const out = []; for (const c of s.replace(/[\s=]/g, "").toUpperCase()) { held = (held << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c); bits += 5; if (bits >= 8) { out.push((held >> (bits -= 8)) & 255); held &= (1 << bits) - 1; } } return Buffer.from(out); };
/** Each code counts once, so the next one waits for the next half minute. */
let last = 0;
const totp = async (secret) => {
  while (Math.floor(Date.now() / 30000) <= last) await new Promise((ok) => setTimeout(ok, 500));
  last = Math.floor(Date.now() / 30000);
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(last));
  const mac = createHmac("sha1", base32(secret)).update(at).digest(), from = mac[19] & 15;
  return String((mac.readUInt32BE(from) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};

test("own factors: signed in anew, a passkey, codes, removed", { timeout: 120000 }, async () => {
  const user = await graph("POST", "users", { accountEnabled: true, displayName: "Wren Doyle", mailNickname: name, userPrincipalName: upn, passwordProfile: { password, forceChangePasswordNextSignIn: false } });
  const b = await browser({ ...live, user: upn, password, out: process.env.PORTAL_OUT });
  try {
    const page = await b.page("/account"), devtools = await b.context.newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    await devtools.send("WebAuthn.addVirtualAuthenticator", { options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true } });
    const methods = page.getByRole("region", { name: "How you prove who you are" }), words = async (re) => { await page.waitForFunction(([re]) => new RegExp(re).test(document.querySelector("main").innerText), [re]); };
    await words("A password alone");
    // The session is fresh, but by a password alone: the way leads over a sign-in, which sets an authenticator up.
    await page.keyboard.press("p");
    await page.getByLabel("Name").fill("Ring key");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.waitForSelector("input[name=passwd], input[name=loginfmt]");
    let secret = "";
    for (let i = 0; i < 100 && !page.url().includes("/portal/account"); i++) {
      if (await page.locator(".secret").first().isVisible().catch(() => false)) {
        secret ||= new URL(await page.locator("a[href^='otpauth:']").first().getAttribute("href").catch(() => "") || `otpauth://x?secret=${(await page.locator(".secret").first().textContent()).replace(/\s/g, "")}`).searchParams.get("secret");
        await page.fill("input[name=otc]", await totp(secret));
        await page.locator("button[type=submit], input[type=submit]").first().click();
      } else if (await page.locator("input[name=passwd]").isVisible().catch(() => false)) { await page.fill("input[name=passwd]", password); await page.click("#idSIButton9"); }
      else if (await page.locator("input[name=loginfmt]").isVisible().catch(() => false)) { await page.fill("input[name=loginfmt]", upn); await page.click("#idSIButton9"); }
      else if (await page.locator("#idBtn_Back").isVisible().catch(() => false)) await page.click("#idBtn_Back");
      await page.waitForTimeout(200);
    }
    // What was begun goes on.
    await page.getByLabel("Name").fill("Ring key");
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await methods.getByText("Ring key").waitFor();
    await words("Two ways or more");
    await page.keyboard.press("c");
    await page.locator(".codes").waitFor();
    assert.equal(await page.locator(".codes li").count(), 10);
    await page.getByRole("button", { name: "I have kept them" }).click();
    // A new context has no session; the passkey alone lets in.
    await page.goto(`${live.address}/portal/signin?return=/portal/account&strong=1`);
    await page.waitForSelector("input[name=loginfmt], input[name=passwd]");
    if (await page.locator("input[name=loginfmt]").isVisible()) { await page.fill("input[name=loginfmt]", upn); await page.click("#idSIButton9"); }
    await page.locator("[name=switch][value=passkey]").first().click();
    await signIn(page, { user: upn, password }, (u) => new URL(u).pathname === "/portal/account");
    await methods.getByRole("button", { name: "Remove Ring key" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await methods.getByText("Ring key").waitFor({ state: "detached" });
    // A reload shows the same; nobody else was touched.
    await page.reload();
    await methods.getByText("Authenticator").first().waitFor();
    assert.deepEqual(page.faults.filter((f) => !/status of 403/.test(f)), []);
  } finally { await b.close(); await graph("DELETE", `users/${user.id}`); }
});

test("the menu under one's name leads there; another browser's session is ended", { timeout: 60000 }, async () => {
  const b = await browser({ ...live, out: process.env.PORTAL_OUT }), other = await browser({ ...live, out: process.env.PORTAL_OUT });
  try {
    const page = await b.page("/");
    await page.click("button.me");
    await page.getByText("My sign-in").click();
    await page.waitForURL("**/portal/account");
    const sessions = page.getByRole("region", { name: "Where you are signed in" });
    await sessions.getByText("This browser").waitFor();
    const before = await sessions.locator("li").count();
    assert.ok(before >= 2);
    await sessions.locator("li button").first().click();
    await page.waitForFunction((n) => document.querySelectorAll("[aria-label='Where you are signed in'] li").length < n, before);
    assert.deepEqual(page.faults, []);
  } finally { await b.close(); await other.close(); }
});
