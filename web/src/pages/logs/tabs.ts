// The queries that are open, kept for this browser tab. Texts of queries only; results and sessions are never stored.
export interface QueryTab { id: string; text: string; t: string; /** A name of its own: of a saved search. */ name?: string }
export interface Tabs { all: QueryTab[]; current: string }
const key = "rf-logs-tabs", most = 20;
let serial = 0;
export const newTab = (text = "", t = "", name?: string): QueryTab => ({ id: `${Date.now().toString(36)}${(serial++).toString(36)}`, text, t, ...(name ? { name } : {}) });

export function readTabs(): Tabs {
  try {
    const got = JSON.parse(sessionStorage.getItem(key) ?? "") as Tabs, all = got.all.filter((x) => x && typeof x.id === "string" && typeof x.text === "string").slice(0, most).map((x) => ({ id: x.id, text: x.text, t: String(x.t ?? ""), ...(x.name ? { name: String(x.name) } : {}) }));
    if (all.length) return { all, current: all.some((x) => x.id === got.current) ? got.current : all[0].id };
  } catch { /* none kept, or the storage is off */ }
  const one = newTab();
  return { all: [one], current: one.id };
}
export function keepTabs(t: Tabs): void { try { sessionStorage.setItem(key, JSON.stringify(t)); } catch { /* the storage is off or full: the address still has the query */ } }

/** The tabs with the query of an address open: the one that has it, an empty one, or a new one. */
export function openIn(tabs: Tabs, text: string, t: string): Tabs {
  const now = tabs.all.find((x) => x.id === tabs.current)!;
  const found = now.text === text ? now : tabs.all.find((x) => x.text === text) ?? (now.text.trim() ? undefined : now);
  if (found) return { all: tabs.all.map((x) => (x === found ? { ...x, text, t } : x)), current: found.id };
  const fresh = newTab(text, t);
  return { all: [...tabs.all.slice(-(most - 1)), fresh], current: fresh.id };
}
