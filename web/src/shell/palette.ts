// Ctrl+K: pages, acts, resources, incidents (#), people (@), tables (/). What was opened last comes first.
import { html, nothing, render } from "lit";
import { list, listPage, parseId, sentinel, type Resource } from "../data/arm";
import { ApiError, get } from "../data/client";
import { graph, odata, type GraphPage } from "../data/graph";
import { prefs, setPrefs } from "../data/prefs";
import { session } from "../data/session";
import { t } from "../i18n";
import { pages } from "../pages/index";
import { base, go, href } from "../router";
import { score } from "./match";
import type { Page } from "./page";

interface Hit { text: string; note?: string; icon: string; href?: string; run?: () => void; sev?: string }
type Kind = "pages" | "acts" | "resources" | "incidents" | "people" | "tables" | "recent";
const prefixes: Record<string, Kind> = { ">": "acts", "#": "incidents", "@": "people", "/": "tables" };

const best = (all: Hit[], typed: string, most: number): Hit[] => all.map((h): [Hit, number] => [h, score(h.text, typed) || (typed && h.note?.toLowerCase().includes(typed.toLowerCase()) ? 1 : 0)]).filter(([, s]) => s > 0).sort((a, b) => b[1] - a[1]).slice(0, most).map(([h]) => h);

// Lists that are the same for every letter are read once while the palette is open.
let resources: Promise<Hit[]> | undefined, tables: Promise<Hit[]> | undefined;
const allResources = (signal: AbortSignal) => (resources ??= list<Resource>(`/subscriptions/${session().subscription}/resources`, { max: 10_000, signal }).then((all) => all.map((r): Hit => ({ text: r.name, note: parseId(r.id).type, icon: "box", href: resourceHref(r.id) }))));
const allTables = (signal: AbortSignal) => (tables ??= get<{ tables: { name: string; description?: string }[] }>(`/v1/workspaces/${session().workspace.customerId}/metadata`, { signal }).then((m) => m.tables.map((x): Hit => ({ text: x.name, note: x.description, icon: "table", href: href("/logs", {}, { q: x.name }) }))));
/** The page of a resource: its own where there is one, else the one that all have. */
export function resourceHref(id: string): string {
  const { type, name, parent } = parseId(id);
  if (/^Microsoft\.KeyVault\/vaults$/i.test(type)) return href("/vaults/{vault}", { vault: name });
  if (/^Microsoft\.EventHub\/namespaces\/eventhubs$/i.test(type)) return href("/hubs/{ns}/{hub}", { ns: parseId(parent!).name, hub: name });
  return href("/resources/{id*}", { id });
}
async function incidents(typed: string, signal: AbortSignal): Promise<Hit[]> {
  const number = /^\d+$/.test(typed), filter = number ? `properties/incidentNumber eq ${typed}` : typed ? `contains(properties/title, ${odata(typed)})` : undefined;
  const { items } = await listPage<Resource>(sentinel("incidents"), { signal, query: { $top: 8, $filter: filter, $orderby: "properties/createdTimeUtc desc" } });
  return items.map((i) => ({ text: `${i.properties.incidentNumber} ${i.properties.title}`, note: i.properties.status, icon: "incident", sev: i.properties.severity, href: href("/incidents/{n}", { n: i.properties.incidentNumber }) }));
}
async function people(typed: string, signal: AbortSignal): Promise<Hit[]> {
  const filter = typed ? `startswith(displayName,${odata(typed)}) or startswith(userPrincipalName,${odata(typed)})` : undefined;
  const got = await graph<GraphPage<{ id: string; displayName: string; userPrincipalName: string }>>("users", { signal, query: { $top: 8, $filter: filter } });
  return got.value.map((u) => ({ text: u.displayName, note: u.userPrincipalName, icon: "user", href: href("/identity", {}, { sel: u.id }) }));
}

