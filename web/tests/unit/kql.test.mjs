import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

const kql = (await load("data/kql"))["data/kql"];

test("an answer becomes columns and rows", () => {
  const r = kql.shape({ tables: [{ name: "PrimaryResult", columns: [{ name: "n", type: "long" }, { name: "d", type: "dynamic" }, { name: "s", type: "string" }], rows: [[1, '{"a":[1,2]}', "{}"], [null, "not json", ""]] }], error: { code: "PartialError", message: "one source timed out" } });
  assert.deepEqual(r.rows, [[1, { a: [1, 2] }, "{}"], [null, "not json", ""]]);
  assert.equal(r.partial.code, "PartialError");
  assert.deepEqual(kql.records(r)[0], { n: 1, d: { a: [1, 2] }, s: "{}" });
  assert.deepEqual(kql.shape({ tables: [] }).rows, []);
});

test("the primary result is found wherever it stands", () => {
  const r = kql.shape({ tables: [{ name: "Other", columns: [], rows: [] }, { name: "PrimaryResult", columns: [{ name: "x", type: "int" }], rows: [[2]] }] });
  assert.deepEqual(r.rows, [[2]]);
  assert.equal(r.tables.length, 2);
});

test("values inside queries cannot end their quotes", () => {
  assert.equal(kql.quote('a"b'), '"a\\"b"');
  assert.equal(kql.quote('\\" | take 1'), '"\\\\\\" | take 1"');
  assert.equal(kql.quote("a\nb\u0001"), '"a\\nb\\u0001"');
  for (const nasty of ['"', "\\", '\\"', '"; drop', "\r\n", "\t"]) assert.match(kql.quote(nasty), /^"(?:[^"\\\n\r]|\\.)*"$/);
});

test("literals by type", () => {
  assert.deepEqual([["x", "string"], [5, "long"], ["2026-11-21T00:00:00Z", "datetime"], [true, "bool"], [1, "bool"], ["74be27de-1e4e-49d9-b579-fe0b331d3642", "guid"], [null, "long"], [null, "string"], [{ a: 1 }, "dynamic"], ["1.5", "decimal"]].map(([v, t]) => kql.literal(v, t)),
    ['"x"', "5", "datetime(2026-11-21T00:00:00Z)", "true", "true", "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "long(null)", '""', 'dynamic({"a":1})', "decimal(1.5)"]);
  assert.equal(kql.columnName("Src_IP"), "Src_IP");
  assert.equal(kql.columnName("a b'c"), "['a b\\'c']");
});
