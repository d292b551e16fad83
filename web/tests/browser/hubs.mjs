// Event hubs: find, open and make one; peek with a filter, send a test event, rotate a key and enrol or revoke a device, by mouse and by keyboard.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { live } from "../lib/live.mjs";

let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

const mark = `p1-${Date.now().toString(36)}`;
const until = async (f, what) => { for (let i = 0; i < 80; i++) { if (await f()) return; await new Promise((ok) => setTimeout(ok, 100)); } assert.fail(what); };
/** Asks the server as the page would. */
const ask = (page, path, method = "GET", body) => page.evaluate(async ([p, m, x]) => {
  const r = await fetch(p, { method: m, headers: { "x-ringfort-portal": "1", "content-type": "application/json" }, body: x === undefined ? undefined : JSON.stringify(x) });
  const text = await r.text();
  return { status: r.status, body: text && /json/.test(r.headers.get("content-type") ?? "") ? JSON.parse(text) : text };
}, [path, method, body]);
const space = async (page) => { const s = (await ask(page, "/portal/api/session")).body; return { ns: s.hubNamespace, id: `/subscriptions/${s.subscription}/resourceGroups/${s.resourceGroup}/providers/Microsoft.EventHub/namespaces/${s.hubNamespace}` }; };
const v = "?api-version=2024-01-01";