export function openPalette(page: Page | null): void {
  if (document.querySelector("dialog.palette[open]")) return;
  const from = document.activeElement as HTMLElement | null, dialog = document.createElement("dialog");
  let typed = "", at = 0, groups: { kind: Kind; hits: Hit[]; fault?: string }[] = [], end = new AbortController(), timer: ReturnType<typeof setTimeout>;
  resources = tables = undefined;
  dialog.className = "palette";
  dialog.setAttribute("aria-label", t("palette.name"));

  const pageHits = (): Hit[] => pages.filter((p) => p.group).map((p) => ({ text: t(`page.${p.name}`), note: p.key ? `g ${p.key}` : undefined, icon: p.icon, href: href(p.path) }));
  const acts = (): Hit[] => [
    ...(page?.head().acts ?? []).filter((a) => !a.disabled).map((a): Hit => ({ text: a.text, note: page!.head().title, icon: a.icon ?? "play", href: a.href, run: a.href ? undefined : () => a.run?.(new Event("palette")) })),
    ...(page ? [{ text: t("palette.reload"), icon: "refresh", run: () => page.reload() }] : []),
    ...(["system", "light", "dark", "contrast"] as const).map((x): Hit => ({ text: t("palette.theme", { name: t(`theme.${x}`) }), icon: "theme", run: () => setPrefs({ theme: x }) })),
    { text: t("palette.sign-out"), icon: "door", run: () => void import("./sign-out").then((m) => m.signOut()) },
  ];
  const recent = (): Hit[] => prefs.value.recent.slice(0, 6).map((r) => { const [to, text, icon] = r.split("\n"); return { text, icon: icon ?? "clock", href: to }; }).filter((h) => h.text && h.href?.startsWith(base + "/"));

  function search() {
    end.abort();
    end = new AbortController();
    clearTimeout(timer);
    const only = prefixes[typed[0]], text = (only ? typed.slice(1) : typed).trim(), signal = end.signal;
    groups = [];
    at = 0;
    if (!typed) groups = [{ kind: "recent", hits: recent() }, { kind: "pages", hits: pageHits() }];
    else {
      if (!only) groups.push({ kind: "pages", hits: best(pageHits(), text, 6) });
      if (!only || only === "acts") groups.push({ kind: "acts", hits: best(acts(), text, only ? 20 : 4) });
      const ask = (kind: Kind, read: () => Promise<Hit[]>) => {
        const g: (typeof groups)[number] = { kind, hits: [] };
        groups.push(g);
        read().then((hits) => { if (!signal.aborted) { g.hits = hits; draw(); } }, (e) => { if (!signal.aborted) { g.fault = e instanceof ApiError ? e.message : String(e); if (kind === "resources") resources = undefined; if (kind === "tables") tables = undefined; draw(); } });
      };
      timer = setTimeout(() => {
        if (only === "incidents" || (!only && (/^\d+$/.test(text) || text.length > 2))) ask("incidents", () => incidents(text, signal));
        if (only === "people" || (!only && text.length > 2)) ask("people", () => people(text, signal));
        if (!only) ask("resources", () => allResources(new AbortController().signal).then((all) => best(all, text, 8)));
        if (only === "tables" || (!only && text.length > 1)) ask("tables", () => allTables(new AbortController().signal).then((all) => best(all, text, only ? 30 : 5)));
      }, 120);
    }
    draw();
  }
  const flat = (): Hit[] => groups.flatMap((g) => g.hits);
  function choose(h: Hit | undefined) {
    if (!h) return;
    shut();
    if (h.href) {
      const entry = `${h.href}\n${h.text}\n${h.icon}`;
      setPrefs({ recent: [entry, ...prefs.value.recent.filter((r) => !r.startsWith(`${h.href}\n`))].slice(0, 12) });
      go(h.href);
    } else h.run?.();
  }
  function draw() {
    const all = flat();
    at = Math.max(0, Math.min(at, all.length - 1));
    let i = -1;
    render(html`<label class="find"><rf-icon n="search"></rf-icon><input role="combobox" aria-label=${t("palette.name")} aria-expanded="true" aria-controls="rf-hits" aria-autocomplete="list" aria-activedescendant=${all.length ? `rf-hit-${at}` : nothing} autocomplete="off" spellcheck="false" placeholder=${t("palette.placeholder")} @input=${(e: Event) => { typed = (e.target as HTMLInputElement).value; search(); }} @keydown=${keys}></label>
      <div class="hits" id="rf-hits" role="listbox" aria-label=${t("palette.name")}>${groups.map((g) => (g.hits.length ? html`<div role="group" aria-label=${t(`palette.${g.kind}`)}><h3 aria-hidden="true">${t(`palette.${g.kind}`)}</h3>${g.hits.map((h) => { const k = ++i; return html`<div role="option" id="rf-hit-${k}" aria-selected=${k === at} @pointermove=${() => { if (at !== k) { at = k; draw(); } }} @click=${() => choose(h)}>${h.sev ? html`<rf-sev s=${h.sev} bare></rf-sev>` : html`<rf-icon n=${h.icon}></rf-icon>`}<span class="ell">${h.text}</span>${h.note ? html`<span class="t3 sm ell">${h.note}</span>` : nothing}</div>`; })}</div>` : g.fault ? html`<p class="none t3 sm">${t("palette.not-asked", { what: t(`palette.${g.kind}`), why: g.fault })}</p>` : nothing))}
      ${typed && !all.length ? html`<p class="none t3">${t("palette.none", { text: typed })}</p>` : nothing}</div>
      <div class="tail" role="status"><span class="vh">${t("palette.count", { n: all.length })}</span>${t("palette.hint")}</div>`, dialog);
    dialog.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }
  // At once, not when the event of closing comes: the next key must not reach a field that is no longer there.
  function shut() {
    if (!dialog.isConnected) return;
    end.abort();
    clearTimeout(timer);
    if (dialog.open) dialog.close();
    dialog.remove();
    if (document.activeElement === document.body) from?.focus?.();
  }
  const keys = (e: KeyboardEvent) => {
    const n = flat().length;
    if (e.key === "Escape") { e.preventDefault(); shut(); }
    else if (e.key === "ArrowDown") { e.preventDefault(); at = (at + 1) % Math.max(1, n); draw(); }
    else if (e.key === "ArrowUp") { e.preventDefault(); at = (at + n - 1) % Math.max(1, n); draw(); }
    else if (e.key === "Enter") { e.preventDefault(); choose(flat()[at]); }
    else if (e.key.toLowerCase() === "k" && (e.ctrlKey || e.metaKey)) { e.preventDefault(); shut(); }
    e.stopPropagation();
  };
  dialog.addEventListener("click", (e) => { if (e.target === dialog) shut(); });
  dialog.addEventListener("close", shut);
  document.body.append(dialog);
  search();
  dialog.showModal();
}
