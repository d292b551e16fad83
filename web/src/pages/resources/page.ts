import { html, nothing } from "lit";
import { list, parseId, putResource, type Resource } from "../../data/arm";
import { bodyOf, type Change, deploy, type Deployment, deployment, deployments, type Operation, operations, over, validate, whatIf, words } from "../../data/deployments";
import { session } from "../../data/session";
import { num, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { chipFilter, readFilters, writeFilters } from "../../parts/choice";
import { curlLine, csv } from "../../parts/copy-as";
import { css } from "../../parts/css";
import { openDialog } from "../../parts/dialog";
import "../../parts/diff";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import { openMenu } from "../../parts/menu";
import { go, href } from "../../router";
import { type CopyItem, emptyState, failure, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

interface Line { id: string; name: string; type: string; depth: number; kids: number; item?: Resource; hits: number }
interface Draft { template: string; parameters: string; name: string }
interface Followed { scope: string; name: string; d?: Deployment; ops: Operation[]; error?: Error }
interface Estate { groups: Resource[]; items: Resource[] }
const groupOf = (id: string): string => (/\/resourcegroups\/([^/]+)/i.exec(id)?.[1] ?? "").toLowerCase();
const icon = (type: string): string => { const x = type.toLowerCase(); return x.includes("keyvault") ? "key" : x.includes("eventhub") ? "hub" : x.includes("operationalinsights") ? "logs" : x.includes("machines") ? "host" : x.includes("datacollection") || x.includes("collect") ? "plug" : x.includes("logic") ? "flow" : x.includes("storage") ? "db" : x.includes("network") ? "wall" : x.includes("identity") ? "user" : x.endsWith("resourcegroups") ? "grid" : x.endsWith("subscriptions") ? "globe" : "box"; };

export default class extends Page {
  bodyClass = "p-resources";
  #shut = new Set<string>();
  #typing?: ReturnType<typeof setTimeout>;
  #d: Draft = { template: "", parameters: "", name: "" };
  #what: { kind: "none" | "busy" | "valid" | "changes" | "failed"; changes?: Change[]; error?: Error } = { kind: "none" };
  #follow: Followed | null = null;
  #end: AbortController | null = null;

  all = this.load<Estate>(async (signal) => {
    const sub = `/subscriptions/${session().subscription}`;
    const [groups, items] = await Promise.all([list<Resource>(`${sub}/resourceGroups`, { signal, version: "2021-04-01" }), list<Resource>(`${sub}/resources`, { signal, version: "2021-04-01", max: 100_000, query: { $top: 10_000 } })]);
    return { groups, items };
  }, { what: () => t("resources.reading"), needs: () => ({ role: "Reader", on: session().subscription }), empty: () => false });
  past = this.load<Deployment[]>((signal) => deployments(this.#scope, signal), { auto: false, what: () => t("resources.reading-deployments"), needs: () => ({ role: "Reader", on: this.#group }), empty: () => false });

  constructor() { super(); try { this.#d = { ...this.#d, ...(JSON.parse(sessionStorage.getItem("rf-deploy") ?? "{}") as object) }; } catch { /* nothing was kept */ } }
  connectedCallback() { super.connectedCallback(); this.#readTab(); const n = this.q("d"); if (n) void this.#watchIt(n); }
  disconnectedCallback() { super.disconnectedCallback(); clearTimeout(this.#typing); this.#end?.abort(); }
  queryChanged(changed: Set<string>) { if (changed.has("tab") || changed.has("g")) this.#readTab(); if (changed.has("d") && this.q("d")) void this.#watchIt(this.q("d")); }
  #readTab() { if (this.q("tab") === "deploy") void this.past.run(); }
  get #group(): string { return this.q("g", session().resourceGroup); }
  get #scope(): string { return `/subscriptions/${session().subscription}/resourceGroups/${encodeURIComponent(this.#group)}`; }

  // ---- the tree ----
  get #filters() { return readFilters(this.q("f")); }
  #setFilter(k: string, v: string[]) { this.setQ({ f: writeFilters({ ...this.#filters, [k]: v }) || null }); }
  #lines(): Line[] {
    const e = this.all.value!, f = this.#filters, text = this.q("q").trim().toLowerCase(), sub = session().subscription, filtered = !!text || Object.values(f).some((v) => v.length);
    const by = new Map<string, Resource[]>();
    for (const r of e.items) {
      if (f.type?.length && !f.type.includes(r.type.toLowerCase())) continue;
      if (f.tag?.length && !f.tag.some((x) => { const at = x.indexOf("="); return r.tags?.[x.slice(0, at)] === x.slice(at + 1); })) continue;
      if (f.group?.length && !f.group.includes(groupOf(r.id))) continue;
      if (text && !`${r.name} ${r.type} ${Object.entries(r.tags ?? {}).map(([k, v]) => `${k}=${v}`).join(" ")}`.toLowerCase().includes(text)) continue;
      const g = groupOf(r.id), had = by.get(g);
      if (had) had.push(r); else by.set(g, [r]);
    }
    const root: Line = { id: `/subscriptions/${sub}`, name: session().tenant.name, type: "Microsoft.Resources/subscriptions", depth: 0, kids: e.groups.length, hits: 0 }, out: Line[] = [root];
    for (const g of e.groups.slice().sort((a, b) => a.name.localeCompare(b.name))) {
      const kids = by.get(g.name.toLowerCase()) ?? [];
      root.hits += kids.length;
      if (filtered && !kids.length && !(text && g.name.toLowerCase().includes(text))) continue;
      if (this.#shut.has(root.id)) continue;
      out.push({ id: g.id, name: g.name, type: "Microsoft.Resources/resourceGroups", depth: 1, kids: kids.length, item: g, hits: kids.length });
      if (!this.#shut.has(g.id)) for (const r of kids) out.push({ id: r.id, name: r.name, type: r.type, depth: 2, kids: 0, item: r, hits: 0 });
    }
    return out;
  }
  #twist(l: Line, open?: boolean) { if (!l.kids) return; if (open ?? this.#shut.has(l.id)) this.#shut.delete(l.id); else this.#shut.add(l.id); this.requestUpdate(); }
  get #aim(): Line | undefined { const sel = this.q("sel"); return sel && this.all.value ? this.#lines().find((l) => l.id === sel) : undefined; }

  head(): Head {
    const deploying = this.q("tab") === "deploy";
    return { title: t("page.resources"), tabs: [{ text: t("page.resources"), count: this.all.value?.items.length }, { text: t("resources.deploy"), tab: "deploy" }],
      acts: deploying ? [] : [{ text: t("resources.new-group"), icon: "plus", run: () => void this.#newGroup() }, { text: t("resources.deploy"), icon: "play", primary: true, run: () => this.setQ({ tab: "deploy" }, { push: true }) }] };
  }
  keys(): Key[] {
    return [
      { key: "n", text: t("resources.new-group"), run: () => void this.#newGroup() }, { key: "d", text: t("resources.deploy"), run: () => this.setQ({ tab: "deploy" }, { push: true }) },
      { key: "w", text: t("resources.what-if"), run: () => void this.#ask("what") },
      { key: "z", text: t("resources.key-twist"), run: () => { const l = this.#aim; if (l) this.#twist(l); } },
      { key: "Escape", text: t("resources.key-back"), run: () => this.setQ(this.q("tab") ? { tab: null, d: null } : { sel: null }) }, { key: "r", text: t("palette.reload"), run: () => this.reload() },
    ];
  }
  copyAs(): CopyItem[] {
    const sub = session().subscription;
    if (this.q("tab") === "deploy") { let body: object | undefined; try { body = bodyOf(this.#d.template, this.#d.parameters); } catch { /* nothing that could be copied */ } return body ? [{ kind: "json", text: JSON.stringify(body, null, 2) }, { kind: "az", text: `az deployment group create --resource-group ${this.#group} --template-file template.json --parameters @parameters.json` }, { kind: "ringfort", text: "ringfort deploy template.json --parameters name=value" }] : []; }
    return [{ kind: "az", text: "az resource list" }, { kind: "curl", text: curlLine(location.origin, "GET", `/subscriptions/${sub}/resources?api-version=2021-04-01`) }, { kind: "json", text: () => JSON.stringify(this.#lines().filter((l) => l.depth === 2).map((l) => l.item), null, 2) },
      { kind: "csv", text: () => csv(["Name", "Type", "Group", "Location", "Tags", "Id"], this.#lines().filter((l) => l.depth === 2).map((l) => [l.name, l.type, groupOf(l.id), l.item?.location ?? "", Object.entries(l.item?.tags ?? {}).map(([k, v]) => `${k}=${v}`).join(" "), l.id])) }];
  }
  async #newGroup() {
    let name = "";
    await openDialog<true>({ title: t("resources.new-group"), body: () => html`<label class="stack">${t("resources.c-name")}<input class="in" autocomplete="off" spellcheck="false" @input=${(e: Event) => { name = (e.target as HTMLInputElement).value.trim(); }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("resources.create"), primary: true, run: async () => {
        if (!/^[\w().-]{1,90}$/.test(name) || name.endsWith(".")) throw new Error(t("resources.name-fault"));
        await act({ text: t("resources.made", { name }), run: () => putResource(`/subscriptions/${session().subscription}/resourceGroups/${encodeURIComponent(name)}`, { location: session().location }, { version: "2021-04-01" }) });
        void this.all.run();
        return true as const;
      } }] });
  }

  body() { return this.q("tab") === "deploy" ? this.#deployTab() : html`<section class="card" aria-label=${t("page.resources")}>${this.#bar()}${this.all.show((e) => this.#tree(e), { skeleton: 14 })}</section>`; }
  #bar() {
    const f = this.#filters;
    return html`<div class="bar flt"><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("resources.search")}</span><input type="search" placeholder=${t("resources.search-in")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 200); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
      ${Object.entries(f).filter(([, v]) => v.length).map(([k, v]) => chipFilter(t(`resources.f-${k}`), v.join(", "), () => this.#setFilter(k, [])))}
      <button class="btn s quiet" aria-haspopup="menu" @click=${this.#addFilter}><rf-icon n="plus"></rf-icon>${t("filter.add")}</button></div>`;
  }
  #addFilter = (e: Event) => {
    const f = this.#filters, x = this.all.value, count = (all: string[]) => { const m = new Map<string, number>(); for (const v of all) m.set(v, (m.get(v) ?? 0) + 1); return [...m].sort((a, b) => b[1] - a[1]).slice(0, 14); };
    if (!x) return;
    const item = (k: string, v: string, n: number, line: boolean) => ({ text: t("filter.is", { name: t(`resources.f-${k}`), value: v }), note: num(n), checked: !!f[k]?.includes(v), line, run: () => this.#setFilter(k, f[k]?.includes(v) ? f[k].filter((y) => y !== v) : [...(f[k] ?? []), v]) });
    openMenu(e.currentTarget as HTMLElement, [...count(x.items.map((r) => r.type.toLowerCase())).map(([v, n]) => item("type", v, n, false)), ...count(x.items.flatMap((r) => Object.entries(r.tags ?? {}).map(([k, v]) => `${k}=${v}`))).map(([v, n], i) => item("tag", v, n, i === 0)), ...(x.groups.length > 1 ? count(x.items.map((r) => groupOf(r.id))).map(([v, n], i) => item("group", v, n, i === 0)) : [])], { label: t("filter.add") });
  };
  #tree(e: Estate) {
    const lines = this.#lines(), f = this.#filters, filtered = this.q("q") || Object.values(f).some((v) => v.length);
    if (!e.groups.length) return emptyState(t("resources.none"), { text: t("resources.deploy"), run: () => this.setQ({ tab: "deploy" }) });
    if (filtered && lines.length === 1 && !this.#shut.size) return filteredEmpty([...Object.entries(f).filter(([, v]) => v.length).map(([k]) => t(`resources.f-${k}`)), ...(this.q("q") ? [`"${this.q("q")}"`] : [])].join(", "), e.items.length, () => this.setQ({ f: null, q: null }));
    const columns: GridColumn<Line>[] = [
      { id: "name", head: t("resources.c-name"), min: 280, sortable: false, value: (l) => l.name, cell: (l) => html`<span class="tree" ${css({ "padding-inline-start": `${l.depth * 20}px` })}>${l.kids ? html`<button class="twist" tabindex="-1" aria-expanded=${String(!this.#shut.has(l.id))} aria-label=${t("resources.twist", { name: l.name })} @click=${(ev: Event) => { ev.stopPropagation(); this.#twist(l); }}><rf-icon n=${this.#shut.has(l.id) ? "right" : "down"}></rf-icon></button>` : html`<span class="twist"></span>`}<rf-icon n=${icon(l.type)}></rf-icon><a class="nm ell" tabindex="-1" href=${href("/resources/{id*}", { id: l.id })}>${l.name}</a>${l.depth < 2 ? html`<span class="t3">${t("resources.n", { n: l.hits })}</span>` : nothing}</span>` },
      { id: "type", head: t("resources.f-type"), width: 320, sortable: false, value: (l) => l.type }, { id: "kind", head: t("resources.c-kind"), width: 100, sortable: false, value: (l) => l.item?.kind ?? "" },
      { id: "location", head: t("resources.c-location"), width: 100, sortable: false, value: (l) => l.item?.location ?? "" },
      { id: "tags", head: t("resources.c-tags"), min: 160, sortable: false, value: (l) => Object.entries(l.item?.tags ?? {}).map(([k, v]) => `${k}=${v}`).join(", ") }];
    return html`<rf-grid name="resources" .label=${t("page.resources")} .columns=${columns} .rows=${lines} .rowKey=${(l: Line) => l.id} .current=${this.q("sel")} .footer=${html`<span class="hint"><kbd>z</kbd> ${t("resources.k-twist")} <kbd>Enter</kbd> ${t("resources.k-open")}</span>`}
      @rf-current=${(ev: CustomEvent<{ row: Line }>) => this.setQ({ sel: ev.detail.row.id })} @rf-open=${(ev: CustomEvent<{ row: Line }>) => go(href("/resources/{id*}", { id: ev.detail.row.id }))}></rf-grid>`;
  }

  // ---- deploying ----
  #keep(part: Partial<Draft>) { Object.assign(this.#d, part); sessionStorage.setItem("rf-deploy", JSON.stringify({ template: this.#d.template, name: this.#d.name })); this.requestUpdate(); }
  get #name(): string { return this.#d.name.trim() || "portal"; }
  /** Reads both fields; a fault of their JSON is said in the result. */
  #body(): object | null {
    try { return bodyOf(this.#d.template, this.#d.parameters); }
    catch (e) { this.#what = { kind: "failed", error: new Error(t("resources.no-json", { why: String((e as Error).message) })) }; this.requestUpdate(); return null; }
  }
  async #ask(kind: "validate" | "what" | "deploy") {
    if (this.q("tab") !== "deploy" || this.#what.kind === "busy" || !this.#d.template.trim()) return;
    const body = this.#body();
    if (!body) return;
    const scope = this.#scope, name = this.#name;
    this.#what = { kind: "busy" };
    this.requestUpdate();
    try {
      if (kind === "validate") { await validate(scope, name, body); this.#what = { kind: "valid" }; }
      else if (kind === "what") this.#what = { kind: "changes", changes: await whatIf(scope, name, body) };
      else {
        this.#what = { kind: "none" };
        const done = await confirmImpact({ title: t("resources.deploy-title", { name, group: this.#group }), act: t("resources.deploy-now"), undo: t("resources.deploy-undo"),
          impact: async () => { const changes = await whatIf(scope, name, body); this.#what = { kind: "changes", changes }; const moved = changes.filter((c) => !["NoChange", "Ignore"].includes(c.changeType)); return { changes: moved.length ? moved.map((c) => `${t(`resources.ch.${c.changeType}`)}: ${parseId(c.resourceId).type} ${parseId(c.resourceId).name}`) : [t("resources.nothing")], dryRun: new Date() }; },
          run: () => act({ text: t("resources.deployed", { name }), href: href("/resources", {}, { tab: "deploy", g: this.#group, d: name }), run: () => deploy(scope, name, body) }) });
        if (done) { this.#what = { kind: "none" }; if (this.q("d") === name) void this.#watchIt(name); else this.setQ({ d: name }); }
      }
    } catch (e) { this.#what = { kind: "failed", error: e as Error }; }
    this.requestUpdate();
  }
  /** Follows a deployment until it is over. */
  async #watchIt(name: string) {
    this.#end?.abort();
    const end = (this.#end = new AbortController()), scope = this.#scope, f: Followed = (this.#follow = { scope, name, ops: [] });
    try {
      for (let turn = 0; ; turn++) {
        [f.d, f.ops] = await Promise.all([deployment(scope, name, end.signal), operations(scope, name, end.signal)]);
        this.requestUpdate();
        if (over(f.d.properties.provisioningState) || !this.isConnected) break;
        await new Promise((ok) => setTimeout(ok, Math.min(3000, 500 + turn * 250)));
        if (end.signal.aborted) return;
      }
      void this.past.run();
      void this.all.run();
    } catch (e) { if (!end.signal.aborted) { f.error = e as Error; this.requestUpdate(); } }
  }

  #deployTab() {
    const d = this.#d, area = (key: "template" | "parameters", label: string, rows: number) => html`<label class="stack ${key}"><span class="row">${label}<button type="button" class="btn s quiet end" @click=${() => this.#file(key)}><rf-icon n="file"></rf-icon>${t("resources.file")}</button></span><textarea class="in mono" rows=${rows} spellcheck="false" .value=${d[key]} @input=${(e: Event) => this.#keep({ [key]: (e.target as HTMLTextAreaElement).value })} @drop=${(e: DragEvent) => { const file = e.dataTransfer?.files[0]; if (file) { e.preventDefault(); void file.text().then((x) => this.#keep({ [key]: x })); } }}></textarea></label>`;
    const none = d.template.trim() ? nothing : "true", groups = this.all.value?.groups.map((g) => g.name) ?? [this.#group];
    return html`<section class="card dp" aria-label=${t("resources.deploy")}><header><h2>${t("resources.template")}</h2></header><div class="scroll form">
        <div class="two"><label class="stack">${t("resources.into")}<select class="in" @change=${(e: Event) => this.setQ({ g: (e.target as HTMLSelectElement).value, d: null })}>${[...new Set([...groups, this.#group])].map((g) => html`<option ?selected=${g.toLowerCase() === this.#group.toLowerCase()}>${g}</option>`)}</select></label><label class="stack">${t("resources.deployment-name")}<input class="in" placeholder="portal" .value=${d.name} @input=${(e: Event) => this.#keep({ name: (e.target as HTMLInputElement).value })}></label></div>
        ${area("template", t("resources.template"), 16)}${area("parameters", t("resources.parameters"), 5)}<p class="cap">${t("resources.parameters-hint")}</p></div>
        <div class="foot-acts"><button class="btn" aria-disabled=${none} @click=${() => void this.#ask("validate")}>${t("resources.validate")}</button><button class="btn" aria-disabled=${none} @click=${() => void this.#ask("what")}>${t("resources.what-if")}</button><button class="btn pri" aria-disabled=${none} @click=${() => void this.#ask("deploy")}><rf-icon n="play"></rf-icon>${t("resources.deploy-now")}</button></div></section>
      <section class="card" aria-label=${t("resources.result")}><header><h2>${this.#follow && this.#what.kind === "none" ? t("resources.deployment", { name: this.#follow.name }) : t("resources.result")}</h2>${this.#follow?.d && this.#what.kind === "none" ? html`<span class="end">${this.#mark(this.#follow.d.properties.provisioningState)}</span>` : nothing}</header><div class="scroll res">${this.#result()}</div></section>
      <section class="card" aria-label=${t("resources.past")}><header><h2>${t("resources.past")}</h2></header>${this.past.show((all) => (all.length ? html`<rf-grid .label=${t("resources.past")} .columns=${[
        { id: "name", head: t("resources.c-name"), min: 140, value: (x: Deployment) => x.name }, { id: "state", head: t("resources.c-state"), width: 130, value: (x: Deployment) => x.properties.provisioningState, cell: (x: Deployment) => this.#mark(x.properties.provisioningState) }, { id: "time", head: t("resources.c-time"), width: 110, num: true, value: (x: Deployment) => x.properties.timestamp, cell: (x: Deployment) => html`<time title=${stamp(x.properties.timestamp)}>${when(x.properties.timestamp)}</time>` }]} .rows=${all} .rowKey=${(x: Deployment) => x.name} .current=${this.q("d")} @rf-current=${(e: CustomEvent<{ row: Deployment }>) => { this.#what = { kind: "none" }; this.setQ({ d: e.detail.row.name }); }} nofoot></rf-grid>` : html`<div class="state"><p>${t("resources.no-past")}</p></div>`))}</section>`;
  }
  #mark(s: string) { return html`<rf-state s=${s === "Succeeded" ? "ok" : s === "Failed" || s === "Canceled" ? "fail" : "partial"} word=${s}></rf-state>`; }
  #file(key: "template" | "parameters") { const i = document.createElement("input"); i.type = "file"; i.accept = ".json,.jsonc"; i.onchange = () => { const f = i.files?.[0]; if (f) void f.text().then((x) => this.#keep({ [key]: x, ...(key === "template" && !this.#d.name ? { name: f.name.replace(/\.\w+$/, "").replace(/[^\w.()-]/g, "-").slice(0, 64) } : {}) })); }; i.click(); }
  #result() {
    const w = this.#what, f = this.#follow;
    if (w.kind === "busy") return html`<p class="pad t2" role="status">${t("state.reading")}</p>`;
    if (w.kind === "failed") return failure(w.error!, { what: t("resources.refused") });
    if (w.kind === "valid") return html`<div class="pad"><rf-state s="ok" word=${t("resources.valid")}></rf-state></div>`;
    if (w.kind === "changes") {
      const all = w.changes!, moved = all.filter((c) => !["NoChange", "Ignore"].includes(c.changeType));
      return html`<p class="pad t2">${t("resources.changes", { n: moved.length, same: all.length - moved.length })}</p>${all.map((c) => html`<details class="chg" ?open=${moved.length <= 3 && moved.includes(c)}><summary><span class="chip ${c.changeType === "Delete" ? "del" : "out"}">${t(`resources.ch.${c.changeType}`)}</span><span class="b">${parseId(c.resourceId).name}</span><span class="t3 ell">${parseId(c.resourceId).type}</span></summary>${c.unsupportedReason ? html`<p class="pad t2">${c.unsupportedReason}</p>` : html`<rf-diff .from=${c.before ?? {}} .to=${c.after ?? (c.changeType === "Delete" ? {} : c.before ?? {})}></rf-diff>`}</details>`)}`;
    }
    if (!f) return html`<div class="state"><p class="t2">${t("resources.result-none")}</p></div>`;
    if (f.error) return failure(f.error, { retry: () => void this.#watchIt(f.name) });
    if (!f.d) return html`<p class="pad t2" role="status">${t("state.reading")}</p>`;
    const p = f.d.properties;
    return html`<div role="status" class="vh">${p.provisioningState}</div>${p.error ? html`<div class="note bad" role="alert"><rf-icon n="incident"></rf-icon><span>${words(p.error)}<br><code class="cap">${p.error.code}</code></span></div>` : nothing}
      <ul class="lst">${f.ops.map((o) => html`<li>${this.#mark(o.properties.provisioningState)}<span class="grow">${o.properties.targetResource?.id ? html`<a class="nm" href=${href("/resources/{id*}", { id: o.properties.targetResource.id })}>${o.properties.targetResource.resourceName ?? parseId(o.properties.targetResource.id).name}</a> <span class="t3">${o.properties.targetResource.resourceType ?? ""}</span>` : o.properties.provisioningOperation ?? o.operationId}${o.properties.statusMessage?.error ? html`<br><span class="c-high">${words(o.properties.statusMessage.error)}</span>` : nothing}</span><time class="t3">${when(o.properties.timestamp)}</time></li>`)}</ul>
      ${p.outputs && Object.keys(p.outputs).length ? html`<div class="pad"><h3 class="cap">${t("resources.outputs")}</h3><dl class="kv">${Object.entries(p.outputs).map(([k, v]) => html`<dt>${k}</dt><dd class="mono">${typeof v.value === "string" ? v.value : JSON.stringify(v.value)}</dd>`)}</dl></div>` : nothing}`;
  }
}
