// A server that is restarted in the middle of work, for real: pages say so, go on by themselves without a new sign-in, and nothing that was typed is lost. RINGFORT names the program.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { browser } from "../lib/browser.mjs";

const ringfort = process.env.RINGFORT ?? join(dirname(fileURLToPath(import.meta.url)), "../../../build/ringfort"), dir = mkdtempSync(join(tmpdir(), "rf-restart-"));
const free = () => new Promise((ok) => { const s = createServer().listen(0, "127.0.0.1", () => { const { port } = s.address(); s.close(() => ok(port)); }); });
let port, server, b;
const start = async () => {
  server = spawn(ringfort, ["serve", "--data", join(dir, "data"), "--listen-https", `127.0.0.1:${port}`], { stdio: ["ignore", "pipe", "pipe"] });
  await new Promise((ok, no) => { let text = ""; const take = (x) => { text += x; if (text.includes("server.ready")) ok(); }; server.stdout.on("data", take); server.stderr.on("data", take); server.once("exit", (code) => no(new Error(`the server ended with ${code}: ${text.slice(-800)}`))); });
};
const stop = async (signal) => { const gone = new Promise((ok) => server.once("exit", ok)); server.kill(signal); await gone; };
before(async () => {
  port = await free();
  await start();
  const first = spawnSync(process.execPath, [fileURLToPath(new URL("../lib/first.mjs", import.meta.url)), join(dir, "data/bootstrap.json"), join(dir, "live.json")], { encoding: "utf8", env: { ...process.env, NODE_EXTRA_CA_CERTS: join(dir, "data/ca.pem") } });
  assert.equal(first.status, 0, first.stderr);
  b = await browser({ ...JSON.parse(readFileSync(join(dir, "live.json"), "utf8")), out: process.env.PORTAL_OUT });
});
after(async () => { await b?.close(); if (server && server.exitCode === null) await stop("SIGTERM"); rmSync(dir, { recursive: true, force: true }); });

const arm = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
  const s = await (await fetch("/portal/api/session", { headers: { "x-ringfort-portal": "1" } })).json();
  const r = await fetch(`${s.workspace.id}/providers/Microsoft.SecurityInsights/${path}?api-version=2025-09-01`, { method, headers: { "x-ringfort-portal": "1", "content-type": "application/json" }, body: body && JSON.stringify(body) });
  if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${await r.text()}`);
  return r.json();
}, [method, path, body]);
const incident = (page, title, name = randomUUID()) => arm(page, "PUT", `incidents/${name}`, { properties: { title, severity: "High", status: "New" } });
const foot = (page, re) => page.waitForFunction((re) => new RegExp(re).test(document.querySelector(".foot").textContent), re, { timeout: 40000 });
for (const signal of ["SIGTERM", "SIGKILL"])
  test(`${signal} while people work`, { timeout: 180000 }, async () => {
    const logs = await b.page("/logs"), vault = await b.page("/vaults/ringfort"), incidents = await b.page("/incidents");
    const old = await incident(vault, `before ${signal}`), note = await b.page(`/incidents/${old.properties.incidentNumber}?tab=notes`), all = [logs, vault, incidents, note];
    // A query that is not run yet, a secret that is not saved yet, a note that is not added yet, half a word that is searched for.
    await note.locator(".p-incident textarea").first().fill("a note that nobody has read");
    await logs.waitForSelector(".monaco-editor textarea, rf-kql-editor textarea");
    await logs.locator(".monaco-editor textarea, rf-kql-editor textarea").first().focus();
    await logs.keyboard.type("print marker = 'typed before the restart'");
    await logs.keyboard.press("Escape");
    await vault.locator(".ph .acts .pri").click();
    await vault.locator("dialog input").first().fill("typed-before");
    await vault.locator("dialog input[type=password]").first().fill("a value that nobody has saved");
    await incidents.keyboard.press("/");
    await incidents.keyboard.type("half a wo");
    for (const page of all) await foot(page, "Live");
    await stop(signal);
    for (const page of all) await foot(page, "No answer since");
    // What is asked meanwhile waits: reading goes on when the server is back, a change says that it was not made and keeps its form.
    await vault.locator("dialog button.pri").click();
    await vault.waitForSelector("dialog [role=alert]");
    await logs.keyboard.press("Shift+Enter");
    // What happens while a page has no stream yet is told when it has one again.
    const deaf = /\/portal\/api\/live/;
    for (const page of [incidents, note]) await page.route(deaf, (route) => route.abort());
    await start();
    await foot(vault, "Live");
    await incident(vault, `unheard ${signal}`);
    await incident(vault, `changed ${signal}`, old.name);
    for (const page of [incidents, note]) await page.unroute(deaf);
    for (const page of all) await foot(page, "Live");
    assert.equal(await vault.locator("dialog input").first().inputValue(), "typed-before");
    await vault.locator("dialog button.pri").click();
    await vault.waitForSelector("dialog", { state: "detached" });
    await vault.waitForFunction(() => document.querySelector("main").innerText.includes("typed-before"));
    assert.match(await logs.evaluate(() => document.querySelector("main").innerText.replace(/\u00a0/g, " ")), /typed before the restart/);
    await logs.waitForFunction(() => [...document.querySelectorAll("rf-grid td")].some((x) => x.textContent.includes("typed before the restart")), null, { timeout: 30000 });
    assert.equal(await incidents.locator("input[type=search]").first().inputValue(), "half a wo");
    await incidents.waitForSelector(".newer", { timeout: 20000 });
    await note.waitForFunction((title) => document.querySelector("main h1").innerText.includes(title), `changed ${signal}`, { timeout: 20000 });
    assert.equal(await note.locator(".p-incident textarea").first().inputValue(), "a note that nobody has read");
    // Nobody had to sign in again, and a new page opens.
    const later = await b.page("/health");
    assert.deepEqual(later.faults, []);
    for (const page of [...all, later]) { assert.equal(await page.locator(".bar-note").count(), 0); assert.deepEqual(page.faults.filter((f) => !/ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|INCOMPLETE|HTTP2|NETWORK)|net::/.test(f)), []); await page.close(); }
    // The same name for the second round.
    const tidy = await b.page("/vaults/ringfort");
    await tidy.evaluate(async () => { const h = { "x-ringfort-portal": "1" }; await fetch("/portal/vaults/ringfort/secrets/typed-before?api-version=7.4", { method: "DELETE", headers: h }); await fetch("/portal/vaults/ringfort/deletedsecrets/typed-before?api-version=7.4", { method: "DELETE", headers: h }); });
    await tidy.close();
  });
