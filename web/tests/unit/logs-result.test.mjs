// Answers of the query API, tabs, addresses, the tables' pane, and what a chart is made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

globalThis.location ??= new URL("https://here.example/portal/logs");
const kept = {};
globalThis.sessionStorage ??= { getItem: (k) => kept[k] ?? null, setItem: (k, v) => { kept[k] = v; } };
const m = await load("pages/logs/result", "pages/logs/tabs", "pages/logs/address", "pages/logs/schema", "data/kql-schema", "pages/logs/queries", "parts/chart/data", "data/client");
const result = m["pages/logs/result"], tabs = m["pages/logs/tabs"], address = m["pages/logs/address"], schema = { ...m["pages/logs/schema"], ...m["data/kql-schema"] }, chart = m["parts/chart/data"], { ApiError } = m["data/client"];

test("whole numbers beyond 2^53 stay exact", () => {
  const a = result.shape('{"tables":[{"name":"PrimaryResult","columns":[{"name":"a","type":"long"},{"name":"s","type":"string"}],"rows":[[9223372036854775807,"1234567890123456789"],[5,"x"]]}]}', 3);
  assert.deepEqual(a.rows, [["9223372036854775807", "1234567890123456789"], [5, "x"]]);
});

test("statistics, render and a partial answer are read", () => {
  const a = result.shape(JSON.stringify({ tables: [{ name: "PrimaryResult", columns: [], rows: [] }], render: { visualization: "timechart", title: "x" }, statistics: { query: { executionTime: 0.5, inputDatasetStatistics: { rows: { total: 10, scanned: 4 }, bytes: { scanned: 99 } } } },
    error: { code: "PartialError", message: "some", details: [{ innererror: { message: "more than 500000 rows" } }] } }), 7);
  assert.deepEqual(a.stats, { seconds: 0.5, scanned: 4, total: 10, bytes: 99 });
  assert.equal(a.render.visualization, "timechart");
  assert.equal(a.partial, "more than 500000 rows");
  assert.equal(result.shape('{"tables":[],"render":{"visualization":null}}', 0).render, null);
});

test("the place of a fault is found however deep it lies", () => {
  const e = new ApiError(400, "BadArgumentError", "m", "r", { code: "BadArgumentError", innererror: { code: "SemanticError", innererror: { code: "SEM0100", message: "there is no column 'A' here", line: 2, pos: 8, token: "Abc" } } });
  assert.deepEqual(result.faultOf(e), { line: 2, column: 9, length: 3, message: "there is no column 'A' here", code: "SEM0100" });
  assert.equal(result.faultOf(new ApiError(403, "x", "y")), null);
  assert.equal(result.faultOf(new Error("z")), null);
});

test("JSON gives dynamics as what they hold", () => {
  assert.deepEqual(JSON.parse(result.asJson({ columns: [{ name: "d", type: "dynamic" }, { name: "s", type: "string" }], rows: [['{"a":[1]}', '{"a":1}'], ["plain", ""]] })), [{ d: { a: [1] }, s: '{"a":1}' }, { d: "plain", s: "" }]);
});

test("columns that stand for somebody or something", () => {
  for (const name of ["IPAddress", "SourceIP", "RemoteIP", "UserPrincipalName", "Computer", "DeviceName", "SHA256", "Caller", "Account", "TargetAccountName"]) assert.ok(result.isEntity({ name, type: "string" }), name);
  for (const name of ["Description", "ResultType", "OperationName", "Equip"]) assert.ok(!result.isEntity({ name, type: "string" }), name);
  assert.ok(!result.isEntity({ name: "IPAddress", type: "dynamic" }));
});

test("a query in the address survives, long or short", async () => {
  for (const text of ["SigninLogs | take 5", "~x", "", "é".repeat(900), 'print "' + "x".repeat(9000) + '"']) assert.equal(await address.unpack(await address.pack(text)), text);
  const long = await address.pack('print "' + "x".repeat(9000) + '"');
  assert.ok(long.length < 200 && /^~[\w-]+$/.test(long), long.slice(0, 80));
  assert.equal(await address.unpack("~!!!"), null);
  assert.equal(await address.unpack(long.slice(0, 12)), null);
});

test("tabs: a link opens where it stands already, in an empty one, or in a new one", () => {
  let t = tabs.readTabs();
  assert.equal(t.all.length, 1);
  t = tabs.openIn(t, "A", "1h");
  assert.deepEqual([t.all.length, t.all[0].text, t.all[0].t], [1, "A", "1h"]);
  t = tabs.openIn(t, "B", "");
  assert.deepEqual([t.all.length, t.all.find((x) => x.id === t.current).text], [2, "B"]);
  t = tabs.openIn(t, "A", "7d");
  assert.deepEqual([t.all.length, t.all.find((x) => x.id === t.current).text], [2, "A"]);
  tabs.keepTabs(t);
  assert.deepEqual(tabs.readTabs(), t);
});

