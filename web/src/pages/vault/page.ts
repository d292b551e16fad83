// One vault: its secrets, keys and certificates, who may, what was done, its JSON.
import { html } from "lit";
import { getResource, inGroup, list, type Resource } from "../../data/arm";
import { kql, quote, records } from "../../data/kql";
import { session } from "../../data/session";
import { stamp, timespan, when } from "../../data/time";
import { ask, type Attributes, date, type Found, report, seg, standing, tell } from "../../data/vault";
import { t } from "../../i18n";
import { openDialog } from "../../parts/dialog";
import { confirmImpact } from "../../parts/impact";
import "../../parts/grid";
import "../../parts/inspector";
import { go, href } from "../../router";
import { act } from "../../shell/tray";
import { emptyState, filteredEmpty, Page, type Head, type Key } from "../../shell/page";
import "./page.css";

type Kind = "secrets" | "keys" | "certificates";
export const stateMark = (a: Attributes): unknown => { const s = standing(a); return html`<rf-state s=${s === "enabled" ? "ok" : s === "expired" ? "fail" : s === "early" ? "partial" : "unknown"} word=${t(`vault.${s}`)}></rf-state>`; };
const asAttributes = (f: Found): Attributes => ({ enabled: f.enabled !== false, exp: f.expires, nbf: f.notBefore });

