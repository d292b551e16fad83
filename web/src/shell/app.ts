// The frame: bar, navigation, status line, and the page in the middle.
import { html, LitElement, nothing } from "lit";
import { ApiError, connection, get, sessionEnded } from "../data/client";
import { type Pulse, startLive, subscribe } from "../data/live";
import { readOverview } from "../data/overview";
import { prefs, savePrefs, setPrefs, takePreferences } from "../data/prefs";
import type { Signal } from "../data/signals";
import { loadSession, session, signInAddress } from "../data/session";
import { clock, duration, num, short, stamp, zoneWords } from "../data/time";
import { chooseLanguage, lang, loadTexts, setLanguage, t, th } from "../i18n";
import "../parts/marks";
import { pages, type Group, type PageEntry } from "../pages/index";
import { openMenu } from "../parts/menu";
import { say } from "../parts/say";
import { address, base, find, href, restoreScroll, startRouter } from "../router";
import { counts, setCount } from "./counts";
import { startKeys } from "./keys";
import { logo, motif } from "./mark";
import type { Page } from "./page";
import { errorWords, failure } from "./loader";
import { newCount, openTray, tray, undoLast } from "./tray";

const groups: Group[] = ["overview", "investigate", "detect", "defend", "estate", "ringfort"];
class App extends LitElement {
  #page: Page | null = null;
  #entry: PageEntry | null = null;
  #fault: Error | null = null;
  #missing = false;
  #pulse: Pulse | null = null;
  #ready = false;
  #turn = 0;
  #key = "";
  createRenderRoot() { return this; }

