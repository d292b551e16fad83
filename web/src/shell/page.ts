// What every page extends. A page gives a head, a body, its keys and what it can be copied as; this class does the frame around.
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { sessionEnded } from "../data/client";
import { subscribe } from "../data/live";
import { prefs } from "../data/prefs";
import type { Signal } from "../data/signals";
import { parseRange, type Range, shift, when } from "../data/time";
import { t } from "../i18n";
import { copyMenu, type CopyItem } from "../parts/copy-as";
import "../parts/marks";
import "../parts/time-picker";
import { setQuery } from "../router";
import { Loader, type LoadOptions } from "./loader";

export { emptyState, errorWords, failure, filteredEmpty, Loader, partialBar, skeleton } from "./loader";
export type { CopyItem } from "../parts/copy-as";

export interface Act { text: string; icon?: string; run?: (e: Event) => void; href?: string; primary?: boolean; danger?: boolean; disabled?: boolean; /** Why it is disabled: the role that is missing, what must come first. */ why?: string }
export interface Tab { text: string; /** Value of ?tab=; the first tab has none. */ tab?: string; href?: string; count?: number | string; current?: boolean }
export interface Head {
  title: string;
  /** Shown as the heading when it is not the title: a template with a mark, say. */
  heading?: unknown;
  crumbs?: { text: string; href?: string }[];
  tabs?: Tab[];
  /** At most three, one of them primary. */
  acts?: Act[];
  /** The page's time picker: its range when the address has none ("24h"). */
  time?: string;
  /** Data older than it should be: since when. */
  stale?: Date;
  /** Anything between title and acts. */
  extra?: unknown;
}
/** A key of the page: `key` as KeyboardEvent.key, "Shift+Enter", "Alt+1". Single letters are off while a field has the focus. */
export interface Key { key: string; text: string; run: (e: KeyboardEvent) => void; /** Also while a field has the focus (Shift+Enter in an editor). */ inFields?: boolean }

// In an interface, so that a page may give it as a field or as a getter.
export interface Page {
  /** A class for the body's grid. */
  bodyClass?: string;
}
export abstract class Page extends LitElement {
  /** Parameters of the path: {n: "1042"}. */
  params: Record<string, string> = {};
  #query = new URLSearchParams(location.search);
  #ends: (() => void)[] = [];
  #subs: [string, (data: any) => void][] = [];
  #watched: Signal<unknown>[] = [];

  createRenderRoot() { return this; }
  connected(): boolean { return this.isConnected; }

  // ---- to be written by the page ----
  abstract head(): Head;
  abstract body(): unknown;
  /** Keys of this page, shown by "?". */
  keys(): Key[] { return []; }
  /** What "Copy as" offers. Link comes by itself. */
  copyAs(): CopyItem[] { return []; }
  /** The query of the address changed (back, forward, a link to the same page, own setQ): `changed` names the parameters. The page is drawn again anyway. */
  queryChanged(_changed: Set<string>): void { /* pages that read by parameters run their loaders here */ }

