// What somebody does on the first day, each as the pages lead: connect a source, find a failed sign-in, understand and close an incident, rotate a secret and see who read it, deploy a template.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { browser } from "../lib/browser.mjs";
import { boot, live } from "../lib/live.mjs";

const run = promisify(execFile), vault = new URL(boot.vault_named_url).hostname.split(".")[0], mark = Date.now().toString(36);
let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

test("1. connect a source, and see its first row", async () => {
  const page = await b.page("/");
  await page.click("nav >> text=Connect data");
  await page.fill("#c-name", `first-${mark}`);
  await page.click("text=Make key");
  const line = await page.textContent("[data-line]");
  assert.match(line, /^curl /);
  await run("sh", ["-c", line.replace("--cacert ca.pem", `--cacert '${boot.ca}'`)]); // as a newcomer would paste it
  await page.waitForSelector("text=The first row is here", { timeout: 20000 });
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("2. find a failed sign-in", async () => {
  const page = await b.page("/logs");
  await page.waitForSelector("rf-kql-editor .monaco-editor .view-lines", { timeout: 20000 });
  await page.click("rf-kql-editor .monaco-editor .view-lines");
  await page.keyboard.press("Control+a");
  await page.keyboard.type('SigninLogs | where ResultType != "0" | project TimeGenerated, UserPrincipalName, IPAddress, ResultType', { delay: 2 });
  await page.keyboard.press("Escape");
  await page.keyboard.press("Shift+Enter");
  await page.waitForSelector("rf-grid tbody tr[data-r] >> text=/@contoso/", { timeout: 20000 });
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("3. understand an incident and close it", async () => {
  const page = await b.page("/incidents", { wait: "rf-grid tbody tr" });
  await page.locator("rf-grid tbody tr").last().click();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/incidents\/\d+/);
  await page.waitForSelector(".story li"); // what happened, and who was in it
  await page.waitForSelector(".gr a.n");
  await page.locator("main h1").focus();
  await page.keyboard.press("c");
  await page.waitForSelector(".dlg .radios");
  await page.locator(".dlg .radios input").first().check();
  await page.locator(".dlg footer .btn").last().click();
  await page.waitForSelector(".dlg", { state: "detached" });
  await page.reload();
  await page.waitForSelector("main >> text=/Closed/");
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("4. rotate a secret and see who read it", async () => {
  const page = await b.page(`/vaults/${vault}`), name = `newcomer-${mark}`;
  await page.click("text=New secret");
  await page.fill("#vs-name", name);
  await page.fill("#vs-value", "before");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/secrets/${name}`);
  await page.click("text=Rotate now");
  await page.waitForSelector("dialog[open]");
  await page.click("dialog[open] footer button:last-child");
  await page.waitForFunction(() => document.querySelectorAll("section[aria-label='Versions'] tbody tr").length === 2);
  await page.click(".value button[aria-pressed]");
  await page.waitForSelector("section[aria-label^='Who used it'] >> text=maeve@");
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("5. deploy a template, after a look at what it will do", async () => {
  const page = await b.page("/"), name = `newcomer-${mark}`;
  const template = { $schema: "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#", contentVersion: "1.0.0.0", parameters: { name: { type: "string" }, keep: { type: "int", defaultValue: 3 } },
    resources: [{ type: "Microsoft.EventHub/namespaces", apiVersion: "2024-01-01", name: "[parameters('name')]", location: "[resourceGroup().location]", sku: { name: "Standard" } },
      { type: "Microsoft.EventHub/namespaces/eventhubs", apiVersion: "2024-01-01", name: "[format('{0}/{1}', parameters('name'), 'manifests')]", dependsOn: ["[resourceId('Microsoft.EventHub/namespaces', parameters('name'))]"], properties: { partitionCount: 2, messageRetentionInDays: "[parameters('keep')]" } }],
    outputs: { namespace: { type: "string", value: "[parameters('name')]" } } };
  await page.click("nav >> text=Resources");
  await page.waitForSelector("main h1 >> text=Resources");
  await page.click(".ph .acts .pri"); // Deploy a template
  await page.waitForURL("**/resources?tab=deploy");
  await page.fill(".template textarea", JSON.stringify(template, null, 2));
  await page.fill(".parameters textarea", JSON.stringify({ name }));
  await page.getByLabel("Name of the deployment").fill(name);
  await page.click("text=What if");
  await page.waitForSelector(`.chg >> text=${name}`); // it would be created, and nothing else
  assert.match(await page.locator(".chg summary").first().innerText(), /Create/);
  await page.click(".foot-acts .pri");
  await page.waitForSelector("dialog[open] >> text=/Create/");
  await page.click("dialog[open] footer button:last-child");
  await page.waitForSelector(".res >> text=Succeeded >> nth=0", { timeout: 20000 });
  await page.waitForSelector(`.res dl >> text=${name}`); // its output
  await page.click(".res a >> text=manifests");
  await page.waitForSelector("main h1 >> text=manifests");
  await page.waitForSelector("main >> text=partitionCount");
  await page.click(".ph .crumb >> text=Resources");
  await page.fill("input[type=search]", name);
  await page.waitForSelector(`rf-grid >> text=${name}`);
  assert.deepEqual(page.faults, []);
  await page.evaluate(async ([sub, group, ns]) => { await fetch(`/subscriptions/${sub}/resourceGroups/${group}/providers/Microsoft.EventHub/namespaces/${ns}?api-version=2024-01-01`, { method: "DELETE", headers: { "x-ringfort-portal": "1" } }); }, [boot.subscription_id, boot.resource_group, name]);
  await page.close();
});
