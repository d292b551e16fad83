// A secret: its versions and what changed between two, who used it, who may; its value is hidden until asked, and gone from the page half a minute later.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { kql, quote, records } from "../../data/kql";
import { session } from "../../data/session";
import { num, stamp, when } from "../../data/time";
import { type Activity, ask, type Attributes, date, type Difference, type Item, newValue, type Reader, type SecretBundle, seg, standing, tell, versionOf, versions } from "../../data/vault";
import { t } from "../../i18n";
import { copyText } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import "../../parts/diff";
import { confirmImpact } from "../../parts/impact";
import { href } from "../../router";
import { act } from "../../shell/tray";
import { Page, type Head, type Key } from "../../shell/page";
import "./page.css";

const mark = (a: Attributes): unknown => { const s = standing(a); return html`<rf-state s=${s === "enabled" ? "ok" : s === "expired" ? "fail" : s === "early" ? "partial" : "unknown"} word=${t(`secret.${s}`)}></rf-state>`; };
const shownFor = 30_000;

export default class extends Page {
  bodyClass = "p-secret";
  protected willUpdate(): void { this.bodyClass = this.q("tab") ? "p-secret rows" : "p-secret"; }
  get #vault(): string { return this.params.vault; }
  get #name(): string { return this.params.secret; }
  get #path(): string { return `secrets/${seg(this.#name)}`; }

