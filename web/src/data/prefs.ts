// What a person likes, kept on the server: theme, density, zone, columns.
import { put } from "./client";
import { signal } from "./signals";

export interface Preferences {
  theme: "system" | "light" | "dark" | "contrast";
  density: "compact" | "comfortable";
  /** "UTC", "local" or an IANA name. */
  zone: string;
  language: "" | "en" | "de" | "fr" | "es";
  /** Single letters as keys. */
  keys: boolean;
  /** Column widths and which are shown, by grid. */
  columns: Record<string, { width?: Record<string, number>; hidden?: string[] }>;
  /** What was opened last by the palette. */
  recent: string[];
  [more: string]: unknown;
}
const first: Preferences = { theme: "system", density: "compact", zone: "UTC", language: "", keys: true, columns: {}, recent: [] };
const near = "rf-look";   // theme and density also stay in this browser, so that the first paint has them

export const prefs = signal<Preferences>({ ...first, ...look() });
function look(): Partial<Preferences> {
  try { const p = JSON.parse(localStorage.getItem(near) ?? "{}"); return { ...(["light", "dark", "contrast"].includes(p.theme) && { theme: p.theme }), ...(p.density === "comfortable" && { density: p.density }) }; } catch { return {}; }
}
function keepLook(p: Preferences): void {
  try { localStorage.setItem(near, JSON.stringify({ theme: p.theme, density: p.density })); } catch { /* storage is off: only the first paint misses it */ }
}

export function takePreferences(stored: Record<string, unknown> | undefined): void {
  const p = { ...first, ...look(), ...stored } as Preferences;
  prefs.set(p);
  keepLook(p);
}

let timer: ReturnType<typeof setTimeout> | undefined;
/** Changes some; the server is told half a second after the last change. */
export function setPrefs(change: Partial<Preferences>): void {
  const p = { ...prefs.value, ...change };
  prefs.set(p);
  keepLook(p);
  clearTimeout(timer);
  timer = setTimeout(() => { put("/portal/api/preferences", prefs.value).catch(() => { /* the next change tells all of them again */ }); }, 500);
}
/** The same, and waits until the server has it: before a reload. */
export async function savePrefs(change: Partial<Preferences>): Promise<void> {
  clearTimeout(timer);
  await put("/portal/api/preferences", { ...prefs.value, ...change });
  prefs.set({ ...prefs.value, ...change });
}
