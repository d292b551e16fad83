// Key vaults by mouse and by keyboard: a secret is made, rotated, compared, shown and switched off; its value is nowhere but in the field that shows it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { boot, live } from "../lib/live.mjs";

const vault = new URL(boot.vault_named_url).hostname.split(".")[0], name = `depot-key-${Date.now().toString(36)}`, value = "first-value-8c1f";
let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

test("a secret is made, rotated, compared and switched off", async () => {
  const page = await b.page(`/vaults/${vault}`);
  await page.keyboard.press("n");
  await page.fill("#vs-name", name);
  await page.fill("#vs-value", value);
  await page.fill("#vs-type", "password");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/vaults/${vault}/secrets/${name}`);
  await page.waitForSelector("main h1:has-text('depot-key')");
  await page.waitForSelector("table tbody tr");
  assert.ok(!(await page.content()).includes(value), "hidden until asked");

  await page.click(".value button[aria-pressed]"); // by mouse: the eye
  await page.waitForFunction((x) => document.querySelector("#s-value").value === x, value);
  await page.click(".value button[aria-pressed]");
  await page.waitForFunction(() => document.querySelector("#s-value").type === "password");
  assert.ok(!(await page.evaluate(() => document.querySelector("#s-value").value)).includes("value"));

  await page.keyboard.press("r"); // by keyboard: rotate
  await page.waitForSelector("dialog[open]");
  assert.match(await page.textContent("dialog[open]"), /Version 2/);
  await page.click("dialog[open] footer button:last-child");
  await page.waitForFunction(() => document.querySelectorAll("section[aria-label='Versions'] tbody tr").length === 2);
  await page.waitForSelector("rf-diff");
  assert.match(page.url(), /compare=/);
  assert.match(await page.textContent("main"), /The value is another one/);
  const before = page.url();
  await page.reload();
  await page.waitForSelector("rf-diff");
  assert.equal(page.url(), before, "reload returns to the same state");

  await page.keyboard.press("j"); // the older version
  await page.waitForFunction(() => /sel=/.test(location.search));
  await page.click("text=Switch off");
  await page.waitForSelector("main table tbody tr >> text=Disabled");
  assert.ok(!decodeURIComponent(page.url()).includes(value));
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("who read it is there, and who may", async () => {
  const page = await b.page(`/vaults/${vault}/secrets/${name}`);
  await page.waitForSelector("text=maeve@");
  await page.click("nav.tabs >> text=Who has access");
  await page.waitForSelector("main table tbody tr");
  assert.match(await page.textContent("main table"), /Key Vault Administrator/);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("lists: filter, sort, tabs by keyboard", async () => {
  const page = await b.page(`/vaults/${vault}`);
  await page.waitForSelector("rf-grid tbody tr[data-r]");
  await page.keyboard.press("/");
  await page.keyboard.type("nothing-has-this-name");
  await page.waitForSelector("text=Clear filters");
  assert.match(page.url(), /f=nothing/);
  await page.click("text=Clear filters");
  await page.waitForSelector("rf-grid tbody tr[data-r]");
  await page.keyboard.press("Alt+2");
  await page.waitForURL(/tab=keys/);
  assert.deepEqual(page.faults, []);
  await page.close();
  const all = await b.page("/vaults");
  await all.waitForSelector(`rf-grid >> text=${vault}`);
  assert.deepEqual(all.faults, []);
  await all.close();
});
