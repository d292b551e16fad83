// Applications: their addresses, secrets and certificates, and how to add one that people sign in to.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { graphDelete, graphList, graphPost } from "../../data/graph";
import { session } from "../../data/session";
import { stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { copyText, curlLine } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import { emptyState } from "../../shell/page";
import { act } from "../../shell/tray";
import { choice, field, type Frame, showOnce, type Tab } from "./frame";

const soon = 30 * 86400e3, kinds = ["web", "spa", "publicClient"] as const, local = /^(localhost|127\.0\.0\.1)$/;
/** The secret or certificate of an application that ends first. */
const ends = (a: any): string => [...(a.passwordCredentials ?? []), ...(a.keyCredentials ?? [])].map((c: any) => String(c.endDateTime)).sort()[0] ?? "";
const isLate = (end: string): boolean => !!end && Date.parse(end) - Date.now() < soon;
const uris = (a: any): string[] => kinds.flatMap((k) => a[k]?.redirectUris ?? []);
const isUri = (text: string, kind: string): boolean => { try { const u = new URL(text); return u.protocol === "https:" || local.test(u.hostname) || kind === "publicClient"; } catch { return false; } };
const password = async (app: string, name: string, months: number): Promise<string> => (await graphPost<any>(`applications/${app}/addPassword`, { passwordCredential: { displayName: name, endDateTime: new Date(Date.now() + months * 30 * 86400e3).toISOString() } })).secretText;

export class Apps implements Tab {
  apps;
  constructor(private page: Frame) { this.apps = page.load<any[]>((signal) => graphList("applications", { signal, query: { $top: 999 } }), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Application Administrator", on: session().tenant.name }), empty: () => false }); }
  get text() { return t("identity.apps"); }
  open() { if (!this.apps.at) void this.apps.run(); }
  again() { void this.apps.run(); }
  acts() { return [{ text: t("identity.new-app"), icon: "plus", primary: true, run: () => void this.#create() }]; }
  keys() { return [{ key: "n", text: t("identity.new-app"), run: () => void this.#create() }]; }
  copyAs() { return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", "/v1.0/applications") }, { kind: "json" as const, text: () => JSON.stringify(this.apps.value ?? [], null, 2) }, { kind: "az" as const, text: "az ad app list --all" }]; }

  // ---- acts ----
  #months = (months: number, set: (n: number) => void) => field(t("identity.secret-months"), String(months), (v) => set(Number(v)), { type: "number", min: 1, max: 24 });
  #create = async () => {
    let name = "", urls = "", kind = "web", months = 6;
    const made = await openDialog<{ app: any; secret: string }>({
      title: t("identity.new-app"), wide: true,
      body: (d) => html`<p class="t2">${t("identity.new-app-text")}</p>${field(t("identity.c-name"), name, (v) => { name = v.trim(); }, { focus: true })}${choice(t("identity.app-kind"), kind, [{ value: "web", text: t("identity.app-web") }, { value: "spa", text: t("identity.app-spa") }, { value: "publicClient", text: t("identity.app-public") }], (v) => { kind = v; d.draw(); })}
        <label class="stack">${t("identity.redirects")}<textarea class="in mono" rows="3" .value=${urls} @input=${(e: Event) => { urls = (e.target as HTMLTextAreaElement).value; }}></textarea></label>${kind === "web" ? this.#months(months, (n) => { months = n; }) : nothing}`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.new-app"), primary: true, run: async () => {
        const list = urls.split("\n").map((x) => x.trim()).filter(Boolean), bad = list.find((x) => !isUri(x, kind));
        if (!name) throw new ApiError(400, "NameMissing", t("identity.name-needed"));
        if (bad) throw new ApiError(400, "RedirectWrong", t("identity.redirect-fault", { url: bad }));
        let app: any, secret = "";
        await act({ text: t("identity.app-made", { name }), undo: () => graphDelete(`applications/${app.id}`).then(() => this.apps.run()), run: async () => {
          app = await graphPost("applications", { displayName: name, signInAudience: "AzureADMyOrg", [kind]: { redirectUris: list } });
          await graphPost("servicePrincipals", { appId: app.appId });
          if (kind === "web") secret = await password(app.id, "portal", months);
        } });
        return { app, secret };
      } }],
    });
    if (!made) return;
    await this.apps.run();
    this.page.setQ({ sel: made.app.id });
    const at = `${session().origin}/${session().tenant.id}`, values = [["client_id", made.app.appId], ...(made.secret ? [["client_secret", made.secret]] : []), ["auth_url", `${at}/oauth2/v2.0/authorize`], ["token_url", `${at}/oauth2/v2.0/token`], ["issuer", `${at}/v2.0`], ["scopes", "openid profile email"]];
    await openDialog({ title: t("identity.app-ready", { name: made.app.displayName }), wide: true, body: () => html`${made.secret ? html`<div class="note warn"><rf-icon n="key"></rf-icon><span>${t("identity.once")}</span></div>` : nothing}<dl class="kv">${values.map(([k, v]) => html`<dt class="mono">${k}</dt><dd class="row"><code class="secret grow">${v}</code><button type="button" class="btn s quiet ic" aria-label=${t("act.copy")} @click=${() => void copyText(v, k)}><rf-icon n="copy"></rf-icon></button></dd>`)}</dl>`, acts: [{ text: t("identity.noted"), primary: true, run: (d) => { d.close(); return undefined; } }] });
  };
  #secret = async (a: any) => {
    let text = "", months = 6;
    const title = t("identity.secret-title", { name: a.displayName });
    const value = await openDialog<string>({ title, body: () => html`${field(t("identity.c-name"), text, (v) => { text = v; }, { focus: true })}${this.#months(months, (n) => { months = n; })}`,
      acts: [{ text: t("act.cancel") }, { text: t("identity.secret-new"), primary: true, run: async () => { let v = ""; await act({ text: t("identity.secret-made", { name: a.displayName }), run: async () => { v = await password(a.id, text.trim() || "portal", months); } }); return v; } }] });
    if (value) { await showOnce(title, value, ""); void this.apps.run(); }
  };
  #dropSecret = async (a: any, c: any) => {
    const name = a.displayName;
    if (await confirmImpact({ title: t("identity.drop-title", { name: c.displayName || c.hint || c.keyId }), act: t("identity.remove"), danger: true, word: name, impact: { changes: [t("identity.drop-effect", { name })] }, run: () => act({ text: t("identity.dropped", { name }), run: () => graphPost(`applications/${a.id}/removePassword`, { keyId: c.keyId }) }) })) void this.apps.run();
  };
  #delete = async (a: any) => {
    const name = a.displayName;
    if (await confirmImpact({ title: t("identity.app-delete", { name }), act: t("act.delete"), danger: true, word: name, impact: { changes: [t("identity.app-delete-effect")] }, run: () => act({ text: t("identity.app-deleted", { name }), run: () => graphDelete(`applications/${a.id}`) }) })) { this.page.closePane(); void this.apps.run(); }
  };

  // ---- list and pane ----
  body() {
    const p = this.page, a = this.apps.value?.find((x) => x.id === p.q("sel")), time = (end: string, calm = "") => html`<time class=${isLate(end) ? "late" : calm} title=${stamp(end)}>${when(end)}</time>`;
    const columns: GridColumn[] = [{ id: "displayName", head: t("identity.c-name"), min: 170, cell: (x) => html`<b class="nm">${x.displayName}</b>` }, { id: "appId", head: "Client id", min: 260, cell: (x) => html`<code>${x.appId}</code>` }, { id: "n", head: t("identity.c-secrets"), width: 96, num: true, value: (x) => (x.passwordCredentials?.length ?? 0) + (x.keyCredentials?.length ?? 0) }, { id: "ends", head: t("identity.c-ends"), width: 120, num: true, value: ends, cell: (x) => (ends(x) ? time(ends(x)) : html`<span class="t3">-</span>`) }];
    const list = this.apps.show((all) => {
      const rows = all.filter((x) => (!p.text || `${x.displayName} ${x.appId}`.toLowerCase().includes(p.text)) && p.passes("ends", isLate(ends(x)) ? "soon" : ""));
      return !all.length ? emptyState(t("identity.none-apps"), { text: t("identity.new-app"), run: () => void this.#create() }) : rows.length ? p.grid("apps", columns, rows, "displayName") : p.filtered(all.length);
    });
    const secret = (c: any) => html`<li><rf-icon n="key"></rf-icon><span class="grow">${c.displayName ?? "-"} <span class="t3">${c.hint ? `${c.hint}…` : ""}</span></span>${time(c.endDateTime, "t3")}<button class="btn s quiet" @click=${() => void this.#dropSecret(a, c)}>${t("identity.remove")}</button></li>`;
    const certificate = (c: any) => html`<li><rf-icon n="file"></rf-icon><span class="grow">${c.displayName ?? "-"} <span class="t3">${c.type ?? ""}</span></span>${time(c.endDateTime, "t3")}</li>`;
    return html`<section class="card" aria-label=${t("identity.apps")}>${p.bar(t("identity.search-name"), { ends: [{ value: "soon", text: t("identity.in-30") }] })}${list}</section>
      ${a ? p.pane(a.displayName, html`<code>${a.appId}</code>`, html`<div class="sec"><h3>${t("identity.redirects")}</h3>${uris(a).length ? uris(a).map((u) => html`<p class="mono any">${u}</p>`) : html`<p class="t3">${t("identity.no-redirects")}</p>`}</div>
        <div class="sec"><h3>${t("identity.c-secrets")}</h3>${a.passwordCredentials?.length || a.keyCredentials?.length ? html`<ul class="rows">${(a.passwordCredentials ?? []).map(secret)}${(a.keyCredentials ?? []).map(certificate)}</ul>` : html`<p class="t3">${t("identity.no-secrets")}</p>`}</div>`,
        html`<button class="btn pri" @click=${() => void this.#secret(a)}>${t("identity.secret-new")}</button><button class="btn danger end" @click=${() => void this.#delete(a)}>${t("act.delete")}</button>`) : p.none(t("identity.choose-app"))}`;
  }
}
