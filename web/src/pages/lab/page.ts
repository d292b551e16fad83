import { html, nothing } from "lit";
import { num } from "../../data/time";
import { t } from "../../i18n";
import { copyText } from "../../parts/copy-as";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import "../../parts/inspector";
import { href } from "../../router";
import { type CopyItem, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import "./page.css";

/** What `ringfort test --json` writes. */
interface Test {
  name: string; file: string; line: number; status: "passed" | "failed" | "broken" | "skipped"; messages: { file: string; line: number; text: string }[];
  clock?: { start: string; end: string }; rules?: { rule: string; title: string; path: string; runs: number; failures: number; rowsMax: number; alerts: number; incidents: number }[]; incidents?: unknown[]; alerts?: unknown[];
}
const line = "ringfort test rules/ --json > result.json";
const statuses = ["failed", "broken", "skipped", "passed"] as const;

export default class extends Page {
  bodyClass = "p-lab";
  #tests: Test[] | null = null;
  #file = "";
  #fault = "";

  constructor() { super(); try { const kept = JSON.parse(sessionStorage.getItem("rf-lab") ?? "null") as { file: string; tests: Test[] } | null; if (kept) { this.#tests = kept.tests; this.#file = kept.file; } } catch { /* nothing was kept */ } }
  /** Reads a result; what is no result is named. It stays in this tab only and is never sent. */
  #take(text: string, file: string) {
    try {
      const j = JSON.parse(text) as { tests?: Test[] };
      if (!Array.isArray(j.tests) || j.tests.some((x) => typeof x?.name !== "string" || !statuses.includes(x.status))) throw new Error(t("lab.no-tests"));
      this.#tests = j.tests.map((x) => ({ ...x, messages: x.messages ?? [] })); this.#file = file; this.#fault = "";
      try { sessionStorage.setItem("rf-lab", JSON.stringify({ file, tests: this.#tests })); } catch { sessionStorage.removeItem("rf-lab"); }   // too large to keep: it is shown all the same
    } catch (e) { this.#fault = t("lab.fault", { file, why: String((e as Error).message) }); }
    this.setQ({ sel: null });
    this.requestUpdate();
  }
  #open = () => { const i = document.createElement("input"); i.type = "file"; i.accept = ".json"; i.className = "lab-file"; i.hidden = true; i.oncancel = () => i.remove(); i.onchange = () => { const f = i.files?.[0]; i.remove(); if (f) void f.text().then((x) => this.#take(x, f.name)); }; document.body.append(i); i.click(); };
  #clear = () => { this.#tests = null; this.#fault = ""; sessionStorage.removeItem("rf-lab"); this.setQ({ sel: null, f: null }); this.requestUpdate(); };
  #key = (x: Test) => `${x.file}:${x.line}:${x.name}`;
  #step(by: 1 | -1) { const bad = (this.#tests ?? []).filter((x) => x.status === "failed" || x.status === "broken"), at = bad.findIndex((x) => this.#key(x) === this.q("sel")), next = bad[(at + by + bad.length) % bad.length]; if (next) this.setQ({ sel: this.#key(next) }); }

  head(): Head { return { title: t("page.lab"), acts: [...(this.#tests ? [{ text: t("lab.clear"), run: this.#clear }] : []), { text: t("lab.open"), icon: "file", primary: true, run: this.#open }] }; }
  keys(): Key[] { return [{ key: "u", text: t("lab.open"), run: this.#open }, { key: "n", text: t("lab.next"), run: () => this.#step(1) }, { key: "p", text: t("lab.previous"), run: () => this.#step(-1) }, { key: "Escape", text: t("lab.close"), run: () => { this.setQ({ sel: null }); this.querySelector<HTMLElement>("rf-grid td[tabindex='0']")?.focus(); } }]; }
  copyAs(): CopyItem[] { return [{ kind: "ringfort", text: line }, ...(this.#tests ? [{ kind: "json" as const, text: () => JSON.stringify({ tests: this.#tests }, null, 2) }] : [])]; }
  body() {
    const fault = this.#fault ? html`<div class="note bad wide" role="alert"><rf-icon n="incident"></rf-icon><span>${this.#fault}</span></div>` : nothing, drop = { over: (e: DragEvent) => e.preventDefault(), drop: (e: DragEvent) => { const f = e.dataTransfer?.files[0]; e.preventDefault(); if (f) void f.text().then((x) => this.#take(x, f.name)); } };
    if (!this.#tests) return html`${fault}<section class="card wide" @dragover=${drop.over} @drop=${drop.drop}><header><h2>${t("lab.how")}</h2></header><div class="scroll pad"><p>${t("lab.text")}</p>${[["lab.run", line], ["lab.accept", "ringfort test rules/ --update"], ["lab.coverage", "ringfort test rules/ --coverage --navigator layer.json"], ["lab.against", "ringfort test rules/ --against ../before/rules"], ["lab.backtest", "ringfort backtest rules/spray.yaml --store store/ --from 2024-05-01 --to 2024-06-01"]].map(([k, c]) => html`<div class="cmd"><span class="t2">${t(k)}</span><div class="row"><code class="grow">${c}</code><button class="btn s quiet ic" aria-label=${t("act.copy")} @click=${() => void copyText(c, t("copy.ringfort"))}><rf-icon n="copy"></rf-icon></button></div></div>`)}<p>${t("lab.here")} <a href=${href("/rules")}>${t("page.rules")}</a></p></div></section>`;
    const all = this.#tests, only = this.q("f"), rows = all.filter((x) => !only || x.status === only), sel = all.find((x) => this.#key(x) === this.q("sel"));
    const mark = (s: Test["status"]) => html`<rf-state s=${s === "passed" ? "ok" : s === "skipped" ? "unknown" : s === "broken" ? "partial" : "fail"} word=${t(`lab.s.${s}`)}></rf-state>`;
    const columns: GridColumn<Test>[] = [{ id: "status", head: t("lab.c-result"), width: 120, value: (x) => statuses.indexOf(x.status), cell: (x) => mark(x.status) }, { id: "name", head: t("lab.c-test"), min: 280 }, { id: "file", head: t("lab.c-file"), min: 200, value: (x) => `${x.file}:${x.line}` }, { id: "rules", head: t("page.rules"), width: 70, num: true, value: (x) => x.rules?.length ?? 0 }, { id: "incidents", head: t("page.incidents"), width: 84, num: true, value: (x) => x.incidents?.length ?? 0 }];
    return html`${fault}<div class="counts wide" role="group" aria-label=${this.#file}>${statuses.map((s) => html`<button class="cnt2" aria-pressed=${String(only === s)} @click=${() => this.setQ({ f: only === s ? null : s })}><b>${num(all.filter((x) => x.status === s).length)}</b>${t(`lab.s.${s}`)}</button>`)}<span class="t2 end">${t("lab.of", { file: this.#file })}</span></div>
      <section class="card" aria-label=${t("lab.tests")} @dragover=${drop.over} @drop=${drop.drop}>${rows.length ? html`<rf-grid name="lab" .label=${t("lab.tests")} .columns=${columns} .rows=${rows} .rowKey=${this.#key} .current=${this.q("sel")} .sort=${this.q("sort", "status,name")} @rf-current=${(e: CustomEvent<{ key: string }>) => this.setQ({ sel: e.detail.key })} @rf-open=${() => this.querySelector<HTMLElement>(".pane button")?.focus()} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>` : filteredEmpty(t(`lab.s.${only}`), all.length, () => this.setQ({ f: null }))}</section>
      ${sel ? html`<aside class="pane" aria-label=${sel.name}><header>${mark(sel.status)}<button class="btn s quiet ic end" aria-label=${t("lab.close")} @click=${() => this.setQ({ sel: null })}><rf-icon n="x"></rf-icon></button></header><div class="scroll"><div class="sec first"><h2>${sel.name}</h2><p class="mono t3 any">${sel.file}:${sel.line}</p>${sel.clock ? html`<p class="t2">${t("lab.clock", { start: sel.clock.start.replace(/\.0+Z/, "Z"), end: sel.clock.end.replace(/\.0+Z/, "Z") })}</p>` : nothing}</div>
        ${sel.messages.length ? html`<div class="sec"><h3>${t("lab.differs")}</h3>${sel.messages.map((m) => html`<p class="msg"><code>${m.file}${m.line ? `:${m.line}` : ""}</code><br>${m.text}</p>`)}</div>` : nothing}${sel.rules?.length ? html`<div class="sec"><h3>${t("page.rules")}</h3>${sel.rules.map((r) => html`<p><b>${r.title}</b> <span class="t2">${t("lab.rule", { runs: r.runs, failures: r.failures, alerts: r.alerts, incidents: r.incidents })}</span></p>`)}</div>` : nothing}
        <div class="sec"><h3>${t("lab.got")}</h3><rf-inspector .value=${{ incidents: sel.incidents ?? [], alerts: sel.alerts ?? [] }} .open=${2}></rf-inspector></div></div></aside>` : html`<aside class="pane none"><div class="state"><p class="t2">${t("lab.choose")}</p></div></aside>`}`;
  }
}
