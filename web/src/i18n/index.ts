// Texts of the portal by key. en.json is the source; a page's own texts are in <page>.<lang>.json and come with the page.
import { parse, pieces, type Part } from "./message";

export const languages = ["en", "de", "fr", "es"] as const;
export type Lang = (typeof languages)[number];
type Values<V> = Record<string, V | string | number>;

let current: Lang = "en";
const texts: Record<string, string> = {};
const parsed = new Map<string, Part[]>();

/** The language in use: for Intl and for the document. */
export const lang = (): Lang => current;

/** The first of `wanted` that there are texts in, else English. */
export function chooseLanguage(wanted: readonly (string | undefined)[]): Lang {
  for (const w of wanted) {
    const short = w?.slice(0, 2).toLowerCase();
    const found = languages.find((l) => l === short);
    if (found) return found;
  }
  return "en";
}

export function setLanguage(next: Lang): void { current = next; }

/** Adds texts: flat, or groups within groups ({"incidents": {"title": ...}} is incidents.title). */
export function addTexts(more: object, at = ""): void {
  for (const [k, v] of Object.entries(more)) {
    if (typeof v === "string") { texts[at + k] = v; parsed.delete(at + k); }
    else addTexts(v as object, `${at}${k}.`);
  }
}

/** Loads the texts of the shell ("") or of a page, in the language in use. A page without texts of its own has none to load. */
export async function loadTexts(page: string): Promise<void> {
  if (!page) { addTexts((await import(`./${current}.json`)).default); return; }
  for (const l of new Set([current, "en"])) {
    // esbuild makes a small file of each; a path that it has not seen is refused by "Module not found in bundle".
    try { addTexts((await import(`./${page}.${l}.json`)).default); return; }
    catch (e) { if (!/not found in bundle/.test(String(e))) throw e; }
  }
}

export const hasText = (key: string): boolean => key in texts;

function read(key: string): Part[] {
  let p = parsed.get(key);
  if (!p) parsed.set(key, (p = texts[key] === undefined ? [key] : parse(texts[key])));
  return p;
}

/** The text of a key with its values: t("grid.rows", {n: 3}). */
export const t = (key: string, values: Values<never> = {}): string => pieces(read(key), values, current).join("");

/** The same with templates among the values, for a link or a strong word inside a sentence: th("status.newest", {age: html`<b>…</b>`}). */
export const th = <V>(key: string, values: Values<V> = {}): (string | V)[] => pieces(read(key), values, current);
