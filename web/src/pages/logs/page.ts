// Logs: tables, the query, what it gave. The address has query and time; the other open queries are kept for this browser tab.
import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { ApiError } from "../../data/client";
import { quote } from "../../data/kql";
import { readSchema, type Schema, type TableInfo } from "../../data/kql-schema";
import { session } from "../../data/session";
import { bytes, duration, num, parseRange, rangeWords, shift, short, timespan, zone } from "../../data/time";
import { t, th } from "../../i18n";
import "../../parts/chart/chart";
import { charts, suited, type RenderOptions } from "../../parts/chart/data";
import { copyText, csv, curlLine, type CopyItem } from "../../parts/copy-as";
import { Grid, type CellAct, type GridColumn } from "../../parts/grid";
import "../../parts/inspector";
import { KqlEditor, loadEditor, type Fault } from "../../parts/kql-editor/kql-editor";
import { openMenu, openPanel } from "../../parts/menu";
import { say } from "../../parts/say";
import { go, href } from "../../router";
import { emptyState, errorWords, Page, skeleton, type Head, type Key } from "../../shell/page";
import { pack, unpack } from "./address";
import { addCondition, codeOf, condition, tablesIn, titleOf } from "./filters";
import { ask, asJson, entityQuery, faultOf, isEntity, isNumber, plain, widthOf, type Answer, type Row } from "./result";
import { readyFor } from "./queries";
import { savedSearches, saveAs } from "./save";
import { findTables, groupOf, groupOrder } from "./schema";
import { keepTabs, newTab, openIn, readTabs, type QueryTab, type Tabs } from "./tabs";
import "./page.css";

interface Run { state: "running" | "done" | "failed" | "stopped"; query: string; range: string; since: number; abort: AbortController; answer?: Answer; error?: unknown; fault: Fault | null; columns?: GridColumn<Row>[]; chart?: RenderOptions | null }

