// Address <-> page. The address is the state: pages read and write its query, reload and back give the same page again.
import { signal } from "./data/signals";

export const base = "/portal";

export interface Route { name: string; path: string }
export interface Place<R extends Route = Route> { route: R; params: Record<string, string>; query: URLSearchParams; path: string }

/** A pattern such as /hubs/{ns}/{hub}; {id*} takes the rest with its slashes. Null when the path is another's. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split("/").filter(Boolean), have = path.split("/").filter(Boolean), params: Record<string, string> = {};
  for (let i = 0; i < want.length; i++) {
    const name = /^\{(\w+)(\*?)\}$/.exec(want[i]);
    if (name?.[2]) {
      if (i >= have.length) return null;
      params[name[1]] = have.slice(i).map(plain).join("/");
      return params;
    }
    if (have[i] === undefined || (!name && want[i] !== have[i])) return null;
    if (name) params[name[1]] = plain(have[i]);
  }
  return want.length === have.length ? params : null;
}
const plain = (s: string) => { try { return decodeURIComponent(s); } catch { return s; } };

/** The route of a path below /portal: fixed words win over parameters, whatever the order in the table. */
export function find<R extends Route>(routes: readonly R[], path: string): { route: R; params: Record<string, string> } | null {
  const weight = (r: R) => r.path.split("/").filter(Boolean).reduce((a, s) => a * 3 + (/\*\}$/.test(s) ? 0 : s[0] === "{" ? 1 : 2), 1);
  let best: { route: R; params: Record<string, string> } | null = null;
  for (const route of routes) {
    const params = match(route.path, path);
    if (params && (!best || weight(route) > weight(best.route))) best = { route, params };
  }
  return best;
}

/** The address of a path pattern: href("/hubs/{ns}/{hub}", {ns, hub}, {t: "24h"}). Empty values leave the query out. */
export function href(pattern: string, params: Record<string, string | number> = {}, query: Record<string, string | number | null | undefined> = {}): string {
  const path = pattern.replace(/\{(\w+)(\*?)\}/g, (_, name, rest) => {
    const v = String(params[name] ?? "");
    return rest ? v.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/") : encodeURIComponent(v);
  });
  const q = Object.entries(query).filter(([, v]) => v !== null && v !== undefined && v !== "").map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(String(v))}`).join("&");
  return (path === "/" ? `${base}/` : base + path) + (q ? `?${q}` : "");
}

/** Addresses under /portal that the server answers itself. */
const served = /^\/portal\/(api|assets|signin|signed-in|signout)(\/|$)/;
export const isPage = (url: URL, origin: string): boolean =>
  url.origin === origin && (url.pathname === base || url.pathname.startsWith(base + "/")) && !served.test(url.pathname) && !url.searchParams.has("api-version");

// The server gives the pages with the editor a policy that lets its styles in (and all others a stricter one), and a policy belongs to the document: they are opened by a real
// navigation unless this document is such a page already.
const editors = /^\/portal\/(logs|rules\/.)/;
let withEditor = true;
export const needsLoad = (path: string, lax: boolean): boolean => editors.test(path) && !lax;

/** Changes with each address; `kind` says whether the visitor went on, came back or only the query was written. */
export const address = signal<{ url: URL; kind: "first" | "push" | "pop" | "query" }>(null as never);

const scrolls = new Map<number, [string, number][]>();
let entry = 0;

export function startRouter(): void {
  history.scrollRestoration = "manual";
  withEditor = editors.test(location.pathname);
  entry = history.state?.rf ?? 0;
  history.replaceState({ ...history.state, rf: entry }, "");
  address.set({ url: new URL(location.href), kind: "first" });
  addEventListener("popstate", () => {
    if (needsLoad(location.pathname, withEditor)) { location.reload(); return; }
    keepScroll();
    entry = history.state?.rf ?? 0;
    address.set({ url: new URL(location.href), kind: "pop" });
  });
  addEventListener("click", (e) => {
    if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
    const a = e.composedPath().find((n): n is HTMLAnchorElement | SVGAElement => n instanceof HTMLAnchorElement || n instanceof SVGAElement);
    if (!a || a.getAttribute("target") || a.hasAttribute("download")) return;
    const to = a.getAttribute("href");
    if (!to || to.startsWith("#")) return;
    const url = new URL(to, location.href);
    if (!isPage(url, location.origin)) return;
    e.preventDefault();
    go(url.pathname + url.search + url.hash);
  });
}

/** Goes to an address of the portal ("/portal/incidents?sel=3"). */
export function go(to: string, { replace = false } = {}): void {
  const url = new URL(to, location.href);
  if (!isPage(url, location.origin) || needsLoad(url.pathname, withEditor)) { location[replace ? "replace" : "assign"](url); return; }
  if (url.href === location.href) replace = true;
  keepScroll();
  if (!replace) entry = Date.now();
  history[replace ? "replaceState" : "pushState"]({ rf: entry }, "", url);
  address.set({ url, kind: "push" });
}

/** Writes parameters of the address; null or "" takes one out. The page stays and is told. */
export function setQuery(changes: Record<string, string | number | null | undefined>, { push = false } = {}): void {
  const url = new URL(location.href);
  for (const [k, v] of Object.entries(changes)) v === null || v === undefined || v === "" ? url.searchParams.delete(k) : url.searchParams.set(k, String(v));
  if (url.href === location.href) return;
  if (push) { keepScroll(); entry = Date.now(); }
  history[push ? "pushState" : "replaceState"]({ rf: entry }, "", url);
  address.set({ url, kind: "query" });
}

// Lists scroll inside their frames, so what is kept is the place of each scrolling part of the page by its number.
const parts = () => [...document.querySelectorAll<HTMLElement>("main .body, main .scroll, main .tw")];
function keepScroll(): void {
  const at = parts().map((e, i): [string, number] => [`${i}`, e.scrollTop]).filter(([, y]) => y > 0);
  scrolls.set(entry, at);
  if (scrolls.size > 50) scrolls.delete(scrolls.keys().next().value!);
}
/** Puts the parts of the page back to where they were when this entry of the history was left. */
export function restoreScroll(): void {
  const at = scrolls.get(entry);
  if (!at) return;
  const all = parts();
  for (const [i, y] of at) if (all[Number(i)]) all[Number(i)].scrollTop = y;
}
