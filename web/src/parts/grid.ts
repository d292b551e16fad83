// <rf-grid>: a table of any length. Only the rows in sight exist, so a million scroll as easily as ten.
//
//   <rf-grid name="incidents" label=${...} selectable cellActs
//     .columns=${[{ id: "sev", head: "Severity", width: 124, cell: (r) => html`<rf-sev s=${r.sev}></rf-sev>`, value: (r) => r.rank }, { id: "title", head: "Title", value: (r) => r.title }]}
//     .rows=${rows}                      an array (sorted here), or .count=${n} .at=${(i) => row} (sorted by whoever gives them)
//     .rowKey=${(r) => r.id}             needed for current and selected
//     .current=${this.q("sel")} .selected=${set} .sort=${this.q("sort")} .total=${8412} ?more=${true}
//     @rf-open=${(e) => e.detail.row}    Enter, double click         @rf-current  another row has the focus or was clicked
//     @rf-select=${(e) => e.detail}      a new Set of keys           @rf-sort     "-time,title"; keep it in the address
//     @rf-cell=${(e) => e.detail}        {act: "only"|"not"|"open", column, row, value}
//     @rf-more  the next page is asked   @rf-back  Escape
//   ></rf-grid>
//
// `name` keeps widths and hidden columns in the person's preferences. A column: id, head, width (px) or none (shares the rest), min, num (right, tabular),
// value (text, sorting, copying; default row[id]), cell (template), sortable (true), title, cls(row). Keys: arrows j k Home End PageUp PageDown, x Space Shift+arrows, Enter Escape, + - e Ctrl+C.
import { html, LitElement, nothing, type PropertyValues } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { prefs, setPrefs } from "../data/prefs";
import { num } from "../data/time";
import { t } from "../i18n";
import { copyText } from "./copy-as";
import { css } from "./css";
import { openMenu } from "./menu";

export interface GridColumn<R = any> {
  id: string;
  head: string;
  width?: number;
  min?: number;
  num?: boolean;
  value?: (row: R, index: number) => unknown;
  cell?: (row: R, index: number) => unknown;
  cls?: (row: R) => string;
  sortable?: boolean;
  title?: string;
  /** No cell acts on this column. */
  plain?: boolean;
}
export interface CellAct<R = any> { act: "only" | "not" | "open"; column: GridColumn<R>; row: R; value: unknown }

const spare = 10;              // rows beyond the window, above and below
const tallest = 8_000_000;     // browsers cut what is taller than some 16 to 33 million pixels
const head = 28;

export class Grid<R = any> extends LitElement {
  static properties = {
    columns: { attribute: false }, rows: { attribute: false }, count: { type: Number }, at: { attribute: false }, rowKey: { attribute: false }, label: {}, name: {},
    selectable: { type: Boolean }, cellActs: { type: Boolean }, selected: { attribute: false }, current: {}, sort: {}, total: { type: Number }, more: { type: Boolean },
    changed: { attribute: false }, footer: { attribute: false }, nofoot: { type: Boolean }, canOpenEntity: { attribute: false },
  };
  declare columns: GridColumn<R>[];
  declare rows: readonly R[] | undefined;
  declare count: number | undefined;
  declare at: ((i: number) => R) | undefined;
  declare rowKey: ((row: R, i: number) => string) | undefined;
  declare label: string;
  declare name: string;
  declare selectable: boolean;
  declare cellActs: boolean;
  declare selected: ReadonlySet<string>;
  declare current: string;
  declare sort: string;
  declare total: number | undefined;
  declare more: boolean;
  /** "key/column" of cells that changed a moment ago: a dot marks them. */
  declare changed: ReadonlySet<string> | undefined;
  declare footer: unknown;
  declare nofoot: boolean;
  declare canOpenEntity: ((c: GridColumn<R>, row: R) => boolean) | undefined;

  #order: number[] | null = null;
  #top = 0;            // where the window is, in pixels of the whole
  #offset = 0;         // what was taken off because the frame is not as tall as the whole
  #before = 0;         // scrollTop of the frame when it was looked at last
  #height = 600;
  #row = 30;
  #cell = { r: 0, c: 0 };   // r -1 is the head
  #focused = false;
  #anchor = -1;
  #watch?: ResizeObserver;
  #widths: Record<string, number> | null = null;   // while a width is dragged
  #bar: { r: number; c: number } | null = null;
  #barTimer?: ReturnType<typeof setTimeout>;
  #unwatch?: () => void;
  #frame = 0;

