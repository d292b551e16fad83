// Resources: the tree by mouse and by keyboard, ten thousand of them; tags, locks, JSON and deletion of one; the lab with a result of `ringfort test`.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser } from "../lib/browser.mjs";
import { boot, live, token } from "../lib/live.mjs";

const mark = Date.now().toString(36), group = `depot-${mark}`, sub = `/subscriptions/${boot.subscription_id}`, store = `${sub}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/manifest${mark}`;
let b;
const arm = async (method, id, version, body) => {
  const r = await fetch(`${live.address}${id}?api-version=${version}`, { method, headers: { authorization: `Bearer ${await token("https://management.azure.com")}`, "content-type": "application/json" }, body: body && JSON.stringify(body) });
  assert.ok(r.ok || method === "DELETE", `${method} ${id}: ${r.status}`);
  return r.status === 204 || r.status === 202 ? null : r.json().catch(() => null);
};
before(async () => {
  b = await browser(live);
  await arm("PUT", `${sub}/resourceGroups/${group}`, "2021-04-01", { location: "local" });
  await arm("PUT", store, "2023-01-01", { location: "local", tags: { owner: "dispatch" }, properties: { tier: "Hot" } });
});
after(async () => { await b?.close(); await arm("DELETE", `${sub}/resourceGroups/${group}`, "2021-04-01"); });
const gone = (page) => page.waitForSelector("dialog[open]", { state: "detached" });

test("the tree: search, fold, filter, open; a reload finds the same", async () => {
  const page = await b.page("/resources");
  await page.waitForSelector(`rf-grid >> text=${group}`);
  await page.keyboard.press("/");
  await page.keyboard.type(`manifest${mark}`);
  await page.waitForFunction(() => document.querySelectorAll("rf-grid tbody tr[aria-rowindex]").length === 3); // tenant, group, store
  await page.reload();
  await page.waitForSelector(`rf-grid >> text=manifest${mark}`);
  assert.equal(await page.locator("input[type=search]").inputValue(), `manifest${mark}`);
  // By keys: into the list, to the group, folded and unfolded, to the store, opened.
  await page.locator("input[type=search]").press("ArrowDown");
  await page.keyboard.press("j");
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.querySelectorAll("rf-grid tbody tr[aria-rowindex]").length === 2);
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.querySelectorAll("rf-grid tbody tr[aria-rowindex]").length === 3);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForSelector(`main h1 >> text=manifest${mark}`);
  await page.goBack();
  await page.waitForSelector(`rf-grid >> text=manifest${mark}`);
  // By mouse: nothing fits, what removed it is named, and cleared.
  await page.fill("input[type=search]", "there is no such thing");
  await page.click("text=Clear filters");
  await page.getByRole("button", { name: /Filter/ }).click();
  await page.locator("[role=menu]").getByText(/microsoft\.storage/i).click();
  await page.waitForSelector(`rf-grid >> text=manifest${mark}`);
  assert.match(page.url(), /[?&]f=/);
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("one: tags, a lock that holds, JSON, and its end", async () => {
  const page = await b.page(`/resources${store}`);
  await page.getByRole("button", { name: "Edit tags" }).click();
  await page.fill("dialog[open] textarea", "owner=dispatch\ndepot=rotterdam");
  await page.click("dialog[open] footer .pri");
  await page.waitForSelector("dialog[open] >> text=rotterdam"); // the change, before it is made
  await page.click("dialog[open] footer .pri");
  await gone(page);
  await page.waitForSelector(".tags >> text=rotterdam");
  // A lock by key; deletion says why it cannot be, and is refused by the server all the same.
  await page.locator("main h1").focus();
  await page.keyboard.press("l");
  await page.waitForSelector("dialog[open] select:focus");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await gone(page);
  await page.waitForSelector("main >> text=portal-cannotdelete");
  await page.locator("main h1").focus();
  await page.keyboard.press("Delete");
  await page.waitForSelector("dialog[open] >> text=/lock/i");
  await page.fill("dialog[open] input", `manifest${mark}`);
  await page.keyboard.press("Enter");
  await page.waitForSelector("dialog[open] [role=alert] >> text=/lock/i");
  await page.keyboard.press("Escape");
  await gone(page);
  await page.locator("section:has(h2:text-is('Locks')) li button").first().click();
  await page.click("dialog[open] footer .pri");
  await gone(page);
  await page.waitForSelector("main >> text=portal-cannotdelete", { state: "detached" });
  // JSON: what is no JSON is said, and what is typed can be saved.
  await page.click("nav.tabs >> text=JSON");
  const field = page.locator("textarea.jq"), text = await field.inputValue();
  await field.fill(text.replace("Hot", "Cool").slice(0, -3));
  assert.equal(await field.getAttribute("aria-invalid"), "true");
  await field.fill(text.replace("Hot", "Cool"));
  await page.click(".ph .acts .pri");
  await page.click("dialog[open] footer .pri");
  await gone(page);
  await page.reload(); // the tab is in the address
  await page.waitForFunction(() => document.querySelector("textarea.jq")?.value.includes("Cool"));
  await page.click("nav.tabs >> text=Overview");
  await page.locator("main h1").focus();
  await page.keyboard.press("Delete");
  await page.waitForSelector("dialog[open] input");
  await page.fill("dialog[open] input", "manifest");
  assert.equal(await page.locator("dialog[open] footer .pri").getAttribute("aria-disabled"), "true"); // the whole name
  await page.fill("dialog[open] input", `manifest${mark}`);
  await page.click("dialog[open] footer .pri");
  await page.waitForURL("**/portal/resources");
  assert.deepEqual(page.faults.filter((f) => !/409/.test(f)), []); // the refusal that was wanted
  await page.close();
});

