// <rf-inspector .value=${any} path="Details" .open=${2} @rf-cell=${...}>: JSON as a tree. Each leaf has the acts of a cell; its path is copied as KQL.
import { html, LitElement, nothing } from "lit";
import { columnName } from "../data/kql";
import { t } from "../i18n";
import { copyText } from "./copy-as";

const word = /^[A-Za-z_]\w*$/;
/** The path of a leaf as KQL: Details.user["display name"][0]. */
export const pathOf = (root: string, keys: (string | number)[]): string => keys.reduce<string>((a, k) => a + (typeof k === "number" ? `[${k}]` : word.test(k) && a ? `.${k}` : a ? `[${JSON.stringify(k)}]` : columnName(k)), root);

export class Inspector extends LitElement {
  static properties = { value: { attribute: false }, path: {}, open: { type: Number }, acts: { type: Boolean } };
  declare value: unknown;
  declare path: string;
  declare open: number;
  /** Offers "only this" and "not this" (event rf-cell). */
  declare acts: boolean;
  #shown = new Map<string, boolean>();
  #more = new Set<string>();
  constructor() { super(); this.path = ""; this.open = 1; this.acts = false; }
  createRenderRoot() { return this; }
  render() { return html`<ul class="insp" role="tree" aria-label=${this.path || nothing} @keydown=${this.#keys}>${this.#branch(this.value, [])}</ul>`; }

  #branch(v: unknown, at: (string | number)[]): unknown {
    if (v === null || typeof v !== "object") return this.#node("", v, at);
    const all: [string | number, unknown][] = Array.isArray(v) ? v.map((x, i) => [i, x]) : Object.entries(v), id = at.join("/"), most = this.#more.has(id) ? all.length : 100;
    return html`${all.slice(0, most).map(([k, x]) => this.#node(String(k), x, [...at, k]))}${all.length > most ? html`<li role="none"><button class="btn s quiet" @click=${() => { this.#more.add(id); this.requestUpdate(); }}>${t("act.show-more")} (${all.length - most})</button></li>` : nothing}`;
  }
  #node(name: string, v: unknown, at: (string | number)[]): unknown {
    const id = at.join("/"), deep = v !== null && typeof v === "object", size = deep ? (Array.isArray(v) ? v.length : Object.keys(v as object).length) : 0;
    const open = deep && size > 0 && (this.#shown.get(id) ?? at.length <= this.open), path = pathOf(this.path, at), first = at.length === 1 && name === String(firstKey(this.value));
    const toggle = () => { if (deep && size) { this.#shown.set(id, !open); this.requestUpdate(); } };
    const act = (a: string) => () => this.dispatchEvent(new CustomEvent("rf-cell", { detail: { act: a, path, value: v }, bubbles: true }));
    return html`<li role="treeitem" aria-expanded=${deep && size ? String(open) : nothing} tabindex=${first || !at.length ? 0 : -1} data-path=${path}>
      <div class="leaf" @click=${toggle}>${deep && size ? html`<rf-icon n=${open ? "down" : "right"}></rf-icon>` : html`<span class="no-twist"></span>`}${name ? html`<span class="k">${name}</span>` : nothing}
        ${deep ? html`<span class="t3">${size ? t(Array.isArray(v) ? "inspector.items" : "inspector.fields", { n: size }) : Array.isArray(v) ? "[]" : "{}"}</span>` : html`<span class="v ${typeof v}">${v === "" ? "\"\"" : String(v)}</span>`}
        <span class="leaf-acts" @click=${(e: Event) => e.stopPropagation()}>${this.acts && !deep ? html`<button class="btn s quiet ic" tabindex="-1" aria-label=${t("grid.only")} @click=${act("only")}><rf-icon n="plus"></rf-icon></button><button class="btn s quiet ic" tabindex="-1" aria-label=${t("grid.not")} @click=${act("not")}><rf-icon n="min"></rf-icon></button>` : nothing}
        <button class="btn s quiet ic" tabindex="-1" aria-label=${t("inspector.copy-path")} title=${t("inspector.copy-path")} @click=${() => void copyText(path, path)}><rf-icon n="link"></rf-icon></button><button class="btn s quiet ic" tabindex="-1" aria-label=${t("grid.copy")} @click=${() => void copyText(deep ? JSON.stringify(v, null, 2) : String(v ?? ""), name || this.path)}><rf-icon n="copy"></rf-icon></button></span></div>
      ${open ? html`<ul role="group">${this.#branch(v, at)}</ul>` : nothing}</li>`;
  }
  #keys = (e: KeyboardEvent) => {
    const all = [...this.querySelectorAll<HTMLElement>("[role=treeitem]")], now = (e.target as Element).closest<HTMLElement>("[role=treeitem]"), i = now ? all.indexOf(now) : -1;
    if (!now || (e.target as Element).closest("button")) return;
    const open = now.getAttribute("aria-expanded"), go = (x: HTMLElement | undefined | null) => { if (!x) return; for (const y of all) y.tabIndex = y === x ? 0 : -1; x.focus(); };
    const done = () => { e.preventDefault(); e.stopPropagation(); };
    const twist = () => now.querySelector<HTMLElement>(".leaf")!.click();
    if (e.key === "ArrowDown") { done(); go(all[i + 1]); }
    else if (e.key === "ArrowUp") { done(); go(all[i - 1]); }
    else if (e.key === "Home") { done(); go(all[0]); }
    else if (e.key === "End") { done(); go(all[all.length - 1]); }
    else if (e.key === "ArrowRight") { done(); if (open === "false") twist(); else if (open) go(all[i + 1]); }
    else if (e.key === "ArrowLeft") { done(); if (open === "true") twist(); else go(now.parentElement!.closest<HTMLElement>("[role=treeitem]")); }
    else if (e.key === "Enter" && open) { done(); twist(); }
  };
}
const firstKey = (v: unknown) => (v && typeof v === "object" ? Object.keys(v)[0] : "");
if (!customElements.get("rf-inspector")) customElements.define("rf-inspector", Inspector);