  versions = this.load((signal) => versions(this.#vault, this.#path, signal), { what: () => t("secret.reading"), needs: () => ({ role: "Key Vault Reader", on: this.#vault }) });
  used = this.load((signal) => ask<Activity>(this.#vault, `${this.#path}/activity`, { signal }), { needs: () => ({ role: "Key Vault Reader", on: this.#vault }) });
  readers = this.load((signal) => ask<{ value: Reader[]; count: number }>(this.#vault, `${this.#path}/readers`, { signal }), { needs: () => ({ role: "User Access Administrator", on: this.#vault }) });
  difference = this.load((signal) => { const [from, to] = this.#pair; return ask<Difference>(this.#vault, `${this.#path}/diff`, { signal, query: { from, to } }); }, { auto: false, needs: () => ({ role: "Key Vault Secrets User", on: this.#vault }) });
  rows = this.load((signal) => kql(this.#query, { signal, range: this.range }).then(records), { auto: false, needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }) });
  /** Values that were asked for, by version; wiped by a timer and with the page. */
  #shown = new Map<string, string>();
  #wipe?: ReturnType<typeof setTimeout>;
  values?: [string, string];
  fault = "";

  get #query(): string { return `AZKVAuditLogs\n| where _ResourceId endswith ${quote(`/vaults/${this.#vault.toLowerCase()}`)} and RequestUri has ${quote(`/secrets/${this.#name}`)}\n| project TimeGenerated, OperationName, HttpStatusCode, Version = tostring(split(tostring(parse_url(RequestUri).Path), "/")[3]), Caller = tostring(coalesce(Identity.claim.upn, Identity.claim.appid, Identity.claim.oid)), CallerIpAddress\n| order by TimeGenerated desc\n| take 500`; }
  get #all(): Item[] { return this.versions.value ?? []; }
  get #current(): Item | undefined { return this.#all.find((v) => versionOf(v.id) === this.q("sel")) ?? this.#all[0]; }
  get #number(): (v: Item) => number { const all = this.#all; return (v) => all.length - all.indexOf(v); }
  /** The two versions to compare, the older one first. */
  get #pair(): [string, string] { const [a, b] = this.q("compare").split(","); return [a ?? "", b ?? ""]; }

  connectedCallback(): void { super.connectedCallback(); this.#read(); }
  disconnectedCallback(): void { super.disconnectedCallback(); this.#forget(); }
  #read(): void { if (this.q("tab") === "activity") void this.rows.run(); if (this.#pair[1]) void this.difference.run(); }
  queryChanged(changed: Set<string>): void { if (changed.has("sel") || changed.has("compare") || changed.has("tab")) { this.#forget(); this.#read(); } if (changed.has("t")) this.#read(); }
  #forget(): void { clearTimeout(this.#wipe); this.#shown.clear(); this.values = undefined; this.fault = ""; this.requestUpdate(); }

  head(): Head {
    return { title: this.#name, crumbs: [{ text: t("page.vaults"), href: href("/vaults") }, { text: this.#vault, href: href("/vaults/{vault}", { vault: this.#vault }) }, { text: t("secret.secrets"), href: href("/vaults/{vault}", { vault: this.#vault }) }, { text: this.#name }],
      tabs: [{ text: t("secret.versions"), count: this.#all.length || undefined }, { text: t("secret.access"), tab: "access", count: this.readers.value?.count }, { text: t("secret.activity"), tab: "activity" }, { text: "JSON", tab: "json" }], time: this.q("tab") === "activity" ? "7d" : undefined,
      acts: [{ text: t("secret.new"), icon: "plus", run: () => void this.#newVersion() }, { text: t("secret.rotate"), icon: "refresh", primary: true, run: () => void this.#rotate() }] };
  }
  keys(): Key[] {
    return [{ key: "j", text: t("secret.next"), run: () => this.#step(1) }, { key: "k", text: t("secret.previous"), run: () => this.#step(-1) }, { key: "n", text: t("secret.new"), run: () => void this.#newVersion() },
      { key: "r", text: t("secret.rotate"), run: () => void this.#rotate() }, { key: "d", text: t("secret.compare-last"), run: () => { const [to, from] = this.#all; if (from) this.setQ({ compare: `${versionOf(from.id)},${versionOf(to.id)}` }); } }];
  }
  copyAs() { return [{ kind: "kql" as const, text: this.#query }, { kind: "json" as const, text: () => JSON.stringify(this.#all, null, 2) }, { kind: "az" as const, text: `az keyvault secret show --vault-name ${this.#vault} --name ${this.#name}` }, { kind: "ringfort" as const, text: `ringfort secret get ${this.#vault}/${this.#name}` }]; }
  #step(by: number): void { const all = this.#all, at = all.indexOf(this.#current!) + by; if (all[at]) this.setQ({ sel: at ? versionOf(all[at].id) : null }); }

  // ---- values ----
  async #value(version: string): Promise<string> {
    const had = this.#shown.get(version);
    if (had !== undefined) return had;
    const value = (await ask<SecretBundle>(this.#vault, `${this.#path}/${version}`)).value;
    this.#shown.set(version, value);
    clearTimeout(this.#wipe);
    this.#wipe = setTimeout(() => this.#forget(), shownFor);
    void this.used.run();
    return value;
  }
  async #show(v: Item): Promise<void> {
    const version = versionOf(v.id);
    if (this.#shown.has(version)) { this.#forget(); return; }
    try { await this.#value(version); this.fault = ""; } catch (e) { this.fault = (e as ApiError).forbidden ? t("secret.no-get", { vault: this.#vault }) : (e as Error).message; }
    this.requestUpdate();
  }
  async #copy(v: Item): Promise<void> { try { await copyText(await this.#value(versionOf(v.id)), t("secret.value")); } catch (e) { this.fault = (e as Error).message; } this.requestUpdate(); }
  async #showBoth(): Promise<void> {
    const [from, to] = this.#pair;
    try { this.values = [await this.#value(from), await this.#value(to)]; } catch (e) { this.fault = (e as Error).message; }
    this.requestUpdate();
  }

  // ---- changes ----
  async #after(): Promise<void> { this.#forget(); await this.versions.run(); void this.used.run(); this.setQ({ sel: null, compare: this.#all[1] ? `${versionOf(this.#all[1].id)},${versionOf(this.#all[0].id)}` : null }); }
  async #put(value: string, days: number): Promise<void> {
    const before = this.#all[0], exp = days > 0 ? Math.floor(Date.now() / 1000) + days * 86400 : undefined;
    let made = "";
    await act({ text: t("secret.made", { name: this.#name }), run: async () => { made = (await tell<SecretBundle>(this.#vault, this.#path, "PUT", { value, contentType: before?.contentType, tags: before?.tags, attributes: { enabled: true, ...(exp ? { exp } : {}) } })).id; },
      undo: async () => { await tell(this.#vault, `${this.#path}/${versionOf(made)}`, "PATCH", { attributes: { enabled: false } }); if (this.isConnected) await this.#after(); } });
    await this.#after();
  }
  async #newVersion(): Promise<void> {
    let value = "", days = 90;
    await openDialog({ title: t("secret.new-of", { name: this.#name }), body: () => html`<p><label for="sv-value">${t("secret.value")}</label><span class="field wide"><input id="sv-value" type="password" autocomplete="new-password" @input=${(e: Event) => { value = (e.target as HTMLInputElement).value; }}></span></p>
      <p><label for="sv-days">${t("secret.days")}</label><span class="field"><input id="sv-days" type="number" min="0" max="3650" .value=${String(days)} @input=${(e: Event) => { days = Number((e.target as HTMLInputElement).value); }}></span></p><p class="t3 sm">${t("secret.effect-new")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("act.save"), primary: true, run: async (d) => { if (!value) throw new Error(t("secret.no-value")); await this.#put(value, days); value = ""; d.close(); return undefined; } }] });
  }
  /** A new value that the server's vault keeps from now on; the version before stays as it is, so that who reads it by its id goes on until it is switched off. */
  async #rotate(): Promise<void> {
    const last = this.#all[0], readers = this.used.value?.principals.length ?? 0;
    await confirmImpact({ title: t("secret.rotate-of", { name: this.#name }), act: t("secret.rotate"), undo: t("secret.rotate-undo"),
      impact: { changes: [t("secret.rotate-effect", { n: last ? this.#number(last) + 1 : 1 }), t("secret.rotate-stays", { n: last ? this.#number(last) : 0 }), t("secret.rotate-readers", { n: readers })], hits: (this.used.value?.principals ?? []).map((p) => ({ text: p.name || p.id })) },
      run: () => this.#put(newValue(), 90) });
  }
  async #toggle(v: Item): Promise<void> {
    const enabled = !v.attributes.enabled, number = this.#number(v), set = (x: boolean) => tell(this.#vault, `${this.#path}/${versionOf(v.id)}`, "PATCH", { attributes: { enabled: x } }).then(() => this.versions.run());
    await act({ text: t(enabled ? "secret.switched-on" : "secret.switched-off", { n: number, name: this.#name }), run: () => set(enabled), undo: () => set(!enabled) });
  }
  #choose(v: Item): void {
    const id = versionOf(v.id), chosen = this.q("pick").split(",").filter(Boolean);
    this.setQ({ pick: (chosen.includes(id) ? chosen.filter((x) => x !== id) : [...chosen, id].slice(-2)).join(",") });
  }

  // ---- what is seen ----
  body(): unknown {
    switch (this.q("tab")) {
      case "access": return html`<section class="card">${this.readers.show((r) => this.#access(r.value))}</section>`;
      case "activity": return html`<section class="card">${this.rows.show((rows) => html`<div class="tw" tabindex="0"><table class="g"><thead><tr><th>TimeGenerated</th><th>OperationName</th><th>Version</th><th>${t("secret.caller")}</th><th>CallerIpAddress</th><th class="n">HttpStatusCode</th></tr></thead><tbody>${rows.map((r) => html`<tr><td>${stamp(String(r.TimeGenerated))}</td><td>${r.OperationName}</td><td class="mono">${r.Version || "-"}</td><td>${r.Caller || "-"}</td><td>${r.CallerIpAddress || "-"}</td><td class="n ${Number(r.HttpStatusCode) >= 400 ? "c-high" : ""}">${r.HttpStatusCode}</td></tr>`)}</tbody></table></div>`, { empty: () => html`<p class="state">${t("secret.no-activity")}</p>` })}</section>`;
      case "json": return html`<section class="card">${this.versions.show((all) => html`<pre class="mono" tabindex="0">${JSON.stringify(all, null, 2)}</pre>`)}</section>`;
    }
    const chosen = this.q("pick").split(",").filter(Boolean), pair = this.#all.filter((v) => chosen.includes(versionOf(v.id)));
    return html`
      ${this.fault ? html`<div class="note bad wide" role="alert"><rf-icon n="incident"></rf-icon><span>${this.fault}</span></div>` : nothing}
      <section class="card" aria-label=${t("secret.versions")}><header><h2>${t("secret.versions")}</h2><span class="end">${t("secret.newest")}</span></header>
        ${this.versions.show((all) => html`<div class="tw" tabindex="0"><table class="g auto"><thead><tr><th><span class="vh">${t("secret.choose")}</span></th><th class="n">${t("secret.number")}</th><th>${t("secret.state")}</th><th>${t("secret.made-on")}</th><th>${t("secret.ends")}</th><th>${t("secret.id")}</th></tr></thead>
          <tbody>${all.map((v) => html`<tr aria-selected=${v === this.#current ? "true" : "false"} @click=${() => this.setQ({ sel: v === all[0] ? null : versionOf(v.id) })}><td><input class="pick" type="checkbox" aria-label=${t("secret.choose-n", { n: this.#number(v) })} .checked=${chosen.includes(versionOf(v.id))} @click=${(e: Event) => e.stopPropagation()} @change=${() => this.#choose(v)}></td><td class="n">${this.#number(v)}</td><td>${mark(v.attributes)}</td><td>${when(date(v.attributes.created)!)}</td><td>${v.attributes.exp ? when(date(v.attributes.exp)!) : "-"}</td><td class="mono">${versionOf(v.id).slice(-8)}</td></tr>`)}</tbody></table></div>
          <div class="tf">${t("secret.chosen", { n: pair.length })}${pair.length === 2 ? html`<button class="btn s end" @click=${() => this.setQ({ compare: `${versionOf(pair[1].id)},${versionOf(pair[0].id)}` })}>${t("secret.compare", { a: this.#number(pair[1]), b: this.#number(pair[0]) })}</button>` : nothing}</div>`)}</section>
      ${this.#detail()}
      ${this.#change()}
      <section class="card" aria-label=${t("secret.used")}><header><h2>${t("secret.used")}</h2><a class="end" href=${`${href("/logs")}?q=${encodeURIComponent(this.#query)}`}>${t("secret.logs")}</a></header>
        ${this.used.show((u) => html`<ul class="lst scroll" tabindex="0">${u.principals.map((p) => html`<li><rf-icon n="user"></rf-icon><span class="grow ell">${p.name || p.id}<small>${p.operation}, ${when(date(p.last)!)}</small></span><span>${num(p.counts["7"])}</span></li>`)}${this.#never(u)}</ul>`, { empty: () => html`<p class="state">${t("secret.nobody")}</p>` })}</section>`;
  }
  /** Who may read it and never did: most of what can be taken away without anybody missing it. */
  #never(u: Activity): unknown {
    const may = (this.readers.value?.value ?? []).filter((r) => r.actions.includes("get") && !u.principals.some((p) => p.id.toLowerCase() === r.principalId.toLowerCase()));
    return may.length ? html`<li><rf-icon n="user"></rf-icon><span class="grow b">${t("secret.never", { n: may.length })}<small>${may.slice(0, 3).map((r) => r.name || r.principalId).join(", ")}</small></span><a class="btn s" href="?tab=access">${t("secret.review")}</a></li>` : nothing;
  }
  #detail(): unknown {
    const v = this.#current;
    if (!v) return html`<section class="card"></section>`;
    const version = versionOf(v.id), value = this.#shown.get(version), n = this.#number(v);
    return html`<section class="card" aria-label=${t("secret.version", { n })}><header><h2>${t("secret.version", { n })}</h2><span class="end">${mark(v.attributes)}</span></header><div class="in scroll">
      <label for="s-value">${t("secret.value")}</label>
      <div class="value"><span class="field"><input id="s-value" readonly type=${value === undefined ? "password" : "text"} .value=${value ?? "••••••••••••••••••••"} aria-describedby="s-told"></span>
        <button class="btn ic" aria-pressed=${value === undefined ? "false" : "true"} aria-label=${value === undefined ? t("secret.show") : t("secret.hide")} @click=${() => void this.#show(v)}><rf-icon n="eye"></rf-icon></button><button class="btn ic" aria-label=${t("secret.copy")} @click=${() => void this.#copy(v)}><rf-icon n="copy"></rf-icon></button></div>
      <p class="cap" id="s-told">${t("secret.recorded")}</p>
      <dl class="kv"><dt>${t("secret.content-type")}</dt><dd>${v.contentType || "-"}</dd><dt>${t("secret.ends")}</dt><dd>${v.attributes.exp ? when(date(v.attributes.exp)!) : t("secret.never-ends")}</dd><dt>${t("secret.tags")}</dt><dd>${Object.entries(v.tags ?? {}).map(([k, x]) => `${k} = ${x}`).join(", ") || "-"}</dd><dt>${t("secret.id")}</dt><dd class="mono">${version}</dd></dl>
      <p><button class="btn s" @click=${() => void this.#toggle(v)}>${v.attributes.enabled ? t("secret.switch-off") : t("secret.switch-on")}</button></p></div></section>`;
  }
  #change(): unknown {
    const [from, to] = this.#pair, a = this.#all.find((v) => versionOf(v.id) === from), b = this.#all.find((v) => versionOf(v.id) === to);
    if (!a || !b) return html`<section class="card" aria-label=${t("secret.changes")}><header><h2>${t("secret.changes")}</h2></header><p class="state">${this.#all.length > 1 ? t("secret.pick-two") : t("secret.only-one")}</p></section>`;
    const other = this.difference.value?.valueEqual === false;
    const lines = (v: Item, value?: string) => [`contentType = ${v.contentType ?? ""}`, `enabled = ${v.attributes.enabled}`, `ends = ${v.attributes.exp ? stamp(date(v.attributes.exp)!) : ""}`, ...Object.entries(v.tags ?? {}).map(([k, x]) => `tag ${k} = ${x}`), ...(value === undefined ? (other ? [t("secret.hidden-value", { n: this.#number(v) })] : []) : value.split(/[;\n]/).map((x) => `value: ${x}`))];
    return html`<section class="card" aria-label=${t("secret.changes")}><header><h2>${t("secret.change", { a: this.#number(a), b: this.#number(b) })}</h2><span class="end">${this.values ? t("secret.in-sight") : t("secret.hidden")}</span>${this.values ? nothing : html`<button class="btn s quiet" @click=${() => void this.#showBoth()}>${t("secret.show-values")}</button>`}</header>
      ${this.difference.show((d) => html`<p class="in sm t2">${d.valueEqual === null ? t("secret.not-told") : d.valueEqual ? t("secret.same-value") : t("secret.other-value")}</p><rf-diff .from=${lines(a, this.values?.[0]).join("\n")} .to=${lines(b, this.values?.[1]).join("\n")} .names=${[t("secret.version", { n: this.#number(a) }), t("secret.version", { n: this.#number(b) })]}></rf-diff>`, { empty: () => html`<p class="state">${t("secret.no-change")}</p>` })}</section>`;
  }
  #access(all: Reader[]): unknown {
    const used = new Set((this.used.value?.principals ?? []).map((p) => p.id.toLowerCase()));
    return html`<div class="tw" tabindex="0"><table class="g"><thead><tr><th>${t("secret.who")}</th><th>${t("secret.kind")}</th><th>${t("secret.may")}</th><th>${t("secret.by")}</th><th>${t("secret.did")}</th></tr></thead><tbody>${all.map((r) => html`<tr><td title=${r.principalId}>${r.name || r.principalId}</td><td>${r.principalType}</td><td>${r.actions.join(", ")}${r.conditional ? html` <span class="t3">${t("secret.conditional")}</span>` : nothing}</td><td title=${r.via.map((v) => v.scope).join("\n")}>${r.via.map((v) => v.roleName ?? v.kind).join(", ")}</td><td>${used.has(r.principalId.toLowerCase()) ? t("secret.yes") : html`<span class="c-medium">${t("secret.not-ever")}</span>`}</td></tr>`)}</tbody></table></div>`;
  }
}