test("tables are found by name first, then by column", () => {
  const table = (name, ...columns) => ({ name, description: "", columns: columns.map((c) => ({ name: c, type: "string", description: "" })) });
  const all = [table("AzureSignin", "X"), table("SigninLogs", "IPAddress"), table("Syslog", "HostIP", "Signing")];
  assert.deepEqual(schema.findTables(all, "signin").map((x) => [x.table.name, x.column]), [["SigninLogs", false], ["AzureSignin", false], ["Syslog", true]]);
  assert.equal(schema.findTables(all, "").length, 3);
  assert.deepEqual(schema.findTables(all, "zzz"), []);
  assert.equal(schema.groupOf("SigninLogs"), "identity");
  assert.equal(schema.groupOf("Receipts_CL"), "custom");
  assert.equal(schema.groupOf("RingfortDenials"), "ringfort");
  assert.deepEqual(schema.parameters('a:string, b:long = 1, c:string="x, y"'), [{ name: "a", type: "string" }, { name: "b", type: "long", value: "1" }, { name: "c", type: "string", value: '"x, y"' }]);
});

test("ready queries are offered for tables that have rows, and have texts in every language", async () => {
  const { readFileSync } = await import("node:fs");
  const q = m["pages/logs/queries"];
  assert.deepEqual(q.readyFor((x) => x === "Syslog").map((r) => r.id), ["sizes", "syslog"]);
  for (const l of ["en", "de", "fr", "es"]) {
    const texts = JSON.parse(readFileSync(new URL(`../../src/i18n/logs.${l}.json`, import.meta.url), "utf8")).logs;
    for (const r of q.ready) assert.ok(texts.ready[r.id], `${l}: logs.ready.${r.id}`);
    for (const g of [...schema.groupOrder, "used", "functions"]) assert.ok(texts.group[g], `${l}: logs.group.${g}`);
  }
});

const cols = (s) => s.split(" ").map((x) => { const [name, type] = x.split(":"); return { name, type }; });
test("a time chart has one series for each text, gaps stay gaps, the last bucket is incomplete", () => {
  const rows = [["2026-11-23T14:10:00Z", "b", 2], ["2026-11-23T14:00:00Z", "a", 1], ["2026-11-23T14:10:00Z", "a", 3], ["2026-11-23T14:20:00Z", "b", null]];
  const d = chart.draw(cols("T:datetime Who:string N:long"), rows, { visualization: "timechart" }, "l", "others", Date.parse("2026-11-23T14:15:00Z"));
  assert.equal(d.form, "lines");
  assert.deepEqual(d.data.x, ["14:00", "14:10", "14:20"].map((x) => Date.parse(`2026-11-23T${x}:00Z`)));
  assert.deepEqual(d.data.series, [{ name: "b", values: [null, 2, null] }, { name: "a", values: [1, 3, null] }]);
  assert.equal(d.data.incomplete, false);
  assert.equal(chart.draw(cols("T:datetime Who:string N:long"), rows.slice(0, 3), { visualization: "timechart" }, "l", "others", Date.parse("2026-11-23T14:15:00Z")).data.incomplete, true);
  assert.deepEqual(chart.peak(d), { name: "a", x: Date.parse("2026-11-23T14:10:00Z"), value: 3, times: null });
});

test("render's own columns are kept to; more than six series become five and others", () => {
  const d = chart.draw(cols("T:datetime A:long B:long"), [["2026-11-23T14:00:00Z", 1, 9]], { visualization: "areachart", yColumns: ["B"] }, "l", "others");
  assert.deepEqual([d.data.kind, d.data.series], ["area", [{ name: "B", values: [9] }]]);
  const rows = Array.from({ length: 9 }, (_, i) => ["2026-11-23T14:00:00Z", `s${i}`, i + 1]);
  const many = chart.draw(cols("T:datetime W:string N:long"), rows, { visualization: "timechart" }, "l", "others");
  assert.deepEqual(many.data.series.map((s) => [s.name, s.values[0]]), [["s8", 9], ["s7", 8], ["s6", 7], ["s5", 6], ["s4", 5], ["others", 10]]);
});

test("pies, bars and points", () => {
  const pie = chart.draw(cols("W:string N:long"), [["a", 3], ["b", 1], ["a", 2], ["c", -1]], { visualization: "piechart" }, "l", "others");
  assert.deepEqual(pie, { form: "pie", slices: [{ name: "a", value: 5 }, { name: "b", value: 1 }], total: 6 });
  const bars = chart.draw(cols("W:string N:long M:long"), [["a", 3, 4], ["b", 1, null]], { visualization: "barchart", kind: "stacked" }, "l", "others");
  assert.deepEqual([bars.form, bars.series, bars.items, bars.stacked], ["bars", ["N", "M"], [{ name: "a", values: [3, 4] }, { name: "b", values: [1, 0] }], true]);
  const points = chart.draw(cols("X:real Y:real"), [[1, 2], ["NaN", 3], [4, 5]], { visualization: "scatterchart" }, "l", "others");
  assert.deepEqual([points.form, points.points.map((p) => [p.x, p.y])], ["points", [[1, 2], [4, 5]]]);
});

test("a chart whose columns do not fit is none", () => {
  assert.equal(chart.draw(cols("A:string B:string"), [["a", "b"]], { visualization: "timechart" }, "l", "o"), null);
  assert.equal(chart.draw(cols("T:datetime N:long"), [], { visualization: "timechart" }, "l", "o"), null);
  assert.equal(chart.draw(cols("T:datetime N:long"), [["2026-11-23T14:00:00Z", 1]], { visualization: "table" }, "l", "o"), null);
  assert.equal(chart.suited(cols("T:datetime N:long"), 10, false), null);
  assert.deepEqual(chart.suited(cols("T:datetime W:string N:long M:long"), 10, true), { visualization: "columnchart", yColumns: ["N"] });
});
