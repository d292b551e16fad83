import { html, nothing } from "lit";
import { alertsQuery, type Facts, facts, gapsQuery, isoMs, isoShort, listRules, own, type Rule, type Runs, runsQuery, switchRule } from "../../data/rules";
import { session } from "../../data/session";
import { ago, duration, num, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { spark } from "../../parts/charts";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { curlLine, csv } from "../../parts/copy-as";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { openMenu } from "../../parts/menu";
import { go, href } from "../../router";
import { type CopyItem, emptyState, filteredEmpty, type Head, type Key, Page, partialBar } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

const severities = ["High", "Medium", "Low", "Informational"];
const sevKey = (s: string): string => (s === "Informational" ? "info" : s.toLowerCase());
const stateOf = (r: Rule): string => (r.properties.displayName?.startsWith("AUTO DISABLED") ? "auto" : r.properties.enabled ? "on" : "off");

export default class extends Page {
  bodyClass = "p-rules";
  #picked: ReadonlySet<string> = new Set();
  #typing?: ReturnType<typeof setTimeout>;
  rules = this.load((signal) => listRules(signal), { what: () => t("rules.reading"), needs: () => ({ role: "Microsoft Sentinel Reader", on: session().workspace.name }), empty: () => false });
  facts = this.load<Facts>((signal) => facts(this.range, signal), { what: () => t("rules.reading-runs"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });

  head(): Head {
    return { title: t("page.rules"), time: "7d", acts: [{ text: t("rules.new"), icon: "plus", primary: true, href: href("/rules/{id}", { id: "new" }) }] };
  }
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); }
  queryChanged(changed: Set<string>) {
    if (changed.has("t")) void this.facts.run();
    if (changed.has("f") || changed.has("q")) this.#picked = new Set();
  }

  // ---- the list ----
  #fact(r: Rule): Runs | undefined { return this.facts.value?.runs.get(r.name); }
  /** Days that count for "a day": a rule that was made later has fewer. */
  #days(r: Rule): number { const range = this.range, made = Date.parse(r.systemData?.createdAt ?? "") || 0; return Math.max(1, (+range.to - Math.max(+range.from, made)) / 86400e3); }
  /** The result of the last run: ok, fail, late (no run for longer than two turns and ten minutes), none. */
  #result(r: Rule): "ok" | "fail" | "late" | "none" | "off" {
    const f = this.#fact(r);
    if (!own(r)) return "none";
    if (!r.properties.enabled) return "off";
    if (!f?.last) return "none";
    if (f.status !== "Success") return "fail";
    return r.kind === "Scheduled" && Date.now() - Date.parse(f.last) > 2 * isoMs(r.properties.queryFrequency) + 600e3 ? "late" : "ok";
  }
  get #filters() { return readFilters(this.q("f")); }
  #setFilter(name: string, values: string[]) { this.setQ({ f: writeFilters({ ...this.#filters, [name]: values }) || null }); }
  #passing(but = ""): Rule[] {
    const f = this.#filters, text = this.q("q").trim().toLowerCase(), has = (k: string, v: string) => but === k || !f[k]?.length || f[k].includes(v);
    return (this.rules.value ?? []).filter((r) => {
      const p = r.properties, x = this.#fact(r);
      return has("state", stateOf(r)) && has("severity", p.severity) && has("kind", r.kind) && (!f.tactic?.length || p.tactics?.some((y: string) => f.tactic.includes(y)))
        && (but === "look" || !f.look?.length || f.look.every((l) => (l === "failed" ? ["fail", "late"].includes(this.#result(r)) || !!x?.failures : l === "gaps" ? !!x?.gaps : l === "silent" ? r.properties.enabled && !!this.facts.at && !x?.alerts : true)))
        && (!text || `${p.displayName} ${p.description ?? ""} ${r.name} ${p.tactics?.join(" ")} ${p.techniques?.join(" ")} ${p.query ?? ""}`.toLowerCase().includes(text));
    });
  }
  get #current(): Rule | undefined { const sel = this.q("sel"); return sel ? this.rules.value?.find((r) => r.name === sel) : undefined; }
  get #aim(): Rule[] { const picked = (this.rules.value ?? []).filter((r) => this.#picked.has(r.name)); return picked.length ? picked : this.#current ? [this.#current] : []; }

  // ---- acts ----
  async #enable(list: Rule[], on: boolean) {
    const todo = list.filter((r) => r.properties.enabled !== on);
    if (!todo.length) return;
    const write = async (now: boolean) => {
      for (const r of todo) { const saved = await switchRule(r.id, now); this.rules.set((this.rules.value ?? []).map((x) => (x.name === saved.name ? saved : x))); }
    };
    const what = todo.length === 1 ? todo[0].properties.displayName : t("rules.n", { n: todo.length });
    await act({ text: t(on ? "rules.enabled" : "rules.disabled", { what }), run: () => write(on), undo: () => write(!on) }).catch(() => this.reload());
  }
  #toggle(list: Rule[]) { if (list.length) void this.#enable(list, !list.every((r) => r.properties.enabled)); }

  keys(): Key[] {
    return [
      { key: "n", text: t("rules.new"), run: () => go(href("/rules/{id}", { id: "new" })) },
      { key: "d", text: t("rules.key-toggle"), run: () => this.#toggle(this.#aim) },
      { key: "b", text: t("rules.key-backtest"), run: () => { const r = this.#aim[0]; if (r) go(href("/rules/{id}", { id: r.name }, { tab: "backtest" })); } },
      { key: "Escape", text: t("rules.key-back"), run: () => { if (this.#picked.size) { this.#picked = new Set(); this.requestUpdate(); } else if (this.q("sel")) { this.setQ({ sel: null }); this.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); } } },
      { key: "r", text: t("palette.reload"), run: () => this.reload() },
    ];
  }
  copyAs(): CopyItem[] {
    const path = `${session().workspace.id}/providers/Microsoft.SecurityInsights/alertRules?api-version=2025-09-01`;
    return [
      { kind: "kql", label: t("rules.kql-runs"), text: runsQuery }, { kind: "kql", label: t("rules.kql-alerts"), text: alertsQuery }, { kind: "kql", label: t("rules.kql-gaps"), text: gapsQuery },
      { kind: "arm", text: () => JSON.stringify(this.#aim.length ? this.#aim : this.#passing(), null, 2) }, { kind: "curl", text: curlLine(location.origin, "GET", path) },
      { kind: "az", text: `az sentinel alert-rule list --resource-group ${session().resourceGroup} --workspace-name ${session().workspace.name}` },
      { kind: "csv", text: () => csv(["Name", "Enabled", "Severity", "Kind", "Tactics", "LastRun", "Result", "Alerts", "Gaps"], this.#passing().map((r) => [r.properties.displayName, r.properties.enabled, r.properties.severity, r.kind, r.properties.tactics?.join(" ") ?? "", this.#fact(r)?.last ?? "", this.#fact(r)?.status ?? "", this.#fact(r)?.alerts ?? "", this.#fact(r)?.gaps ?? ""])) },
    ];
  }

  body() {
    const cur = this.#current;
    return html`${this.#counts()}
      <section class="card" aria-label=${t("rules.list")}>${this.#bar()}${this.facts.error ? this.facts.show(() => nothing) : this.facts.value?.faults.length ? partialBar(t("rules.partial", { why: this.facts.value.faults[0] }), () => void this.facts.run()) : nothing}${this.rules.show((all) => this.#list(all), { skeleton: 12 })}</section>
      ${cur ? this.#pane(cur) : html`<aside class="pane none" aria-label=${t("rules.pane")}><div class="state"><p class="t2">${t("rules.choose")}</p></div></aside>`}`;
  }
  #counts() {
    if (!this.rules.at) return html`<div class="counts"></div>`;
    const f = this.#filters, all = this.#passing("state"), looked = this.#passing("look");
    const chip = (n: number | string, text: string, on: boolean, run: () => void) => html`<button class="cnt2" aria-pressed=${String(on)} @click=${run}><b>${typeof n === "number" ? num(n) : n}</b>${text}</button>`;
    const flip = (name: string, v: string) => () => this.#setFilter(name, f[name]?.includes(v) ? f[name].filter((x) => x !== v) : [...(f[name] ?? []), v]);
    const by = (s: string) => all.filter((r) => stateOf(r) === s).length, look = (l: string) => looked.filter((r) => { const x = this.#fact(r); return l === "failed" ? ["fail", "late"].includes(this.#result(r)) || !!x?.failures : l === "gaps" ? !!x?.gaps : r.properties.enabled && !x?.alerts; }).length;
    const alerts = this.facts.at ? [...this.facts.value!.runs.values()].reduce((a, r) => a + r.alerts, 0) : 0;
    return html`<div class="counts" role="group" aria-label=${t("rules.counts")}>
      ${chip(by("on"), t("rules.state.on"), !!f.state?.includes("on"), flip("state", "on"))}${chip(by("off"), t("rules.state.off"), !!f.state?.includes("off"), flip("state", "off"))}${by("auto") ? chip(by("auto"), t("rules.state.auto"), !!f.state?.includes("auto"), flip("state", "auto")) : nothing}
      ${this.facts.at ? html`${chip(look("failed"), t("rules.look.failed"), !!f.look?.includes("failed"), flip("look", "failed"))}${chip(look("gaps"), t("rules.look.gaps"), !!f.look?.includes("gaps"), flip("look", "gaps"))}${chip(look("silent"), t("rules.look.silent"), !!f.look?.includes("silent"), flip("look", "silent"))}<span class="t2 end">${t("rules.alerts-in", { n: alerts })}</span>` : nothing}</div>`;
  }
  #bar() {
    const f = this.#filters, list = this.#aim, word = (k: string, v: string) => (k === "severity" ? t(`severity.${sevKey(v)}`) : k === "state" || k === "look" ? t(`rules.${k}.${v}`) : v);
    return html`<div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("rules.search")}</span><input type="search" placeholder=${t("rules.search-in")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 250); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`rules.f-${k}`), v.map((x) => word(k, x)).join(", "), () => this.#setFilter(k, [])))}
      <button class="btn s quiet" aria-haspopup="menu" @click=${this.#addFilter}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button>
      ${this.#picked.size ? html`<div class="picked" role="toolbar" aria-label=${t("rules.acts")}><span class="b">${t("rules.n", { n: list.length })}</span><span class="end row"><button class="btn s" @click=${() => void this.#enable(list, true)}>${t("rules.enable")}</button><button class="btn s" @click=${() => void this.#enable(list, false)}>${t("rules.disable")}</button><button class="btn s quiet ic" aria-label=${t("rules.unpick")} @click=${() => { this.#picked = new Set(); this.requestUpdate(); }}><rf-icon n="x"></rf-icon></button></span></div>` : nothing}</div>`;
  }
  #addFilter = (e: Event) => {
    const f = this.#filters, all = this.rules.value ?? [], toggle = (k: string, v: string) => () => this.#setFilter(k, f[k]?.includes(v) ? f[k].filter((x) => x !== v) : [...(f[k] ?? []), v]);
    const item = (k: string, v: string, word: string, line = false) => ({ text: t("filter.is", { name: t(`rules.f-${k}`), value: word }), checked: !!f[k]?.includes(v), line, run: toggle(k, v) });
    openMenu(e.currentTarget as HTMLElement, [
      ...severities.map((s) => item("severity", s, t(`severity.${sevKey(s)}`))), ...[...new Set(all.map((r) => r.kind))].sort().map((k, i) => item("kind", k, k, i === 0)),
      ...[...new Set(all.flatMap((r) => r.properties.tactics ?? []))].sort().map((x, i) => item("tactic", x, x, i === 0)),
    ], { label: t("filter.add") });
  };
  get #columns(): GridColumn<Rule>[] {
    const known = !!this.facts.at;
    return [
      { id: "state", head: t("rules.c-state"), width: 92, value: (r) => stateOf(r), cell: (r) => { const s = stateOf(r); return html`<rf-state s=${s === "on" ? "ok" : s === "auto" ? "fail" : "unknown"} word=${t(`rules.state.${s}`)}></rf-state>`; } },
      { id: "sev", head: t("rules.c-severity"), width: 92, value: (r) => 3 - severities.indexOf(r.properties.severity), cell: (r) => (r.properties.severity ? html`<rf-sev s=${r.properties.severity}></rf-sev>` : html`<span class="t3">-</span>`) },
      { id: "name", head: t("rules.c-name"), min: 190, value: (r) => r.properties.displayName ?? r.name, cell: (r) => html`<a class="nm" tabindex="-1" href=${href("/rules/{id}", { id: r.name })}>${r.properties.displayName ?? r.name}</a>` },
      ...(innerWidth >= 1600 ? [{ id: "kind", head: t("rules.c-kind"), width: 96, value: (r: Rule) => r.kind }, { id: "tactics", head: t("rules.f-tactic"), width: 170, value: (r: Rule) => r.properties.tactics?.join(", ") ?? "" }] : []),
      { id: "last", head: t("rules.c-last"), width: 78, num: true, value: (r) => this.#fact(r)?.last ?? "", cell: (r) => { const l = this.#fact(r)?.last; return l ? html`<time title=${stamp(l)}>${when(l)}</time>` : html`<span class="t3">-</span>`; } },
      { id: "result", head: t("rules.c-result"), width: 78, value: (r) => this.#result(r), cell: (r) => (known ? this.#resultMark(r) : html`<span class="t3">-</span>`) },
      { id: "rate", head: t("rules.c-rate"), title: t("rules.c-rate-long"), width: 78, num: true, value: (r) => (known ? (this.#fact(r)?.alerts ?? 0) / this.#days(r) : null), cell: (r) => (known ? num((this.#fact(r)?.alerts ?? 0) / this.#days(r), 1) : "-") },
      { id: "gaps", head: t("rules.c-gaps"), title: t("rules.c-gaps-long"), width: 56, num: true, value: (r) => (known && r.kind === "Scheduled" ? this.#fact(r)?.gaps ?? 0 : null) },
    ];
  }
  #resultMark(r: Rule) {
    const x = this.#result(r), f = this.#fact(r);
    return x === "none" || x === "off" ? html`<span class="t3">${t(`rules.result.${x}`)}</span>` : html`<rf-state s=${x === "ok" ? "ok" : x === "late" ? "partial" : "fail"} word=${x === "fail" ? f?.reason || t("rules.result.fail") : t(`rules.result.${x}`)}></rf-state>`;
  }
  #list(all: Rule[]) {
    const rows = this.#passing();
    if (!all.length) return emptyState(t("rules.none"), { text: t("rules.new"), href: href("/rules/{id}", { id: "new" }), icon: "plus" });
    if (!rows.length) return filteredEmpty([...Object.entries(this.#filters).filter(([, v]) => v.length).map(([k]) => t(`rules.f-${k}`)), ...(this.q("q") ? [`"${this.q("q")}"`] : [])].join(", "), all.length, () => this.setQ({ f: null, q: null }));
    return html`<rf-grid name="rules" .label=${t("page.rules")} selectable .columns=${this.#columns} .rows=${rows} .rowKey=${(r: Rule) => r.name} .current=${this.q("sel")} .selected=${this.#picked} .sort=${this.q("sort", "-sev,name")}
      .footer=${html`<span class="hint"><kbd>d</kbd> ${t("rules.k-toggle")} <kbd>b</kbd> ${t("rules.k-backtest")} <kbd>Enter</kbd> ${t("rules.k-open")}</span>`}
      @rf-current=${(e: CustomEvent<{ row: Rule }>) => this.setQ({ sel: e.detail.row.name })} @rf-open=${(e: CustomEvent<{ row: Rule }>) => go(href("/rules/{id}", { id: e.detail.row.name }))}
      @rf-select=${(e: CustomEvent<Set<string>>) => { this.#picked = e.detail; this.requestUpdate(); }} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === "-sev,name" ? null : e.detail })}></rf-grid>`;
  }

  // ---- the pane ----
  #pane(r: Rule) {
    const p = r.properties, f = this.#fact(r), on = p.enabled, days = this.facts.value?.days.get(r.name);
    const series: number[] = [];
    for (let d = Math.floor(+this.range.from / 86400e3) * 86400e3; d <= +this.range.to; d += 86400e3) series.push(days?.get(new Date(d).toISOString().slice(0, 10)) ?? 0);
    return html`<aside class="pane" aria-label=${p.displayName}><header><rf-sev s=${p.severity ?? "Informational"}></rf-sev><span class="t3">${r.kind}</span><span class="end row"><a class="btn s" href=${href("/rules/{id}", { id: r.name })}>${t("act.open")}</a><button class="btn s quiet ic" aria-label=${t("rules.close-pane")} @click=${() => this.setQ({ sel: null })}><rf-icon n="x"></rf-icon></button></span></header>
      <div class="scroll" tabindex="0"><div class="top-part"><h2>${p.displayName}</h2>${p.description ? html`<p class="t2">${p.description}</p>` : nothing}</div>
      <div class="sec"><dl class="kv">${r.kind === "Scheduled" ? html`<dt>${t("rules.schedule")}</dt><dd>${t("rules.every", { frequency: isoShort(p.queryFrequency), period: isoShort(p.queryPeriod) })}</dd><dt>${t("rules.trigger")}</dt><dd>${t(`rules.op.${p.triggerOperator}`, { n: p.triggerThreshold ?? 0 })}</dd>` : r.kind === "NRT" ? html`<dt>${t("rules.schedule")}</dt><dd>${t("rules.nrt")}</dd>` : nothing}
        ${p.tactics?.length ? html`<dt>${t("rules.f-tactic")}</dt><dd>${p.tactics.join(", ")}${p.techniques?.length ? html` <span class="t3">${[...p.techniques, ...(p.subTechniques ?? [])].join(", ")}</span>` : nothing}</dd>` : nothing}
        <dt>${t("rules.changed")}</dt><dd><time>${stamp(p.lastModifiedUtc)}</time></dd></dl></div>
      ${this.facts.at ? html`<div class="sec"><h3>${t("rules.runs")}</h3><dl class="kv"><dt>${t("rules.c-last")}</dt><dd>${f?.last ? html`<time>${stamp(f.last)}</time> <span class="t3">${ago(f.last)}</span>` : t("rules.result.none")}</dd>${f?.last ? html`<dt>${t("rules.c-result")}</dt><dd>${this.#resultMark(r)}${f.status !== "Success" && f.issue ? html`<br><span class="t2">${f.issue}</span>` : nothing}</dd><dt>${t("rules.took")}</dt><dd>${duration(f.ms ?? 0)}, ${t("rules.rows", { n: f.rows ?? 0 })}</dd><dt>${t("rules.in-time")}</dt><dd>${t("rules.runs-failed", { n: f.runs, failed: f.failures })}</dd>` : nothing}
        ${r.kind === "Scheduled" ? html`<dt>${t("rules.c-gaps")}</dt><dd>${f?.gaps ? html`<span class="c-high">${t("rules.gaps-of", { n: f.gaps, time: duration(f.missed) })}</span>` : t("rules.no-gaps")}</dd>` : nothing}</dl></div>
        <div class="sec"><h3>${t("rules.c-rate-long")}</h3><p>${t("rules.rate-of", { n: f?.alerts ?? 0, rate: num((f?.alerts ?? 0) / this.#days(r), 1) })}</p>${series.length > 1 ? spark(series, t("rules.rate-of", { n: f?.alerts ?? 0, rate: num((f?.alerts ?? 0) / this.#days(r), 1) }), { zero: true }) : nothing}</div>` : this.facts.show(() => nothing, { skeleton: 3 })}
      ${p.query ? html`<div class="sec"><h3>${t("rules.query")}</h3><pre class="q" role="group" tabindex="0" aria-label=${t("rules.query")}>${p.query.trim()}</pre></div>` : nothing}</div>
      <div class="acts"><a class="btn pri" href=${href("/rules/{id}", { id: r.name })}><rf-icon n="pen"></rf-icon>${t("rules.edit")}</a><a class="btn" href=${href("/rules/{id}", { id: r.name }, { tab: "backtest" })}>${t("rules.backtest")}</a>
        <button class="btn" @click=${() => void this.#enable([r], !on)}>${t(on ? "rules.disable" : "rules.enable")}</button>
        <button class="btn quiet ic end" aria-haspopup="menu" aria-label=${t("act.more")} @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, [{ text: t("rules.its-incidents"), icon: "incident", href: href("/rules/{id}", { id: r.name }, { tab: "runs" }) }, { text: t("rules.in-logs"), icon: "logs", href: href("/logs", {}, { q: p.query ?? "", t: isoShort(p.queryPeriod) || "24h" }) }, { text: t("rules.copy-rule"), icon: "copy", href: href("/rules/{id}", { id: "new" }, { from: r.name }) }], { end: true, label: t("act.more") })}><rf-icon n="more"></rf-icon></button></div></aside>`;
  }
}