  connectedCallback() { super.connectedCallback(); void this.#start(); }
  async #start() {
    this.#look();
    prefs.watch(() => this.#look());
    try {
      setLanguage(chooseLanguage(navigator.languages));
      const first = find(pages, location.pathname.slice(base.length) || "/");
      // What does not depend on each other is asked at once.
      const texts = loadTexts(""), ahead = first?.route.load();
      ahead?.catch(() => { /* reported when the page is opened */ });
      await Promise.all([loadSession(), texts]);
      takePreferences(session().preferences);
      const wanted = chooseLanguage([prefs.value.language || undefined, ...navigator.languages]);
      if (wanted !== lang()) { setLanguage(wanted); await loadTexts(""); }
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) { location.replace(signInAddress()); return; }
      this.#fault = e as Error;
      await loadTexts("").catch(() => { /* then keys stand for texts: nothing can be loaded at all */ });
      this.requestUpdate();
      return;
    }
    document.documentElement.lang = lang();
    this.#ready = true;
    for (const event of ["incident", "missed"]) subscribe(event, () => this.#recount());
    subscribe("missed", (m) => void import("./catch-up").then((c) => c.catchUp(m.since)).catch(() => { /* the next reading of the page brings it */ }));
    void this.#count();
    subscribe("pulse", (p) => { this.#pulse = p; this.requestUpdate(); });
    for (const s of [connection, sessionEnded, tray, prefs, counts]) (s as Signal<unknown>).watch(() => this.requestUpdate());
    // The session's end is known when somebody comes back from signing in on another tab, too.
    addEventListener("focus", () => { if (sessionEnded.value) void loadSession().catch(() => { /* still ended */ }); });
    address.watch((a) => void this.#open(a.kind));
    startRouter();
    startLive();
    startKeys(() => this.#page, this.#frameKeys());
    setTimeout(() => void import("./palette").catch(() => { /* asked again when it is opened */ }), 1500);   // so that Ctrl+K opens at once
  }

  /** Open incidents, beside their entry. Nobody is told when they may not be seen: the page itself says it. */
  async #count() {
    const o = await readOverview<{ incidents?: { open?: { total: number } } }>().catch(() => null);
    if (o?.incidents?.open) setCount("incidents", o.incidents.open.total, true);
  }
  #counting?: ReturnType<typeof setTimeout>;
  #recount() { this.#counting ??= setTimeout(() => { this.#counting = undefined; void this.#count(); }, 2000); }

  #look() {
    const d = document.documentElement, p = prefs.value;
    if (p.theme === "system") delete d.dataset.theme; else d.dataset.theme = p.theme;
    if (p.density === "comfortable") d.dataset.density = p.density; else delete d.dataset.density;
  }

  #frameKeys() {
    return [
      { key: "Ctrl+k", text: t("keys.palette"), run: () => void this.#palette(), inFields: true },
      { key: "?", text: t("keys.help"), run: () => void this.#help() },
      { key: "Ctrl+z", text: t("keys.undo"), run: () => void undoLast() },
    ];
  }
  async #palette() { (await import("./palette")).openPalette(this.#page); }
  async #help() { (await import("./help")).openHelp(this.#page, this.#frameKeys()); }

  /** Makes the page of the address, or tells the page that is there about a new query. */
  async #open(kind: string) {
    const { url } = address.value, path = url.pathname.slice(base.length) || "/", found = find(pages, path), turn = ++this.#turn;
    const key = found ? `${found.route.name} ${JSON.stringify(found.params)}` : path;
    if (this.#page && key === this.#key && kind !== "first") { this.#page.takeQuery(url.searchParams); return; }
    if (!found) { this.#show(null, null, true, kind, key); return; }
    try {
      const [module] = await Promise.all([found.route.load(), loadTexts(found.route.name)]);
      if (turn !== this.#turn) return;
      const tag = `rf-page-${found.route.name}`;
      if (!customElements.get(tag)) customElements.define(tag, module.default);
      const page = document.createElement(tag) as Page;
      page.params = found.params;
      page.classList.add("page");
      this.#show(page, found.route, false, kind, key);
    } catch (e) {
      if (turn !== this.#turn) return;
      this.#fault = e as Error;
      console.error(e);
      this.#show(null, found.route, false, kind, "");
    }
  }
  async #show(page: Page | null, entry: PageEntry | null, missing: boolean, kind: string, key: string) {
    if (page) this.#fault = null;
    this.#page = page; this.#entry = entry; this.#missing = missing; this.#key = key;
    this.requestUpdate();
    await this.updateComplete;
    await page?.updateComplete;
    if (missing) document.title = `${t("shell.no-page")} - Ringfort`;
    if (kind === "pop") { restoreScroll(); setTimeout(restoreScroll, 250); }
    // Whoever navigates by keyboard or screen reader goes on at the new page's heading.
    if (kind !== "first") this.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  }

  render() {
    if (!this.#ready) return this.#fault ? html`<main id="main">${failure(this.#fault, { what: t("shell.not-started"), retry: () => location.reload() })}</main>` : nothing;
    const s = session();
    return html`<a class="skip" href="#main" @click=${(e: Event) => { e.preventDefault(); this.querySelector<HTMLElement>("#main")!.focus(); }}>${t("shell.skip")}</a>
      <header class="top">${motif}<a class="brand" href=${href("/")} aria-label=${t("shell.home")}>${logo}<span>Ringfort</span></a>
        <button class="omni" aria-haspopup="dialog" @click=${() => void this.#palette()}><rf-icon n="search"></rf-icon><span>${t("shell.search")}</span><kbd>Ctrl K</kbd></button>
        <div class="tools">
          <button class="tool" aria-haspopup="menu" aria-label=${t("shell.zone", { zone: zoneWords() })} @click=${this.#zones}><rf-icon n="clock"></rf-icon><span>${prefs.value.zone === "UTC" ? "UTC" : prefs.value.zone === "local" ? t("zone.local") : prefs.value.zone}</span></button>
          <button class="tool" aria-haspopup="dialog" aria-label=${t("shell.tray", { n: newCount() })} @click=${(e: Event) => openTray(e.currentTarget as HTMLElement)}><rf-icon n="bell"></rf-icon>${newCount() ? html`<span class="dot">${newCount()}</span>` : nothing}</button>
          <button class="tool" aria-haspopup="menu" aria-label=${t("shell.theme")} @click=${this.#themes}><rf-icon n="theme"></rf-icon></button>
          <button class="tool" aria-haspopup="dialog" aria-label=${t("shell.help")} @click=${() => void this.#help()}><rf-icon n="help"></rf-icon></button>
          <button class="me" aria-haspopup="menu" title=${t("shell.person", { name: s.user.name, organisation: s.tenant.name })} @click=${this.#person}><span class="av" aria-hidden="true">${initials(s.user.name)}</span><span>${s.user.name}<small>${s.tenant.name}</small></span></button>
        </div></header>
      <nav class="nav" aria-label=${t("shell.nav")}>${groups.map((g) => this.#group(g))}</nav>
      <main id="main" tabindex="-1">${this.#bars()}${this.#page ?? this.#instead()}</main>
      ${this.#foot()}`;
  }

  #group(g: Group) {
    const list = pages.filter((p) => p.group === g), now = this.#entry?.under ?? this.#entry?.name;
    if (!list.length) return nothing;
    return html`${g === "overview" ? nothing : html`<h2 id="nav-${g}">${t(`nav.${g}`)}</h2>`}<ul aria-labelledby=${g === "overview" ? nothing : `nav-${g}`}>${list.map((p) => {
      const c = counts.value[p.name];
      return html`<li><a href=${href(p.path)} title=${t(`page.${p.name}`)} aria-current=${p.name === now ? "page" : nothing}><rf-icon n=${p.icon}></rf-icon><span class="lbl">${t(`page.${p.name}`)}</span>${c?.n ? html`<span class="cnt ${c.hot ? "hot" : ""}">${short(c.n)}</span>` : nothing}</a></li>`;
    })}</ul>`;
  }

  #bars() {
    if (!sessionEnded.value) return nothing;
    return html`<div class="note warn bar-note" role="alert"><rf-icon n="lock"></rf-icon><span class="grow">${t("shell.session-ended")}</span><a class="btn s pri" target="_blank" rel="noopener" href=${signInAddress()}>${t("shell.sign-in")}</a></div>`;
  }
  #instead() {
    if (this.#missing) return html`<div class="page"><div class="ph"><h1 tabindex="-1">${t("shell.no-page")}</h1></div><div class="body"><div class="state"><p>${t("shell.no-page-text", { address: location.pathname })}</p><a class="btn pri" href=${href("/")}>${t("page.overview")}</a></div></div></div>`;
    if (this.#fault) return html`<div class="page"><div class="ph"><h1 tabindex="-1">${this.#entry ? t(`page.${this.#entry.name}`) : ""}</h1></div><div class="body">${failure(this.#fault, { what: t("shell.not-loaded"), retry: () => void this.#open("push") })}</div></div>`;
    return nothing;
  }

  #foot() {
    const c = connection.value, p = this.#pulse, b = (v: unknown) => html`<b>${v}</b>`;
    const age = p?.newestRow ? Math.max(0, +new Date(p.time) - +new Date(p.newestRow)) : null;
    return html`<footer class="foot" aria-label=${t("status.name")}>
      <a href=${href("/health")}>${c.state === "live" ? html`<rf-state s="ok" word=${t("status.live")}></rf-state>` : c.state === "waiting" ? html`<rf-state s="unknown" word=${t("status.waiting")}></rf-state>` : html`<rf-state s="fail" word=${t("status.offline", { time: clock(c.since) })}></rf-state>`}</a>
      ${p ? html`${p.rowsPerSecond === null ? nothing : html`<a href=${href("/connect")}>${th("status.rows", { n: b(p.rowsPerSecond < 10 ? num(p.rowsPerSecond, 1) : num(Math.round(p.rowsPerSecond))) })}</a>`}
      <a href=${href("/connect")}>${th("status.silent", { n: p.silent, count: b(num(p.silent)) })}</a>
      ${age === null ? nothing : html`<a href=${href("/logs")}>${age < 86400e3 ? th("status.newest", { age: b(duration(age)) }) : th("status.newest-on", { time: b(stamp(p.newestRow)) })}</a>`}` : nothing}
      <span class="end">${p?.logHeads ? html`<a href=${href("/health")}>${th("status.heads", { time: b(clock(p.logHeads)) })}</a>` : nothing}
      <a href=${href("/resources/{id*}", { id: session().workspace.id })}>${th("status.workspace", { name: b(session().workspace.name) })}</a>
      <b><rf-clock></rf-clock></b></span></footer>`;
  }

  #themes = (e: Event) => {
    const p = prefs.value;
    openMenu(e.currentTarget as HTMLElement, [
      ...(["system", "light", "dark", "contrast"] as const).map((x) => ({ text: t(`theme.${x}`), checked: p.theme === x, run: () => setPrefs({ theme: x }) })),
      ...(["compact", "comfortable"] as const).map((x, i) => ({ text: t(`density.${x}`), checked: p.density === x, line: i === 0, run: () => setPrefs({ density: x }) })),
    ], { label: t("shell.theme"), end: true });
  };
  #zones = (e: Event) => {
    const z = prefs.value.zone, here = Intl.DateTimeFormat().resolvedOptions().timeZone, list = [...new Set(["UTC", "local", ...(z === "UTC" || z === "local" ? [] : [z])])], anchor = e.currentTarget as HTMLElement;
    openMenu(anchor, [
      ...list.map((x) => ({ text: x === "local" ? t("zone.local") : x, note: x === "local" ? here : undefined, checked: z === x, run: () => setPrefs({ zone: x }) })),
      { text: t("zone.other"), line: true, run: () => void import("./zone").then((m) => m.chooseZone()) },
    ], { label: t("shell.zone", { zone: zoneWords() }), end: true });
  };
  #person = (e: Event) => {
    const s = session(), l = prefs.value.language;
    openMenu(e.currentTarget as HTMLElement, [
      { text: s.user.upn, disabled: true },
      { text: t("page.account"), icon: "finger", href: href("/account"), line: true },
      ...([["", t("language.own")], ["en", "English"], ["de", "Deutsch"], ["fr", "Français"], ["es", "Español"]] as const).map(([x, text], i) => ({ text, checked: l === x, line: i === 0, run: () => void savePrefs({ language: x }).then(() => location.reload(), (f) => say(errorWords(f))) })),
      { text: t("keys.letters"), checked: prefs.value.keys, line: true, run: () => setPrefs({ keys: !prefs.value.keys }) },
      { text: t("shell.sign-out"), icon: "door", line: true, run: () => void import("./sign-out").then((m) => m.signOut()) },
    ], { label: t("shell.person", { name: s.user.name, organisation: s.tenant.name }), end: true });
  };
}
const initials = (name: string): string => name.split(/\s+/).filter(Boolean).map((w) => w[0]).filter((_, i, a) => i === 0 || i === a.length - 1).join("").toUpperCase();

/** Time and zone; ticks without drawing anything else. */
customElements.define("rf-clock", class extends HTMLElement {
  #timer?: ReturnType<typeof setInterval>;
  connectedCallback() { const tick = () => { if (!document.hidden) this.textContent = `${stamp(new Date())} ${zoneWords()}`; }; tick(); this.#timer = setInterval(tick, 1000); }
  disconnectedCallback() { clearInterval(this.#timer); }
});
customElements.define("rf-app", App);
