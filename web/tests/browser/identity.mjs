// Identity: a person added, a temporary pass, sessions ended, disabled, a role given and taken, an application, a role asked for and approved by another; by mouse and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

const mark = `q3-${Date.now().toString(36)}`, password = "quiet-lantern-ferry-ochre";
const until = async (f, what) => { for (let i = 0; i < 100; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };
/** Asks the server as the page would. */
const ask = (page, path, method = "GET", body) => page.evaluate(async ([p, m, x]) => {
  const r = await fetch(p, { method: m, headers: { "x-ringfort-portal": "1", "content-type": "application/json" }, body: x === undefined ? undefined : JSON.stringify(x) });
  const text = await r.text();
  return { status: r.status, body: text && /json/.test(r.headers.get("content-type") ?? "") ? JSON.parse(text) : text };
}, [path, method, body]);
/** Refusals that a test provokes are told by the browser on its console. */
const provoked = (page, status) => { page.faults = page.faults.filter((f) => !f.includes(`status of ${status}`)); };

let b, desk, nora;
before(async () => {
  b = await browser(live);
  desk = await b.page("/lab");
  const made = await ask(desk, "/v1.0/users", "POST", { accountEnabled: true, displayName: `Nora ${mark}`, mailNickname: mark, userPrincipalName: `${mark}@${live.user.split("@")[1]}`, passwordProfile: { password, forceChangePasswordNextSignIn: false } });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  nora = made.body;
});
after(async () => {
  if (nora) await ask(desk, `/v1.0/users/${nora.id}`, "DELETE");
  await b?.close();
});

test("people: add by keyboard, password and pass shown once, disable and undo; a reload finds the same", async () => {
  const page = await b.page("/identity", { wait: "rf-grid tbody tr" }), upn = `${mark}-new@${nora.userPrincipalName.split("@")[1]}`;
  let id = "";
  try {
    await page.locator("main h1").focus();
    await page.keyboard.press("n");
    await page.locator(".dlg input").first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".dlg [role=alert]").waitFor();   // without names nobody is made
    await page.keyboard.type(`New ${mark}`);
    await page.keyboard.press("Tab");
    await page.keyboard.type(`${mark}-new`);
    await page.keyboard.press("Enter");
    await page.locator(".dlg code.secret").waitFor();
    const first = await page.locator(".dlg code.secret").innerText();
    assert.match(first, /^([a-z2-9]{4}-){3}[a-z2-9]{4}$/);
    await page.keyboard.press("Enter");
    await page.locator(".dlg").waitFor({ state: "detached" });
    assert.ok(!(await page.content()).includes(first), "it is gone with the dialog");
    await page.waitForURL(/sel=/);
    id = new URL(page.url()).searchParams.get("sel");
    assert.equal((await ask(page, `/v1.0/users/${id}`)).body.userPrincipalName, upn);

    // A temporary pass by its key.
    await page.locator(".pane h2", { hasText: `New ${mark}` }).waitFor();
    await page.locator("main h1").focus();
    await page.keyboard.press("p");
    await page.locator(".dlg input[type=number]").waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".dlg code.secret").waitFor();
    const pass = await page.locator(".dlg code.secret").innerText();
    assert.ok(pass.length >= 8);
    await page.click(".dlg footer .pri");
    await until(async () => (await page.locator(".pane .rows li", { has: page.locator("button") }).count()) >= 1, "the pass is among the ways to sign in");
    assert.ok(!(await page.content()).includes(pass));
    assert.ok(!page.url().includes(pass));
    assert.equal((await ask(page, `/v1.0/users/${id}/authentication/temporaryAccessPassMethods`)).body.value.length, 1);

    // Found again by a search and after a reload.
    await page.keyboard.press("/");
    await page.keyboard.type(`${mark}-new`);
    await page.waitForURL(/q=q3-/);
    await until(async () => (await page.locator("rf-grid tbody tr", { hasText: mark }).count()) === 1, "one is left");
    await page.reload();
    await page.locator(".pane h2", { hasText: `New ${mark}` }).waitFor();
    assert.equal(await page.inputValue("main input[type=search]"), `${mark}-new`);

    // Disable by mouse, back by the tray.
    const enabled = async () => (await ask(page, `/v1.0/users/${id}?$select=accountEnabled`)).body.accountEnabled;
    await page.locator(".pane .acts button").nth(2).click();
    await page.click(".dlg footer .pri");
    await until(async () => (await enabled()) === false, "disabled at the server");
    await page.locator('.pane .sub rf-state[s="unknown"]').waitFor();
    await page.locator("main h1").focus();
    await page.keyboard.press("Control+z");
    await until(enabled, "enabled again");
    await page.locator('.pane .sub rf-state[s="ok"]').waitFor();
    assert.deepEqual(page.faults, []);
  } finally { if (id) await ask(page, `/v1.0/users/${id}`, "DELETE"); await page.close(); }
});

