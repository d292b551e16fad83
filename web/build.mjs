// Builds the portal: node web/build.mjs OUTDIR [--pages=incidents,logs]
// With --pages only these pages are built, the others stand as their titles: for work on one page while another is being written.
// OUTDIR/index.html, OUTDIR/assets/NAME-HASH.{js,css,svg}, a .br and a .gz beside each, and manifest.json that lists them.
// Breaks on a missed size budget and on an address of another host in what was built.
import { build, transform } from "esbuild";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync, existsSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { buildEditor } from "./build-editor.mjs";
import { licences } from "./build-licences.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2] ?? "");
if (!process.argv[2]) { console.error("usage: node web/build.mjs OUTDIR"); process.exit(2); }
const only = process.argv.find((a) => a.startsWith("--pages="))?.slice(8).split(",");
const KB = 1024;
const budgets = { first: 150 * KB, firstFile: 90 * KB, chunk: 40 * KB, editor: 2150 * KB };
// Large on purpose, loaded on first use only: the parts of an editor, the chart and graph libraries.
const large = [[/^(editor|monaco|kusto)/, 2150 * KB], [/^echarts/, 235 * KB], [/^cytoscape/, 143 * KB]];
// Names of formats, not addresses that a page would ask.
const names = [/^https?:\/\/www\.w3\.org\//, /^https:\/\/schema\.management\.azure\.com\/schemas\//];
const types = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8", css: "text/css; charset=utf-8", svg: "image/svg+xml", woff2: "font/woff2", ttf: "font/ttf", json: "application/json", txt: "text/plain; charset=utf-8" };

// A page's own style travels inside its chunk and is adopted when the page is loaded, so it needs no request and never flashes.
const pageStyle = {
  name: "page-style",
  setup(b) {
    b.onLoad({ filter: /[\\/](pages|parts)[\\/].*\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { loader: "js", resolveDir: here, contents: `import { adopt } from "./src/theme/adopt.ts"; adopt(${JSON.stringify(code.trim())});` };
    });
  },
};

// A text that a language lacks is shown in English, so that nothing has to be looked up twice in the page.
const flat = (o, at = "", to = {}) => { for (const k in o) typeof o[k] === "object" ? flat(o[k], `${at}${k}.`, to) : (to[at + k] = o[k]); return to; };
const texts = {
  name: "texts",
  setup(b) {
    b.onLoad({ filter: /[\\/]i18n[\\/].*\.json$/ }, ({ path }) => {
      const own = flat(JSON.parse(readFileSync(path, "utf8"))), source = path.replace(/(en|de|fr|es)\.json$/, "en.json");
      const all = source !== path && existsSync(source) ? { ...flat(JSON.parse(readFileSync(source, "utf8"))), ...own } : own;
      return { loader: "json", contents: JSON.stringify(all), watchFiles: [source] };
    });
  },
};

const somePages = {
  name: "some-pages",
  setup(b) {
    b.onResolve({ filter: /^\.\/[\w-]+\/page$/ }, ({ path, importer }) => (only && /pages[\\/]index\.ts$/.test(importer) && !only.includes(path.split("/")[1]) ? { path: path.split("/")[1], namespace: "title-only" } : undefined));
    b.onLoad({ filter: /./, namespace: "title-only" }, ({ path }) => ({ loader: "js", resolveDir: here, contents: `import { t } from "./src/i18n/index.ts"; import { Page } from "./src/shell/page.ts"; export default class extends Page { head() { return { title: t("page.${path}") }; } body() { return ""; } }` }));
  },
};

rmSync(join(out, "assets"), { recursive: true, force: true });
for (const n of ["index.html.br", "index.html.gz"]) rmSync(join(out, n), { force: true });
mkdirSync(join(out, "assets"), { recursive: true });
const hash = (data) => createHash("sha256").update(data).digest("base64url"), short = (data) => hash(data).replace(/[-_]/g, "").slice(0, 8);
const editor = await buildEditor(join(out, "assets"));
const licenceText = licences(), licenceName = `licences-${short(licenceText)}.txt`;
writeFileSync(join(out, "assets", licenceName), licenceText);
const result = await build({
  entryPoints: { main: join(here, "src/main.ts"), portal: join(here, "src/theme/portal.css") },
  outdir: join(out, "assets"), absWorkingDir: here, bundle: true, format: "esm", splitting: true, minify: true, target: ["es2022"], metafile: true, legalComments: "none",
  entryNames: "[name]-[hash]", chunkNames: "[name]-[hash]", assetNames: "[name]-[hash]", loader: { ".woff2": "file", ".svg": "file" },
  define: { "import.meta.licences": JSON.stringify(`/portal/assets/${licenceName}`) },
  plugins: [somePages, editor.plugin, pageStyle, texts], logLevel: "warning", charset: "utf8",
}).catch(() => process.exit(1));

const built = {};   // name in assets/ -> what esbuild knows about it
for (const [path, o] of Object.entries(result.metafile.outputs)) built[basename(path)] = o;
const entry = (source) => Object.keys(built).find((n) => built[n].entryPoint === source);
const closure = (name, to = new Set()) => {
  if (!name || to.has(name)) return to;
  to.add(name);
  for (const i of built[name].imports) if (i.kind === "import-statement") closure(basename(i.path), to);
  return to;
};
const mark = readFileSync(join(here, "src/theme/mark.svg"));
const markName = `mark-${short(mark)}.svg`;
writeFileSync(join(out, "assets", markName), mark);
const main = entry("src/main.ts"), style = entry("src/theme/portal.css");
const preload = [...closure(main)].filter((n) => n !== main).map((n) => `<link rel="modulepreload" href="/portal/assets/${n}">`).join("\n");
const html = readFileSync(join(here, "index.html"), "utf8").replace("%ICON%", `/portal/assets/${markName}`).replace("%STYLE%", `/portal/assets/${style}`)
  .replace("%SCRIPT%", `/portal/assets/${main}`).replace("%PRELOAD%\n", preload ? preload + "\n" : "");
writeFileSync(join(out, "index.html"), html);

const manifest = [], size = {};
for (const file of ["index.html", ...readdirSync(join(out, "assets")).filter((n) => !/\.(br|gz)$/.test(n)).sort().map((n) => `assets/${n}`)]) {
  const data = readFileSync(join(out, file)), type = types[file.split(".").pop()];
  if (!type) throw new Error(`${file}: no media type known for it; add it to types in build.mjs`);
  const kept = existsSync(join(out, `${file}.br`));   // the editor's files come compressed
  const br = kept ? readFileSync(join(out, `${file}.br`)) : brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }), gz = kept ? readFileSync(join(out, `${file}.gz`)) : gzipSync(data, { level: 9 });
  writeFileSync(join(out, `${file}.br`), br);
  writeFileSync(join(out, `${file}.gz`), gz);
  size[basename(file)] = br.length;
  manifest.push({ file, type, bytes: data.length, br: br.length, gz: gz.length, hash: `sha256-${hash(data)}`, immutable: file !== "index.html" });
}

