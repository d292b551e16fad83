// Every text that a source names is there: in the frame's texts, or in those of its page.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const src = new URL("../../src/", import.meta.url).pathname, texts = (name) => flat(JSON.parse(readFileSync(join(src, "i18n", name), "utf8")));
const flat = (o, at = "") => Object.entries(o).flatMap(([k, v]) => (typeof v === "string" ? [at + k] : flat(v, `${at}${k}.`)));
const named = (file) => [...readFileSync(file, "utf8").matchAll(/\bth?\("([^"]+)"/g)].map((m) => m[1]);
const frame = texts("en.json");

for (const page of readdirSync(join(src, "pages"), { withFileTypes: true }).filter((d) => d.isDirectory()).map((d) => d.name)) {
  test(`texts that ${page} names`, () => {
    const files = readdirSync(join(src, "pages", page)).filter((x) => x.endsWith(".ts")), more = files.flatMap((f) => [...readFileSync(join(src, "pages", page, f), "utf8").matchAll(/\bloadTexts\("([^"]+)"/g)].map((m) => m[1]));
    const own = new Set([...frame, ...["triage", page, ...more].flatMap((n) => (existsSync(join(src, `i18n/${n}.en.json`)) ? texts(`${n}.en.json`) : []))]);
    for (const f of files) assert.deepEqual(named(join(src, "pages", page, f)).filter((k) => !own.has(k)), [], `${page}/${f}`);
  });
}
test("texts that the frame names", () => {
  const own = new Set([...frame, ...texts("triage.en.json")]);
  for (const folder of ["shell", "parts", "data"]) for (const f of readdirSync(join(src, folder)).filter((x) => x.endsWith(".ts"))) assert.deepEqual(named(join(src, folder, f)).filter((k) => !own.has(k)), [], `${folder}/${f}`);
});
