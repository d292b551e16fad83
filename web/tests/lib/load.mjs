// A module of src/ for tests in node: bundled by esbuild, as the browser gets it.
import { build } from "esbuild";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const src = join(dirname(fileURLToPath(import.meta.url)), "../../src");
/** load("data/time", "i18n/index"): all of them in one bundle, so that they share their state; the answer has their exports by path. */
export async function load(...paths) {
  const dir = mkdtempSync(join(tmpdir(), "rf-unit-"));
  try {
    const stdin = { contents: paths.map((p, i) => `export * as m${i} from "./${p}";`).join("\n"), resolveDir: src, loader: "ts" };
    const { outputFiles } = await build({ stdin, bundle: true, format: "esm", platform: "neutral", mainFields: ["module", "main"], target: "es2022", write: false, logLevel: "error", loader: { ".css": "empty" } });
    const file = join(dir, "bundle.mjs");
    writeFileSync(file, outputFiles[0].contents);
    const all = await import(pathToFileURL(file).href);
    return Object.fromEntries(paths.map((p, i) => [p, all[`m${i}`]]));
  } finally { rmSync(dir, { recursive: true, force: true }); }
}
