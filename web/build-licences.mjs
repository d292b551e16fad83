// The licences of what the portal is bundled from, as one text: node_modules is read, from the dependencies of package.json on and from the editor's packages.
import { readFileSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const modules = join(dirname(fileURLToPath(import.meta.url)), "node_modules"), bundledDev = ["monaco-editor", "@kusto/monaco-kusto"];
const packageOf = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"), "utf8"));

export function licences() {
  const found = new Map();
  const walk = (name) => {
    if (found.has(name) || name.startsWith("@types/")) return;   // types are not in what is built
    const p = packageOf(name);
    found.set(name, p);
    Object.keys(p.dependencies ?? {}).forEach(walk);
  };
  [...Object.keys(JSON.parse(readFileSync(join(modules, "../package.json"), "utf8")).dependencies), ...bundledDev].forEach(walk);
  const one = (name, p) => {
    const folder = join(modules, name), files = readdirSync(folder).filter((f) => /^(licen[cs]e|thirdpartynotices)(\.|$)/i.test(f)).sort(), by = p.author?.name ?? p.author;
    return [`${name} ${p.version}`, `Licence: ${p.license}${by ? `, by ${by}` : ""}`, ...files.map((f) => "\n" + readFileSync(join(folder, f), "utf8").replace(/\r\n/g, "\n").trim())].join("\n");
  };
  return "The portal is bundled from these packages, each under its own licence.\n\n" + [...found].sort(([a], [b]) => a.localeCompare(b)).map(([n, p]) => one(n, p)).join(`\n\n${"=".repeat(80)}\n\n`) + "\n";
}
