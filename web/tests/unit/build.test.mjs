// What is built: budgets, compressed files, no foreign address, a content policy that can stay strict.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { fileURLToPath } from "node:url";

const out = mkdtempSync(join(tmpdir(), "rf-web-")), run = promisify(execFile);
let manifest, html;
before(async () => {
  await run("node", [fileURLToPath(new URL("../../build.mjs", import.meta.url)), out], { timeout: 300_000 });   // a missed budget or a foreign address ends it with 1
  manifest = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8"));
  html = readFileSync(join(out, "index.html"), "utf8");
}, { timeout: 300_000 });
after(() => rmSync(out, { recursive: true, force: true }));

test("the first load keeps its budget", () => {
  assert.ok(manifest.first.br <= 150 * 1024, `${manifest.first.br} bytes`);
  assert.ok(manifest.first.files.length >= 4, "html, style, script and the Overview are counted");
  for (const f of manifest.first.files) assert.ok(manifest.files.find((m) => m.file.endsWith(f)).br <= 90 * 1024, f);
});
test("each page is a chunk of its own", () => {
  for (const [name, p] of Object.entries(manifest.pages)) assert.ok(p.br <= 40 * 1024, `${name} ${p.br}`);
  assert.ok(Object.keys(manifest.pages).length >= 17);
});
test("each file has both compressed forms, and they are the file", () => {
  for (const m of manifest.files) {
    const data = readFileSync(join(out, m.file));
    if (data.length > 500_000) { assert.ok(existsSync(join(out, `${m.file}.br`)) && existsSync(join(out, `${m.file}.gz`))); continue; }
    assert.ok(brotliDecompressSync(readFileSync(join(out, `${m.file}.br`))).equals(data), m.file);
    assert.ok(gunzipSync(readFileSync(join(out, `${m.file}.gz`))).equals(data), m.file);
  }
});
test("the page has one style, one script and nothing inline", () => {
  assert.equal(html.match(/<script\b/g).length, 1);
  assert.match(html, /<script type="module" src="\/portal\/assets\/main-\w+\.js"><\/script>/);
  assert.equal(html.match(/rel="stylesheet"/g).length, 1);
  assert.doesNotMatch(html, /<style|style=|\son\w+=|%[A-Z]+%/);
  for (const [, file] of html.matchAll(/\/portal\/(assets\/[\w.-]+)/g)) assert.ok(existsSync(join(out, file)), file);
});
test("no colour stands outside the tokens", async () => {
  const { readdirSync } = await import("node:fs"), bad = [];
  const walk = (d) => readdirSync(d, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(new URL(`${e.name}/`, d)) : /\.(css|ts)$/.test(e.name) ? [new URL(e.name, d)] : []));
  for (const f of walk(new URL("../../src/", import.meta.url))) {
    if (/theme\/tokens\.css$/.test(f.pathname)) continue;
    const text = readFileSync(f, "utf8"), css = f.pathname.endsWith(".css");
    for (const [hit] of text.matchAll(css ? /#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(/gi : /["'`:]\s*#(?:[0-9a-f]{3}|[0-9a-f]{6})["'`;]|\brgba?\(\d/gi)) bad.push(`${hit} in ${f.pathname.split("/src/")[1]}`);
  }
  assert.deepEqual(bad, []);
});
test("templates have no style attribute and no raw HTML", async () => {
  const { readdirSync } = await import("node:fs"), bad = [];
  const walk = (d) => readdirSync(d, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(new URL(`${e.name}/`, d)) : /\.(ts|js)$/.test(e.name) ? [new URL(e.name, d)] : []));
  for (const f of walk(new URL("../../src/", import.meta.url))) for (const [hit] of readFileSync(f, "utf8").matchAll(/\sstyle="|\bstyleMap\(|unsafeHTML|unsafeSVG|\.innerHTML\s*=|\beval\(|new Function\(/g)) {
    if (/parts\/(css\.ts|kql-editor\/markup\.js)$/.test(f.pathname)) continue;   // says so in words; makes the editor's own markup fit the policy
    bad.push(`${hit.trim()} in ${f.pathname.split("/src/")[1]}`);
  }
  assert.deepEqual(bad, []);
});