  // ---- address ----
  /** A parameter of the address. */
  q(name: string, otherwise = ""): string { return this.#query.get(name) ?? otherwise; }
  /** Writes parameters: null or "" takes one out; push makes an entry for Back. */
  setQ(changes: Record<string, string | number | null | undefined>, o?: { push?: boolean }): void { setQuery(changes, o); }
  /** The page's time range from ?t=, else from head().time. */
  get range(): Range { return parseRange(this.q("t")) ?? parseRange(this.head().time ?? "24h")!; }

  // ---- data ----
  /** A part that is read from the server; draw it with .show(view). */
  load<T>(read: (signal: AbortSignal) => Promise<T>, o?: LoadOptions<T>): Loader<T> { return new Loader<T>(this, read, o); }
  /** Live events while the page is open. */
  on(event: string, seen: (data: any) => void): void {
    this.#subs.push([event, seen]);
    if (this.isConnected) this.#ends.push(subscribe(event, seen));
  }
  /** Draws again when the signal changes. */
  watch(s: Signal<any>): void { this.#watched.push(s); if (this.isConnected) this.#ends.push(s.watch(() => this.requestUpdate())); }

  connectedCallback(): void {
    super.connectedCallback();
    for (const [e, cb] of this.#subs) this.#ends.push(subscribe(e, cb));
    for (const s of [...this.#watched, prefs]) this.#ends.push(s.watch(() => this.requestUpdate()));
    // Signed in again: parts that failed for it are read anew.
    this.#ends.push(sessionEnded.watch((ended) => { if (!ended) for (const l of this.#loaders()) if (l.error) void l.run(); }));
  }
  disconnectedCallback(): void { super.disconnectedCallback(); for (const end of this.#ends) end(); this.#ends = []; }
  #all: Loader<unknown>[] = [];
  addController(c: any): void { if (c instanceof Loader) (this.#all ??= []).push(c); super.addController(c); }
  #loaders(): Loader<unknown>[] { return this.#all ?? []; }
  /** Reads all parts again. */
  reload(): void { for (const l of this.#loaders()) void l.run(); }

  /** The router gives the query here. */
  takeQuery(next: URLSearchParams): void {
    const changed = new Set<string>();
    for (const k of new Set([...this.#query.keys(), ...next.keys()])) if (this.#query.get(k) !== next.get(k)) changed.add(k);
    this.#query = next;
    if (!changed.size) return;
    this.queryChanged(changed);
    this.requestUpdate();
  }

  /** Keys that every page with a time range has. */
  ownKeys(): Key[] {
    if (this.head().time === undefined) return this.keys();
    return [...this.keys(),
      { key: "t", text: t("keys.time"), run: () => this.querySelector<HTMLElement>("rf-time-picker button")?.click() },
      { key: "[", text: t("keys.earlier"), run: () => this.setQ({ t: shift(this.range, -1).text }) },
      { key: "]", text: t("keys.later"), run: () => this.setQ({ t: shift(this.range, 1).text }) }];
  }

  // ---- frame ----
  render(): unknown {
    const h = this.head(), copies = this.copyAs();
    return html`<div class="ph">
      <div class="ph-title">${h.crumbs?.length ? html`<nav class="crumb" aria-label=${t("shell.crumbs")}>${h.crumbs.map((c, i) => html`${i ? html`<span aria-hidden="true">/</span>` : nothing}${c.href ? html`<a href=${c.href}>${c.text}</a>` : html`<span>${c.text}</span>`}`)}</nav>` : nothing}
      <h1 tabindex="-1">${h.heading ?? h.title}${h.stale ? html` <span class="cap c-partial">${t("state.as-of", { time: when(h.stale) })}</span>` : nothing}</h1></div>
      ${h.tabs?.length ? html`<nav class="tabs" aria-label=${t("shell.tabs")}>${h.tabs.map((x) => this.#tab(x))}</nav>` : nothing}
      ${h.extra ?? nothing}
      <div class="acts">
        ${h.time === undefined ? nothing : html`<rf-time-picker .range=${this.range} @pick=${(e: CustomEvent<string>) => this.setQ({ t: e.detail === h.time ? null : e.detail })}></rf-time-picker>`}
        ${copies.length ? html`<button class="btn quiet" aria-haspopup="menu" @click=${(e: Event) => void copyMenu(e.currentTarget as HTMLElement, copies)}><rf-icon n="copy"></rf-icon>${t("copy.as")}</button>` : nothing}
        ${h.acts?.map((a) => actButton(a))}
      </div></div>
      <div class="body ${this.bodyClass ?? ""}">${this.body()}</div>`;
  }
  #tab(x: Tab): unknown {
    const current = x.current ?? this.q("tab") === (x.tab ?? ""), to = x.href ?? (x.tab ? `?tab=${encodeURIComponent(x.tab)}` : location.pathname);
    return html`<a href=${to} aria-current=${current ? "page" : nothing}>${x.text}${x.count === undefined ? nothing : html`<i>${x.count}</i>`}</a>`;
  }
  protected updated(_: PropertyValues): void { document.title = `${this.head().title} - Ringfort`; }
}

/** One of the acts of a head or of a pane. */
export const actButton = (a: Act): unknown => {
  const cls = `btn${a.primary ? " pri" : ""}${a.danger ? " danger" : ""}`, inside = html`${a.icon ? html`<rf-icon n=${a.icon}></rf-icon>` : nothing}${a.text}`;
  return a.href && !a.disabled ? html`<a class=${cls} href=${a.href}>${inside}</a>` : html`<button class=${cls} aria-disabled=${a.disabled ? "true" : nothing} title=${(a.disabled && a.why) || nothing} @click=${(e: Event) => { if (!a.disabled) a.run?.(e); }}>${inside}</button>`;
};
