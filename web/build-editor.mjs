// Builds what the KQL editor loads on first use: editor-HASH.js with its style and icon font, and two workers.
//   const editor = await buildEditor(OUTDIR/assets)   -> { files: {script, style, worker, language}, plugin }
// Give `plugin` to the build of the portal: it fills the module "editor-files" with the addresses.
// The bundle is large and seldom changes, so it is kept, compressed too, in node_modules/.cache by the digest of what it is made of.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const here = dirname(fileURLToPath(import.meta.url)), part = join(here, "src/parts/kql-editor"), modules = join(here, "node_modules");
const hash = (data) => createHash("sha256").update(data).digest("base64url").replace(/[-_]/g, "").slice(0, 8);

// The portal's content policy refuses style elements, style attributes in markup and plain text as HTML. The editor uses all three in few places; each is
// led to markup.js, which sets the same by script. A place that is no longer there breaks the build: then the new version has to be looked at.
const swaps = [
  [/base[\\/]browser[\\/]dom\.js$/, [["const style = document.createElement('style');\n    style.type = 'text/css';", "const style = rfSheet();"]]],
  [/browser[\\/]view[\\/]viewLayer\.js$/, [["this.domNode.innerHTML = newLinesHTML;", "rfHtml(this.domNode, newLinesHTML);"], ["lastChild.insertAdjacentHTML('afterend', newLinesHTML);", "rfAfter(lastChild, newLinesHTML);"], ["hugeDomNode.innerHTML = invalidLinesHTML;", "rfHtml(hugeDomNode, invalidLinesHTML);"]]],
  [/browser[\\/]view[\\/]domLineBreaksComputer\.js$/, [["containerDomNode.innerHTML = trustedhtml;", "rfHtml(containerDomNode, trustedhtml);"]]],
  [/standalone[\\/]browser[\\/]colorizer\.js$/, [["domNode.innerHTML = trustedhtml;", "rfHtml(domNode, trustedhtml);"]]],
  [/base[\\/]browser[\\/]trustedTypes\.js$/, [["const monacoEnvironment = globalThis.MonacoEnvironment;", "return rfPolicy(policyOptions);\n    const monacoEnvironment = undefined;"], ["mainWindow.trustedTypes) === null || _a === void 0 ? void 0 : _a.createPolicy(policyName, policyOptions);", "null);"]]],
  [/dompurify[\\/]dompurify\.js$/, [["return trustedTypes.createPolicy(policyName, {", "return rfPolicy({"]]],
  [/monaco-kusto[\\/]release[\\/]esm[\\/]languageFeatures\.js$/, [["\n        injectCss();", "\n"],
    // A query that was checked while its page went away has no model any more.
    ["            var newModel = _this._monacoInstance.editor.getModel(resource);", "            var newModel = _this._monacoInstance.editor.getModel(resource);\n            if (!newModel) return;"]]],
];
const strict = {
  name: "strict-markup",
  setup(b) {
    b.onLoad({ filter: /(monaco-editor|monaco-kusto).*\.js$/ }, ({ path }) => {
      const own = swaps.find(([re]) => re.test(path));
      if (!own) return undefined;
      let text = readFileSync(path, "utf8").replace(/\r\n/g, "\n");
      for (const [from, to] of own[1]) {
        if (text.split(from).length !== 2) throw new Error(`${path}: ${from} stands there ${text.split(from).length - 1} times, not once; see build-editor.mjs`);
        text = text.replace(from, () => to);
      }
      return { contents: `import { rfAfter, rfHtml, rfPolicy, rfSheet } from ${JSON.stringify(join(part, "markup.js"))};\n${text}`, loader: "js" };
    });
  },
};