  constructor() { super(); this.columns = []; this.selected = new Set(); this.label = ""; this.name = ""; this.current = ""; this.sort = ""; }
  createRenderRoot() { return this; }

  // ---- rows ----
  get #n(): number { return this.rows ? this.rows.length : this.count ?? 0; }
  #get(i: number): R { return this.rows ? this.rows[this.#order ? this.#order[i] : i] : this.at!(i); }
  #keyOf(i: number): string { const r = this.#get(i); return r === undefined ? "" : this.rowKey ? this.rowKey(r, i) : String(i); }
  #value(c: GridColumn<R>, r: R, i: number): unknown { return c.value ? c.value(r, i) : (r as Record<string, unknown>)[c.id]; }
  get #cols(): GridColumn<R>[] { const hidden = this.#prefs.hidden; return hidden?.length ? this.columns.filter((c) => !hidden.includes(c.id)) : this.columns; }
  get #prefs() { return (this.name && prefs.value.columns[this.name]) || {}; }
  #width(c: GridColumn<R>): number | undefined { return this.#widths?.[c.id] ?? this.#prefs.width?.[c.id] ?? c.width; }

  #sortRows() {
    this.#order = null;
    const keys = this.sort.split(",").filter(Boolean).map((k) => ({ down: k[0] === "-", c: this.columns.find((c) => c.id === k.replace(/^-/, ""))! })).filter((k) => k.c);
    if (!this.rows || !keys.length) return;
    const rows = this.rows, vals = keys.map((k) => rows.map((r, i) => this.#value(k.c, r, i)));
    const text = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    this.#order = rows.map((_, i) => i).sort((a, b) => {
      for (let k = 0; k < keys.length; k++) {
        const x = vals[k][a], y = vals[k][b], d = compare(x, y, text);
        if (d) return none(x) || none(y) ? d : keys[k].down ? -d : d;
      }
      return a - b;
    });
  }

  // ---- life ----
  connectedCallback() {
    super.connectedCallback();
    this.#watch ??= new ResizeObserver(() => this.#measure());
    void this.updateComplete.then(() => { const f = this.#box; if (f) this.#watch!.observe(f); this.#measure(); });
    this.#unwatch = prefs.watch(() => { this.requestUpdate(); requestAnimationFrame(() => this.#measure()); });
  }
  disconnectedCallback() { super.disconnectedCallback(); this.#watch?.disconnect(); this.#unwatch?.(); clearTimeout(this.#barTimer); cancelAnimationFrame(this.#frame); }
  get #box(): HTMLElement | null { return this.querySelector(".tw"); }
  #measure() {
    const row = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--rf-row")) || 30, height = this.#box?.clientHeight || this.#height;
    if (row === this.#row && height === this.#height) return;
    this.#row = row; this.#height = height;
    this.requestUpdate();
  }
  willUpdate(p: PropertyValues) {
    if (p.has("rows") || p.has("sort") || p.has("columns")) this.#sortRows();
    if (p.has("current") && this.current && this.rowKey && this.#n) {
      // The row of the address gets the focus place, unless that is where the focus came from.
      if (this.#keyOf(this.#cell.r) !== this.current) { const i = this.#find(this.current); if (i >= 0) { this.#cell.r = i; this.#want = i; } }
    } else if (p.has("rows") && this.current && this.rowKey) { const i = this.#find(this.current); if (i >= 0) { if (this.#cell.r !== i) this.#want = i; this.#cell.r = i; } }
    this.#cell.r = Math.min(this.#cell.r, Math.max(-1, this.#n - 1));
  }
  #want = -1;   // a row to bring into sight
  #find(key: string): number { const n = Math.min(this.#n, 100_000); for (let i = 0; i < n; i++) if (this.#keyOf(i) === key) return i; return -1; }
  updated() {
    if (this.#want >= 0 && this.#box) { const i = this.#want; this.#want = -1; this.#reveal(i); }
    if (!this.#focused) return;
    const e = this.#element(this.#cell.r, this.#cell.c), now = document.activeElement;
    if (e && now !== e && !e.contains(now) && (now === document.body || this.contains(now))) e.focus({ preventScroll: true });
    else if (!e && (now === document.body || this.contains(now))) this.#box?.focus({ preventScroll: true });
  }
  #element(r: number, c: number): HTMLElement | null { return this.querySelector(r < 0 ? `thead [data-c="${c}"]` : `tbody tr[data-r="${r}"] > [data-c="${c}"]`); }

  // ---- window ----
  get #whole(): number { return this.#n * this.#row; }
  get #tall(): number { return Math.min(this.#whole, tallest); }
  #scrolled = () => {
    const box = this.#box!, y = box.scrollTop, view = this.#height;
    if (this.#whole <= tallest) { this.#offset = 0; this.#top = y; }
    else {
      const most = this.#tall + head - view, all = this.#whole + head - view;
      if (Math.abs(y - this.#before) < view) {
        // A small step is a step of as many pixels; only far from the ends, where both counts meet, the offset may stay.
        this.#top = Math.max(0, Math.min(all, this.#top + y - this.#before));
        if (y <= 0) this.#top = 0; else if (y >= most - 1) this.#top = all;
      } else this.#top = (y / most) * all;
      // Near an end of the frame but not of the rows, or the reverse, the frame is moved to where the rows are.
      const ideal = (this.#top / all) * most;
      if (Math.abs(ideal - y) > view * 4) { box.scrollTop = ideal; this.#offset = this.#top - box.scrollTop; this.#before = box.scrollTop; this.#later(); return; }
      this.#offset = this.#top - y;
    }
    this.#before = y;
    this.#later();
  };
  /** The first row that exists. It moves by five rows at once, so that most frames of a scroll have nothing to draw. */
  #from(): number { return Math.max(0, Math.floor((this.#top / this.#row - spare + 5) / 5) * 5); }
  #drawn = "";
  #later() {
    const now = `${this.#from()} ${this.#offset}`;
    if (now === this.#drawn || this.#n <= 200) { if (this.#bar) { this.#bar = null; this.requestUpdate(); } return; }
    this.#drawn = now;
    this.#bar = null; if (!this.#frame) this.#frame = requestAnimationFrame(() => { this.#frame = 0; this.requestUpdate(); });
  }
  /** Brings a row into sight, clear of the head. */
  #reveal(i: number) {
    const box = this.#box;
    if (!box) return;
    const y = i * this.#row, view = this.#height - head;
    if (y >= this.#top && y + this.#row <= this.#top + view) return;
    const to = y < this.#top ? y : y + this.#row - view;
    if (this.#whole <= tallest) box.scrollTop = to;
    else {
      const most = this.#tall + head - this.#height, all = this.#whole + head - this.#height;
      this.#top = Math.max(0, Math.min(all, to));
      box.scrollTop = (this.#top / all) * most;
      this.#before = box.scrollTop;
      this.#offset = this.#top - this.#before;
    }
    this.requestUpdate();
  }

  // ---- drawing ----
  render() {
    const cols = this.#cols, n = this.#n, all = n <= 200, from = all ? 0 : this.#from(), size = Math.ceil(this.#height / this.#row) + 2 * spare;
    const to = all ? n : Math.min(n, from + size), extra = this.selectable ? 1 : 0;
    const above = all ? 0 : Math.max(0, from * this.#row - this.#offset), below = all ? 0 : Math.max(0, this.#tall - above - (to - from) * this.#row);
    const least = cols.reduce((a, c) => a + (this.#width(c) ?? c.min ?? 140), extra * 42);
    const ready = Array.from({ length: to - from }, (_, k) => from + k);
    return html`<div class="tw" tabindex="-1" @scroll=${this.#scrolled} @keydown=${this.#keys} @focusin=${this.#in} @focusout=${this.#out} @pointerover=${this.#over} @pointerleave=${() => { clearTimeout(this.#barTimer); if (this.#bar && !this.#focused) { this.#bar = null; this.requestUpdate(); } }}>
      <table class="g" role="grid" aria-label=${this.label || nothing} aria-rowcount=${(this.total ?? n) + 1} aria-colcount=${cols.length + extra} aria-multiselectable=${this.selectable ? "true" : nothing} ${css({ "min-width": `${least}px` })}>
      <colgroup>${extra ? html`<col ${css({ width: "42px" })}>` : nothing}${cols.map((c) => html`<col ${css({ width: this.#width(c) ? `${this.#width(c)}px` : null })}>`)}</colgroup>
      <thead><tr aria-rowindex="1">${extra ? html`<th><input type="checkbox" tabindex="-1" aria-label=${t("grid.all")} .checked=${n > 0 && this.selected.size >= n} .indeterminate=${this.selected.size > 0 && this.selected.size < n} @change=${this.#all}></th>` : nothing}
      ${cols.map((c, i) => this.#head(c, i))}</tr></thead>
      <tbody>${above ? html`<tr class="gap" aria-hidden="true"><td colspan=${cols.length + extra} ${css({ height: `${above}px` })}></td></tr>` : nothing}
      ${all ? ready.map((i) => this.#line(i, cols, extra)) : repeat(ready, (i) => i % size, (i) => this.#line(i, cols, extra))}
      ${below ? html`<tr class="gap" aria-hidden="true"><td colspan=${cols.length + extra} ${css({ height: `${below}px` })}></td></tr>` : nothing}</tbody></table></div>
      ${this.#cellBar(cols)}${this.nofoot ? nothing : this.#foot(n)}`;
  }
  #head(c: GridColumn<R>, i: number) {
    const keys = this.sort.split(",").filter(Boolean), at = keys.findIndex((k) => k.replace(/^-/, "") === c.id), down = at >= 0 && keys[at][0] === "-", can = c.sortable !== false;
    const on = this.#cell.r === -1 && this.#cell.c === i;
    return html`<th class=${c.num ? "n" : ""} scope="col" data-c=${i} tabindex=${on || (!this.#n && i === 0) ? 0 : -1} title=${c.title ?? nothing} aria-sort=${at < 0 ? nothing : down ? "descending" : "ascending"} @click=${(e: MouseEvent) => { if (can && !(e.target as Element).closest(".grip")) this.#sortBy(c, e.shiftKey); }}>
      <span class=${can ? "hd" : ""}>${c.head}${at >= 0 ? html`<rf-icon n=${down ? "down" : "up"}></rf-icon>` : nothing}</span><i class="grip" aria-hidden="true" @pointerdown=${(e: PointerEvent) => this.#drag(e, c)}></i></th>`;
  }
  #line(i: number, cols: GridColumn<R>[], extra: number) {
    const r = this.#get(i);
    if (r === undefined) return html`<tr data-r=${i} aria-rowindex=${i + 2}><td colspan=${cols.length + extra} class="t3">…</td></tr>`;
    const key = this.#keyOf(i), sel = this.selected.has(key), current = !!this.current && key === this.current;
    return html`<tr data-r=${i} aria-rowindex=${i + 2} aria-selected=${this.selectable ? String(sel) : nothing} aria-current=${current ? "true" : nothing} class="${sel || current ? "sel" : ""}" @click=${(e: MouseEvent) => this.#click(e, i)} @dblclick=${() => this.#emit("rf-open", { row: r, index: i })}>
      ${extra ? html`<td class="pick"><input type="checkbox" tabindex="-1" aria-label=${t("grid.row", { n: i + 1 })} .checked=${sel} @click=${(e: MouseEvent) => { e.stopPropagation(); this.#toggle(i, e.shiftKey); }}></td>` : nothing}
      ${cols.map((c, k) => html`<td role="gridcell" data-c=${k} tabindex=${this.#cell.r === i && this.#cell.c === k ? 0 : -1} class="${c.num ? "n" : ""} ${c.cls?.(r) ?? ""} ${this.changed?.has(`${key}/${c.id}`) ? "chg" : ""}">${c.cell ? c.cell(r, i) : words(this.#value(c, r, i))}</td>`)}</tr>`;
  }
  #foot(n: number) {
    return html`<div class="tf"><span role="status">${this.total !== undefined && this.total > n ? t("grid.rows-of", { to: n, n: this.total }) : t("grid.rows", { n })}${this.selected.size ? `, ${t("grid.selected", { n: this.selected.size })}` : ""}</span>
      ${this.more ? html`<button class="btn s" @click=${() => this.#emit("rf-more", null)}>${t("grid.more", { n: Math.min(500, (this.total ?? n + 500) - n) })}</button>` : nothing}
      <span class="end row">${this.footer ?? nothing}${this.name ? html`<button class="btn s quiet" aria-haspopup="menu" @click=${this.#columnMenu}>${t("grid.columns")}</button>` : nothing}</span></div>`;
  }
  #cellBar(cols: GridColumn<R>[]) {
    const b = this.#bar, c = b && cols[b.c];
    if (!b || !c || c.plain || !this.cellActs) return nothing;
    const r = this.#get(b.r);
    if (r === undefined) return nothing;
    const v = this.#value(c, r, b.r), cell = this.#element(b.r, b.c), box = this.getBoundingClientRect(), q = cell?.getBoundingClientRect();
    if (!q) return nothing;
    const cut = cell!.scrollWidth > cell!.clientWidth, below = q.bottom - box.top + 62 < box.height;
    const act = (a: CellAct["act"]) => () => this.#emit("rf-cell", { act: a, column: c, row: r, value: v });
    return html`<div class="cellbar" role="toolbar" aria-label=${t("grid.cell")} ${css({ left: `${Math.max(4, Math.min(q.left - box.left, box.width - 330))}px`, top: below ? `${q.bottom - box.top + 1}px` : null, bottom: below ? null : `${box.bottom - q.top + 1}px` })}>
      ${cut ? html`<p>${words(v)}</p>` : nothing}
      <button class="btn s quiet" tabindex="-1" @click=${act("only")}><rf-icon n="plus"></rf-icon>${t("grid.only")}</button><button class="btn s quiet" tabindex="-1" @click=${act("not")}><rf-icon n="min"></rf-icon>${t("grid.not")}</button>
      ${this.canOpenEntity?.(c, r) ? html`<button class="btn s quiet" tabindex="-1" @click=${act("open")}>${t("grid.open")}</button>` : nothing}
      <button class="btn s quiet" tabindex="-1" @click=${() => void copyText(words(v), c.head)}><rf-icon n="copy"></rf-icon>${t("grid.copy")}</button></div>`;
  }

  // ---- acts ----
  #emit(name: string, detail: unknown) { this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true })); }
  #sortBy(c: GridColumn<R>, second: boolean) {
    const keys = this.sort.split(",").filter(Boolean), was = keys.find((k) => k.replace(/^-/, "") === c.id), now = was === c.id ? `-${c.id}` : was ? "" : c.id;
    this.sort = (second ? [...keys.filter((k) => k !== was), now] : [now]).filter(Boolean).join(",");
    this.#emit("rf-sort", this.sort);
  }
  #click(e: MouseEvent, i: number) {
    if ((e.target as Element).closest("a,button,input,select")) return;
    const c = Number((e.target as Element).closest<HTMLElement>("[data-c]")?.dataset.c ?? 0);
    this.#cell = { r: i, c };
    if (this.selectable && (e.shiftKey || e.ctrlKey || e.metaKey)) { this.#toggle(i, e.shiftKey); return; }
    this.#here();
  }
  #here() {
    const i = this.#cell.r;
    if (i >= 0 && i < this.#n) { const row = this.#get(i); if (row !== undefined) this.#emit("rf-current", { row, index: i, key: this.#keyOf(i) }); }
    this.requestUpdate();
  }
  #toggle(i: number, range: boolean) {
    const next = new Set(this.selected);
    if (range && this.#anchor >= 0) for (let k = Math.min(i, this.#anchor); k <= Math.max(i, this.#anchor); k++) next.add(this.#keyOf(k));
    else { const k = this.#keyOf(i); if (!next.delete(k)) next.add(k); this.#anchor = i; }
    this.selected = next;
    this.#emit("rf-select", next);
  }
  #all = (e: Event) => {
    const next = new Set<string>();
    if ((e.target as HTMLInputElement).checked) for (let i = 0; i < this.#n; i++) next.add(this.#keyOf(i));
    this.selected = next;
    this.#emit("rf-select", next);
  };
  /** Focus to the row that had it last. */
  enter(): void {
    this.#focused = true;
    if (this.#cell.r < 0 && this.#n) this.#cell.r = 0;
    this.#reveal(this.#cell.r);
    this.requestUpdate();
    void this.updateComplete.then(() => { this.#element(this.#cell.r, this.#cell.c)?.focus({ preventScroll: true }); this.#here(); });
  }
  #in = (e: FocusEvent) => {
    this.#focused = true;
    const cell = (e.target as Element).closest<HTMLElement>("[data-c]"), row = cell?.closest<HTMLElement>("[data-r]");
    if (!cell) return;
    const r = row ? Number(row.dataset.r) : -1, c = Number(cell.dataset.c);
    if (r !== this.#cell.r || c !== this.#cell.c) { this.#cell = { r, c }; this.requestUpdate(); }
    this.#showBar(r, c);
  };
  #out = (e: FocusEvent) => { if (!this.contains(e.relatedTarget as Node)) { this.#focused = false; this.#bar = null; this.requestUpdate(); } };
  #over = (e: PointerEvent) => {
    if (!this.cellActs || e.pointerType === "touch") return;
    const cell = (e.target as Element).closest<HTMLElement>("td[data-c]"), r = Number(cell?.closest<HTMLElement>("[data-r]")?.dataset.r ?? -1);
    clearTimeout(this.#barTimer);
    if (cell && r >= 0) this.#barTimer = setTimeout(() => this.#showBar(r, Number(cell.dataset.c)), 500);
  };
  #showBar(r: number, c: number) { if (!this.cellActs) return; this.#bar = r >= 0 ? { r, c } : null; this.requestUpdate(); }

  #move(r: number, c: number, extend = false) {
    const n = this.#n, cols = this.#cols.length, was = this.#cell.r;
    this.#cell = { r: Math.max(-1, Math.min(n - 1, r)), c: Math.max(0, Math.min(cols - 1, c)) };
    if (extend && this.selectable && this.#cell.r >= 0) { if (this.#anchor < 0) { this.#anchor = Math.max(0, was); } const next = new Set(this.selected); next.add(this.#keyOf(Math.max(0, was))); next.add(this.#keyOf(this.#cell.r)); this.selected = next; this.#emit("rf-select", next); }
    if (this.#cell.r >= 0) this.#reveal(this.#cell.r);
    this.#focused = true;
    if (was !== this.#cell.r) this.#here();
    this.requestUpdate();
    void this.updateComplete.then(() => { const e = this.#element(this.#cell.r, this.#cell.c); e?.focus({ preventScroll: true }); e?.scrollIntoView({ block: "nearest", inline: "nearest" }); });
  }
  #keys = (e: KeyboardEvent) => {
    if (e.target instanceof HTMLInputElement && e.target.type !== "checkbox") return;
    const { r, c } = this.#cell, page = Math.max(1, Math.floor((this.#height - head) / this.#row) - 1), letters = prefs.value.keys, ctrl = e.ctrlKey || e.metaKey;
    const row = r >= 0 && r < this.#n ? this.#get(r) : undefined, col = this.#cols[c];
    const done = () => { e.preventDefault(); e.stopPropagation(); };
    if (ctrl && e.key.toLowerCase() === "c" && !e.shiftKey && row !== undefined && !String(getSelection())) { done(); void copyText(words(this.#value(col, row, r)), col.head); return; }
    if (e.altKey || (ctrl && e.key !== "Home" && e.key !== "End")) return;
    switch (e.key) {
      case "ArrowDown": done(); this.#move(r + 1, c, e.shiftKey); return;
      case "ArrowUp": done(); this.#move(r - 1, c, e.shiftKey); return;
      case "ArrowRight": done(); if (r < 0 && e.shiftKey) this.#widen(col, 16); else this.#move(r, c + 1); return;
      case "ArrowLeft": done(); if (r < 0 && e.shiftKey) this.#widen(col, -16); else this.#move(r, c - 1); return;
      case "PageDown": done(); this.#move(r + page, c); return;
      case "PageUp": done(); this.#move(Math.max(0, r - page), c); return;
      case "Home": done(); this.#move(ctrl ? 0 : r, ctrl ? c : 0); return;
      case "End": done(); this.#move(ctrl ? this.#n - 1 : r, ctrl ? c : this.#cols.length - 1); return;
      case "Enter":
        if ((e.target as Element).closest("a,button")) return;
        done();
        if (r < 0) { if (col?.sortable !== false) this.#sortBy(col, e.shiftKey); } else if (row !== undefined) this.#emit("rf-open", { row, index: r, key: this.#keyOf(r) });
        return;
      case "Escape": if (this.#bar && this.cellActs) { done(); this.#bar = null; this.requestUpdate(); } this.#emit("rf-back", null); return;
      case " ": if (this.selectable && row !== undefined) { done(); this.#toggle(r, e.shiftKey); } return;
    }
    if (!letters) return;
    if (e.key === "j") { done(); this.#move(r + 1, c); }
    else if (e.key === "k") { done(); this.#move(r - 1, c); }
    else if (e.key === "x" && this.selectable && row !== undefined) { done(); this.#toggle(r, false); }
    else if (this.cellActs && row !== undefined && !col.plain && (e.key === "+" || e.key === "-" || e.key === "e")) { done(); this.#emit("rf-cell", { act: e.key === "+" ? "only" : e.key === "-" ? "not" : "open", column: col, row, value: this.#value(col, row, r) }); }
  };

  // ---- columns ----
  #keep(change: { width?: Record<string, number>; hidden?: string[] }) {
    if (!this.name) return;
    setPrefs({ columns: { ...prefs.value.columns, [this.name]: { ...this.#prefs, ...change } } });
  }
  #widen(c: GridColumn<R>, by: number) {
    const now = this.#width(c) ?? this.querySelector<HTMLElement>(`thead [data-c="${this.#cols.indexOf(c)}"]`)!.offsetWidth;
    this.#keep({ width: { ...this.#prefs.width, [c.id]: Math.max(c.min ?? 48, Math.min(1200, now + by)) } });
  }
  #drag(e: PointerEvent, c: GridColumn<R>) {
    e.preventDefault();
    e.stopPropagation();
    const grip = e.currentTarget as HTMLElement, from = e.clientX, was = grip.parentElement!.offsetWidth;
    grip.setPointerCapture(e.pointerId);
    const move = (m: PointerEvent) => { this.#widths = { [c.id]: Math.max(c.min ?? 48, was + m.clientX - from) }; this.requestUpdate(); };
    const end = () => {
      grip.removeEventListener("pointermove", move);
      const w = this.#widths;
      if (w) this.#keep({ width: { ...this.#prefs.width, ...w } });
      if (this.name) this.#widths = null;
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", end, { once: true });
    grip.addEventListener("pointercancel", end, { once: true });
  }
  #columnMenu = (e: Event) => {
    const hidden = this.#prefs.hidden ?? [];
    openMenu(e.currentTarget as HTMLElement, [
      ...this.columns.map((c) => ({ text: c.head || c.id, checked: !hidden.includes(c.id), disabled: !hidden.includes(c.id) && hidden.length >= this.columns.length - 1, run: () => this.#keep({ hidden: hidden.includes(c.id) ? hidden.filter((x) => x !== c.id) : [...hidden, c.id] }) })),
      { text: t("grid.widths"), line: true, run: () => this.#keep({ width: {}, hidden: [] }) },
    ], { label: t("grid.columns"), end: true });
  };
}

/** A value as a grid writes it: empty is "-", booleans are words, numbers as they are. */
export function words(v: unknown): string {
  if (v === null || v === undefined || v === "") return t("grid.empty");
  if (v === true) return t("grid.yes");
  if (v === false) return t("grid.no");
  if (typeof v === "number") return num(v, 6);
  return typeof v === "object" ? (v instanceof Date ? v.toISOString() : JSON.stringify(v)) : String(v);
}
const none = (v: unknown) => v === null || v === undefined || v === "";
/** Empty values stand last, whichever way is sorted. */
function compare(x: unknown, y: unknown, text: Intl.Collator): number {
  if (none(x) || none(y)) return none(x) && none(y) ? 0 : none(x) ? 1 : -1;
  if (typeof x === "number" && typeof y === "number") return x - y;
  if (x instanceof Date && y instanceof Date) return +x - +y;
  if (typeof x === "boolean" && typeof y === "boolean") return Number(x) - Number(y);
  return text.compare(words(x), words(y));
}
if (!customElements.get("rf-grid")) customElements.define("rf-grid", Grid);
