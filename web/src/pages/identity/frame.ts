// What the tabs of Identity share: a list with search and filters, a pane beside it, and people to choose from.
import { html, nothing } from "lit";
import type { User } from "../../data/people";
import { session } from "../../data/session";
import { t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { copyText } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { openMenu } from "../../parts/menu";
import { type Act, type CopyItem, failure, filteredEmpty, type Key, type Loader, Page } from "../../shell/page";

export interface Tab {
  text: string;
  count?: number;
  /** The page's time range, where the tab has one. */
  time?: string;
  /** The tab was opened: read what is not there yet. */
  open(): void;
  /** Parameters of the address changed while it is open. */
  changed?(names: Set<string>): void;
  body(): unknown;
  acts?(): Act[];
  keys?(): Key[];
  copyAs(): CopyItem[];
  /** Reads all anew. */
  again(): void;
}
type Choices = Record<string, { value: string; text: string }[]>;

export abstract class Frame extends Page {
  #typing?: ReturnType<typeof setTimeout>;
  abstract tab: Tab;
  abstract users: Loader<{ users: User[]; onlyMe: boolean }>;
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); }

  get filters() { return readFilters(this.q("f")); }
  setFilter(k: string, v: string[]) { this.setQ({ f: writeFilters({ ...this.filters, [k]: v }) || null }); }
  get text(): string { return this.q("q").trim().toLowerCase(); }
  /** Whether a row passes a filter. */
  passes(k: string, v: string): boolean { const f = this.filters[k]; return !f?.length || f.includes(v); }

  bar(placeholder: string, choices: Choices = {}) {
    const f = this.filters, flip = (k: string, v: string) => () => this.setFilter(k, f[k]?.includes(v) ? f[k].filter((y) => y !== v) : [...(f[k] ?? []), v]), name = (k: string) => t(`identity.f-${k}`);
    const typed = (e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 250); };
    const enter = (e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } };
    const items = Object.entries(choices).flatMap(([k, all], i) => all.map((x, j) => ({ text: t("filter.is", { name: name(k), value: x.text }), checked: !!f[k]?.includes(x.value), line: i > 0 && j === 0, run: flip(k, x.value) })));
    return html`<div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${placeholder}</span><input type="search" placeholder=${placeholder} .value=${this.q("q")} @input=${typed} @keydown=${enter}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(name(k), v.map((x) => choices[k]?.find((y) => y.value === x)?.text ?? x).join(", "), () => this.setFilter(k, [])))}
      ${items.length ? html`<button class="btn s quiet" aria-haspopup="menu" @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, items, { label: t("filter.add") })}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button>` : nothing}</div>`;
  }
  /** What stands there when filters and search let nothing through. */
  filtered(total?: number) { return filteredEmpty([...Object.keys(this.filters).map((k) => t(`identity.f-${k}`)), this.q("q") && `"${this.q("q")}"`].filter(Boolean).join(", "), total, () => this.setQ({ q: null, f: null })); }
  grid<R>(name: string, columns: GridColumn<R>[], rows: R[], sort: string, key: (r: R) => string = (r) => (r as { id: string }).id) {
    return html`<rf-grid name=${`identity-${name}`} .label=${t(`identity.${name}`)} .columns=${columns} .rows=${rows} .rowKey=${key} .current=${this.q("sel")} .sort=${this.q("sort", sort)} @rf-current=${(e: CustomEvent<{ key: string }>) => this.setQ({ sel: e.detail.key })} @rf-open=${() => this.querySelector<HTMLElement>(".pane .acts .btn, .pane a")?.focus()} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === sort ? null : e.detail })}></rf-grid>`;
  }
  none(text: string) { return html`<aside class="pane none"><div class="state"><p class="t2">${text}</p></div></aside>`; }
  pane(title: string, sub: unknown, inside: unknown, acts?: unknown) {
    return html`<aside class="pane" aria-label=${title}><header><h2 class="grow">${title}</h2><button class="btn s quiet ic" aria-label=${t("identity.close-pane")} @click=${() => this.closePane()}><rf-icon n="x"></rf-icon></button></header><div class="sub">${sub}</div><div class="scroll">${inside}</div>${acts ? html`<div class="acts">${acts}</div>` : nothing}</aside>`;
  }
  closePane() { this.setQ({ sel: null }); this.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); }
  /** A section of a pane: what was read, that there is none, or why it could not be read. */
  section<T>(v: T[] | Error, some: (v: T[]) => unknown, none: string, role: string, retry: () => void) {
    return v instanceof Error ? failure(v, { retry, needs: { role, on: session().tenant.name } }) : v.length ? some(v) : html`<p class="t3">${none}</p>`;
  }
  datalist() { return html`<datalist id="identity-users">${(this.users.value?.users ?? []).slice(0, 500).map((u) => html`<option value=${u.userPrincipalName}>${u.displayName}</option>`)}</datalist>`; }
  /** The person that a field names; the fault says so when there is none. */
  userOf(text: string): User {
    const low = text.trim().toLowerCase(), u = this.users.value?.users.find((x) => [x.userPrincipalName, x.displayName, x.id].some((y) => y.toLowerCase() === low));
    if (!u) throw new Error(t("identity.no-user", { name: text.trim() }));
    return u;
  }
}
/** A secret, shown once: it is in this dialog only. */
export const showOnce = (title: string, value: string, note: string): Promise<void> => openDialog<void>({
  title, body: () => html`<div class="note warn"><rf-icon n="key"></rf-icon><span>${t("identity.once")}</span></div><div class="row"><code class="secret grow">${value}</code><button type="button" class="btn" @click=${() => void copyText(value, t("identity.value"))}><rf-icon n="copy"></rf-icon>${t("act.copy")}</button></div><p class="t2">${note}</p>`,
  acts: [{ text: t("identity.noted"), primary: true, run: (d) => { d.close(); return undefined; } }],
}) as Promise<void>;
/** A field of a dialog. */
export const field = (label: string, value: string, set: (v: string) => void, o: { list?: string; type?: string; min?: number; max?: number; mono?: boolean; focus?: boolean; hint?: string } = {}) =>
  html`<label class="stack">${label}<input class=${o.mono ? "in mono" : "in"} type=${o.type ?? "text"} autocomplete="off" spellcheck="false" list=${o.list ?? nothing} min=${o.min ?? nothing} max=${o.max ?? nothing} ?autofocus=${o.focus} .value=${value} @input=${(e: Event) => set((e.target as HTMLInputElement).value)}>${o.hint ? html`<span class="cap">${o.hint}</span>` : nothing}</label>`;
export const choice = (label: string, value: string, all: { value: string; text: string }[], set: (v: string) => void) =>
  html`<label class="stack">${label}<select class="in" @change=${(e: Event) => set((e.target as HTMLSelectElement).value)}>${all.map((x) => html`<option value=${x.value} ?selected=${x.value === value}>${x.text}</option>`)}</select></label>`;