const watch404 = (page) => page.on("response", (r) => { if (r.status() >= 400) page.faults.push(`${r.status()} ${r.request().method()} ${r.url()}`); });
test("list: new, find, open; a reload finds the same", async () => {
  const page = await b.page("/hubs", { wait: "rf-grid tbody tr" }), { ns, id } = await space(page);
  watch404(page);
  try {
    await page.click(".ph .acts .pri");
    await page.fill(".dlg input:not([type=number])", `${mark}-hub`);
    await page.fill(".dlg input[type=number] >> nth=0", "2");
    await page.click(".dlg footer .pri");
    await page.locator("rf-grid tbody tr", { hasText: `${mark}-hub` }).waitFor();
    assert.equal((await ask(page, `${id}/eventhubs/${mark}-hub${v}`)).body.properties.partitionCount, 2);

    // The same name again is refused, and nothing of the hub changes.
    await page.keyboard.press("n");
    await page.fill(".dlg input:not([type=number])", `${mark}-hub`);
    await page.keyboard.press("Enter");
    await page.waitForSelector(".dlg [role=alert]");
    await page.keyboard.press("Escape");
    assert.equal((await ask(page, `${id}/eventhubs/${mark}-hub${v}`)).body.properties.partitionCount, 2);

    // Find and open by keyboard.
    await page.locator("main h1").focus();
    await page.keyboard.press("/");
    await page.keyboard.type(mark);
    await page.waitForURL(/q=p1-/);
    await until(async () => (await page.locator("rf-grid tbody tr[aria-rowindex], rf-grid tbody tr").count()) === 1, "one row is left");
    await page.reload();
    await page.waitForSelector("rf-grid tbody tr");
    assert.equal(await page.inputValue("header input[type=search]"), mark);
    await page.focus("header input[type=search]");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/portal/hubs/${ns}/${mark}-hub*`);
    assert.deepEqual(page.faults, []);
  } finally { await ask(page, `${id}/eventhubs/${mark}-hub${v}`, "DELETE"); await page.close(); }
});

test("hub: test event by keyboard, peek with a filter, the event pane", async () => {
  const page = await b.page("/hubs", { wait: "rf-grid tbody tr" }), { ns, id } = await space(page), hub = `${mark}-peek`;
  assert.equal((await ask(page, `${id}/eventhubs/${hub}${v}`, "PUT", { properties: { partitionCount: 2, messageRetentionInDays: 1 } })).status < 300, true);
  try {
    await page.goto(`${live.address}/portal/hubs/${ns}/${hub}`);
    await page.waitForSelector(".peek .state");   // nothing yet, with the act that sends the first one
    await page.locator("main h1").focus();
    await page.keyboard.press("e");
    await page.fill(".dlg textarea", JSON.stringify({ battery: 17, device: mark }));
    await page.fill(".dlg input", "lorry-1");
    await page.click(".dlg footer .pri");
    await page.waitForURL(/sel=\d/);
    await page.locator(".ev .kv dd", { hasText: "lorry-1" }).first().waitFor();
    assert.match(await page.locator(".ev").innerText(), /battery.*\n?.*17/);

    // Five more behind the page's back: the button says how many, and only then they come.
    for (let i = 0; i < 5; i++) assert.equal((await ask(page, `/portal/api/hubs/${ns}/${hub}/events`, "POST", { body: { battery: 80 + i, n: i }, partition: 1 })).status, 201);
    await page.locator(".newer").waitFor({ timeout: 8000 });
    assert.match(await page.locator(".newer").innerText(), /5/);
    assert.equal(await page.locator(".peek rf-grid tbody tr[aria-rowindex]").count() || 1, 1);
    await page.click(".newer");
    await page.locator(".peek rf-grid tbody tr", { hasText: '"n":4' }).waitFor();

    // Filter by keyboard.
    await page.locator("main h1").focus();
    await page.keyboard.press("/");
    await page.keyboard.type('"n":3');
    await page.waitForURL(/f=/);
    await until(async () => !(await page.locator(".peek rf-grid tbody tr", { hasText: '"n":4' }).count()), "the filter holds back the others");
    await page.locator(".peek rf-grid tbody tr", { hasText: '"n":3' }).waitFor();
    await page.focus(".peek input");
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => /sel=1%3A3/.test(location.search));
    await page.reload();
    await page.locator(".ev .t3", { hasText: "partition 1" }).waitFor();
    assert.equal(await page.inputValue(".peek input"), '"n":3');

    // A filter that lets nothing through says so and goes away by one click.
    await page.fill(".peek input", "no such text");
    await page.locator(".peek .state").waitFor();
    await page.click(".peek .state button");
    await page.locator(".peek rf-grid tbody tr", { hasText: '"n":4' }).waitFor();
    // An event outside the list is still found by its address.
    await page.goto(`${live.address}/portal/hubs/${ns}/${hub}?f=nothing-like-it&sel=1%3A2`);
    await page.locator(".ev rf-inspector", { hasText: "82" }).waitFor();
    assert.deepEqual(page.faults, []);
  } finally { await ask(page, `${id}/eventhubs/${hub}${v}`, "DELETE"); await page.close(); }
});

test("hub: keys are shown on asking only, rotated after typing the name; a device is enrolled and revoked", async () => {
  const page = await b.page("/hubs", { wait: "rf-grid tbody tr" }), { ns, id } = await space(page), hub = `${mark}-keys`, device = `${mark}-dev`;
  await ask(page, `${id}/eventhubs/${hub}${v}`, "PUT", { properties: { partitionCount: 1, messageRetentionInDays: 1 } });
  await ask(page, `${id}/eventhubs/${hub}/authorizationRules/${mark}${v}`, "PUT", { properties: { rights: ["Send"] } });
  const keys = async () => (await ask(page, `${id}/eventhubs/${hub}/authorizationRules/${mark}/listKeys${v}`, "POST")).body;
  try {
    const was = await keys();
    await page.goto(`${live.address}/portal/hubs/${ns}/${hub}?tab=access`);
    const row = page.locator(`tr[data-rule="${mark}"]`);
    await row.locator("button").first().click();
    await page.click(".dlg footer .pri");
    await page.locator(".keys-shown code").first().waitFor();
    assert.ok(!(await page.content()).includes(was.primaryKey), "hidden until asked");
    await page.locator(".keys-shown .line").nth(2).locator("button").first().click();
    assert.equal(await page.locator(".keys-shown code").nth(2).innerText(), was.primaryKey);
    await page.keyboard.press("Escape");
    await until(async () => !(await page.content()).includes(was.primaryKey), "gone with the dialog");
    assert.ok(!page.url().includes(encodeURIComponent(was.primaryKey)));

    // Rotate by keyboard: y opens the menu; the dialog wants the name.
    await page.locator("main h1").focus();
    await page.keyboard.press("y");
    await page.waitForSelector(".pop.menu");
    await page.keyboard.press("Enter");
    await page.locator(".dlg ul.plain").nth(1).waitFor();
    assert.match(await page.locator(".dlg").innerText(), new RegExp(hub), "who is hit is named");
    await page.keyboard.press("Enter");
    assert.equal((await keys()).primaryKey, was.primaryKey, "nothing happens before the name is typed");
    await page.fill(".dlg input.in", mark);
    await page.keyboard.press("Enter");
    await until(async () => (await keys()).primaryKey !== was.primaryKey, "the primary key is another");
    assert.equal((await keys()).secondaryKey, was.secondaryKey, "the other key stays");
    await page.locator(".keys-shown").waitFor();
    await page.keyboard.press("Escape");

    // Enrol by mouse.
    await page.click('.tabs a[href*="senders"]');
    await page.locator(".state button, .card > header button").first().click();
    await page.fill(".dlg input:not([type=number])", device);
    await page.click(".dlg footer .pri");
    await page.locator(".keys-shown code").first().waitFor();
    await page.keyboard.press("Escape");
    const cell = page.locator("rf-grid tbody tr", { hasText: device });
    await cell.waitFor();
    assert.deepEqual((await ask(page, `${id}/devices/${device}${v}`)).body.properties.eventHubs, [hub]);
    // Revoke by keyboard.
    await cell.locator("td").nth(1).click();
    await page.waitForURL(new RegExp(`sel=${device}`));
    await page.locator("rf-grid .btn.danger").focus();
    await page.keyboard.press("Enter");
    await page.fill(".dlg input.in", device);
    await page.keyboard.press("Enter");
    await until(async () => (await ask(page, `${id}/devices/${device}${v}`)).body.properties.status === "Revoked", "revoked at the server");
    await page.locator('rf-grid rf-state[s="fail"]').waitFor();
    for (const tab of ["groups", "capture", "activity", "json"]) { await page.click(`.tabs a[href*="${tab}"]`); await page.waitForTimeout(500); assert.equal(await page.locator(".body .state [role=alert], .body .fault").count(), 0, `${tab} reads`); }
    assert.deepEqual(page.faults, []);
  } finally { await ask(page, `${id}/eventhubs/${hub}${v}`, "DELETE"); await ask(page, `${id}/devices/${device}${v}`, "DELETE"); await page.close(); }
});
