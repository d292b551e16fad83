// "Only this" and "not this": each type's value as KQL, and where the condition goes in a query.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

const f = (await load("pages/logs/filters"))["pages/logs/filters"];

test("a value of each type is written as KQL of that type", () => {
  const c = f.condition;
  assert.equal(c("IP", "203.0.113.44", "string"), 'IP == "203.0.113.44"');
  assert.equal(c("IP", "203.0.113.44", "string", true), 'IP != "203.0.113.44"');
  assert.equal(c("a b", "x", "string"), `['a b'] == "x"`);
  assert.equal(c("it's", "x", "string"), `['it\\'s'] == "x"`);
  assert.equal(c("T", "2026-11-23T14:00:00.1234567Z", "datetime"), "T == datetime(2026-11-23T14:00:00.1234567Z)");
  assert.equal(c("D", "1.02:03:04.5", "timespan"), "D == timespan(1.02:03:04.5)");
  assert.equal(c("G", "74be27de-1e4e-49d9-b579-fe0b331d3642", "guid", true), "G != guid(74be27de-1e4e-49d9-b579-fe0b331d3642)");
  assert.equal(c("N", "9223372036854775807", "long"), "N == 9223372036854775807");
  assert.equal(c("N", -3, "int"), "N == -3");
  assert.equal(c("R", 1.5e-7, "real"), "R == real(1.5e-7)");
  assert.equal(c("R", "NaN", "real"), "isnan(R)");
  assert.equal(c("R", "NaN", "real", true), "not(isnan(R))");
  assert.equal(c("R", "-Infinity", "real"), "R == real(-inf)");
  assert.equal(c("X", "1.50", "decimal"), "X == decimal(1.50)");
  assert.equal(c("B", false, "bool"), "B == false");
  assert.equal(c("B", null, "bool"), "isnull(B)");
  assert.equal(c("B", null, "bool", true), "isnotnull(B)");
  assert.equal(c("S", "", "string"), "isempty(S)");
  assert.equal(c("S", "", "string", true), "isnotempty(S)");
});

test("dynamics compare by what they hold", () => {
  const c = f.condition;
  assert.equal(c("D", '{"a":1}', "dynamic"), 'tostring(D) == tostring(dynamic({"a":1}))');
  assert.equal(c("D", '["x"]', "dynamic", true), 'tostring(D) != tostring(dynamic(["x"]))');
  assert.equal(c("D.user.name", 'O"Neill', "dynamic", false, true), 'tostring(D.user.name) == "O\\"Neill"');
  assert.equal(c('D["a b"][0]', 7, "dynamic", true, true), 'todouble(D["a b"][0]) != real(7)');
  assert.equal(c("D.ok", true, "dynamic", false, true), "tobool(D.ok) == true");
  assert.equal(c("D.x", null, "dynamic", false, true), "isnull(D.x)");
});

test("no text of a value can become code", () => {
  assert.equal(f.condition("S", 'x" or true // \\ \n', "string"), 'S == "x\\" or true // \\\\ \\n"');
  for (const type of ["long", "real", "datetime", "timespan", "guid", "decimal"]) assert.throws(() => f.condition("S", "1) or true", type), /not a value/);
});

test("the condition goes behind the query, before render, once", () => {
  const add = f.addCondition;
  assert.equal(add("T", "A == 1"), "T\n| where A == 1");
  assert.equal(add("T\n| take 5\n\n", "A == 1"), "T\n| take 5\n| where A == 1\n\n");
  assert.equal(add("T | take 5;", "A == 1"), "T | take 5\n| where A == 1;");
  assert.equal(add("T\n| where A == 1", "A == 1"), "T\n| where A == 1");
  assert.equal(add("T\n| summarize count() by bin(X, 1h)\n| render timechart", "A == 1"), "T\n| summarize count() by bin(X, 1h)\n| where A == 1\n| render timechart");
  assert.equal(add("T | summarize c() | render timechart with (title=\"a|b\")", "A == 1"), "T | summarize c()\n| where A == 1\n| render timechart with (title=\"a|b\")");
  assert.equal(add("T // note | render x", "A == 1"), "T\n| where A == 1 // note | render x");
  assert.equal(add('T | where B == "| render x"', "A == 1"), 'T | where B == "| render x"\n| where A == 1');
  assert.equal(add("let x = T | render table;\nx | take 1", "A == 1"), "let x = T | render table;\nx | take 1\n| where A == 1");
  assert.equal(add("T | join (U | render timechart) on K", "A == 1"), "T | join (U | render timechart) on K\n| where A == 1");
});

test("code is told from strings and comments of every kind", () => {
  const code = f.codeOf('a // "x\n| b "c // d" \'e\' @"f""g" h"i\\"j" | k ```l | m```');
  assert.match(code, /^a +\n\| b "/);
  for (const word of ["c", "d", "e'", "f", "g", "i", "j", "l", "m"]) assert.ok(!new RegExp(`\\b${word}\\b`).test(code.slice(code.indexOf("| b") + 3)), `${word} is still in ${code}`);
  assert.ok(code.includes("k"));
});

test("tables and title of a query", () => {
  const known = new Set(["SigninLogs", "Syslog"]);
  assert.deepEqual(f.tablesIn('SigninLogs | where X == "Syslog" // Syslog', known), ["SigninLogs"]);
  assert.equal(f.titleOf("\n// Who fails\nSigninLogs", known), "Who fails");
  assert.equal(f.titleOf("union Syslog | take 1", known), "Syslog");
  assert.equal(f.titleOf("", known), "");
});
