// Who did what: changes of the directory (AuditLogs) and of resources (AzureActivity) in one list.
import { html, nothing } from "lit";
import { kql, quote, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { clock, day, stamp } from "../../data/time";
import { t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { csv } from "../../parts/copy-as";
import type { Grid, GridColumn } from "../../parts/grid";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { href } from "../../router";
import { type CopyItem, filteredEmpty, type Page } from "../../shell/page";

type Row = Record<string, any>;
const done = ["success", "Succeeded", "Accepted", "Started"], good = (r: Row): boolean => done.some((x) => x.toLowerCase() === String(r.Result).toLowerCase());
const key = (r: Row): string => `${r.TimeGenerated} ${r.CorrelationId} ${r.Operation}`;
/** MICROSOFT.EVENTHUB/NAMESPACES/EVENTHUBS/WRITE as "eventhubs/write": the whole is in the title. */
function short(operation: string): string {
  const parts = operation.toLowerCase().split("/");
  return parts.length < 3 ? operation : parts.slice(parts.at(-1) === "action" ? -3 : -2).join("/");
}
const name = (target: unknown): string => String(target ?? "").split("/").pop() || "-";
/** Today the clock, else day and minute. */
const moment = (at: string): string => (day(at) === day(Date.now()) ? clock(at) : stamp(at, false));

export class Audit {
  #typing?: ReturnType<typeof setTimeout>;
  rows;
  constructor(private page: Page) { this.rows = page.load<Result>((signal) => kql(this.#query, { range: page.range, signal }), { auto: false, what: () => t("health.reading-audit"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false }); }
  end() { clearTimeout(this.#typing); }
  close() { this.page.setQ({ sel: null }); this.page.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); }

  get #filters() { return readFilters(this.page.q("f")); }
  #set(k: string, v: string[]) { this.page.setQ({ f: writeFilters({ ...this.#filters, [k]: v }) || null }); }
  get #query(): string {
    const f = this.#filters, q = this.page.q("q").trim(), words = (all: string[]) => all.map(quote).join(", ");
    return [`union isfuzzy=true
    (AuditLogs | extend By = parse_json(tostring(InitiatedBy)) | project TimeGenerated, Log = "AuditLogs", Operation = OperationName, Result, Who = coalesce(tostring(By.user.userPrincipalName), Identity), Target = tostring(parse_json(tostring(TargetResources))[0].displayName), Address = coalesce(tostring(By.user.ipAddress), tostring(By.app.ipAddress)), Reason = ResultReason, CorrelationId),
    (AzureActivity | project TimeGenerated, Log = "AzureActivity", Operation = OperationNameValue, Result = ActivityStatusValue, Who = Caller, Target = _ResourceId, Address = CallerIpAddress, Reason = "", CorrelationId)`,
      f.log?.length && `| where Log in (${words(f.log)})`, f.result?.length === 1 && `| where Result ${f.result[0] === "ok" ? "" : "!"}in~ (${words(done)})`, f.who?.length && `| where Who in (${words(f.who)})`,
      q && `| where Operation contains ${quote(q)} or Who contains ${quote(q)} or Target contains ${quote(q)} or CorrelationId == ${quote(q)}`, "| top 1000 by TimeGenerated desc"].filter(Boolean).join("\n");
  }
  get #all(): Row[] { return this.rows.value ? (records(this.rows.value) as Row[]) : []; }
  copyAs(): CopyItem[] { return [{ kind: "kql", text: this.#query }, { kind: "json", text: () => JSON.stringify(this.#all, null, 2) }, { kind: "csv", text: () => csv(["TimeGenerated", "Log", "Operation", "Result", "Who", "Target", "Address"], this.#all.map((r) => [r.TimeGenerated, r.Log, r.Operation, r.Result, r.Who, r.Target, r.Address])) }]; }

  body() {
    const p = this.page, rows = this.#all, sel = rows.find((r) => key(r) === p.q("sel"));
    const columns: GridColumn<Row>[] = [{ id: "TimeGenerated", head: t("health.c-time"), width: 146, cell: (r) => html`<time title=${stamp(r.TimeGenerated)}>${moment(r.TimeGenerated)}</time>` }, { id: "Operation", head: t("health.c-operation"), min: 200, cell: (r) => html`<span title=${r.Operation}>${short(r.Operation)}</span>` }, { id: "Result", head: t("health.f-result"), width: 104, cell: (r) => html`<rf-state s=${good(r) ? "ok" : "fail"} word=${r.Result}></rf-state>` }, { id: "Who", head: t("health.f-who"), min: 130 }, { id: "Target", head: t("health.c-target"), min: 120, cell: (r) => html`<span title=${r.Target}>${name(r.Target)}</span>` }];
    const list = this.rows.show((r) => (r.rows.length ? html`<rf-grid name="audit" .label=${t("health.audit")} .columns=${columns} .rows=${rows} .rowKey=${key} .current=${p.q("sel")} .sort=${p.q("sort")} @rf-current=${(e: CustomEvent<{ key: string }>) => p.setQ({ sel: e.detail.key })} @rf-open=${() => p.querySelector<HTMLElement>(".pane a")?.focus()} @rf-sort=${(e: CustomEvent<string>) => p.setQ({ sort: e.detail })}></rf-grid>`
      : p.q("f") || p.q("q") ? filteredEmpty([...Object.keys(this.#filters).map((k) => t(`health.f-${k}`)), p.q("q") && `"${p.q("q")}"`].filter(Boolean).join(", "), undefined, () => p.setQ({ f: null, q: null })) : html`<div class="state"><p>${t("health.no-audit")}</p></div>`), { skeleton: 12 });
    return html`<section class="card audit" aria-label=${t("health.audit")}>${this.#bar(rows)}${list}</section>${sel ? this.#pane(sel) : html`<aside class="pane none"><div class="state"><p class="t2">${t("health.choose")}</p></div></aside>`}`;
  }
  #bar(rows: Row[]) {
    const f = this.#filters, people = [...new Set([...(f.who ?? []), ...rows.map((r) => String(r.Who))])].filter(Boolean).slice(0, 12);
    const options: Record<string, { value: string; text: string }[]> = { log: ["AuditLogs", "AzureActivity"].map((v) => ({ value: v, text: v })), result: [{ value: "ok", text: t("health.ok") }, { value: "fail", text: t("health.failed") }], who: people.map((v) => ({ value: v, text: v })) };
    const flip = (k: string, v: string) => () => this.#set(k, f[k]?.includes(v) ? f[k].filter((y) => y !== v) : [...(f[k] ?? []), v]), items = Object.entries(options).flatMap(([k, all], i) => all.map((x, j) => ({ text: t("filter.is", { name: t(`health.f-${k}`), value: x.text }), checked: !!f[k]?.includes(x.value), line: i > 0 && j === 0, run: flip(k, x.value) })));
    const typed = (e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.page.setQ({ q: v.trim() }), 300); };
    const enter = (e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.page.querySelector<Grid>("rf-grid")?.enter(); } };
    return html`<div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("health.search")}</span><input type="search" placeholder=${t("health.search")} .value=${this.page.q("q")} @input=${typed} @keydown=${enter}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`health.f-${k}`), v.map((x) => options[k]?.find((y) => y.value === x)?.text ?? x).join(", "), () => this.#set(k, [])))}<button class="btn s quiet" aria-haspopup="menu" @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, items, { label: t("filter.add") })}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button></div>`;
  }
  #pane(r: Row) {
    return html`<aside class="pane" aria-label=${r.Operation}><header><h2 class="grow any">${short(r.Operation)}</h2><button class="btn s quiet ic" aria-label=${t("health.close")} @click=${() => this.close()}><rf-icon n="x"></rf-icon></button></header><div class="sub"><rf-state s=${good(r) ? "ok" : "fail"} word=${r.Result}></rf-state><span class="t2">${stamp(r.TimeGenerated)}</span></div>
      <div class="scroll"><div class="sec"><rf-inspector .value=${r} path="" .open=${1}></rf-inspector></div><div class="sec links">${String(r.Target).startsWith("/subscriptions/") ? html`<a href=${href("/resources/{id*}", { id: r.Target })}>${t("health.open-resource")}</a>` : nothing}<a href=${href("/logs", {}, { q: `${r.Log}\n| where CorrelationId == ${quote(String(r.CorrelationId))}`, t: this.page.range.text })}>${t("health.in-logs")}</a></div></div></aside>`;
  }
}
