import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "../lib/load.mjs";

// Parts define elements when they are loaded; these tests only use their functions.
globalThis.HTMLElement ??= class {};
globalThis.customElements ??= { get: () => true, define() {} };
globalThis.document ??= { createTreeWalker: () => ({}), createElement: () => ({}), createComment: () => ({}) };
globalThis.location ??= new URL("https://here.example/portal/");
const m = await load("parts/copy-as", "parts/choice", "parts/diff", "parts/charts", "parts/inspector", "shell/match");
const { csv, curlLine } = m["parts/copy-as"], { readFilters, writeFilters } = m["parts/choice"], { diffLines } = m["parts/diff"], { nice } = m["parts/charts"], { pathOf } = m["parts/inspector"], { score, keyName } = m["shell/match"];

test("CSV: quotes, line ends, and no formulas", () => {
  assert.equal(csv(["a", "b"], [['x"y', 'l1\nl2'], [null, { k: 1 }], ["=1+1", -5], ["@cmd", "+3"]]), 'a,b\r\n"x""y","l1\nl2"\r\n,"{""k"":1}"\r\n\'=1+1,-5\r\n\'@cmd,\'+3\r\n');
});
test("a curl line keeps quotes of the shell closed and has no token", () => {
  assert.equal(curlLine("https://h", "PUT", "/x?a=1", { t: "it's" }), `curl -X PUT 'https://h/x?a=1' -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"t":"it'\\''s"}'`);
});
test("filters of the address are read back", () => {
  const f = { status: ["new", "active"], title: ["a,b;c%"], none: [] };
  assert.equal(writeFilters(f), "status:new,active;title:a%2Cb%3Bc%25");
  assert.deepEqual(readFilters(writeFilters(f)), { status: ["new", "active"], title: ["a,b;c%"] });
  assert.deepEqual(readFilters("nonsense;:x;a:%zz"), { a: ["%zz"] });
});
test("a diff gives both texts back", () => {
  const back = (d, side) => d.filter((l) => l.sign !== side).map((l) => l.text);
  let seed = 7;
  const rnd = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let k = 0; k < 200; k++) {
    const a = Array.from({ length: rnd(12) }, () => "abc"[rnd(3)]), b = Array.from({ length: rnd(12) }, () => "abc"[rnd(3)]), d = diffLines(a, b);
    assert.deepEqual(back(d, "+"), a);
    assert.deepEqual(back(d, "-"), b);
    for (const l of d) { if (l.old) assert.equal(a[l.old - 1], l.text); if (l.now) assert.equal(b[l.now - 1], l.text); }
  }
  assert.deepEqual(diffLines(["a", "b", "c"], ["a", "x", "c"]).map((l) => l.sign + l.text), [" a", "-b", "+x", " c"]);
});
test("round numbers on axes hold the values", () => {
  for (const [lo, hi, n] of [[0, 7, 4], [0, 41208, 5], [180, 260, 4], [0, 0, 3], [-5, 5, 4], [0, 0.004, 3]]) {
    const t = nice(lo, hi, n);
    assert.ok(t[0] <= lo && t[t.length - 1] >= hi, `${lo} ${hi}: ${t}`);
    assert.ok(t.length >= 2 && t.length <= n + 3, `${t}`);
  }
});
test("paths of leaves as KQL", () => {
  assert.equal(pathOf("Details", ["user", "display name", "ips", 0]), 'Details.user["display name"].ips[0]');
});
test("the palette's order", () => {
  assert.ok(score("Incidents", "inc") > score("Key vaults", "inc"));
  assert.ok(score("Rule lab", "lab") > score("Collaboration", "lab"));
  assert.ok(score("Event hubs", "evh") > 0, "letters in their order");
  assert.equal(score("Logs", "xyz"), 0);
});
test("names of keys", () => {
  const k = (key, m = {}) => keyName({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...m });
  assert.deepEqual([k("?", { shiftKey: true }), k("j"), k("K", { ctrlKey: true }), k("Enter", { shiftKey: true }), k("1", { altKey: true }), k("z", { metaKey: true }), k("C", { ctrlKey: true, shiftKey: true })], ["?", "j", "Ctrl+k", "Shift+Enter", "Alt+1", "Ctrl+z", "Ctrl+Shift+c"]);
});