export default class extends Page {
  bodyClass = "p-vault";
  vault = this.load((signal) => list(`/subscriptions/${session().subscription}/providers/Microsoft.KeyVault/vaults`, { signal }).then((all) => { const v = all.find((x) => x.name.toLowerCase() === this.params.vault.toLowerCase()); if (!v) throw new Error(t("vault.gone", { name: this.params.vault })); return getResource(v.id, { signal }); }), { needs: () => ({ role: "Reader", on: this.params.vault }) });
  objects = this.load((signal) => report("search", { vault: this.params.vault, kind: this.#kind, orderby: "name" }, signal).then((r) => r.value.filter((f) => f.vaultName.toLowerCase() === this.params.vault.toLowerCase())), { what: () => t("vault.reading"), needs: () => ({ role: "Key Vault Reader", on: this.params.vault }) });
  access = this.load((signal) => list(`${this.#id}/providers/Microsoft.Authorization/roleAssignments`, { signal }), { auto: false, needs: () => ({ role: "User Access Administrator", on: this.params.vault }) });
  activity = this.load((signal) => kql(this.#rows, { signal, range: this.range }).then(records), { auto: false, needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }) });

  get #tab(): string { return this.q("tab", "secrets"); }
  get #kind(): Kind { return (["secrets", "keys", "certificates"].includes(this.#tab) ? this.#tab : "secrets") as Kind; }
  get #id(): string { return this.vault.value?.id ?? inGroup(`Microsoft.KeyVault/vaults/${this.params.vault}`); }
  get #rows(): string { return `AZKVAuditLogs\n| where _ResourceId endswith ${quote(`/vaults/${this.params.vault.toLowerCase()}`)}\n| project TimeGenerated, OperationName, HttpStatusCode, Object = tostring(parse_url(RequestUri).Path), Caller = tostring(coalesce(Identity.claim.upn, Identity.claim.appid, Identity.claim.oid)), CallerIpAddress\n| order by TimeGenerated desc\n| take 500`; }

  connectedCallback(): void { super.connectedCallback(); this.#read(); }
  #read(): void { if (this.#tab === "access") void this.access.run(); else if (this.#tab === "activity") void this.activity.run(); }
  queryChanged(changed: Set<string>): void { if (changed.has("tab")) { if (["secrets", "keys", "certificates"].includes(this.#tab)) void this.objects.run(); else this.#read(); } else if (changed.has("t")) this.#read(); }

  head(): Head {
    const tab = (name: string, first = false) => ({ text: t(`vault.tab.${name}`), tab: first ? undefined : name });
    return { title: this.params.vault, crumbs: [{ text: t("page.vaults"), href: href("/vaults") }, { text: this.params.vault }], tabs: [tab("secrets", true), tab("keys"), tab("certificates"), tab("access"), tab("activity"), tab("json")], time: this.#tab === "activity" ? "24h" : undefined,
      acts: this.#tab === "secrets" ? [{ text: t("vault.new-secret"), icon: "plus", primary: true, run: () => void this.#newSecret() }] : [] };
  }
  keys(): Key[] { return [{ key: "/", text: t("vault.search"), run: () => this.querySelector<HTMLElement>("input[type=search]")?.focus() }, { key: "n", text: t("vault.new-secret"), run: () => void this.#newSecret() }, ...["secrets", "keys", "certificates"].map((k, i) => ({ key: `Alt+${i + 1}`, text: t(`vault.tab.${k}`), run: () => this.setQ({ tab: i ? k : null }) }))]; }
  copyAs() { return [{ kind: "kql" as const, text: this.#rows }, { kind: "arm" as const, text: () => JSON.stringify(this.vault.value, null, 2) }, { kind: "az" as const, text: `az keyvault show --name ${this.params.vault}` }, { kind: "ringfort" as const, text: `ringfort resource get Microsoft.KeyVault/vaults/${this.params.vault}` }]; }

  async #newSecret(): Promise<void> {
    const v = this.params.vault;
    let name = "", value = "", type = "";
    const field = (id: string, label: string, set: (x: string) => void, secret = false) => html`<p><label for=${id}>${label}</label><span class="field wide"><input id=${id} type=${secret ? "password" : "text"} autocomplete=${secret ? "new-password" : "off"} @input=${(e: Event) => set((e.target as HTMLInputElement).value)}></span></p>`;
    const made = await openDialog<string>({ title: t("vault.new-secret"), body: () => html`${field("vs-name", t("vault.name"), (x) => { name = x.trim(); })}${field("vs-value", t("vault.value"), (x) => { value = x; }, true)}${field("vs-type", t("vault.content-type"), (x) => { type = x.trim(); })}<p class="t3 sm">${t("vault.recorded")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("vault.save"), primary: true, run: async () => {
        if (!/^[0-9A-Za-z-]{1,127}$/.test(name)) throw new Error(t("vault.bad-name"));
        if (!value) throw new Error(t("vault.no-value"));
        await act({ text: t("vault.made", { name }), run: () => tell(v, `secrets/${seg(name)}`, "PUT", { value, ...(type ? { contentType: type } : {}) }), undo: () => tell(v, `secrets/${seg(name)}`, "DELETE") });
        return name;
      } }] });
    value = "";
    if (made) go(href("/vaults/{vault}/secrets/{secret}", { vault: v, secret: made }));
  }
  async #rotateKey(name: string): Promise<void> {
    await confirmImpact({ title: t("vault.rotate-key", { name }), act: t("vault.rotate"), undo: t("vault.rotate-undo"), impact: { changes: [t("vault.rotate-effect", { name })] }, run: () => act({ text: t("vault.rotated", { name }), run: () => tell(this.params.vault, `keys/${seg(name)}/rotate`, "POST") }) });
    void this.objects.run();
  }

  body(): unknown {
    switch (this.#tab) {
      case "access": return html`<section class="card">${this.access.show((all) => this.#assignments(all))}</section>`;
      case "activity": return html`<section class="card">${this.activity.show((rows) => html`<div class="tw" tabindex="0"><table class="g"><thead><tr><th>TimeGenerated</th><th>OperationName</th><th>${t("vault.object")}</th><th>${t("vault.caller")}</th><th>CallerIpAddress</th><th class="n">HttpStatusCode</th></tr></thead><tbody>${rows.map((r) => html`<tr><td>${stamp(String(r.TimeGenerated))}</td><td>${r.OperationName}</td><td title=${String(r.Object)}>${r.Object}</td><td>${r.Caller || "-"}</td><td>${r.CallerIpAddress || "-"}</td><td class="n ${Number(r.HttpStatusCode) >= 400 ? "c-high" : ""}">${r.HttpStatusCode}</td></tr>`)}</tbody></table></div>`, { empty: () => html`<p class="state">${t("vault.no-activity", { time: timespan(this.range) })}</p>` })}</section>`;
      case "json": return html`<section class="card">${this.vault.show((v) => html`<pre class="mono" tabindex="0">${JSON.stringify(v, null, 2)}</pre>`)}</section>`;
    }
    return html`<section class="card" aria-label=${t(`vault.tab.${this.#kind}`)}><header><h2>${t(`vault.tab.${this.#kind}`)}</h2><label class="field end"><rf-icon n="search"></rf-icon><input type="search" aria-label=${t("vault.search")} placeholder=${t("vault.search")} .value=${this.q("f")} @input=${(e: Event) => this.setQ({ f: (e.target as HTMLInputElement).value })}></label></header>
      ${this.objects.show((all) => this.#list(all), { empty: () => (this.#kind === "secrets" ? emptyState(t("vault.none.secrets"), { text: t("vault.new-secret"), run: () => void this.#newSecret() }) : html`<p class="state">${t(`vault.none.${this.#kind}`)}</p>`) })}</section>`;
  }
  #list(all: Found[]): unknown {
    const wanted = this.q("f").toLowerCase(), rows = all.filter((f) => f.name.toLowerCase().includes(wanted)), kind = this.#kind;
    if (!rows.length) return filteredEmpty(this.q("f"), all.length, () => this.setQ({ f: null }));
    return html`<rf-grid name=${`vault-${kind}`} .label=${t(`vault.tab.${kind}`)} .rows=${rows} .rowKey=${(f: Found) => f.name} .current=${this.q("sel")} .sort=${this.q("sort", "name")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })}
      @rf-open=${(e: CustomEvent<{ row: Found }>) => { if (kind === "secrets") go(href("/vaults/{vault}/secrets/{secret}", { vault: this.params.vault, secret: e.detail.row.name })); else void this.#show(e.detail.row); }}
      .columns=${[
        { id: "name", head: t("vault.name"), value: (f: Found) => f.name, cell: (f: Found) => (kind === "secrets" ? html`<a class="nm" href=${href("/vaults/{vault}/secrets/{secret}", { vault: this.params.vault, secret: f.name })}>${f.name}</a>` : html`<button class="linklike nm" @click=${() => void this.#show(f)}>${f.name}</button>`) },
        { id: "state", head: t("vault.state"), width: 120, value: (f: Found) => standing(asAttributes(f)), cell: (f: Found) => stateMark(asAttributes(f)) },
        { id: "type", head: t("vault.content-type"), width: 180, value: (f: Found) => f.contentType ?? "", cell: (f: Found) => f.contentType || "-" },
        { id: "updated", head: t("vault.updated"), width: 130, value: (f: Found) => f.updated, cell: (f: Found) => when(date(f.updated)!) },
        { id: "expires", head: t("vault.ends"), width: 130, value: (f: Found) => f.expires ?? Infinity, cell: (f: Found) => (f.expires ? when(date(f.expires)!) : "-") },
        { id: "read", head: t("vault.last-read"), width: 130, value: (f: Found) => f.lastRead ?? 0, cell: (f: Found) => (f.lastRead ? when(date(f.lastRead)!) : t("vault.never")) },
      ]}></rf-grid>`;
  }
  async #show(f: Found): Promise<void> {
    const kind = this.#kind, got = await ask<Record<string, unknown>>(this.params.vault, `${kind}/${seg(f.name)}`);
    await openDialog({ title: f.name, wide: true, body: () => html`<rf-inspector .value=${got} .open=${2}></rf-inspector>`, acts: [...(kind === "keys" ? [{ text: t("vault.rotate"), run: async () => { await this.#rotateKey(f.name); return undefined; } }] : []), { text: t("act.close"), primary: true }] });
  }
  #assignments(all: Resource[]): unknown {
    return html`<div class="tw" tabindex="0"><table class="g"><thead><tr><th>${t("vault.who")}</th><th>${t("vault.role")}</th><th>${t("vault.at")}</th></tr></thead><tbody>${all.map((a) => html`<tr><td class="mono" title=${a.properties.principalId}>${a.properties.principalId} <span class="t3">${a.properties.principalType}</span></td><td title=${a.properties.roleDefinitionId}>${a.properties.roleDefinitionName ?? String(a.properties.roleDefinitionId).split("/").pop()}</td><td title=${a.properties.scope}>${a.properties.scope}</td></tr>`)}</tbody></table></div>`;
  }
}
