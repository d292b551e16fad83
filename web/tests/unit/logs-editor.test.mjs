import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync, readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildEditor } from "../../build-editor.mjs";

test("the editor's files: within budget, no style element, no markup, no eval of its own", { timeout: 300_000 }, async () => {
  const out = mkdtempSync(join(tmpdir(), "rf-editor-"));
  try {
    const { files } = await buildEditor(out), names = readdirSync(out), script = readFileSync(join(out, files.script), "utf8");
    assert.match(files.script, /^editor-\w{8}\.js$/);
    assert.match(files.language, /^kusto-worker-\w{8}\.js$/);
    const bytes = names.filter((n) => n.endsWith(".br")).reduce((a, n) => a + readFileSync(join(out, n)).length, 0);
    assert.ok(bytes < 2150 * 1024, `${bytes} bytes`);
    // What is left in the library of markup by text are parts that are not used: see the swaps in build-editor.mjs.
    assert.equal([...script.matchAll(/\.createPolicy\(/g)].length, 1, "one Trusted Types policy, ringfort-editor");
    assert.ok(script.includes('createPolicy("ringfort-editor"'));
    assert.doesNotMatch(script, /\bnew Function\(|[^.\w]eval\(/);
  } finally { rmSync(out, { recursive: true, force: true }); }
});
