import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { graph, graphDelete, graphList, graphPost } from "../../data/graph";
import { session } from "../../data/session";
import { ago, stamp } from "../../data/time";
import { t } from "../../i18n";
import { copyText, curlLine } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import { type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import { addPasskey, canPasskey } from "./passkey";
import "./page.css";

interface Method { "@odata.type": string; id: string; displayName?: string; createdDateTime?: string }
interface Session { id: string; isCurrent?: boolean; ipAddress?: string; userAgent?: string; createdDateTime?: string; lastSeenDateTime?: string; applications?: { displayName?: string; appId: string }[] }
/** Kinds by what Graph calls them, with the collection that each is deleted from. */
const kinds: Record<string, { kind: string; icon: string; at?: string }> = {
  passwordAuthenticationMethod: { kind: "password", icon: "key" }, softwareOathAuthenticationMethod: { kind: "authenticator", icon: "clock", at: "softwareOathMethods" },
  fido2AuthenticationMethod: { kind: "passkey", icon: "shield", at: "fido2Methods" }, temporaryAccessPassAuthenticationMethod: { kind: "pass", icon: "door" },
};
const kindOf = (m: Method) => kinds[m["@odata.type"].replace("#microsoft.graph.", "")] ?? { kind: /recovery/i.test(m["@odata.type"]) ? "recovery" : "other", icon: "copy" };
/** What a browser says of itself, as people call it. Brands that name others too come first. */
const program = (agent = ""): string => { const name = ([["Edge", "Edg/"], ["Opera", "OPR/"], ["Firefox", "Firefox/"], ["Chrome", "Chrome/"], ["Safari", "Safari/"]] as const).find(([, mark]) => agent.includes(mark))?.[0], on = ["Windows", "Android", "iPhone", "iPad", "Mac OS", "Linux"].find((x) => agent.includes(x)); return [name, on].filter(Boolean).join(", "); };
/** Everything is proved anew, and the page opens with what was wanted. */
const again = (what: string) => { location.href = `/portal/signin?strong=1&return=${encodeURIComponent(`/portal/account?do=${what}`)}`; };

export default class extends Page {
  bodyClass = "p-account";
  methods = this.load<Method[]>((signal) => graph<{ value: Method[] }>("me/authentication/methods", { signal }).then((r) => r.value), { what: () => t("account.reading") });
  sessions = this.load<Session[]>((signal) => graphList<Session>("me/ringfort.sessions", { signal }).then((all) => all.sort((a, b) => Number(!!b.isCurrent) - Number(!!a.isCurrent) || (b.lastSeenDateTime ?? "").localeCompare(a.lastSeenDateTime ?? ""))), { what: () => t("account.reading") });

  connectedCallback() { super.connectedCallback(); const wanted = this.q("do"); if (wanted) { this.setQ({ do: null }); this.#do(wanted); } }
  head(): Head { return { title: t("page.account"), acts: [{ text: t("account.change-password"), icon: "key", run: () => this.#do("password") }, { text: t("account.add-authenticator"), icon: "plus", run: () => this.#do("authenticator") }, { text: t("account.add-passkey"), icon: "plus", primary: true, run: () => this.#do("passkey") }] }; }
  keys(): Key[] { return [{ key: "p", text: t("account.add-passkey"), run: () => this.#do("passkey") }, { key: "a", text: t("account.add-authenticator"), run: () => this.#do("authenticator") }, { key: "c", text: t("account.codes"), run: () => this.#do("codes") }, { key: "r", text: t("palette.reload"), run: () => this.reload() }]; }
  copyAs() { return [{ kind: "curl" as const, text: curlLine(location.origin, "GET", "/v1.0/me/authentication/methods") }, { kind: "json" as const, text: () => JSON.stringify({ methods: this.methods.value, sessions: this.sessions.value }, null, 2) }]; }

  #do(what: string) {
    if (what === "passkey") void this.#passkey();
    else if (what === "password") void this.#password();
    else if (what === "codes") void this.#codes();
    else if (what === "authenticator") void this.#authenticator();
  }
  /** What the server only does behind a new sign-in is asked for by one. */
  async #fresh<R>(what: string, run: () => Promise<R>): Promise<R | undefined> {
    try { return await run(); }
    catch (e) {
      if (!(e instanceof ApiError && e.code === "FreshSignInRequired")) throw e;
      await openDialog({ title: t("account.prove"), body: () => html`<p>${t("account.prove-why")}</p>`, acts: [{ text: t("act.cancel") }, { text: t("account.prove-now"), primary: true, run: () => { again(what); return undefined; } }] });
      return undefined;
    }
  }
  async #passkey() {
    if (!canPasskey()) { await openDialog({ title: t("account.add-passkey"), body: () => html`<p>${t("account.no-passkeys")}</p>` }); return; }
    let name = "";
    await openDialog({ title: t("account.add-passkey"), body: () => html`<p>${t("account.passkey-how")}</p><label class="stack">${t("account.name")}<input class="in" maxlength="64" placeholder=${t("account.name-example")} @input=${(e: Event) => { name = (e.target as HTMLInputElement).value.trim(); }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("account.add"), primary: true, run: async (d) => {
        let needed = false;
        try { await addPasskey(name || t("account.passkey")); }
        catch (e) { if (e instanceof DOMException) throw new Error(t(e.name === "InvalidStateError" ? "account.has-passkey" : "account.not-made")); if (e instanceof ApiError && e.code === "FreshSignInRequired") needed = true; else throw e; }
        if (needed) { again("passkey"); return undefined; }
        d.close();
        void this.methods.run();
        return undefined;
      } }] });
  }
  async #authenticator() {
    const has = this.methods.value?.some((m) => kindOf(m).kind === "authenticator");
    await openDialog({ title: t("account.add-authenticator"), body: () => html`<p>${has ? t("account.one-authenticator") : t("account.authenticator-how")}</p>`, acts: has ? undefined : [{ text: t("act.cancel") }, { text: t("account.prove-now"), primary: true, run: () => { again(""); return undefined; } }] });
  }
  async #codes() {
    await this.#fresh("codes", async () => {
      const { codes } = await graphPost<{ codes: string[] }>("me/authentication/recoveryCodes", {});
      void this.methods.run();
      await openDialog({ title: t("account.codes"), body: () => html`<p>${t("account.codes-how")}</p><ol class="codes mono">${codes.map((c) => html`<li>${c}</li>`)}</ol>`, acts: [{ text: t("account.copy"), run: async () => { await copyText(codes.join("\n"), t("account.codes")); return undefined; } }, { text: t("account.kept"), primary: true, run: (d) => { d.close(); return undefined; } }] });
    });
  }
  async #password() {
    const field = { now: "", next: "", again: "" }, one = (k: keyof typeof field, label: string, complete: string) => html`<label class="stack">${label}<input class="in" type="password" autocomplete=${complete} @input=${(e: Event) => { field[k] = (e.target as HTMLInputElement).value; }}></label>`;
    const done = await openDialog<boolean>({ title: t("account.change-password"), body: () => html`${one("now", t("account.password-now"), "current-password")}${one("next", t("account.password-next"), "new-password")}${one("again", t("account.password-again"), "new-password")}<p class="t3 sm">${t("account.password-rules")}</p>`,
      acts: [{ text: t("act.cancel") }, { text: t("account.change"), primary: true, run: async () => {
        if (field.next !== field.again) throw new Error(t("account.not-same"));
        await graphPost("me/changePassword", { currentPassword: field.now, newPassword: field.next });
        return true;
      } }] });
    if (done) { void this.methods.run(); void this.sessions.run(); }
  }
  async #remove(m: Method) {
    const k = kindOf(m), name = m.displayName || t(`account.k-${k.kind}`);
    await openDialog({ title: t("account.remove-of", { name }), body: () => html`<p>${t("account.remove-effect")}</p>`, acts: [{ text: t("act.cancel") }, { text: t("account.remove"), primary: true, danger: true, run: async (d) => {
      d.close();
      await this.#fresh("", () => act({ text: t("account.removed", { name }), run: () => graphDelete(`me/authentication/${k.at}/${m.id}`) }));
      void this.methods.run();
      return undefined;
    } }] });
  }
  async #end(s: Session) { await act({ text: t("account.ended"), run: () => graphDelete(`me/ringfort.sessions/${s.id}`) }).catch(() => undefined); void this.sessions.run(); }

  body() {
    const u = session().user;
    return html`<section class="card" aria-label=${t("account.methods")}><header><h2>${t("account.methods")}</h2><span class="end">${u.upn}</span></header>
        ${this.methods.show((all) => html`<ul class="lst scroll" tabindex="0">${all.map((m) => { const k = kindOf(m); return html`<li><rf-icon n=${k.icon}></rf-icon><span class="grow b ell">${m.displayName || t(`account.k-${k.kind}`)}<small>${[m.displayName ? t(`account.k-${k.kind}`) : "", m.createdDateTime ? t("account.since", { time: stamp(m.createdDateTime, false) }) : ""].filter(Boolean).join(", ")}</small></span>${k.at ? html`<button class="btn s" aria-label=${t("account.remove-of", { name: m.displayName || t(`account.k-${k.kind}`) })} @click=${() => void this.#remove(m)}>${t("account.remove")}</button>` : nothing}</li>`; })}</ul>
          <div class="tf"><span>${all.length > 1 ? t("account.two") : t("account.only-password")}</span><button class="btn s end" @click=${() => this.#do("codes")}>${t("account.codes")}</button></div>`)}</section>
      <section class="card" aria-label=${t("account.sessions")}><header><h2>${t("account.sessions")}</h2></header>
        ${this.sessions.show((all) => html`<ul class="lst scroll" tabindex="0">${all.map((s) => html`<li><rf-icon n="globe"></rf-icon><span class="grow b ell" title=${s.userAgent ?? ""}>${[s.ipAddress || t("account.no-address"), program(s.userAgent)].filter(Boolean).join(", ")}<small>${[s.lastSeenDateTime ? t("account.seen", { time: ago(s.lastSeenDateTime) }) : "", ...(s.applications ?? []).map((a) => a.displayName || a.appId)].filter(Boolean).join(", ")}</small></span>${s.isCurrent ? html`<span class="chip">${t("account.this")}</span>` : html`<button class="btn s" aria-label=${t("account.end-of", { address: s.ipAddress || t("account.no-address") })} @click=${() => void this.#end(s)}>${t("account.end")}</button>`}</li>`)}</ul>`, { empty: () => html`<p class="state">${t("account.no-sessions")}</p>` })}</section>`;
  }
}
