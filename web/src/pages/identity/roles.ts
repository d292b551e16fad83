// Role assignments, of the directory and of resources: who has what where; giving and taking.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { directoryRoles, giveRole, listRoles, resourceRoles, type RoleDefinition, type RoleRow, soft, takeRole, type User } from "../../data/people";
import { session } from "../../data/session";
import { t } from "../../i18n";
import { curlLine, csv } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import type { GridColumn } from "../../parts/grid";
import { confirmImpact } from "../../parts/impact";
import { href } from "../../router";
import { act } from "../../shell/tray";
import { choice, field, type Frame, type Tab } from "./frame";

/** "/subscriptions/…/vaults/kv" as "vaults/kv"; the root and the directory in words. */
export const scopeWords = (r: { scope: string; directory: boolean }): string => (r.directory ? t("identity.directory") : r.scope === "/" ? t("identity.everything") : /^\/subscriptions\/[^/]+$/.test(r.scope) ? t("identity.s-subscription") : r.scope.split("/").slice(-2).join("/"));

/** Gives a role; `who` is fixed or asked for. True when one was given. */
export async function giveDialog(page: Frame, who?: User): Promise<boolean> {
  const [dir, arm] = await Promise.all([soft(directoryRoles()), soft(resourceRoles())]);
  const all = [...(dir instanceof Error ? [] : dir), ...(arm instanceof Error ? [] : arm)].sort((a, b) => a.name.localeCompare(b.name)), s = session();
  const scopes = [{ value: s.workspace.id, text: t("identity.s-workspace", { name: s.workspace.name }) }, { value: `/subscriptions/${s.subscription}/resourceGroups/${s.resourceGroup}`, text: t("identity.s-group", { name: s.resourceGroup }) }, { value: `/subscriptions/${s.subscription}`, text: t("identity.s-subscription") }, { value: "/", text: t("identity.everything") }, { value: "other", text: t("identity.s-other") }];
  let kind = dir instanceof Error || (!(arm instanceof Error) && !!who) ? "arm" : "directory", role = "", scope = scopes[0].value, other = "", name = who?.userPrincipalName ?? "";
  const one = (): RoleDefinition | undefined => all.find((r) => r.id === role && r.directory === (kind === "directory"));
  const done = await openDialog<true>({
    title: t("identity.give"),
    body: (d) => {
      const these = all.filter((r) => r.directory === (kind === "directory")), redraw = <T>(f: (v: T) => void) => (v: T) => { f(v); d.draw(); };
      return html`${page.datalist()}${who ? html`<p><b>${who.displayName}</b> <span class="t2">${who.userPrincipalName}</span></p>` : field(t("identity.c-user"), name, (v) => { name = v; }, { list: "identity-users", focus: true })}
        ${choice(t("identity.c-kind"), kind, [{ value: "arm", text: t("identity.k-arm") }, { value: "directory", text: t("identity.k-directory") }], redraw((v) => { kind = v; role = ""; }))}
        ${choice(t("identity.c-role"), role, [{ value: "", text: t("identity.choose-role") }, ...these.map((r) => ({ value: r.id, text: r.name }))], redraw((v) => { role = v; }))}
        ${one()?.description ? html`<p class="cap">${one()!.description}</p>` : nothing}
        ${kind === "arm" ? html`${choice(t("identity.c-scope"), scope, scopes, redraw((v) => { scope = v; }))}${scope === "other" ? field(t("identity.s-id"), other, (v) => { other = v; }, { mono: true }) : nothing}` : nothing}
        <p class="t2">${t("identity.give-effect")}</p>`;
    },
    acts: [{ text: t("act.cancel") }, { text: t("identity.give-now"), primary: true, run: async () => {
      const r = one(), at = scope === "other" ? other.trim() : scope;
      let u: User;
      try { u = who ?? page.userOf(name); } catch (e) { throw new ApiError(400, "NoSuchPerson", (e as Error).message); }
      if (!r) throw new ApiError(400, "RoleMissing", t("identity.role-needed"));
      if (kind === "arm" && !at.startsWith("/")) throw new ApiError(400, "ScopeWrong", t("identity.scope-needed"));
      let id = "";
      await act({ text: t("identity.given", { role: r.name, name: u.displayName }), run: async () => { id = await giveRole(r, { id: u.id, kind: "user" }, at); }, undo: () => takeRole(id, r.directory).then(() => page.tab.again()) });
      return true as const;
    } }],
  });
  return done === true;
}

