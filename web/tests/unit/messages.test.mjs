import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

const { parse, pieces } = (await load("i18n/message"))["i18n/message"];
const say = (text, values = {}, lang = "en") => pieces(parse(text), values, lang).join("");

test("arguments, plurals, choices", () => {
  assert.equal(say("Hello {name}", { name: "Maeve" }), "Hello Maeve");
  assert.equal(say("{n} rows", { n: 41208 }), "41,208 rows");
  assert.equal(say("{n, number} rows", { n: 41208 }, "de"), "41.208 rows");
  const rows = "{n, plural, =0 {no rows} one {one row} other {# rows}}";
  assert.deepEqual([0, 1, 2, 1500].map((n) => say(rows, { n })), ["no rows", "one row", "2 rows", "1,500 rows"]);
  assert.equal(say("{k, select, a {first} other {else}}", { k: "b" }), "else");
  assert.equal(say("{n, plural, one {# {w}} other {# {w}s in {k, select, x {X} other {-}}}}", { n: 3, w: "row", k: "x" }), "3 rows in X");
  assert.equal(say("it''s '{'n'}' and l'eau"), "it's {n} and l'eau");
  assert.equal(say("{gone} stays"), "{gone} stays", "a missing value is seen");
});

test("templates stay templates", () => {
  const link = { a: 1 };
  assert.deepEqual(pieces(parse("see {link} now"), { link }, "en"), ["see ", link, " now"]);
});

test("bad messages say where", () => {
  for (const bad of ["{", "}", "{n, plural, one {x}}", "{n, date}", "{n, plural, other {x}", "{a b}", "'{"]) assert.throws(() => parse(bad), /message .* at \d+/, bad);
});

const dir = new URL("../../src/i18n/", import.meta.url);
const flat = (o, at = "", to = {}) => { for (const k in o) typeof o[k] === "object" ? flat(o[k], `${at}${k}.`, to) : (to[at + k] = o[k]); return to; };
const read = (f) => flat(JSON.parse(readFileSync(new URL(f, dir), "utf8")));
const args = (parts, to = new Set()) => { for (const p of parts) if (typeof p === "object" && p.arg) { to.add(p.arg); for (const c of Object.values(p.cases ?? {})) args(c, to); } return to; };
// Words of a text without its values: what a translator would have to translate.
const words = (parts) => parts.flatMap((p) => (typeof p === "string" ? p.match(/\p{L}{2,}/gu) ?? [] : Object.values(p.cases ?? {}).flatMap(words)));
// Names only: the same in every language.
const names = new Set(["connect.about.windows"]);
for (const file of readdirSync(dir).filter((f) => /(^|\.)en\.json$/.test(f))) {
  test(`texts of ${file} in all languages`, () => {
    const en = read(file);
    for (const [key, text] of Object.entries(en)) assert.doesNotThrow(() => parse(text), key);
    for (const lang of ["de", "fr", "es"]) {
      const other = read(file.replace(/en\.json$/, `${lang}.json`));
      assert.deepEqual(Object.keys(en).filter((k) => !(k in other)), [], `missing in ${lang}`);
      assert.deepEqual(Object.keys(other).filter((k) => !(k in en)), [], `not in English, but in ${lang}`);
      for (const k of Object.keys(en)) {
        const a = [...args(parse(en[k]))].sort(), b = [...args(parse(other[k]))].sort();
        assert.deepEqual(b, a, `${lang} ${k} takes other values`);
        if (words(parse(en[k])).length >= 3 && !names.has(k)) assert.notEqual(other[k], en[k], `${lang} ${k} is not translated`);
      }
    }
  });
}

test("every key that the source names is a text", () => {
  const root = new URL("../../src/", import.meta.url), all = {};
  for (const f of readdirSync(dir)) if (/(^|\.)en\.json$/.test(f)) Object.assign(all, read(f));
  const walk = (d) => readdirSync(d, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(new URL(`${e.name}/`, d)) : /\.(ts|js)$/.test(e.name) ? [new URL(e.name, d)] : []));
  const missing = [];
  for (const f of walk(root)) for (const [, key] of readFileSync(f, "utf8").matchAll(/\bth?\(\s*["']([a-z][\w-]*(?:\.[\w-]+)+)["']/g)) if (!(key in all)) missing.push(`${key} in ${f.pathname.split("/src/")[1]}`);
  assert.deepEqual(missing, []);
});
