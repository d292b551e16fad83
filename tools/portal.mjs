// tools/portal.mjs MODE OUT.c DEPFILE - builds the web portal and writes a C file that holds it as one archive.
//
// MODE "enabled": every fault ends the build. "auto": the fault is told, and the program is built without the portal.
// Beside OUT.c lie the built pages (portal-web/) and the archive (portal.archive):
//
//   a line of JSON {"version":1,"files":[{"name","type","etag","bytes","br","gz"}...]}   names: index.html, assets/NAME
//   then of each file, in that order, its br bytes of brotli and its gz bytes of gzip
//
// DEPFILE names every file and folder of web/ that counts, so that a new page is seen too.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [mode, out, depfile] = process.argv.slice(2);
const root = resolve(dirname(fileURLToPath(import.meta.url)), ".."), web = join(root, "web");
const pages = join(dirname(resolve(out)), "portal-web"), archive = join(dirname(resolve(out)), "portal.archive");

function run(command, args) {
  const done = spawnSync(command, args, { cwd: web, encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${done.error?.message ?? `${done.stdout}${done.stderr}`.trim()}`);
}

// What is installed is what the lock file says; packages for other systems may be missing.
function isInstalled() {
  const hidden = join(web, "node_modules/.package-lock.json");
  if (!existsSync(hidden)) return false;
  const wanted = JSON.parse(readFileSync(join(web, "package-lock.json"), "utf8")).packages, there = JSON.parse(readFileSync(hidden, "utf8")).packages;
  return Object.entries(wanted).every(([name, p]) => name === "" || p.optional || there[name]?.version === p.version);
}

function* inputs(folder) {
  yield folder;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "tests") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* inputs(path);
    else yield path;
  }
}

function pack() {
  const { files } = JSON.parse(readFileSync(join(pages, "manifest.json"), "utf8"));
  const head = [], parts = [];
  for (const f of files) {
    const br = readFileSync(join(pages, `${f.file}.br`)), gz = readFileSync(join(pages, `${f.file}.gz`));
    head.push({ name: f.file, type: f.type, etag: f.hash.replace(/^sha256-/, "").slice(0, 22), bytes: f.bytes, br: br.length, gz: gz.length });
    parts.push(br, gz);
  }
  return Buffer.concat([Buffer.from(JSON.stringify({ version: 1, files: head }) + "\n"), ...parts]);
}

let bytes = Buffer.alloc(0);
try {
  if (!isInstalled()) run("npm", ["ci", "--no-audit", "--no-fund"]);
  run(process.execPath, ["build.mjs", pages]);
  bytes = pack();
} catch (fault) {
  console.error(`portal: ${fault.message}`);
  if (mode === "enabled") process.exit(1);
  console.error("portal: the program is built without it; -Dportal=enabled makes this an error");
}
writeFileSync(archive, bytes);
run(join(root, "tools/embed"), ["portal_archive", archive, resolve(out)]);
writeFileSync(depfile, `${out}: ${[...inputs(web), join(root, "tools/embed")].map((p) => p.replace(/ /g, "\\ ")).join(" ")}\n`);