async function make(to) {
  const common = { bundle: true, minify: true, target: ["es2022"], legalComments: "none", charset: "ascii", logLevel: "error", write: false, absWorkingDir: here, define: { "process.env.NODE_ENV": '"production"' } };
  const put = (name, ext, data) => { const file = `${name}-${hash(data)}.${ext}`; writeFileSync(join(to, file), data); return file; };
  const files = {};
  const main = await build({ ...common, entryPoints: { editor: join(part, "monaco.ts") }, format: "esm", outdir: to, plugins: [strict], loader: { ".ttf": "file" }, assetNames: "editor-icons-[hash]" });
  for (const f of main.outputFiles) {
    const ext = f.path.split(".").pop();
    if (ext === "ttf") writeFileSync(join(to, basename(f.path)), f.contents);
    else files[ext === "js" ? "script" : "style"] = put("editor", ext, f.contents);
  }
  const worker = await build({ ...common, entryPoints: [join(modules, "monaco-editor/esm/vs/editor/editor.worker.js")], format: "iife", outfile: join(to, "w.js") });
  files.worker = put("editor-worker", "js", worker.outputFiles[0].contents);
  // The language service is made of plain scripts that share the global scope: they stand before the bundle as they are.
  const scripts = ["language-service/bridge.min.js", "language-service/Kusto.JavaScript.Client.min.js", "language-service/newtonsoft.json.min.js", "language-service-next/Kusto.Language.Bridge.min.js"];
  const language = await build({ ...common, entryPoints: [join(modules, "@kusto/monaco-kusto/release/esm/kusto.worker.js")], format: "iife", outfile: join(to, "k.js"),
    plugins: [{ name: "scripts-before", setup(b) { b.onResolve({ filter: /^@kusto\/language-service/ }, ({ path }) => {
      if (!scripts.some((s) => `@kusto/${s}` === `${path}.js`)) throw new Error(`${path} is a script that build-editor.mjs does not know`);
      return { path, namespace: "none" };
    }); b.onLoad({ filter: /.*/, namespace: "none" }, () => ({ contents: "" })); } }] });
  const plain = (s) => readFileSync(join(modules, "@kusto", s), "utf8").replace(/^\uFEFF/, "").replace(/\/\/# sourceMappingURL=.*$/gm, "");
  files.language = put("kusto-worker", "js", Buffer.from([...scripts.map(plain), Buffer.from(language.outputFiles[0].contents).toString()].join("\n;\n")));
  return files;
}

export async function buildEditor(to) {
  const inputs = ["build-editor.mjs", "package-lock.json", ...readdirSync(part).filter((n) => /\.(js|css)$/.test(n) || /^monaco\.ts$|^theme\.ts$|^types\.ts$/.test(n)).map((n) => `src/parts/kql-editor/${n}`)].sort();
  const key = hash(inputs.map((f) => `${f}\n${hash(readFileSync(join(here, f)))}`).join("\n")), kept = join(modules, ".cache", "ringfort-editor", key);
  if (!existsSync(join(kept, "files.json"))) {
    const fresh = `${kept}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    const files = await make(fresh);
    for (const n of readdirSync(fresh)) {
      const data = readFileSync(join(fresh, n));
      writeFileSync(join(fresh, `${n}.br`), brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }));
      writeFileSync(join(fresh, `${n}.gz`), gzipSync(data, { level: 9 }));
    }
    writeFileSync(join(fresh, "files.json"), JSON.stringify(files));
    try { renameSync(fresh, kept); } catch { rmSync(fresh, { recursive: true, force: true }); }   // another build was quicker
    for (const old of readdirSync(dirname(kept))) if (old !== key && /^[A-Za-z0-9]{8}$/.test(old)) rmSync(join(dirname(kept), old), { recursive: true, force: true });
  }
  const files = JSON.parse(readFileSync(join(kept, "files.json"), "utf8"));
  if (to) { mkdirSync(to, { recursive: true }); for (const n of readdirSync(kept)) if (n !== "files.json") copyFileSync(join(kept, n), join(to, n)); }
  return {
    files,
    plugin: { name: "editor-files", setup(b) {
      b.onResolve({ filter: /^editor-files$/ }, (a) => ({ path: a.path, namespace: "editor-files" }));
      b.onLoad({ filter: /.*/, namespace: "editor-files" }, () => ({ contents: `export default ${JSON.stringify(Object.fromEntries(Object.entries(files).map(([k, n]) => [k, `/portal/assets/${n}`])))}` }));
    } },
  };
}
