import { html, nothing } from "lit";
import { deleteResource, getResource, list, parseId, putResource, type Resource } from "../../data/arm";
import { send } from "../../data/client";
import { versionOf } from "../../data/deployments";
import { graphPost } from "../../data/graph";
import { kql, quote, records, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { ago, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { curlLine } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import "../../parts/grid";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import "../../parts/inspector";
import { go, href } from "../../router";
import { type CopyItem, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

interface Access { assignments: any[]; roles: Map<string, { name: string; description: string; id: string }>; names: Map<string, string> }
/** What the server adds by itself is not written back. */
const writable = (r: Resource): Record<string, unknown> => { const { id: _, name: _n, type: _t, systemData: _s, etag: _e, ...rest } = r; return rest; };

export default class extends Page {
  bodyClass = "p-resource";
  #edit = "";
  #version: string | undefined;

  get #id(): string { return "/" + this.params.id.replace(/^\/+/, ""); }
  get #part() { return parseId(this.#id); }
  resource = this.load<Resource>(async (signal) => {
    this.#version = this.#part.type.startsWith("Microsoft.Resources/") ? "2021-04-01" : await versionOf(session().subscription, this.#part.type);
    const r = await getResource(this.#id, { signal, version: this.#version });
    return { ...r, name: r.name ?? r.displayName ?? this.#part.name, type: r.type ?? this.#part.type } as Resource;
  }, { what: () => t("resource.reading"), needs: () => ({ role: "Reader", on: this.#part.name }), empty: () => false });
  locks = this.load<Resource[]>((signal) => list(`${this.#id}/providers/Microsoft.Authorization/locks`, { signal }), { what: () => t("resource.reading-locks"), needs: () => ({ role: "Reader", on: this.#part.name }), empty: () => false });
  access = this.load<Access>((signal) => this.#readAccess(signal), { auto: false, what: () => t("resource.reading-access"), needs: () => ({ role: "Reader", on: this.#part.name }), empty: () => false });
  activity = this.load<Result>((signal) => kql(this.#activityQuery, { range: this.range, signal }), { auto: false, what: () => t("resource.reading-activity"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }), empty: () => false });

  get #activityQuery(): string { return `AzureActivity\n| where _ResourceId startswith ${quote(this.#id.toLowerCase())}\n| project TimeGenerated, OperationNameValue, ActivityStatusValue, Caller, CallerIpAddress, _ResourceId, CorrelationId\n| order by TimeGenerated desc`; }
  async #readAccess(signal: AbortSignal): Promise<Access> {
    const scope = this.#id.replace(/\/$/, ""), [assignments, defs] = await Promise.all([list<any>(`${scope}/providers/Microsoft.Authorization/roleAssignments`, { signal }), list<any>(`${scope}/providers/Microsoft.Authorization/roleDefinitions`, { signal })]);
    const roles = new Map(defs.map((d) => [String(d.name).toLowerCase(), { name: String(d.properties.roleName), description: String(d.properties.description ?? ""), id: String(d.id) }])), names = new Map<string, string>();
    const ids = [...new Set(assignments.map((a) => String(a.properties.principalId)))];
    if (ids.length) await graphPost<{ value: any[] }>("directoryObjects/getByIds", { ids: ids.slice(0, 1000) }).then((r) => { for (const o of r.value) names.set(o.id, o.displayName ?? o.userPrincipalName ?? o.id); }, () => undefined);   // without the right for the directory ids stand there
    return { assignments, roles, names };
  }
  connectedCallback() { super.connectedCallback(); this.#readTab(); }
  queryChanged(changed: Set<string>) { if (changed.has("tab") || changed.has("t")) this.#readTab(); }
  #readTab() { const tab = this.q("tab"); if (tab === "access") void this.access.run(); else if (tab === "activity") void this.activity.run(); }

  // ---- acts ----
  #put = async (next: Record<string, unknown>, text: string, title = t("resource.save-title", { name: this.#part.name })) => {
    const was = this.resource.value!, before = writable(was);
    const ok = await confirmImpact({ title, act: t("act.save"), impact: { changes: [t("resource.save-effect")], before, after: next }, undo: t("resource.save-undo"),
      run: () => act({ text, run: async () => { this.resource.set(await putResource(this.#id, next, { version: this.#version })); }, undo: async () => { const r = await putResource(this.#id, before, { version: this.#version }); if (this.isConnected) this.resource.set(r); } }) });
    if (ok) { this.#edit = ""; void this.resource.run(); }
    return ok;
  };
  #saveJson = async () => {
    let next: Record<string, unknown>;
    try { next = JSON.parse(this.#edit) as Record<string, unknown>; if (!next || typeof next !== "object" || Array.isArray(next)) throw new Error(t("resource.no-object")); } catch { this.requestUpdate(); return; }
    await this.#put(next, t("resource.saved", { name: this.#part.name }));
  };
  get #fault(): string { if (!this.#edit) return ""; try { const x = JSON.parse(this.#edit) as unknown; return x && typeof x === "object" && !Array.isArray(x) ? "" : t("resource.no-object"); } catch (e) { return String((e as Error).message); } }
  #tags = () => {
    const now = Object.entries(this.resource.value?.tags ?? {}).map(([k, v]) => `${k}=${v}`).join("\n");
    let text = now;
    void openDialog<Record<string, string>>({ title: t("resource.tags"), body: () => html`<label class="stack">${t("resource.tags-hint")}<textarea class="in mono" rows="7" .value=${text} @input=${(e: Event) => { text = (e.target as HTMLTextAreaElement).value; }}></textarea></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("resource.next"), primary: true, run: () => { const bad = text.split("\n").find((l) => l.trim() && !/^[^=<>%&\\?/]{1,512}=.{0,256}$/.test(l)); if (bad) throw new Error(t("resource.tag-fault", { line: bad.trim() })); return Object.fromEntries(text.split("\n").filter((l) => l.trim()).map((l) => { const at = l.indexOf("="); return [l.slice(0, at).trim(), l.slice(at + 1).trim()]; })); } }] }).then((tags) => { if (tags) void this.#put({ ...writable(this.resource.value!), tags }, t("resource.tagged", { name: this.#part.name })); });
  };
  #lock = () => {
    let level = "CanNotDelete", notes = "";
    void openDialog<true>({ title: t("resource.lock-title", { name: this.#part.name }), body: () => html`<label class="stack">${t("resource.lock-level")}<select class="in" @change=${(e: Event) => { level = (e.target as HTMLSelectElement).value; }}><option value="CanNotDelete">${t("resource.CanNotDelete")}</option><option value="ReadOnly">${t("resource.ReadOnly")}</option></select></label><label class="stack">${t("resource.lock-notes")}<input class="in" @input=${(e: Event) => { notes = (e.target as HTMLInputElement).value; }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("resource.lock"), primary: true, run: async () => { const id = `${this.#id}/providers/Microsoft.Authorization/locks/portal-${level.toLowerCase()}`; await act({ text: t("resource.locked", { name: this.#part.name }), run: () => putResource(id, { properties: { level, ...(notes ? { notes } : {}) } }), undo: () => deleteResource(id).then(() => this.locks.run()) }); void this.locks.run(); return true as const; } }] });
  };
  #unlock = async (l: Resource) => {
    const ok = await confirmImpact({ title: t("resource.unlock-title", { name: l.name }), act: t("resource.unlock"), impact: { changes: [t("resource.unlock-effect", { level: t(`resource.${l.properties.level}`) })] }, undo: t("resource.unlock-undo"), run: () => act({ text: t("resource.unlocked", { name: l.name }), run: () => deleteResource(l.id), undo: () => putResource(l.id, { properties: l.properties }).then(() => this.locks.run()) }) });
    if (ok) void this.locks.run();
  };
  #remove = async () => {
    const p = this.#part, under = this.#id.toLowerCase() + "/", group = p.type.endsWith("resourceGroups");
    const done = await confirmImpact({ title: t("resource.delete-title", { name: p.name }), act: t("act.delete"), danger: true, word: p.name, undo: t("resource.delete-undo"),
      impact: async () => {
        const all = (await list<Resource>(`/subscriptions/${session().subscription}/resources`, { version: "2021-04-01", max: 100_000 })).filter((r) => r.id.toLowerCase().startsWith(under)), locks = this.locks.value ?? [];
        return { changes: [t(group ? "resource.delete-group" : "resource.delete-one", { n: all.length }), ...(locks.length ? [t("resource.delete-locked", { n: locks.length })] : [])], hits: [...all.slice(0, 12).map((r) => ({ text: `${r.name} (${r.type})`, href: href("/resources/{id*}", { id: r.id }) })), ...(all.length > 12 ? [{ text: t("resource.and-more", { n: all.length - 12 }) }] : [])] };
      },
      run: () => act({ text: t("resource.deleted", { name: p.name }), run: () => deleteResource(this.#id, { version: this.#version }) }) });
    if (done) go(href("/resources"));
  };
  #give = async () => {
    const a = this.access.value;
    if (!a) return;
    let role = "", who = "", found: any[] = [];
    const find = async (d: { draw(): void }) => { const { body } = await send<{ value: any[] }>("/v1.0/users", { query: { $filter: `startswith(displayName,'${who.replace(/'/g, "''")}') or startswith(userPrincipalName,'${who.replace(/'/g, "''")}')`, $top: 20 } }); const groups = await send<{ value: any[] }>("/v1.0/groups", { query: { $filter: `startswith(displayName,'${who.replace(/'/g, "''")}')`, $top: 20 } }).catch(() => ({ body: { value: [] as any[] } })); found = [...body.value.map((x) => ({ ...x, kind: "User" })), ...groups.body.value.map((x) => ({ ...x, kind: "Group" }))]; picked = found[0]?.id ?? ""; d.draw(); };
    let picked = "";
    const done = await openDialog<true>({ title: t("resource.give-title", { name: this.#part.name }), body: (d) => html`<label class="stack">${t("resource.role")}<select class="in" @change=${(e: Event) => { role = (e.target as HTMLSelectElement).value; d.draw(); }}><option value="">-</option>${[...a.roles.values()].sort((x, y) => x.name.localeCompare(y.name)).map((r) => html`<option value=${r.id}>${r.name}</option>`)}</select></label>${role ? html`<p class="t2">${[...a.roles.values()].find((r) => r.id === role)?.description}</p>` : nothing}
      <div class="row"><label class="stack grow">${t("resource.who")}<input class="in" @input=${(e: Event) => { who = (e.target as HTMLInputElement).value; }} @keydown=${(e: KeyboardEvent) => { if (e.key === "Enter") { e.preventDefault(); void find(d); } }}></label><button type="button" class="btn" @click=${() => void find(d)}><rf-icon n="search"></rf-icon>${t("resource.find")}</button></div>${found.length ? html`<label class="stack">${t("resource.found")}<select class="in" @change=${(e: Event) => { picked = (e.target as HTMLSelectElement).value; }}>${found.map((x) => html`<option value=${x.id}>${x.displayName}${x.userPrincipalName ? ` (${x.userPrincipalName})` : ""}</option>`)}</select></label>` : nothing}`,
      acts: [{ text: t("act.cancel") }, { text: t("resource.give"), primary: true, disabled: () => !role || !picked, run: async () => {
        const id = `${this.#id.replace(/\/$/, "")}/providers/Microsoft.Authorization/roleAssignments/${crypto.randomUUID()}`, person = found.find((x) => x.id === picked);
        await act({ text: t("resource.given", { who: person.displayName, role: [...a.roles.values()].find((r) => r.id === role)!.name }), run: () => putResource(id, { properties: { roleDefinitionId: role, principalId: picked, principalType: person.kind } }), undo: () => deleteResource(id).then(() => this.access.run()) });
        return true as const;
      } }] });
    if (done) void this.access.run();
  };
  #takeBack = async (x: any, who: string, role: string) => {
    const ok = await confirmImpact({ title: t("resource.take-title", { who, role }), act: t("resource.take"), impact: { changes: [t("resource.take-effect", { who, role, scope: x.properties.scope })] }, undo: t("resource.take-undo"), run: () => act({ text: t("resource.taken", { who, role }), run: () => deleteResource(x.id), undo: () => putResource(x.id, { properties: { roleDefinitionId: x.properties.roleDefinitionId, principalId: x.properties.principalId, principalType: x.properties.principalType } }).then(() => this.access.run()) }) });
    if (ok) void this.access.run();
  };

  // ---- frame ----
  head(): Head {
    const p = this.#part, tab = this.q("tab"), steps = this.#id.split("/").filter(Boolean), crumbs: { text: string; href?: string }[] = [{ text: t("page.resources"), href: href("/resources") }];
    if (p.group && !p.type.endsWith("resourceGroups")) crumbs.push({ text: p.group, href: href("/resources/{id*}", { id: steps.slice(0, 4).join("/") }) });
    if (p.parent) crumbs.push({ text: parseId(p.parent).name, href: href("/resources/{id*}", { id: p.parent }) });
    crumbs.push({ text: p.type });
    return { title: p.name, crumbs, time: tab === "activity" ? "7d" : undefined, tabs: [{ text: t("resource.overview") }, { text: t("resource.access"), tab: "access" }, { text: t("resource.activity"), tab: "activity" }, { text: "JSON", tab: "json" }],
      acts: [...(tab === "access" ? [{ text: t("resource.give"), icon: "plus", primary: true, run: () => void this.#give() }] : tab === "json" ? [{ text: t("act.save"), icon: "save", primary: true, disabled: !this.#edit || !!this.#fault, why: t("resource.save-why"), run: () => void this.#saveJson() }] : [{ text: t("resource.edit"), icon: "pen", primary: true, run: () => this.setQ({ tab: "json" }, { push: true }) }]), ...(p.type.endsWith("/subscriptions") ? [] : [{ text: t("act.delete"), danger: true, run: () => void this.#remove() }])] };
  }
  keys(): Key[] {
    const tab = (key: string, to: string | null, text: string) => ({ key, text, run: () => this.setQ({ tab: to }, { push: true }) });
    return [tab("1", null, t("resource.overview")), tab("2", "access", t("resource.access")), tab("3", "activity", t("resource.activity")), tab("4", "json", "JSON"), { key: "l", text: t("resource.lock"), run: this.#lock }, { key: "Delete", text: t("act.delete"), run: () => void this.#remove() }, { key: "Escape", text: t("resource.back"), run: () => go(href("/resources", {}, { sel: this.#id })) }];
  }
  copyAs(): CopyItem[] {
    const r = this.resource.value;
    return [{ kind: "kql", text: this.q("tab") === "activity" ? this.#activityQuery : `resources\n| where id =~ ${quote(this.#id)}` }, ...(r ? [{ kind: "json" as const, text: JSON.stringify(r, null, 2) }, { kind: "arm" as const, text: JSON.stringify({ type: r.type, apiVersion: this.#version, name: r.name, ...writable(r) }, null, 2) }] : []), { kind: "az", text: `az resource show --ids '${this.#id}'` }, { kind: "curl", text: curlLine(location.origin, "GET", `${this.#id}?api-version=${this.#version ?? "2021-04-01"}`) }];
  }
  body() {
    switch (this.q("tab")) {
      case "access": return html`<section class="card wide" aria-label=${t("resource.access")}>${this.access.show((a) => this.#accessPart(a))}</section>`;
      case "activity": return html`<section class="card wide" aria-label=${t("resource.activity")}>${this.activity.show((r) => this.#activityPart(r))}</section>`;
      case "json": return html`<section class="card wide" aria-label="JSON">${this.resource.show((r) => html`<textarea class="jq mono" spellcheck="false" aria-label="JSON" aria-invalid=${this.#fault ? "true" : nothing} .value=${this.#edit || JSON.stringify(writable(r), null, 2)} @input=${(e: Event) => { this.#edit = (e.target as HTMLTextAreaElement).value; this.requestUpdate(); }}></textarea><div class="tf">${this.#fault ? html`<span class="c-high" role="alert">${this.#fault}</span>` : html`<span>${t("resource.json-hint")}</span>`}${this.#edit ? html`<button class="btn s end" @click=${() => { this.#edit = ""; this.requestUpdate(); }}>${t("resource.as-was")}</button>` : nothing}</div>`)}</section>`;
      default: return this.resource.show((r) => this.#overview(r), { skeleton: 8 });
    }
  }
  #overview(r: Resource) {
    const s = r.systemData ?? {}, tags = Object.entries(r.tags ?? {});
    return html`<section class="card" aria-label=${t("resource.overview")}><header><h2>${t("resource.overview")}</h2></header><div class="scroll pad"><dl class="kv"><dt>${t("resource.name")}</dt><dd>${r.name}</dd><dt>${t("resource.type")}</dt><dd>${r.type}</dd>${r.kind ? html`<dt>${t("resource.kind")}</dt><dd>${r.kind}</dd>` : nothing}${r.location ? html`<dt>${t("resource.location")}</dt><dd>${r.location}</dd>` : nothing}${r.properties?.provisioningState ? html`<dt>${t("resource.state")}</dt><dd><rf-state s=${r.properties.provisioningState === "Succeeded" ? "ok" : r.properties.provisioningState === "Failed" ? "fail" : "partial"} word=${r.properties.provisioningState}></rf-state></dd>` : nothing}
        ${s.createdAt ? html`<dt>${t("resource.created")}</dt><dd>${stamp(s.createdAt)} <span class="t3">${s.createdBy}</span></dd>` : nothing}${s.lastModifiedAt ? html`<dt>${t("resource.changed")}</dt><dd>${stamp(s.lastModifiedAt)} <span class="t3">${ago(s.lastModifiedAt)}</span></dd>` : nothing}<dt>Id</dt><dd class="mono any">${r.id ?? this.#id}</dd></dl>
        <h3 class="cap">${t("resource.properties")}</h3><rf-inspector .value=${r.properties ?? {}} path="properties" .open=${1}></rf-inspector></div></section>
      <div class="side"><section class="card"><header><h2>${t("resource.tags")}</h2><button class="btn s end" @click=${this.#tags}><rf-icon n="pen"></rf-icon>${t("resource.edit-tags")}</button></header><div class="pad tags">${tags.length ? tags.map(([k, v]) => html`<a class="chip out" href=${href("/resources", {}, { f: `tag:${encodeURIComponent(`${k}=${v}`)}` })}>${k}: ${v}</a>`) : html`<span class="t3">${t("resource.no-tags")}</span>`}</div></section>
      <section class="card"><header><h2>${t("resource.locks")}</h2><button class="btn s end" @click=${this.#lock}><rf-icon n="lock"></rf-icon>${t("resource.lock")}</button></header>${this.locks.show((all) => (all.length ? html`<ul class="lst">${all.map((l) => html`<li><rf-icon n="lock"></rf-icon><span class="grow"><b>${t(`resource.${l.properties.level}`)}</b> <span class="t3">${l.name}</span>${l.properties.notes ? html`<br><span class="t2">${l.properties.notes}</span>` : nothing}</span><button class="btn s" @click=${() => void this.#unlock(l)}>${t("resource.unlock")}</button></li>`)}</ul>` : html`<p class="pad t3">${t("resource.no-locks")}</p>`))}</section></div>`;
  }
  #accessPart(a: Access) {
    const role = (x: any) => a.roles.get(String(x.properties.roleDefinitionId).split("/").pop()!.toLowerCase())?.name ?? String(x.properties.roleDefinitionId).split("/").pop()!, who = (x: any) => a.names.get(x.properties.principalId) ?? x.properties.principalId, here = (x: any) => String(x.properties.scope).toLowerCase() === this.#id.toLowerCase();
    const columns: GridColumn<any>[] = [{ id: "who", head: t("resource.who"), min: 200, value: who, cell: (x) => (x.properties.principalType === "User" ? html`<a class="nm" tabindex="-1" href=${href("/identity", {}, { sel: x.properties.principalId })}>${who(x)}</a>` : who(x)) }, { id: "kind", head: t("resource.kind"), width: 140, value: (x) => x.properties.principalType }, { id: "role", head: t("resource.role"), min: 200, value: role },
      { id: "scope", head: t("resource.scope"), min: 220, value: (x) => x.properties.scope, cell: (x) => (here(x) ? html`<b>${t("resource.here")}</b>` : html`<span title=${x.properties.scope}>${t("resource.inherited", { from: parseId(x.properties.scope).name || "/" })}</span>`) }, { id: "since", head: t("resource.since"), width: 110, num: true, value: (x) => x.properties.createdOn, cell: (x) => html`<time title=${stamp(x.properties.createdOn)}>${when(x.properties.createdOn)}</time>` },
      { id: "act", head: "", width: 100, sortable: false, value: () => "", cell: (x) => (here(x) ? html`<button class="btn s" tabindex="-1" @click=${() => void this.#takeBack(x, who(x), role(x))}>${t("resource.take")}</button>` : nothing) }];
    return html`<rf-grid name="access" .label=${t("resource.access")} .columns=${columns} .rows=${a.assignments} .rowKey=${(x: any) => x.id} .sort=${this.q("sort", "who")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>`;
  }
  #activityPart(r: Result) {
    if (!r.rows.length) return html`<div class="state"><p>${t("resource.no-activity")}</p></div>`;
    const columns: GridColumn<any>[] = [{ id: "TimeGenerated", head: t("resource.time"), width: 170, cell: (x) => html`<time>${stamp(x.TimeGenerated)}</time>` }, { id: "OperationNameValue", head: t("resource.operation"), min: 280 }, { id: "ActivityStatusValue", head: t("resource.state"), width: 130, cell: (x) => html`<rf-state s=${/^(Success|Succeeded|Accept)/.test(x.ActivityStatusValue) ? "ok" : /^Fail/.test(x.ActivityStatusValue) ? "fail" : "partial"} word=${x.ActivityStatusValue}></rf-state>` }, { id: "Caller", head: t("resource.caller"), min: 180 }, { id: "CallerIpAddress", head: t("resource.from"), width: 130 }, { id: "what", head: t("resource.name"), min: 120, value: (x) => String(x._ResourceId).split("/").pop() }];
    return html`<rf-grid name="activity" .label=${t("resource.activity")} .columns=${columns} .rows=${records(r)} .sort=${this.q("sort")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}></rf-grid>`;
  }
}