export class Roles implements Tab {
  roles;
  constructor(private page: Frame) { this.roles = page.load<{ rows: RoleRow[]; armError?: Error }>((signal) => listRoles(signal), { auto: false, what: () => t("identity.reading"), needs: () => ({ role: "Privileged Role Administrator", on: session().tenant.name }), empty: () => false }); }
  get text() { return t("identity.roles"); }
  open() { void this.roles.run(); }
  again() { void this.roles.run(); }
  get #one(): RoleRow | undefined { return this.roles.value?.rows.find((r) => r.id === this.page.q("sel")); }
  acts() { return [{ text: t("identity.give"), icon: "plus", primary: true, run: () => void this.#give() }]; }
  #give = async () => { if (await giveDialog(this.page)) void this.roles.run(); };
  #take = async (r: RoleRow) => {
    const words = { role: r.role, name: r.who, scope: scopeWords(r) }, role: RoleDefinition = { id: r.roleId, name: r.role, description: "", directory: r.directory };
    const done = await confirmImpact({ title: t("identity.take-title", words), act: t("identity.take"), danger: true, impact: { changes: [t("identity.take-effect", words), ...(r.principalId === session().user.id ? [t("identity.take-own")] : [])] }, undo: t("identity.tray-undo"),
      run: () => act({ text: t("identity.taken", words), run: () => takeRole(r.id, r.directory), undo: () => giveRole(role, { id: r.principalId, kind: r.kind }, r.scope || "/").then(() => this.page.tab.again()) }) });
    if (done) { this.page.closePane(); void this.roles.run(); }
  };
  keys() { return [{ key: "n", text: t("identity.give"), run: () => void this.#give() }, { key: "d", text: t("identity.take"), run: () => { if (this.#one) void this.#take(this.#one); } }]; }
  #rows(): RoleRow[] { const p = this.page; return (this.roles.value?.rows ?? []).filter((r) => (!p.text || `${r.who} ${r.role} ${r.scope} ${scopeWords(r)}`.toLowerCase().includes(p.text)) && p.passes("on", r.directory ? "directory" : "arm")); }
  copyAs() {
    return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", `/subscriptions/${session().subscription}/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01`) }, { kind: "az" as const, text: "az role assignment list --all" },
      { kind: "json" as const, text: () => JSON.stringify(this.#rows(), null, 2) }, { kind: "csv" as const, text: () => csv(["Who", "Kind", "Role", "Scope"], this.#rows().map((r) => [r.who, r.kind, r.role, r.directory ? "directory" : r.scope])) }];
  }
  body() {
    const p = this.page, r = this.#one;
    const columns: GridColumn<RoleRow>[] = [{ id: "who", head: t("identity.c-who"), min: 160, value: (x) => x.who, cell: (x) => html`<b class="nm">${x.who}</b>` }, { id: "kind", head: t("identity.c-kind"), width: 130, value: (x) => x.kind }, { id: "role", head: t("identity.c-role"), min: 200, value: (x) => x.role }, { id: "scope", head: t("identity.c-scope"), min: 170, value: (x) => x.scope, cell: (x) => html`<span title=${x.scope}>${scopeWords(x)}</span>` }];
    const list = this.roles.show((v) => { const rows = this.#rows(); return html`${v.armError ? html`<div class="note warn in-card"><rf-icon n="lock"></rf-icon><span>${t("identity.no-arm")}</span></div>` : nothing}${rows.length ? p.grid("roles", columns, rows, "who") : p.filtered(v.rows.length)}`; }, { skeleton: 10 });
    return html`<section class="card" aria-label=${t("identity.roles")}>${p.bar(t("identity.search-roles"), { on: [{ value: "directory", text: t("identity.k-directory") }, { value: "arm", text: t("identity.k-arm") }] })}${list}</section>
      ${r ? p.pane(r.role, html`<span class="t2">${r.who}</span>`, html`<div class="sec"><dl class="kv"><dt>${t("identity.c-who")}</dt><dd>${r.kind === "user" ? html`<a href=${href("/identity", {}, { sel: r.principalId })}>${r.who}</a>` : r.who} <span class="t3">${r.kind}</span></dd><dt>${t("identity.c-scope")}</dt><dd class="any">${r.directory ? t("identity.directory") : r.scope === "/" ? t("identity.everything") : html`<a href=${href("/resources/{id*}", { id: r.scope })}>${r.scope}</a>`}</dd><dt>${t("identity.assignment")}</dt><dd class="any"><code>${r.id.split("/").pop()}</code></dd></dl></div>`,
        html`<button class="btn" @click=${() => void this.#take(r)}>${t("identity.take")}</button>`) : p.none(t("identity.choose-assignment"))}`;
  }
}