test("roles: given by mouse, taken by keyboard, given back by the undo", async () => {
  const page = await b.page(`/identity?sel=${nora.id}`, { wait: ".pane .acts" }), s = (await ask(page, "/portal/api/session")).body;
  const held = async () => (await ask(page, `/subscriptions/${s.subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01&$filter=${encodeURIComponent(`principalId eq '${nora.id}'`)}`)).body.value;
  try {
    await page.locator(".pane .acts button").last().click();
    await page.locator(".pop.menu [role^=menuitem]").first().click();
    await page.locator(".dlg select").nth(1).selectOption({ label: "Log Analytics Reader" });
    await page.click(".dlg footer .pri");
    await until(async () => (await held()).length === 1, "the role is given");
    assert.equal((await held())[0].properties.scope, s.workspace.id);
    await page.locator(".pane .rows a", { hasText: "Log Analytics Reader" }).click();
    await page.waitForURL(/tab=roles/);
    await page.locator(".pane h2", { hasText: "Log Analytics Reader" }).waitFor();
    await page.reload();
    await page.locator(".pane h2", { hasText: "Log Analytics Reader" }).waitFor();
    await page.locator("main h1").focus();
    await page.keyboard.press("d");
    await page.locator(".dlg footer .pri").waitFor();
    await page.keyboard.press("Enter");
    await until(async () => !(await held()).length, "the role is taken");
    await page.locator("main h1").focus();
    await page.keyboard.press("Control+z");
    await until(async () => (await held()).length === 1, "the undo gives it back");
    await page.locator("rf-grid tbody tr", { hasText: `Nora ${mark}` }).waitFor();
    assert.deepEqual(page.faults, []);
  } finally { for (const a of await held()) await ask(page, `${a.id}?api-version=2022-04-01`, "DELETE"); await page.close(); }
});

test("applications: one added with its addresses, a second secret, deleted by its name", async () => {
  const page = await b.page("/identity?tab=apps", { wait: "rf-grid tbody tr" }), name = `${mark} wiki`;
  const found = async () => (await ask(page, `/v1.0/applications?$filter=${encodeURIComponent(`displayName eq '${name}'`)}`)).body.value;
  try {
    await page.locator("main h1").focus();
    await page.keyboard.press("n");
    await page.locator(".dlg input").first().fill(name);
    await page.fill(".dlg textarea", "http://wiki.example/back");
    await page.click(".dlg footer .pri");
    await page.locator(".dlg [role=alert]", { hasText: "http://wiki.example/back" }).waitFor();   // only https, or this machine
    await page.fill(".dlg textarea", "https://wiki.example/back");
    await page.click(".dlg footer .pri");
    await page.locator(".dlg code.secret").first().waitFor();
    const [app] = await found(), values = await page.locator(".dlg code.secret").allInnerTexts();
    assert.equal(values[0], app.appId);
    assert.ok(values.some((v) => v.endsWith("/v2.0")), "the issuer is named");
    await page.keyboard.press("Enter");
    await page.locator(".dlg").waitFor({ state: "detached" });
    assert.ok(!(await page.content()).includes(values[1]), "the secret is gone with the dialog");
    await page.locator(".pane", { hasText: "https://wiki.example/back" }).waitFor();

    await page.locator(".pane .acts .pri").click();
    await page.keyboard.type("second");
    await page.keyboard.press("Enter");
    await page.locator(".dlg code.secret").waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".pane .rows li", { hasText: "second" }).waitFor();
    assert.equal((await found())[0].passwordCredentials.length, 2);

    await page.locator(".pane .acts .danger").focus();
    await page.keyboard.press("Enter");
    await page.locator(".dlg input.in").waitFor();
    await page.keyboard.press("Enter");
    assert.equal((await found()).length, 1, "nothing happens before the name is typed");
    await page.keyboard.type(name);
    await page.keyboard.press("Enter");
    await until(async () => !(await found()).length, "deleted");
    assert.deepEqual(page.faults, []);
  } finally { for (const a of await found()) await ask(page, `/v1.0/applications/${a.id}`, "DELETE"); await page.close(); }
});