export default class extends Page {
  bodyClass = "p-logs";
  schema = this.load((signal) => readSchema(signal), { what: () => t("logs.reading-tables"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }) });
  #tabs: Tabs = readTabs();
  #runs = new Map<string, Run>();
  #find = "";
  #all = false;                      // tables without rows too
  #open = new Set<string>();         // tables whose columns were opened, or closed where they stand open by themselves
  #first = "";                       // the first table of the query: its columns are shown
  #faults: Fault[] | null = null;    // of the language service; null while it has not looked
  #row = -1;                         // shown in the inspector
  #timer?: ReturnType<typeof setTimeout>;
  #tick?: ReturnType<typeof setInterval>;
  #own = "";                         // the query as this page wrote it into the address

  get #tab(): QueryTab { return this.#tabs.all.find((x) => x.id === this.#tabs.current)!; }
  get #run(): Run | undefined { return this.#runs.get(this.#tabs.current); }
  get #editor(): KqlEditor | null { return this.querySelector<KqlEditor>("rf-kql-editor"); }
  get #names(): ReadonlySet<string> { return (this.schema.value as Schema | undefined)?.names ?? new Set(); }
  #title(x: QueryTab): string { return x.name || titleOf(x.text, this.#names) || t("logs.new"); }

  connectedCallback() {
    super.connectedCallback();
    void loadEditor().catch(() => { /* the part says so */ });
    void this.#begin();
  }
  disconnectedCallback() {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
    for (const r of this.#runs.values()) if (r.state === "running") r.abort.abort();
    keepTabs(this.#tabs);
  }
  async #begin() {
    const q = this.q("q");
    if (!q) { this.#write(false); this.requestUpdate(); return; }
    this.#own = q;
    const text = await unpack(q);
    if (text === null) { say(t("logs.bad-link")); return; }
    this.#tabs = openIn(this.#tabs, text, this.q("t"));
    this.requestUpdate();
    if (text.trim()) this.#start(text);
  }
  queryChanged(changed: Set<string>) {
    if (changed.has("q") && this.q("q") !== this.#own) { void this.#begin(); return; }
    if (changed.has("t") && this.#tab.t !== this.q("t")) { this.#change({ t: this.q("t") }); if (this.#run) this.#start(this.#run.query); }
  }
  #change(part: Partial<QueryTab>) { this.#tabs = { ...this.#tabs, all: this.#tabs.all.map((x) => (x.id === this.#tabs.current ? { ...x, ...part } : x)) }; keepTabs(this.#tabs); }
  /** Query and time of this tab go into the address. */
  async #write(push: boolean) {
    const { id, text, t: range } = this.#tab, q = await pack(text);
    if (this.#tab.id !== id || this.#tab.text !== text || !this.isConnected) return;
    this.#own = q;
    this.setQ({ q, t: range || null }, { push });
  }
  #text(text: string) {
    if (text === this.#tab.text) return;
    this.#change({ text });
    const r = this.#run;
    if (r?.fault) r.fault = null;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#write(false), 400);
    this.requestUpdate();
  }
  #select(id: string) {
    if (id === this.#tabs.current) return;
    clearTimeout(this.#timer);
    this.#tabs = { ...this.#tabs, current: id };
    this.#row = -1;
    this.#faults = null;
    keepTabs(this.#tabs);
    void this.#write(true);
    this.requestUpdate();
  }
  #add(text = "", name?: string) {
    const x = newTab(text, this.#tab.t, name);
    this.#tabs = { ...this.#tabs, all: [...this.#tabs.all.slice(-19), x] };
    this.#select(x.id);
    void this.updateComplete.then(() => this.#editor?.focus());
    return x;
  }
  #close(id: string) {
    this.#runs.get(id)?.abort.abort();
    this.#runs.delete(id);
    const at = this.#tabs.all.findIndex((x) => x.id === id), rest = this.#tabs.all.filter((x) => x.id !== id), all = rest.length ? rest : [newTab()];
    const next = id === this.#tabs.current ? all[Math.min(at, all.length - 1)].id : this.#tabs.current;
    this.#tabs = { all, current: id === this.#tabs.current ? "" : this.#tabs.current };
    if (this.#tabs.current) { keepTabs(this.#tabs); this.requestUpdate(); } else { this.#tabs.current = next; keepTabs(this.#tabs); void this.#write(true); this.requestUpdate(); }
  }

  // ---- run ----
  #start(text: string) {
    const id = this.#tabs.current, was = this.#runs.get(id);
    if (!text.trim()) { say(t("logs.nothing")); return; }
    was?.abort.abort();
    const run: Run = { state: "running", query: text, range: this.range.text, since: Date.now(), abort: new AbortController(), fault: null, answer: was?.answer, columns: was?.columns, chart: was?.chart };
    this.#runs.set(id, run);
    this.#row = -1;
    clearInterval(this.#tick);
    this.#tick = setInterval(() => { if ([...this.#runs.values()].some((r) => r.state === "running")) this.requestUpdate(); else clearInterval(this.#tick); }, 250);
    this.requestUpdate();
    void ask(text, this.range, run.abort.signal).then((a) => {
      run.answer = a;
      run.columns = this.#columns(a);
      run.chart = a.render && charts.includes(String(a.render.visualization)) ? (a.render as RenderOptions) : suited(a.columns, a.rows.length, /\b(summarize|make-series)\b/.test(codeOf(text)));
      run.state = "done";
    }, (e) => {
      run.answer = undefined;
      if (run.abort.signal.aborted) { run.state = "stopped"; return; }
      run.state = "failed";
      run.error = e;
      const f = faultOf(e);
      // A part of the text was run: the place counts from where that part begins.
      if (f) { const before = this.#tab.text.indexOf(text), lines = before > 0 ? this.#tab.text.slice(0, before).split("\n") : [""]; run.fault = { ...f, line: f.line + lines.length - 1, column: f.line === 1 ? f.column + lines[lines.length - 1].length : f.column }; }
    }).finally(() => { if (this.isConnected && this.#runs.get(id) === run) this.requestUpdate(); });
  }
  #runNow = (text = this.#tab.text) => { clearTimeout(this.#timer); void this.#write(true); this.#start(text); };
  #stop = () => { this.#run?.abort.abort(); };

  #columns(a: Answer): GridColumn<Row>[] {
    const last = a.columns.length - 1, widths = a.columns.map((c, i) => widthOf(c, i, a.rows)), sum = widths.reduce((x, w) => x + w, 0), room = (this.querySelector(".res")?.clientWidth ?? 800) - 380;
    return a.columns.map((c, i): GridColumn<Row> => ({
      id: String(i), head: c.name, title: `${c.name}: ${c.type}`, num: isNumber(c.type), width: i === last && sum < room ? undefined : widths[i], min: widths[i], value: (r) => r[i],
      cell: c.type === "datetime" ? (r) => (r[i] === null ? html`<span class="t3">-</span>` : html`<time datetime=${String(r[i])}>${local(String(r[i]))}</time>`) : isNumber(c.type) ? (r) => (r[i] === null ? html`<span class="t3">-</span>` : typeof r[i] === "number" && Number.isFinite(r[i]) ? num(r[i] as number, c.type === "real" ? 6 : 0) : String(r[i]))
        : c.type === "bool" ? (r) => (r[i] === null ? html`<span class="t3">-</span>` : t(r[i] ? "grid.yes" : "grid.no")) : (r) => { const s = r[i]; return s === null || s === "" || s === undefined ? html`<span class="t3">-</span>` : String(s).slice(0, 300); },
    }));
  }

  // ---- head ----
  head(): Head {
    return {
      title: t("page.logs"),
      extra: html`<div class="tabs qtabs" role="group" aria-label=${t("logs.tabs")}>${repeat(this.#tabs.all, (x) => x.id, (x) => {
        const on = x.id === this.#tabs.current, running = this.#runs.get(x.id)?.state === "running";
        return html`<span class="qtab ${on ? "on" : ""}" ><button class="qt" aria-current=${on ? "true" : nothing} tabindex=${on ? 0 : -1} title=${this.#title(x)} @click=${() => this.#select(x.id)} @keydown=${this.#tabKeys} @auxclick=${(e: MouseEvent) => { if (e.button === 1) this.#close(x.id); }}><span class="ell">${this.#title(x)}</span>${running ? html`<i>${t("logs.running-short")}</i>` : nothing}</button>${on && (this.#tabs.all.length > 1 || x.text) ? html`<button class="qx" aria-label=${t("logs.close", { name: this.#title(x) })} @click=${() => this.#close(x.id)}><rf-icon n="x"></rf-icon></button>` : nothing}</span>`;
      })}<button class="qadd" aria-label=${t("logs.new")} @click=${() => this.#add()}><rf-icon n="plus"></rf-icon></button></div>`,
      acts: [
        { text: t("logs.queries"), icon: "book", run: (e) => void this.#queries(e.currentTarget as HTMLElement) },
        { text: t("logs.save-as"), icon: "save", disabled: !this.#tab.text.trim(), why: t("logs.nothing"), run: (e) => this.#saveMenu(e.currentTarget as HTMLElement) },
      ],
    };
  }
  #tabKeys = (e: KeyboardEvent) => {
    const all = this.#tabs.all, at = all.findIndex((x) => x.id === this.#tabs.current), to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[e.key];
    if (e.key === "Delete") { e.preventDefault(); this.#close(all[at].id); }
    else if (to !== undefined && all[to]) { e.preventDefault(); this.#select(all[to].id); }
    else return;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>(".qtab.on .qt")?.focus());
  };
  keys(): Key[] {
    return [
      { key: "Shift+Enter", text: t("logs.key-run"), run: () => this.#runNow(), inFields: true },
      { key: "Ctrl+Enter", text: t("logs.key-part"), run: () => this.#runNow(this.#editor?.selected), inFields: true },
      { key: "t", text: t("keys.time"), run: () => this.querySelector<HTMLElement>("rf-time-picker button")?.click() },
      { key: "[", text: t("keys.earlier"), run: () => this.setQ({ t: shift(this.range, -1).text }) },
      { key: "]", text: t("keys.later"), run: () => this.setQ({ t: shift(this.range, 1).text }) },
      { key: "Alt+1", text: t("logs.tables"), run: () => this.querySelector<HTMLElement>(".sch input")?.focus(), inFields: true },
      { key: "Alt+2", text: t("logs.query"), run: () => this.#editor?.focus(), inFields: true },
      { key: "Alt+3", text: t("logs.result"), run: () => this.querySelector<Grid>(".res rf-grid")?.enter(), inFields: true },
    ];
  }
  copyAs(): CopyItem[] {
    const query = this.#tab.text, a = this.#run?.answer;
    if (!query.trim()) return [];
    const items: CopyItem[] = [
      { kind: "link", text: async () => { await this.#write(false); return location.href; } },
      { kind: "kql", text: query },
      { kind: "curl", text: () => curlLine(location.origin, "POST", `/v1/workspaces/${session().workspace.customerId}/query`, { query, timespan: timespan(this.range) }) },
      { kind: "ringfort", text: () => `ringfort query --bootstrap bootstrap.json '${query.replace(/'/g, `'\\''`)}'` },
    ];
    if (a?.rows.length) items.push({ kind: "json", text: () => asJson(a) }, { kind: "csv", text: () => csv(a.columns.map((c) => c.name), a.rows as unknown[][]) });
    return items;
  }
  #saveMenu(anchor: HTMLElement) {
    const query = this.#tab.text, save = (kind: "function" | "rule" | "hunt" | "query") => () => void saveAs(kind, query, this.#title(this.#tab), this.#names).then(() => this.schema.run());
    const a = this.#run?.answer;
    openMenu(anchor, [
      { text: t("logs.save.query"), icon: "book", run: save("query") }, { text: t("logs.save.function"), icon: "logs", run: save("function") }, { text: t("logs.save.hunt"), icon: "hunt", run: save("hunt") }, { text: t("logs.save.rule"), icon: "rule", run: save("rule") },
      { text: t("logs.export"), icon: "download", line: true, disabled: !a?.rows.length, run: () => a && download(`${this.#title(this.#tab).replace(/[^\w.-]+/g, "-")}.csv`, csv(a.columns.map((c) => c.name), a.rows as unknown[][])) },
    ], { label: t("logs.save-as"), end: true });
  }
  async #queries(anchor: HTMLElement) {
    let saved: Awaited<ReturnType<typeof savedSearches>> | null = null, fault: unknown = null, find = "";
    const s = this.schema.value as Schema | undefined, has = (name: string) => { const x = s?.byName.get(name); return !!x && (s!.counted ? (x.rows ?? 0) > 0 : true); };
    const p = openPanel(anchor, (close) => {
      const fits = (...texts: string[]) => !find || texts.some((x) => x.toLowerCase().includes(find)), open = (text: string, name?: string) => { close(); const now = this.#tab; if (now.text.trim()) this.#add(text, name); else { this.#change({ text, name }); void this.#write(true); this.requestUpdate(); } this.#start(text); };
      const own = (saved ?? []).filter((x) => fits(String(x.properties?.displayName), String(x.properties?.category), String(x.properties?.query))), made = readyFor(has).filter((r) => fits(t(`logs.ready.${r.id}`), r.text));
      return html`<label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("logs.find-query")}</span><input placeholder=${t("logs.find-query")} @input=${(e: Event) => { find = (e.target as HTMLInputElement).value.trim().toLowerCase(); p?.draw(); }}></label>
        <div class="scroll qlist"><h3 class="cap">${t("logs.saved")}</h3>${fault ? html`<p class="t3 sm">${errorWords(fault as Error)}</p>` : !saved ? html`<p class="t3 sm">${t("state.reading")}</p>` : own.length ? html`<ul>${own.map((x) => html`<li><button @click=${() => open(String(x.properties.query ?? ""), String(x.properties.displayName))}><span class="b">${x.properties.displayName}</span><small class="t3 ell">${x.properties.category}${x.properties.functionAlias ? ` · ${x.properties.functionAlias}()` : ""}</small></button></li>`)}</ul>` : html`<p class="t3 sm">${t("logs.no-saved")}</p>`}
        <h3 class="cap">${t("logs.ready-made")}</h3><ul>${made.map((r) => html`<li><button @click=${() => open(`// ${t(`logs.ready.${r.id}`)}\n${r.text}`)}><span class="b">${t(`logs.ready.${r.id}`)}</span><small class="t3 ell">${r.tables.join(", ") || t("logs.all-tables")}</small></button></li>`)}</ul></div>`;
    }, { role: "dialog", label: t("logs.queries"), className: "logs-queries", end: true });
    p?.box.querySelector<HTMLElement>("input")?.focus();
    try { saved = await savedSearches(); } catch (e) { fault = e; }
    p?.draw();
  }

  // ---- body ----
  body() {
    return html`${this.#tables()}${this.#query()}${this.#result()}`;
  }
  #tables() {
    return html`<section class="card sch" aria-label=${t("logs.tables")}>
      <header><h2>${t("logs.tables")}</h2><span class="end cap num">${(this.schema.value as Schema | undefined)?.tables.length ?? ""}</span></header>
      <label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("logs.find-table")}</span><input type="search" placeholder=${t("logs.find-table")} .value=${this.#find} @input=${(e: Event) => { this.#find = (e.target as HTMLInputElement).value; this.requestUpdate(); }}></label>
      <div class="scroll tree">${this.schema.show((s) => this.#tree(s))}</div></section>`;
  }
  #tree(s: Schema) {
    const found = findTables(s.tables, this.#find), used = new Set(tablesIn(this.#tab.text, s.names)), few = s.counted && !this.#all && !this.#find.trim();
    const shown = found.filter((x) => !few || x.table.rows || used.has(x.table.name)), hidden = found.length - shown.length;
    if (!found.length) return html`<p class="t3 sm none">${t("logs.no-table", { text: this.#find })} <button class="btn s quiet" @click=${() => { this.#find = ""; this.requestUpdate(); }}>${t("act.clear-filters")}</button></p>`;
    const list = (items: typeof shown) => html`<ul>${repeat(items.slice(0, 400), (x) => x.table.name, (x) => this.#table(x.table, x.column))}</ul>`;
    const parts: unknown[] = [], here = shown.filter((x) => used.has(x.table.name));
    this.#first = here[0]?.table.name ?? "";
    if (this.#find.trim()) parts.push(list(shown.slice(0, 100)));
    else {
      if (here.length) parts.push(html`<h3>${t("logs.group.used")}</h3>${list(here)}`);
      for (const g of groupOrder) { const own = shown.filter((x) => !used.has(x.table.name) && groupOf(x.table.name) === g); if (own.length) parts.push(html`<h3>${t(`logs.group.${g}`)}</h3>${list(own)}`); }
      if (s.functions.length) parts.push(html`<h3>${t("logs.group.functions")}</h3><ul>${s.functions.map((f) => html`<li><button class="leaf" title=${f.body} @click=${() => this.#insert(`${f.name}(${f.parameters ? "" : ")"}`)}><rf-icon n="logs"></rf-icon><span class="ell">${f.name}</span><i class="ty">${t("logs.function")}</i></button></li>`)}</ul>`);
    }
    return html`${parts}${hidden || (this.#all && s.counted && !this.#find.trim()) ? html`<button class="btn s quiet more" @click=${() => { this.#all = !this.#all; this.requestUpdate(); }}>${this.#all ? t("logs.only-filled") : t("logs.empty-tables", { n: hidden })}</button>` : nothing}`;
  }
  #table(x: TableInfo, byColumn: boolean) {
    const s = this.#find.trim().toLowerCase(), toggled = this.#open.has(x.name), open = byColumn || toggled !== (x.name === this.#first && !s), cols = byColumn && !toggled ? x.columns.filter((c) => c.name.toLowerCase().includes(s)) : x.columns;
    return html`<li><div class="tbl"><button class="leaf" aria-expanded=${String(open)} title=${x.rows === undefined ? x.description || x.name : t("logs.table-rows", { name: x.name, n: num(x.rows) })} @click=${() => { if (!this.#open.delete(x.name)) this.#open.add(x.name); this.requestUpdate(); }} @dblclick=${() => this.#insert(x.name)}><rf-icon n=${open ? "down" : "right"}></rf-icon><rf-icon n="table"></rf-icon><span class="ell grow">${x.name}</span>${x.rows ? html`<i class="ty num">${short(x.rows)}</i>` : nothing}</button><button class="put" aria-label=${t("logs.insert", { name: x.name })} title=${t("logs.insert", { name: x.name })} @click=${() => this.#insert(x.name)}><rf-icon n="plus"></rf-icon></button></div>
      ${open ? html`<ul>${cols.map((c) => html`<li><button class="leaf col-leaf" title=${c.description || t("logs.insert", { name: c.name })} @click=${() => this.#insert(c.name)}><span class="ell">${c.name}</span><i class="ty">${c.type}</i></button></li>`)}</ul>` : nothing}</li>`;
  }
  #insert(name: string) { this.#editor?.insert(/^[A-Za-z_]\w*\(?\)?$/.test(name) ? name : `['${name.replace(/[\\']/g, "\\$&")}']`); }

  #query() {
    const run = this.#run, busy = run?.state === "running";
    return html`<section class="card ed" aria-label=${t("logs.query")}>
      <div class="edbar">${busy ? html`<button class="btn s" @click=${this.#stop}><rf-icon n="block"></rf-icon>${t("act.stop")}</button>` : html`<button class="btn pri s" aria-disabled=${this.#tab.text.trim() ? nothing : "true"} @click=${() => this.#runNow()}><rf-icon n="play"></rf-icon>${t("logs.run")}</button>`}<kbd>Shift Enter</kbd>
        <rf-time-picker .range=${this.range} @pick=${(e: CustomEvent<string>) => this.setQ({ t: e.detail === "24h" ? null : e.detail })}></rf-time-picker><span class="chip out">${session().workspace.name}</span>
        <span class="end row sm t3" role="status">${this.#validity()}</span></div>
      <rf-kql-editor .value=${this.#tab.text} .schema=${(this.schema.value as Schema | undefined)?.editor} .fault=${run?.fault ?? null} label=${t("logs.editor-label")}
        @rf-text=${(e: CustomEvent<string>) => this.#text(e.detail)} @rf-checked=${(e: CustomEvent<Fault[]>) => { this.#faults = e.detail; this.requestUpdate(); }} @rf-run=${(e: CustomEvent<{ selection: string }>) => this.#runNow(e.detail.selection || undefined)}></rf-kql-editor></section>`;
  }
  /** What the language service says of the text, and at most how many rows there are to read. */
  #validity() {
    const text = this.#tab.text, s = this.schema.value as Schema | undefined, f = this.#faults?.[0];
    if (!text.trim()) return t("logs.start-typing");
    if (f) return html`<rf-state s="fail" bare word=${t("logs.fault")}></rf-state><span class="ell c-high" title=${f.message}>${t("logs.fault-at", { line: f.line, column: f.column, message: f.message })}</span>`;
    if (!s || this.#faults === null) return nothing;
    const used = tablesIn(text, s.names), rows = used.reduce((a, x) => a + (s.byName.get(x)?.rows ?? 0), 0);
    return html`<rf-state s="ok" bare word=${t("logs.valid")}></rf-state>${s.counted && used.length ? t("logs.valid-rows", { n: short(rows), count: rows }) : t("logs.valid")}`;
  }

  #result() {
    const run = this.#run, a = run?.answer, view = this.q("view");
    if (!run) return html`<section class="card res" aria-label=${t("logs.result")}>${emptyState(t("logs.none-yet"), { text: t("logs.run"), run: () => this.#runNow() })}</section>`;
    const chart = a && run.chart ? run.chart : null, tab = chart && view === "chart" ? "chart" : "table";
    return html`<section class="card res" aria-label=${t("logs.result")}>
      <div class="row res-head"><div class="tabs" role="tablist" aria-label=${t("logs.result")}><button role="tab" aria-selected=${String(tab === "table")} @click=${() => this.setQ({ view: null })}>${t("logs.table")}${a ? html`<i class="num">${num(a.rows.length)}</i>` : nothing}</button>${chart ? html`<button role="tab" aria-selected=${String(tab === "chart")} @click=${() => this.setQ({ view: "chart" })}>${t("logs.chart")}</button>` : nothing}</div>
        <div class="stat" role="status">${run.state === "running" ? html`<span>${t("logs.running", { time: duration(Date.now() - run.since) })}</span>` : a ? this.#stats(a) : nothing}</div></div>
      ${run.state === "failed" ? this.#failure(run) : run.state === "stopped" ? html`<div class="note res-note"><rf-icon n="block"></rf-icon><span>${t("state.stopped")}</span></div>` : nothing}
      ${a?.partial && run.state === "done" ? html`<div class="note warn res-note" role="status"><rf-icon n="incident"></rf-icon><span>${t("logs.partial", { n: a.rows.length })} ${a.partial}</span></div>` : nothing}
      ${a ? this.#answer(run, a, tab, chart) : run.state === "running" && Date.now() - run.since > 200 ? skeleton(8) : nothing}</section>`;
  }
  #stats(a: Answer) {
    const s = a.stats, skipped = s.total && s.scanned !== undefined && s.total > s.scanned ? (s.total - s.scanned) / s.total : 0, b = (x: string) => html`<b class="b t2 num">${x}</b>`;
    return html`<span>${th("logs.rows", { n: b(num(a.rows.length)) })}</span>${s.scanned === undefined ? nothing : html`<span title=${`${num(s.scanned)}; ${num(s.bytes ?? 0)} B`}>${th("logs.read", { n: b(short(s.scanned)), bytes: b(bytes(s.bytes ?? 0)) })}</span>`}<span title=${t("logs.round-trip", { time: duration(a.ms) })}>${b(duration(s.seconds === undefined ? a.ms : s.seconds * 1000))}</span>${skipped ? html`<span class="c-ok">${t("logs.skipped", { share: `${Math.round(skipped * 100)}%` })}</span>` : nothing}`;
  }
  #failure(run: Run) {
    const e = run.error, api = e instanceof ApiError ? e : null, f = run.fault;
    return html`<div class="note bad res-note" role="alert"><rf-icon n="incident"></rf-icon><span class="grow"><b>${t("logs.failed")}</b> ${f ? t("logs.fault-at", { line: f.line, column: f.column, message: f.message }) : api?.forbidden ? t("state.needs", { role: "Log Analytics Reader", on: session().workspace.name }) : errorWords(e as Error)} ${t("logs.kept")}<br>
      <code class="cap">${f?.code ?? api?.code ?? ""} ${api?.requestId ?? ""}</code></span>${f ? html`<button class="btn s" @click=${() => this.#editor?.focus()}>${t("logs.show-place")}</button>` : nothing}<button class="btn s" @click=${() => void copyText(`${f?.code ?? api?.code ?? ""} ${api?.requestId ?? ""} ${f?.message ?? (e as Error).message}`, t("act.copy-code"))}>${t("act.copy-code")}</button></div>`;
  }
  #answer(run: Run, a: Answer, tab: string, chart: RenderOptions | null) {
    if (!a.rows.length) return html`<div class="state">${t("logs.no-rows", { range: rangeWords(parseRange(run.range) ?? this.range) })} <button class="btn s" @click=${() => this.querySelector<HTMLElement>("rf-time-picker button")?.click()}>${t("logs.widen")}</button></div>`;
    const heading = String(a.render?.title || this.#title(this.#tab));
    const drawn = chart ? html`<rf-result-chart .columns=${a.columns} .rows=${a.rows} .options=${chart} heading=${heading} @narrow=${(e: CustomEvent<[number, number]>) => this.#narrow(e.detail)}></rf-result-chart>` : nothing;
    if (tab === "chart") return html`<div class="whole">${drawn}</div>`;
    const row = this.#row >= 0 ? a.rows[this.#row] : undefined;
    return html`<div class="split ${row || chart ? "" : "one"}"><div class="col g-col"><rf-grid label=${t("logs.result-rows")} cellActs .columns=${run.columns} .rows=${a.rows} .sort=${this.q("sort")} .canOpenEntity=${(c: GridColumn<Row>, r: Row) => this.#entity(a, Number(c.id), r[Number(c.id)]) !== null}
        .footer=${html`<span class="hints"><kbd>+</kbd> ${t("grid.only")} <kbd>-</kbd> ${t("grid.not")} <kbd>e</kbd> ${t("grid.open")} <kbd>Enter</kbd> ${t("logs.inspect")}</span>`}
        @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })} @rf-cell=${(e: CustomEvent<CellAct<Row>>) => this.#cell(a, e.detail)} @rf-open=${(e: CustomEvent<{ row: Row }>) => this.#inspect(a.rows.indexOf(e.detail.row))}></rf-grid></div>
      ${row ? this.#inspector(a, row) : chart ? html`<aside class="r" aria-label=${t("logs.chart")}>${drawn}</aside>` : nothing}</div>`;
  }
  #inspect(i: number) { this.#row = i; this.requestUpdate(); void this.updateComplete.then(() => this.querySelector<HTMLElement>(".row-pane [role=treeitem]")?.focus()); }
  #inspector(a: Answer, row: Row) {
    const value = Object.fromEntries(a.columns.map((c, i) => [c.name, plain(row[i], c.type)]));
    return html`<aside class="r row-pane" aria-label=${t("logs.row", { n: this.#row + 1 })} @keydown=${(e: KeyboardEvent) => { if (e.key === "Escape") { e.stopPropagation(); this.#row = -1; this.requestUpdate(); this.querySelector<Grid>(".res rf-grid")?.enter(); } }}>
      <div class="row"><h2>${t("logs.row", { n: this.#row + 1 })}</h2><button class="btn s quiet end" @click=${() => void copyText(JSON.stringify(value, null, 2), t("logs.row", { n: this.#row + 1 }))}><rf-icon n="copy"></rf-icon>JSON</button><button class="btn s quiet ic" aria-label=${t("act.close")} @click=${() => { this.#row = -1; this.requestUpdate(); }}><rf-icon n="x"></rf-icon></button></div>
      <div class="scroll"><rf-inspector acts .value=${value} .open=${1} @rf-cell=${(e: CustomEvent<{ act: string; path: string; value: unknown }>) => { const root = a.columns.find((c) => c.name === e.detail.path || `['${c.name}']` === e.detail.path), type = root ? root.type : "dynamic"; this.#filter(condition(e.detail.path, root ? row[a.columns.indexOf(root)] : e.detail.value, type, e.detail.act === "not", true)); }}></rf-inspector></div></aside>`;
  }

  // ---- acts of a cell ----
  #cell(a: Answer, d: CellAct<Row>) {
    const i = Number(d.column.id), c = a.columns[i];
    if (d.act === "open") { const to = this.#entity(a, i, d.value); if (to) to(); return; }
    this.#filter(condition(c.name, d.value, c.type, d.act === "not"));
  }
  #filter(cond: string) {
    const base = this.#run?.query ?? this.#tab.text, whole = this.#tab.text, one = addCondition(base, cond), at = whole.indexOf(base), text = at >= 0 ? whole.slice(0, at) + one + whole.slice(at + base.length) : one;
    this.#change({ text });
    this.requestUpdate();
    this.#runNow(at >= 0 && whole !== base ? one : text);
  }
  /** How the thing in a cell is opened; null when the cell holds none. */
  #entity(a: Answer, i: number, value: unknown): (() => void) | null {
    const c = a.columns[i];
    if (value === null || value === undefined || value === "") return null;
    if (c.name === "IncidentNumber" && isNumber(c.type)) return () => go(href("/incidents/{n}", { n: Number(value) }));
    if (!isEntity(c)) return null;
    return () => { const text = entityQuery(String(value), quote); this.#add(text); this.#start(text); };
  }
  #narrow([from, to]: [number, number]) { this.setQ({ t: parseRange(`${new Date(from).toISOString()}/${new Date(to).toISOString()}`)?.text }, { push: true }); }
}

/** A time of a row in the page's zone: 2026-11-21 14:10:00.123. */
const forms = new Map<string, Intl.DateTimeFormat>();
function local(iso: string): string {
  const z = zone(), dot = iso.indexOf("."), part = dot < 0 ? "" : iso.slice(dot, Math.min(dot + 4, iso.length - 1));
  if (z === "UTC") return iso.slice(0, 10) + " " + iso.slice(11, 19) + part;
  const at = new Date(iso);
  if (isNaN(+at)) return iso;
  let f = forms.get(z ?? "");
  if (!f) forms.set(z ?? "", (f = new Intl.DateTimeFormat("sv-SE", { timeZone: z, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" })));
  return f.format(at) + part;
}
function download(name: string, text: string) {
  const a = document.createElement("a"), url = URL.createObjectURL(new Blob(["\uFEFF", text], { type: "text/csv;charset=utf-8" }));
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
