import { html, nothing } from "lit";
import { getResource, postAction, sentinel } from "../../data/arm";
import { ApiError } from "../../data/client";
import { kql, records, type Result } from "../../data/kql";
import { readSchema, type Schema } from "../../data/kql-schema";
import { bodyOf, countWindows, faults, isoMs, isoShort, own, removeRule, replay, type Rule, ruleIncidents, type RuleProperties, ruleRuns, saveRule, switchRule, triggers, type Window } from "../../data/rules";
import { session } from "../../data/session";
import { day, duration, num, rangeWords, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import type { ChartData } from "../../parts/charts";
import "../../parts/charts";
import { segmented } from "../../parts/choice";
import { curlLine } from "../../parts/copy-as";
import "../../parts/grid";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import "../../parts/kql-editor/kql-editor";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { go, href } from "../../router";
import { type CopyItem, failure, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import { type Draft, fresh, ruleForm } from "./form";
import "./page.css";

interface Backtest { windows: Window[]; rows: (number | null)[]; every: number; done: number; busy: boolean; fault: string; days: number; error?: Error }
const most = 300;   // windows that one backtest asks: the server answers 200 queries of a person in 30 s
const copy = <T>(v: T): T => JSON.parse(JSON.stringify(v)) as T;

export default class extends Page {
  bodyClass = "p-rule";
  #draft: Draft | null = null;
  #loaded = "";
  #preview: { rows?: Result; counts?: (number | null)[]; windows?: Window[]; error?: Error; busy: boolean; query: string; at?: Date } = { busy: false, query: "" };
  #test: Backtest | null = null;
  #end: AbortController | null = null;

  get #new(): boolean { return this.params.id === "new"; }
  get #id(): string { return sentinel(`alertRules/${encodeURIComponent(this.params.id)}`); }
  schema = this.load<Schema>((signal) => readSchema(signal));   // without it the query is written all the same
  rule = this.load<Rule | null>(async (signal) => {
    const from = this.#new ? this.q("from") : this.params.id;
    if (!from) { this.#take(null); return null; }
    const r = await getResource<Rule>(sentinel(`alertRules/${encodeURIComponent(from)}`), { signal });
    this.#take(r);
    return this.#new ? null : r;
  }, { what: () => t("rule.reading"), needs: () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name }), empty: () => false });
  runs = this.load<Result>((signal) => kql(ruleRuns(this.params.id), { range: this.range, signal }), { auto: false, what: () => t("rule.reading-runs"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });
  incidents = this.load<Result>((signal) => kql(ruleIncidents(this.params.id), { range: this.range, signal }), { auto: false, what: () => t("rule.reading-incidents"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });

  // ---- what is typed ----
  get #key(): string { return `rf-rule:${this.params.id}`; }
  #take(r: Rule | null) {
    const base: Draft = r ? { kind: r.kind, properties: copy(r.properties), at: 0 } : { kind: "Scheduled", properties: fresh(), at: 0 };
    if (this.#new && r) base.properties.displayName = t("rule.copy-of", { name: r.properties.displayName });
    if (this.#new && this.q("q")) base.properties.query = this.q("q");
    if (this.#loaded === this.params.id && this.#draft?.at) return;   // read again: what was typed stays
    this.#loaded = this.params.id;
    this.#draft = base;
    try { const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? "null") as Draft | null; if (kept?.properties && (!r || this.#new || kept.kind === r.kind)) this.#draft = kept; } catch { /* nothing was kept */ }
  }
  /** Changes the draft; it outlives a reload of the page. */
  #set(change: (p: RuleProperties) => void) {
    if (!this.#draft) return;
    change(this.#draft.properties);
    this.#draft.at = Date.now();
    sessionStorage.setItem(this.#key, JSON.stringify(this.#draft));
    this.requestUpdate();
  }
  #discard = () => { this.#forget(); this.#take(this.rule.value ?? null); this.requestUpdate(); };
  get #dirty(): boolean { const d = this.#draft, r = this.rule.value; return !!d?.at && (!r || JSON.stringify(d.properties) !== JSON.stringify(r.properties)); }
  get #faults(): Record<string, string> { return this.#draft ? faults(this.#draft.kind, this.#draft.properties) : {}; }
  get #ours(): boolean { return own(this.#draft ?? {}); }

  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  disconnectedCallback() { super.disconnectedCallback(); this.#end?.abort(); }
  queryChanged(changed: Set<string>) { if (changed.has("tab") || changed.has("t")) this.#readTab(); }
  #readTab() { if (this.q("tab") === "runs") { void this.runs.run(); void this.incidents.run(); } }

  // ---- acts ----
  #save = async () => {
    const d = this.#draft, was = this.rule.value, bad = Object.entries(this.#faults);
    if (!d || !this.#dirty) return;
    if (bad.length) { this.setQ({ tab: null }); await this.updateComplete; this.querySelector<HTMLElement>(`[data-f="${bad[0][0]}"]`)?.focus(); return; }
    const name = this.#new ? crypto.randomUUID() : this.params.id, id = sentinel(`alertRules/${encodeURIComponent(name)}`), next = copy(d), p = next.properties, before = was ? copy(was) : null;
    const grouping = p.incidentConfiguration?.groupingConfiguration;
    let saved: Rule | undefined;
    const ok = await confirmImpact({
      title: t(was ? "rule.save-title" : "rule.create-title", { name: p.displayName }), act: t(was ? "rule.save" : "rule.create"),
      impact: { changes: [t(p.enabled ? (next.kind === "NRT" ? "rule.effect-nrt" : "rule.effect-on") : "rule.effect-off", { frequency: isoShort(p.queryFrequency) }), t(p.incidentConfiguration?.createIncident === false ? "rule.effect-alerts" : grouping?.enabled ? "rule.effect-grouped" : "rule.effect-incidents"), ...(this.#estimate === null ? [] : [t("rule.effect-tested", { n: num(this.#estimate, 1) })])], before: before?.properties ?? {}, after: p },
      undo: t(was ? "rule.undo-save" : "rule.undo-create"),
      run: () => act({ text: t(was ? "rule.saved" : "rule.created", { name: p.displayName }), href: href("/rules/{id}", { id: name }), run: async () => { saved = await this.#write(id, next, was?.etag); }, undo: async () => {
        await (before ? saveRule(id, before, saved?.etag) : removeRule(id));
        if (this.isConnected && this.params.id === name) { if (before) { this.#forget(); void this.rule.run(); } else go(href("/rules")); }
      } }),
    });
    if (!ok || !saved) return;
    this.#forget();
    if (this.#new) go(href("/rules/{id}", { id: saved.name }), { replace: true });
    else { this.#take(saved); this.rule.set(saved); this.requestUpdate(); }
  };
  /** Saves; when somebody else changed the rule meanwhile, reads it anew, keeps what was typed, and says so. */
  async #write(id: string, next: Draft, etag?: string): Promise<Rule> {
    try { return await saveRule(id, next, etag); }
    catch (e) {
      if (!(e instanceof ApiError) || e.status !== 412) throw e;
      await this.rule.run();
      throw new ApiError(412, e.code, t("rule.changed-meanwhile", { who: this.rule.value?.systemData?.lastModifiedBy ?? "-" }), e.requestId);
    }
  }
  /** What was typed is given up; the next reading is taken in. */
  #forget() { sessionStorage.removeItem(this.#key); this.#draft = null; this.#loaded = ""; }
  #enable = () => void this.#flip();
  async #flip() {
    const r = this.rule.value;
    if (!r) return;
    const write = async (on: boolean) => {
      const saved = await switchRule(r.id, on), d = this.#draft;
      if (d?.at) d.properties.enabled = saved.properties.enabled;
      else { this.#forget(); this.#take(saved); }
      this.rule.set(saved);
    };
    await act({ text: t(r.properties.enabled ? "rule.disabled" : "rule.enabled", { name: r.properties.displayName }), run: () => write(!r.properties.enabled), undo: () => write(r.properties.enabled) }).catch(() => undefined);
  }
  #runNow = async () => {
    const r = this.rule.value;
    if (!r || r.kind !== "Scheduled") return;
    const to = new Date(), from = new Date(+to - isoMs(r.properties.queryPeriod));
    const done = await confirmImpact({ title: t("rule.run-title", { name: r.properties.displayName }), act: t("rule.run-now"), impact: { changes: [t("rule.run-window", { from: stamp(from), to: stamp(to) }), t("rule.run-effect")] }, undo: t("rule.run-undo"),
      run: () => act({ text: t("rule.ran", { name: r.properties.displayName }), href: href("/rules/{id}", { id: r.name }, { tab: "runs" }), run: () => postAction(`${r.id}/triggerRuleRun`, { properties: { executionTimeUtc: to.toISOString() } }, { version: "2024-10-01-preview" }) }) });
    if (done) this.setQ({ tab: "runs" }, { push: true });
    if (done) for (const ms of [1500, 5000]) setTimeout(() => { if (this.isConnected && this.q("tab") === "runs") this.#readTab(); }, ms);
  };
  #remove = async () => {
    const r = this.rule.value;
    if (!r) return;
    const n = await kql(`${ruleIncidents(r.name)}\n| where Status != "Closed"\n| project IncidentNumber, Title`).then((x) => records(x), () => []);
    const done = await confirmImpact({ title: t("rule.delete-title", { name: r.properties.displayName }), act: t("rule.delete"), danger: true, word: r.properties.displayName, impact: { changes: [t("rule.delete-effect"), t("rule.delete-stays", { n: n.length })], hits: n.slice(0, 8).map((x) => ({ text: `${x.IncidentNumber} ${x.Title}`, href: href("/incidents/{n}", { n: String(x.IncidentNumber) }) })) }, undo: t("rule.delete-undo"),
      run: () => act({ text: t("rule.deleted", { name: r.properties.displayName }), run: () => removeRule(r.id) }) });
    if (done) { sessionStorage.removeItem(this.#key); go(href("/rules")); }
  };

  // ---- preview and backtest ----
  #runPreview = async () => {
    const d = this.#draft;
    if (!d || this.#preview.busy || !d.properties.query.trim()) return;
    this.#end?.abort();
    const end = (this.#end = new AbortController()), p = d.properties, now = new Date(), period = d.kind === "NRT" ? 60e3 : isoMs(p.queryPeriod) || 3600e3, step = d.kind === "NRT" ? 300e3 : isoMs(p.queryFrequency) || period;
    this.#preview = { busy: true, query: p.query };
    this.requestUpdate();
    const windows = Array.from({ length: 12 }, (_, i) => ({ to: new Date(+now - (11 - i) * step), from: new Date(+now - (11 - i) * step - (d.kind === "NRT" ? step : period)) }));
    try {
      const rows = await kql(p.query, { range: { text: "", from: new Date(+now - (d.kind === "NRT" ? 3600e3 : period)), to: now, live: false }, signal: end.signal });
      this.#preview = { ...this.#preview, rows, at: now };
      this.requestUpdate();
      const counts = await countWindows(p.query, windows, { signal: end.signal });
      this.#preview = { ...this.#preview, windows, counts };
    } catch (e) { if (!end.signal.aborted) this.#preview = { ...this.#preview, error: e as Error }; }
    this.#preview.busy = false;   // also when a backtest broke it off
    this.requestUpdate();
  };
  #plan(days: number): { step: number; total: number; every: number } {
    const d = this.#draft!, step = d.kind === "NRT" ? 300e3 : isoMs(d.properties.queryFrequency) || 3600e3, total = Math.max(1, Math.floor((days * 86400e3) / step));
    return { step, total, every: Math.max(1, Math.ceil(total / most)) };
  }
  #runTest = async () => {
    const d = this.#draft;
    if (!d || !d.properties.query.trim()) return;
    this.#end?.abort();
    const end = (this.#end = new AbortController()), days = Number(this.q("days", "1")) || 1, { step, total, every } = this.#plan(days), now = Date.now(), period = d.kind === "NRT" ? step : isoMs(d.properties.queryPeriod) || step;
    const windows = Array.from({ length: Math.floor(total / every) || 1 }, (_, i) => i).map((i) => { const to = now - (Math.floor(total / every) - 1 - i) * step * every; return { from: new Date(to - period), to: new Date(to) }; });
    const test: Backtest = (this.#test = { windows, rows: [], every, done: 0, busy: true, fault: "", days });
    this.requestUpdate();
    try { test.rows = await countWindows(d.properties.query, windows, { signal: end.signal, seen: (n) => { test.done = n; this.requestUpdate(); }, fault: (m) => { test.fault ||= m; } }); }
    catch (e) { if (!end.signal.aborted) test.error = e as Error; else if (this.#test === test) this.#test = null; }
    test.busy = false;
    this.requestUpdate();
  };
  get #alerts(): number[] { const x = this.#test, d = this.#draft; return x && d && x.rows.length ? replay(d.kind, d.properties, x.windows, x.rows) : []; }
  get #estimate(): number | null { const x = this.#test; return x && x.rows.length && !x.busy ? (this.#alerts.reduce((a, n) => a + n, 0) * x.every) / x.days : null; }

  // ---- frame ----
  head(): Head {
    const r = this.rule.value, d = this.#draft, name = d?.properties.displayName || r?.properties.displayName || t(this.#new ? "rules.new" : "page.rule");
    const tab = (text: string, tab?: string) => ({ text, tab });
    return {
      title: name, crumbs: [{ text: t("page.rules"), href: href("/rules") }, { text: this.#new ? t("rules.new") : this.params.id.slice(0, 8) }],
      heading: html`<span class="hd-name">${name}</span>`,
      tabs: this.#new ? [tab(t("rule.t-rule")), tab(t("rules.backtest"), "backtest"), tab("JSON", "json")] : [tab(t("rule.t-rule")), tab(t("rules.backtest"), "backtest"), tab(t("rule.t-runs"), "runs"), tab("JSON", "json")],
      time: this.q("tab") === "runs" ? "7d" : undefined,
      acts: [
        ...(this.#new || !r ? [] : [{ text: t("rule.run-now"), icon: "play", run: () => void this.#runNow(), disabled: r.kind !== "Scheduled", why: t("rule.run-why") }, { text: t("act.more"), icon: "more", run: (e: Event) => openMenu(e.currentTarget as HTMLElement, [{ text: t(r.properties.enabled ? "rules.disable" : "rules.enable"), run: this.#enable }, { text: t("rules.copy-rule"), icon: "copy", href: href("/rules/{id}", { id: "new" }, { from: r.name }) }, { text: t("rule.discard"), icon: "undo", disabled: !this.#dirty, run: this.#discard }, { text: t("rule.delete"), danger: true, line: true, run: () => void this.#remove() }], { end: true, label: t("act.more") }) }]),
        { text: t(this.#new ? "rule.create" : "rule.save"), icon: "save", primary: true, disabled: !this.#dirty || !this.#ours, why: t(this.#ours ? "rule.save-why" : "rule.not-ours"), run: () => void this.#save() },
      ],
    };
  }
  keys(): Key[] {
    return [
      { key: "Shift+Enter", text: t("rule.key-preview"), inFields: true, run: () => void this.#runPreview() },
      { key: "b", text: t("rules.key-backtest"), run: () => { this.setQ({ tab: "backtest" }, { push: true }); void this.#runTest(); } },
      { key: "w", text: t("rule.key-save"), run: () => void this.#save() },
      { key: "u", text: t("rule.run-now"), run: () => void this.#runNow() },
      { key: "Escape", text: t("rule.key-back"), run: () => go(href("/rules", {}, { sel: this.#new ? "" : this.params.id })) },
    ];
  }
  copyAs(): CopyItem[] {
    const d = this.#draft;
    if (!d) return [];
    const body = bodyOf(d), ws = session().workspace.name, rg = session().resourceGroup;
    return [
      { kind: "kql", text: d.properties.query }, { kind: "json", text: JSON.stringify(body, null, 2) },
      { kind: "arm", text: JSON.stringify({ type: "Microsoft.OperationalInsights/workspaces/providers/alertRules", apiVersion: "2025-09-01", name: `${ws}/Microsoft.SecurityInsights/${this.#new ? "RULE-ID" : this.params.id}`, ...body }, null, 2) },
      { kind: "curl", text: curlLine(location.origin, "PUT", `${this.#id}?api-version=2025-09-01`, body) },
      ...(this.#new ? [] : [{ kind: "az" as const, text: `az sentinel alert-rule show --resource-group ${rg} --workspace-name ${ws} --rule-id ${this.params.id}` }]),
    ];
  }

  body() {
    return this.rule.show(() => {
      if (!this.#draft) return nothing;
      switch (this.q("tab")) {
        case "backtest": return this.#testTab();
        case "runs": return this.#runsTab();
        case "json": return html`<section class="card wide"><header><h2>JSON</h2><span class="cap end">${this.#dirty ? t("rule.unsaved") : ""}</span></header><div class="scroll pad"><rf-inspector .value=${bodyOf(this.#draft)} .open=${2}></rf-inspector></div></section>`;
        default: return this.#ruleTab();
      }
    }, { skeleton: 12 });
  }

  // ---- the rule itself ----
  #ruleTab() {
    const d = this.#draft!, p = d.properties, f = this.#faults;
    if (!this.#ours) return html`<section class="card wide"><header><h2>${p.displayName ?? d.kind}</h2></header><p class="pad t2">${t("rule.not-ours")}</p><div class="scroll pad"><rf-inspector .value=${p} .open=${2}></rf-inspector></div></section>`;
    return html`${this.#dirty ? html`<div class="note wide"><rf-icon n="pen"></rf-icon><span class="grow">${t("rule.kept", { time: when(new Date(d.at)) })}</span><button class="btn s" @click=${this.#discard}>${t("rule.discard")}</button></div>` : nothing}
      <section class="card left" aria-label=${t("rules.query")}><header><h2>${t("rules.query")}</h2><span class="cap end">${t("rule.chars", { n: [...p.query].length })}</span><button class="btn s" @click=${() => void this.#runPreview()} aria-disabled=${this.#preview.busy ? "true" : nothing}><rf-icon n="play"></rf-icon>${t("rule.preview")} <kbd>Shift+Enter</kbd></button></header>
        <rf-kql-editor class="kq" data-f="query" label=${t("rules.query")} .value=${p.query} .schema=${this.schema.value?.editor} @rf-text=${(e: CustomEvent<string>) => this.#set((x) => { x.query = e.detail; })} @rf-run=${() => void this.#runPreview()}></rf-kql-editor>
        ${f.query && d.at ? html`<p class="bad pad" role="alert">${t(`rule.fault.${f.query}`)}</p>` : nothing}
        ${this.#previewPart()}</section>
      <section class="card right" aria-label=${t("rule.settings")}><div class="scroll form">${ruleForm({ draft: d, isNew: this.#new, faults: d.at ? f : {}, columns: this.#preview.rows?.columns.map((c) => c.name) ?? [], set: (change) => this.#set(change) })}</div></section>`;
  }
  #previewPart() {
    const v = this.#preview, d = this.#draft!, p = d.properties;
    if (v.error) return html`<div class="pv">${failure(v.error, { what: t("rule.preview-failed"), retry: () => void this.#runPreview() })}</div>`;
    if (!v.rows) return html`<div class="pv"><div class="state"><p class="t2">${v.busy ? t("rule.running") : t("rule.preview-none")}</p></div></div>`;
    const n = v.rows.rows.length, hit = triggers(d.kind === "NRT" ? "GreaterThan" : p.triggerOperator, d.kind === "NRT" ? 0 : p.triggerThreshold, n), missing = this.#missing(v.rows);
    return html`<div class="pv"><div class="verdict"><rf-icon n=${hit ? "bell" : "check"}></rf-icon><b>${hit ? t("rule.would") : t("rule.would-not")}</b><span class="t2">${t("rule.counted", { n, op: t(`rules.op.${d.kind === "NRT" ? "GreaterThan" : p.triggerOperator}`, { n: d.kind === "NRT" ? 0 : p.triggerThreshold ?? 0 }) })}</span><span class="cap end">${v.at ? t("state.as-of", { time: when(v.at) }) : ""}${v.query !== p.query ? ` · ${t("rule.changed-since")}` : ""}</span></div>
      ${v.rows.partial ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${v.rows.partial.message}</span></div>` : nothing}
      ${missing.length ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("rule.missing", { columns: missing.join(", ") })}</span></div>` : nothing}
      ${v.counts && v.windows ? html`<rf-chart .data=${this.#chart(v.windows, v.counts)}></rf-chart>` : v.busy ? html`<p class="cap">${t("rule.counting")}</p>` : nothing}
      ${n ? html`<rf-grid .label=${t("rule.rows")} .columns=${columnsOf(v.rows)} .rows=${v.rows.rows.slice(0, 1000)} .total=${n}></rf-grid>` : nothing}</div>`;
  }
  #chart(windows: Window[], counts: (number | null)[]): ChartData {
    const d = this.#draft!, limit = d.kind === "NRT" ? 0 : d.properties.triggerThreshold ?? 0, hits = counts.filter((c) => c !== null && triggers(d.kind === "NRT" ? "GreaterThan" : d.properties.triggerOperator, limit, c)).length;
    return { kind: "line", x: windows.map((w) => w.to), series: [{ name: t("rule.rows"), values: counts }, { name: t("rule.threshold"), values: counts.map(() => limit) }], label: t("rule.chart", { n: windows.length, hits }) };
  }
  /** Columns that the rule names and the answer does not have. */
  #missing(r: Result): string[] {
    const have = new Set(r.columns.map((c) => c.name)), p = this.#draft!.properties, o = p.alertDetailsOverride ?? {};
    const named = [...(p.entityMappings ?? []).flatMap((m) => m.fieldMappings.map((x) => x.columnName)), ...Object.values(p.customDetails ?? {}), o.alertTacticsColumnName ?? "", o.alertSeverityColumnName ?? "", ...[o.alertDisplayNameFormat, o.alertDescriptionFormat].flatMap((s) => [...(s ?? "").matchAll(/\{\{\s*([^}]+?)\s*\}\}/g)].map((m) => m[1]))];
    return [...new Set(named.filter((c) => c && !have.has(c)))];
  }

  // ---- backtest ----
  #testTab() {
    const d = this.#draft!, x = this.#test, days = Number(this.q("days", "1")) || 1, plan = this.#plan(days), alerts = this.#alerts, sum = alerts.reduce((a, n) => a + n, 0);
    const byDay = new Map<string, number>();
    if (x) x.windows.forEach((w, i) => { const k = w.to.toISOString().slice(0, 10); byDay.set(k, (byDay.get(k) ?? 0) + (alerts[i] ?? 0) * x.every); });
    const columns: GridColumn<number>[] = x ? [
      { id: "to", head: t("rule.window-end"), width: 184, value: (i) => x.windows[i].to, cell: (i) => html`<time>${stamp(x.windows[i].to)}</time>` }, { id: "from", head: t("rule.window-start"), width: 170, value: (i) => x.windows[i].from, cell: (i) => html`<time>${stamp(x.windows[i].from)}</time>` },
      { id: "rows", head: t("rule.rows"), width: 90, num: true, value: (i) => x.rows[i] }, { id: "alerts", head: t("rules.alerts"), width: 90, num: true, value: (i) => (x.rows[i] === null ? null : alerts[i]) },
      { id: "open", head: "", sortable: false, value: () => "", cell: (i) => html`<a href=${href("/logs", {}, { q: d.properties.query, t: `${x.windows[i].from.toISOString()}/${x.windows[i].to.toISOString()}` })}>${t("rules.in-logs")}</a>` }] : [];
    return html`<section class="card wide" aria-label=${t("rules.backtest")}><header class="wrapd"><h2>${t("rules.backtest")}</h2>${segmented(t("rule.days"), ["1", "3", "7", "14", "30"].map((v) => ({ value: v, text: t("unit.d", { n: Number(v) }) })), String(days), (v) => this.setQ({ days: v === "1" ? null : v }))}
        <span class="t2">${t("rule.plan", { n: plan.total, step: duration(plan.step) })}${plan.every > 1 ? ` ${t("rule.sampled", { n: Math.floor(plan.total / plan.every), every: plan.every })}` : ""}</span>
        <span class="end row">${x?.busy ? html`<progress max=${x.windows.length} .value=${x.done} aria-label=${t("rule.progress", { n: x.done, of: x.windows.length })}></progress><button class="btn s" @click=${() => this.#end?.abort()}>${t("act.stop")}</button>` : html`<button class="btn pri" @click=${() => void this.#runTest()} aria-disabled=${d.properties.query.trim() ? nothing : "true"}><rf-icon n="play"></rf-icon>${t("rule.run-test")}</button>`}</span></header>
      ${!x ? html`<div class="state"><p>${t("rule.test-none")}</p></div>` : x.error ? failure(x.error, { what: t("rule.test-failed"), retry: () => void this.#runTest() }) : x.busy ? html`<p class="pad t2" role="status">${t("rule.progress", { n: x.done, of: x.windows.length })}</p>` : html`
        <div class="sum"><div><b class="big">${num(this.#estimate ?? 0, 1)}</b> ${t("rules.c-rate-long")}</div><div><b class="big">${num(sum * x.every)}</b> ${t("rule.alerts-in", { n: x.days })}</div><div><b class="big">${num(alerts.filter(Boolean).length)}</b> ${t("rule.hit-windows", { n: x.windows.length })}</div>${x.every > 1 ? html`<p class="cap">${t("rule.estimated", { every: x.every })}</p>` : nothing}</div>
        ${x.fault ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("rule.some-failed", { n: x.rows.filter((r) => r === null).length, why: x.fault })}</span></div>` : nothing}
        <div class="charts"><rf-chart .data=${this.#chart(x.windows, x.rows)}></rf-chart>${byDay.size > 1 ? html`<rf-chart .data=${{ kind: "column", x: [...byDay.keys()].map((k) => day(`${k}T12:00:00Z`)), series: [{ name: t("rules.alerts"), values: [...byDay.values()] }], label: t("rule.by-day") } as ChartData}></rf-chart>` : nothing}</div>
        <rf-grid .label=${t("rule.windows")} .columns=${columns} .rows=${x.windows.map((_, i) => i).filter((i) => alerts[i] || x.rows[i] === null || !sum).reverse()} .rowKey=${(i: number) => String(i)} .sort=${this.q("sort")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>`}</section>`;
  }

  // ---- runs and incidents ----
  #runsTab() {
    const cell = (v: unknown) => html`<time title=${stamp(String(v))}>${when(String(v))}</time>`;
    const runs: GridColumn<any>[] = [
      { id: "TimeGenerated", head: t("rule.c-time"), width: 110, cell: (r) => cell(r.TimeGenerated) }, { id: "Status", head: t("rules.c-result"), width: 130, cell: (r) => html`<rf-state s=${r.Status === "Success" ? "ok" : "fail"} word=${r.Status === "Success" ? t("rules.result.ok") : r.Reason || t("rules.result.fail")}></rf-state>` },
      { id: "From", head: t("rule.window-start"), width: 170, cell: (r) => html`<time>${stamp(String(r.From))}</time>` }, { id: "To", head: t("rule.window-end"), width: 170, cell: (r) => html`<time>${stamp(String(r.To))}</time>` },
      { id: "Rows", head: t("rule.rows"), width: 80, num: true }, { id: "Alerts", head: t("rules.alerts"), width: 80, num: true }, { id: "Ms", head: t("rules.took"), width: 80, num: true, cell: (r) => duration(Number(r.Ms ?? 0)) }, { id: "Issue", head: t("rule.c-issue"), min: 160, value: (r) => (r.Status === "Success" ? "" : r.Issue || r.Description) }];
    const inc: GridColumn<any>[] = [
      { id: "IncidentNumber", head: t("rule.c-number"), width: 62, num: true }, { id: "Severity", head: t("rules.c-severity"), width: 118, cell: (r) => html`<rf-sev s=${r.Severity}></rf-sev>` },
      { id: "Title", head: t("rule.c-title"), min: 200, cell: (r) => html`<a class="nm" tabindex="-1" href=${href("/incidents/{n}", { n: r.IncidentNumber })}>${r.Title}</a>` }, { id: "Status", head: t("rule.c-status"), width: 90 }, { id: "CreatedTime", head: t("rule.c-created"), width: 110, num: true, cell: (r) => cell(r.CreatedTime) }];
    const none = (text: string) => html`<div class="state"><p>${text}</p></div>`;
    return html`<section class="card wide" aria-label=${t("rules.runs")}><header><h2>${t("rules.runs")}</h2><span class="cap end">${rangeWords(this.range)}</span></header>${this.runs.show((r) => (r.rows.length ? html`<rf-grid name="rule-runs" .label=${t("rules.runs")} .columns=${runs} .rows=${records(r)} .sort=${this.q("sort")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>` : none(t("rule.no-runs"))))}</section>
      <section class="card wide" aria-label=${t("page.incidents")}><header><h2>${t("page.incidents")}</h2></header>${this.incidents.show((r) => (r.rows.length ? html`<rf-grid name="rule-incidents" .label=${t("page.incidents")} .columns=${inc} .rows=${records(r)} @rf-open=${(e: CustomEvent<{ row: any }>) => go(href("/incidents/{n}", { n: e.detail.row.IncidentNumber }))}></rf-grid>` : none(t("rule.no-incidents"))))}</section>`;
  }
}
const columnsOf = (r: Result): GridColumn<any[]>[] => r.columns.filter((c) => c.name !== "TenantId" && c.name !== "Type").map((c) => { const i = r.columns.indexOf(c); return { id: `c${i}`, head: c.name, width: c.type === "datetime" ? 184 : 150, num: ["long", "int", "real", "decimal"].includes(c.type), value: (row) => row[i], cell: c.type === "datetime" ? (row) => html`<time>${stamp(row[i])}</time>` : undefined }; });