test("a role for a while: made eligible, asked for, approved by another, used, ended; then her sessions are revoked", async () => {
  const admin = await b.page("/identity?tab=elevation", { wait: ".p-identity .card" }), hers = await browser({ ...live, user: nora.userPrincipalName, password });
  const role = "4a5d8f65-41da-4de4-8968-e035b65339cf";   // Reports Reader
  const reads = async (page) => (await ask(page, "/v1.0/auditLogs/signIns?$top=1")).status;
  try {
    // Eligible, by mouse.
    await admin.locator(".ph .acts button", { hasText: "Make eligible" }).click();
    await admin.locator(".dlg input").first().fill(nora.userPrincipalName);
    await admin.locator(".dlg select").first().selectOption(role);
    await admin.click(".dlg footer .pri");
    await admin.locator("rf-grid tbody tr", { hasText: `Nora ${mark}` }).waitFor();

    // She asks, by keyboard. Her own person is all that she sees of the others.
    const page = await hers.page("/identity?tab=elevation", { wait: "rf-grid tbody tr" });
    assert.equal(await reads(page), 403);
    await page.locator("rf-grid tbody tr", { hasText: "Reports Reader" }).waitFor();
    await page.locator("main h1").focus();
    await page.keyboard.press("n");
    await page.locator(".dlg input").first().waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".dlg [role=alert]").waitFor();   // not without a reason
    await page.locator(".dlg input").first().fill(`look into ${mark}`);
    await page.keyboard.press("Enter");
    await page.locator(".pane h2", { hasText: "Reports Reader" }).waitFor();
    await page.locator('rf-grid tbody tr rf-state[s="partial"]').waitFor();
    assert.equal(await reads(page), 403, "asking gives nothing");
    assert.equal(await page.locator(".pane .acts .pri").count(), 0, "nobody approves for himself");

    // Another approves: found by the reason, by keyboard.
    await admin.locator("main h1").focus();
    await admin.keyboard.press("r");
    await admin.locator("rf-grid tbody tr", { hasText: `look into ${mark}` }).waitFor();
    await admin.keyboard.press("/");
    await admin.keyboard.type(`into ${mark}`);
    await admin.waitForURL(/q=into/);
    await admin.keyboard.press("ArrowDown");
    await admin.waitForURL(/sel=/);
    await admin.reload();
    await admin.locator(".pane h2", { hasText: "Reports Reader" }).waitFor();
    await admin.locator("main h1").focus();
    await admin.keyboard.press("a");
    await admin.locator(".dlg input").first().fill("four eyes");
    await admin.keyboard.press("Enter");
    await admin.locator(".dlg").waitFor({ state: "detached" });
    await until(async () => (await reads(page)) === 200, "the role works");

    // She sees how long it lasts, and ends it before.
    await page.locator("main h1").focus();
    await page.keyboard.press("r");
    const active = page.locator("rf-grid tbody tr", { has: page.locator('rf-state[s="ok"]') });
    await active.locator("td").nth(1).click();
    await page.locator(".pane .acts button").first().click();
    await page.click(".dlg footer .pri");
    await until(async () => (await reads(page)) === 403, "it is over");
    provoked(page, 403);
    provoked(page, 400);
    assert.deepEqual(page.faults, []);

    // Her sessions: one is seen, all are revoked.
    await admin.goto(`${live.address}/portal/identity?sel=${nora.id}`);
    await admin.locator(".pane .sec", { hasText: "127.0.0.1" }).first().waitFor();
    await admin.locator("main h1").focus();
    await admin.keyboard.press("x");
    await admin.locator(".dlg footer .pri").waitFor();
    await admin.keyboard.press("Enter");
    await admin.locator(".dlg").waitFor({ state: "detached" });
    await until(async () => (await ask(page, "/portal/api/session")).status === 401, "her session has ended");
    assert.deepEqual(admin.faults, []);
  } finally {
    await ask(admin, "/v1.0/roleManagement/directory/roleEligibilityScheduleRequests", "POST", { action: "adminRemove", principalId: nora.id, roleDefinitionId: role, directoryScopeId: "/" });
    await hers.close();
    await admin.close();
  }
});