test("ten thousand: what is out of sight is not drawn, and a search finds one", async () => {
  const page = await b.page("/health"), all = Array.from({ length: 10_000 }, (_, i) => ({ id: `${sub}/resourceGroups/depot-${i % 40}/providers/Microsoft.Storage/storageAccounts/store${i}`, name: `store${i}`, type: "Microsoft.Storage/storageAccounts", location: "local", tags: { depot: `d${i % 40}` } }));
  await page.route(/\/resources\?/, (route) => route.fulfill({ json: { value: all } }));
  await page.route(/\/resourceGroups\?/, (route) => route.fulfill({ json: { value: Array.from({ length: 40 }, (_, i) => ({ id: `${sub}/resourceGroups/depot-${i}`, name: `depot-${i}`, type: "Microsoft.Resources/resourceGroups", location: "local" })) } }));
  await page.click("nav >> text=Resources");
  await page.waitForSelector("rf-grid >> text=store0");
  assert.ok(await page.locator("rf-grid tbody tr").count() < 120, "what is out of sight is not drawn");
  await page.fill("input[type=search]", "store9999");
  await page.waitForFunction(() => document.querySelectorAll("rf-grid tbody tr[aria-rowindex]").length === 3);
  await page.close();
});

test("the lab reads a result of ringfort test, shows what differs, and keeps it over a reload", async () => {
  const page = await b.page("/lab");
  let file;
  page.on("filechooser", (c) => c.setFiles(file)); // from the start: the browser is told to ask here, which takes a moment
  await page.waitForSelector("text=ringfort test rules/");
  const result = { tests: [{ name: "one address fails as eight users: fires", file: "spray.test.yaml", line: 8, status: "failed", messages: [{ file: "spray.test.yaml", line: 20, text: "expected severity Medium, got High" }], rules: [], incidents: [{ title: "Spray" }], alerts: [] }, { name: "stays silent", file: "spray.test.yaml", line: 30, status: "passed", messages: [] }] };
  file = { name: "result.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(result)) };
  await page.keyboard.press("u");
  await page.waitForSelector("rf-grid >> text=stays silent");
  await page.keyboard.press("n"); // to the failed one
  await page.waitForSelector("aside >> text=got High");
  await page.reload();
  await page.waitForSelector("aside >> text=got High");
  await page.getByRole("button", { name: /Passed/ }).click();
  await page.waitForSelector("rf-grid >> text=fires", { state: "detached" });
  file = { name: "other.json", mimeType: "application/json", buffer: Buffer.from("{}") };
  await page.click(".ph .acts .pri");
  await page.waitForSelector("[role=alert] >> text=other.json");
  assert.deepEqual(page.faults, []);
  await page.close();
});