const faults = [], kb = (n) => `${(n / KB).toFixed(1)} KB`;
const overview = entry("src/pages/overview/page.ts");
const first = new Set(["index.html", style, ...closure(main), ...closure(overview), entry("src/i18n/overview.en.json"), entry("src/i18n/en.json")].filter(Boolean));
const firstBytes = [...first].reduce((a, n) => a + size[n], 0);
if (firstBytes > budgets.first) faults.push(`shell and Overview are ${kb(firstBytes)} compressed, more than ${kb(budgets.first)}: ${[...first].map((n) => `${n} ${kb(size[n])}`).join(", ")}`);
for (const n of first) if (size[n] > budgets.firstFile) faults.push(`${n} is ${kb(size[n])} compressed; a file of the first load may have ${kb(budgets.firstFile)}`);
for (const n of Object.keys(size)) {
  if (first.has(n) || /\.(woff2|ttf|txt)$/.test(n)) continue;   // fonts come after the first paint, licences when they are asked for
  const from = built[n]?.entryPoint ? basename(dirname(built[n].entryPoint)) + "/" + basename(built[n].entryPoint) : n;
  const limit = large.find(([re]) => re.test(n) || re.test(from))?.[1] ?? budgets.chunk;
  if (size[n] > limit) faults.push(`${n} (${from}) is ${kb(size[n])} compressed, more than ${kb(limit)}`);
}
for (const { file, type } of manifest) {
  // The language service has links in its help texts, which are shown as plain words; the content policy lets it ask no other host, and the browser tests watch it.
  if (!/text|svg|json/.test(type) || file.endsWith(".txt") || /^assets\/(editor|editor-worker|kusto-worker)-\w+\.js$/.test(file)) continue;
  for (const [address] of readFileSync(join(out, file), "utf8").matchAll(/\b(?:https?|wss?):\/\/[a-z0-9][^\s"'`)<>\\]*/gi))
    if (!names.some((re) => re.test(address))) faults.push(`${file} has the address ${address}: pages talk to their own origin only`);
}
const editorBytes = Object.keys(size).filter((n) => /^(editor|kusto-worker)-/.test(n)).reduce((a, n) => a + size[n], 0);
if (editorBytes > budgets.editor) faults.push(`the KQL editor is ${kb(editorBytes)} compressed, more than ${kb(budgets.editor)}`);
const pages = {};
for (const n of Object.keys(built)) if (/^src\/pages\/[^/]+\/page\.ts$/.test(built[n].entryPoint ?? "")) pages[built[n].entryPoint.split("/")[2]] = { file: n, br: size[n] };
writeFileSync(join(out, "manifest.json"), JSON.stringify({ files: manifest, first: { br: firstBytes, files: [...first] }, pages }, null, 1) + "\n");
console.log(`portal: ${manifest.length} files, first load ${kb(firstBytes)} compressed, in ${relative(process.cwd(), out) || "."}`);
for (const f of faults) console.error(`fault: ${f}`);
process.exitCode = faults.length ? 1 : 0;
