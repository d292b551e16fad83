// Key vaults: all of them, what ends soon, and what nobody reads.
import { html } from "lit";
import { list, type Resource } from "../../data/arm";
import { session } from "../../data/session";
import { duration, num, when } from "../../data/time";
import { date, type Found, report } from "../../data/vault";
import { t } from "../../i18n";
import "../../parts/grid";
import { go, href } from "../../router";
import { emptyState, Page, type Head, type Key } from "../../shell/page";
import "./page.css";

const day = 86400, address = (f: Found) => (f.kind === "secrets" ? href("/vaults/{vault}/secrets/{secret}", { vault: f.vaultName, secret: f.name }) : `${href("/vaults/{vault}", { vault: f.vaultName })}?tab=${f.kind}&sel=${encodeURIComponent(f.name)}`);

export default class extends Page {
  bodyClass = "p-vaults";
  vaults = this.load(async (signal) => {
    const [all, found] = await Promise.all([list(`/subscriptions/${session().subscription}/providers/Microsoft.KeyVault/vaults`, { signal }), report("search", {}, signal).catch(() => null)]);
    return all.map((v) => ({ v, counts: found && ["secrets", "keys", "certificates"].map((k) => found.value.filter((f) => f.kind === k && f.vaultName === v.name).length) }));
  }, { what: () => t("vaults.reading"), needs: () => ({ role: "Reader", on: session().subscription }) });
  ending = this.load((signal) => report("expiring", { days: 30, past: 30 }, signal).then((r) => r.value), { needs: () => ({ role: "Key Vault Reader", on: session().vault }) });
  unread = this.load((signal) => report("unused", { days: 90 }, signal).then((r) => r.value), { needs: () => ({ role: "Key Vault Reader", on: session().vault }) });

  head(): Head { return { title: t("page.vaults"), acts: [{ text: t("vaults.new"), icon: "plus", href: `${href("/resources")}?new=Microsoft.KeyVault/vaults` }] }; }
  keys(): Key[] { return [{ key: "/", text: t("vaults.search"), run: () => this.querySelector<HTMLElement>("input[type=search]")?.focus() }]; }
  copyAs() { return [{ kind: "kql" as const, text: "AZKVAuditLogs\n| where TimeGenerated > ago(1d)\n| summarize Requests = count(), Refused = countif(HttpStatusCode >= 400) by Vault = tostring(split(_ResourceId, \"/\")[-1])" }, { kind: "ringfort" as const, text: "ringfort resource list Microsoft.KeyVault/vaults" }]; }

  body(): unknown {
    type Row = { v: Resource; counts: number[] | null };
    const wanted = this.q("f").toLowerCase();
    return html`
      <section class="card all" aria-label=${t("vaults.all")}><header><h2>${t("vaults.all")}</h2><label class="field end"><rf-icon n="search"></rf-icon><input type="search" aria-label=${t("vaults.search")} placeholder=${t("vaults.search")} .value=${this.q("f")} @input=${(e: Event) => this.setQ({ f: (e.target as HTMLInputElement).value })}></label></header>
        ${this.vaults.show((rows) => html`<rf-grid name="vaults" .label=${t("vaults.all")} .rows=${rows.filter((r) => r.v.name.toLowerCase().includes(wanted))} .rowKey=${(r: Row) => r.v.name} .sort=${this.q("sort", "name")} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail })} @rf-open=${(e: CustomEvent<{ row: Row }>) => go(href("/vaults/{vault}", { vault: e.detail.row.v.name }))}
          .columns=${[
            { id: "name", head: t("vaults.name"), value: (r: Row) => r.v.name, cell: (r: Row) => html`<a class="nm" href=${href("/vaults/{vault}", { vault: r.v.name })}>${r.v.name}</a>` },
            { id: "secrets", head: t("vaults.secrets"), num: true, width: 78, value: (r: Row) => r.counts?.[0], cell: (r: Row) => num(r.counts?.[0]) },
            { id: "keys", head: t("vaults.keys"), num: true, width: 74, value: (r: Row) => r.counts?.[1], cell: (r: Row) => num(r.counts?.[1]) },
            { id: "certificates", head: t("vaults.certificates"), num: true, width: 100, value: (r: Row) => r.counts?.[2], cell: (r: Row) => num(r.counts?.[2]) },
            { id: "model", head: t("vaults.model"), width: 98, value: (r: Row) => (r.v.properties?.enableRbacAuthorization ? t("vaults.roles") : t("vaults.policies")) },
            { id: "network", head: t("vaults.network"), width: 132, value: (r: Row) => (r.v.properties?.publicNetworkAccess === "Disabled" ? t("vaults.closed") : r.v.properties?.networkAcls?.defaultAction === "Deny" ? t("vaults.listed") : t("vaults.any")) },
            { id: "purge", head: t("vaults.purge"), width: 124, value: (r: Row) => (r.v.properties?.enablePurgeProtection ? t("vaults.yes") : t("vaults.no")) },
          ]}></rf-grid>`, { empty: () => emptyState(t("vaults.none"), { text: t("vaults.new"), href: `${href("/resources")}?new=Microsoft.KeyVault/vaults` }) })}</section>
      <section class="card" aria-label=${t("vaults.ending")}><header><h2>${t("vaults.ending")}</h2><span class="end">${t("vaults.ending-in")}</span></header>
        ${this.ending.show((all) => html`<ul class="lst scroll" tabindex="0">${all.map((f) => html`<li><rf-state s=${f.expired ? "fail" : f.renews ? "ok" : "partial"} bare word=${f.expired ? t("vaults.ended") : f.renews ? t("vaults.renews") : t("vaults.ends")}></rf-state><a class="nm grow ell" href=${address(f)}>${f.vaultName} / ${f.name}</a><span class=${f.expired ? "c-high" : "t3"}>${f.expired ? t("vaults.ended-on", { time: when(date(f.expires)!) }) : f.renews ? t("vaults.renews-on", { time: when(date(f.renewsAt ?? f.expires)!) }) : t("vaults.left", { time: duration((f.daysLeft ?? 0) * day * 1000) })}</span></li>`)}</ul>`, { empty: () => html`<p class="state">${t("vaults.none-ending")}</p>` })}</section>
      <section class="card" aria-label=${t("vaults.unread")}><header><h2>${t("vaults.unread")}</h2><span class="end">${t("vaults.unread-for")}</span></header>
        ${this.unread.show((all) => html`<ul class="lst scroll" tabindex="0">${all.map((f) => html`<li><a class="nm grow ell" href=${address(f)}>${f.vaultName} / ${f.name}</a><span class="t3">${f.neverRead ? t("vaults.never") : t("vaults.days", { n: f.unusedDays ?? 0 })}</span></li>`)}</ul>`, { empty: () => html`<p class="state">${t("vaults.none-unread")}</p>` })}</section>`;
  }
}
