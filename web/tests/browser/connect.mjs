// Connect data: each way in by mouse and by keyboard, what is wrong is said, the key is shown once, the first row comes by itself.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { browser } from "../lib/browser.mjs";
import { boot, live } from "../lib/live.mjs";

const run = promisify(execFile), mark = Date.now().toString(36);
let b;
before(async () => { b = await browser(live); });
after(() => b?.close());

test("syslog: the line that is shown brings the first row", async () => {
  const page = await b.page("/connect?sel=syslog-tcp");
  await page.fill("#c-name", `syslog-${mark}`);
  await page.fill("#c-addresses", "nowhere");
  await page.click("text=Open listener");
  await page.waitForSelector("[role=alert] >> text=/10.20.0.7/");
  await page.fill("#c-addresses", "127.0.0.0/8");
  await page.keyboard.press("Enter"); // by keyboard
  await page.waitForSelector("[data-line]");
  const line = await page.textContent("[data-line]"), port = /--port (\d+)/.exec(line)[1];
  assert.match(line, /^logger --server localhost --port \d+ --tcp --rfc5424 /);
  await run("bash", ["-c", `exec 3<>/dev/tcp/127.0.0.1/${port}; printf '<13>1 - depot-9 ringfort-test - - - hello ${mark}\\n' >&3; sleep 0.3`]);
  await page.waitForSelector("text=The first row is here", { timeout: 20000 });
  assert.deepEqual(page.faults, []);
  await page.close();
});

test("the choice is in the address, and goes by keys", async () => {
  const page = await b.page("/connect");
  await page.keyboard.press("j");
  await page.waitForURL(/sel=/);
  const at = page.url();
  await page.reload();
  await page.waitForSelector(".pick button[aria-pressed=true]");
  assert.equal(page.url(), at);
  await page.keyboard.press("k");
  await page.click(".pick button >> text=OpenTelemetry");
  await page.fill("#c-name", "-");
  await page.click("text=Make key");
  await page.waitForSelector("[role=alert] >> text=/begins with a letter/");
  await page.fill("#c-name", `otel-${mark}`);
  await page.click("text=Make key");
  await page.waitForSelector("[data-line] >> text=/OTEL_EXPORTER_OTLP_HEADERS='X-Ringfort-Token=/");
  await page.reload();
  await page.waitForSelector("#c-name"); // shown once
  assert.equal(await page.locator("[data-line]").count(), 0);
  assert.deepEqual(page.faults, []);
  await page.close();
});
