// Connect data: pick a way in, make what it needs, copy one line, see the first row arrive; and below which sources there are.
import { html, nothing } from "lit";
import { ApiError } from "../../data/client";
import { postAction, putResource, inGroup } from "../../data/arm";
import { type Cell, kql, quote, records } from "../../data/kql";
import { session } from "../../data/session";
import { ago, num, when } from "../../data/time";
import { t } from "../../i18n";
import { copyText } from "../../parts/copy-as";
import "../../parts/inspector";
import { href } from "../../router";
import { emptyState, errorWords, Page, type Head, type Key } from "../../shell/page";
import { type Source, taken } from "./sources";
import "./page.css";

interface Made { source: string; name: string; key: string; line: string; since: string }
type Row = Record<string, Cell>;
const version = "2026-01-01", nameForm = /^[A-Za-z0-9][A-Za-z0-9-]{1,58}$/, addressForm = /^[0-9A-Fa-f:.]+(\/\d{1,3})?$/;

const told = `RingfortCollect
| where TimeGenerated > ago(1d) and Listener != "(collector)"
| summarize First = min(TimeGenerated), Last = max(LastSeen), Rows = sum(Rows), Rejected = sum(Rejected), Dropped = sum(Dropped), Refused = sum(Refused), Error = take_anyif(LastError, isnotempty(LastError)) by Listener, Protocol, Source
| order by Last desc`;

export default class extends Page {
  bodyClass = "p-connect";
  all = this.load((signal) => kql(told, { signal }).then(records), { what: () => t("connect.reading"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }) });
  made?: Made;
  first?: Row;
  busy = false;
  fault = "";
  #poll?: ReturnType<typeof setTimeout>;

  head(): Head { return { title: t("page.connect"), acts: [{ text: t("connect.refresh"), icon: "refresh", run: () => void this.all.run() }] }; }
  keys(): Key[] {
    return [
      { key: "j", text: t("connect.next"), run: () => this.#step(1) }, { key: "k", text: t("connect.previous"), run: () => this.#step(-1) },
      { key: "y", text: t("connect.copy"), run: () => { if (this.made) void copyText(this.made.line, t("connect.line")); } },
      { key: "r", text: t("connect.refresh"), run: () => void this.all.run() }];
  }
  copyAs() { return [{ kind: "kql" as const, text: told }]; }
  disconnectedCallback(): void { super.disconnectedCallback(); clearTimeout(this.#poll); }
  queryChanged(changed: Set<string>): void { if (changed.has("sel")) this.#forget(); }

  get source(): Source { const all = taken(session()); return all.find((s) => s.id === this.q("sel")) ?? all[0]; }
  #step(by: number): void { const all = taken(session()), at = all.indexOf(this.source); this.setQ({ sel: all[(at + by + all.length) % all.length].id }); }
  /** Nothing of what was made for another source stays, its key least of all. */
  #forget(): void { clearTimeout(this.#poll); this.made = this.first = undefined; this.fault = ""; }

  async #make(e: Event): Promise<void> {
    e.preventDefault();
    const form = new FormData(e.target as HTMLFormElement), name = String(form.get("name") ?? "").trim(), addresses = String(form.get("addresses") ?? "").split(/[\s,]+/).filter(Boolean), source = this.source;
    this.fault = !nameForm.test(name) ? t("connect.bad-name") : addresses.some((a) => !addressForm.test(a)) ? t("connect.bad-address") : source.protocol && source.protocol !== "syslog-tls" && !addresses.length ? t("connect.need-address") : "";
    if (this.fault || this.busy) { this.requestUpdate(); return; }
    this.busy = true;
    this.requestUpdate();
    try {
      const s = session(), workspaceResourceId = s.workspace.id;
      let key = "";
      if (source.protocol) await putResource(inGroup(`Ringfort.Collect/listeners/${name}`), { location: s.location, properties: { protocol: source.protocol, workspaceResourceId, ...(addresses.length ? { allowedAddresses: addresses } : {}) } }, { version });
      else {
        const id = inGroup(`Ringfort.Collect/tokens/${name}`);
        await putResource(id, { location: s.location, properties: { workspaceResourceId, uses: [source.use], enabled: true } }, { version });
        key = (await postAction<{ secret: string }>(`${id}/regenerateKey`, undefined, { version })).secret;
      }
      this.made = { source: source.id, name, key, line: source.line(s, key), since: new Date().toISOString() };
      this.first = undefined;
      this.#watch();
    } catch (error) {
      this.fault = error instanceof ApiError && error.forbidden ? t("connect.no-right", { group: session().resourceGroup }) : errorWords(error as Error);
    }
    this.busy = false;
    this.requestUpdate();
  }
  /** Looks for the first row that arrived since, every other second while the page is open. */
  #watch(): void {
    clearTimeout(this.#poll);
    const made = this.made, source = this.source;
    if (!made || this.first) return;
    this.#poll = setTimeout(async () => {
      try {
        const rows = records(await kql(`${source.table} | where ingestion_time() >= datetime(${made.since}) | where TimeGenerated > ago(7d) | take 1`));
        if (this.made !== made) return;
        if (rows.length) { this.first = rows[0]; this.requestUpdate(); void this.all.run(); return; }
      } catch { /* the next look tells more than an error about one */ }
      this.#watch();
    }, 1500);
  }

  body(): unknown {
    const s = session(), source = this.source, made = this.made?.source === source.id ? this.made : undefined;
    return html`
      <section class="card pick" aria-label=${t("connect.pick")}><header><h2>${t("connect.pick")}</h2></header>
        <div>${taken(s).map((x) => html`<button aria-pressed=${x === source ? "true" : "false"} @click=${() => this.setQ({ sel: x.id })}><rf-icon n=${x.icon}></rf-icon><span><b>${t(`connect.source.${x.id}`)}</b><small>${t(`connect.about.${x.id}`)}</small></span></button>`)}
        <p class="in sm t3">${t("connect.others")} <a href=${href("/hubs")}>${t("connect.hubs")}</a></p></div></section>
      <section class="card" aria-label=${t(`connect.source.${source.id}`)}><header><h2>${t(`connect.source.${source.id}`)}</h2><span class="end">${t("connect.into", { table: source.table })}</span></header>
        <ol class="steps scroll" tabindex="0" aria-label=${t("connect.steps")}>
          <li data-n="1" class=${made ? "done" : ""}><h3>${source.protocol ? t("connect.allow") : t("connect.key")}</h3>
            ${made ? html`<p class="t2">${source.protocol ? t("connect.allowed", { name: made.name }) : t("connect.keyed", { name: made.name })}</p>` : html`
            <form @submit=${(e: Event) => void this.#make(e)}>
              <span><label for="c-name">${t("connect.name")}</label><span class="field"><input id="c-name" name="name" required maxlength="60" autocomplete="off" .value=${`${source.id}-1`}></span></span>
              ${source.protocol ? html`<span><label for="c-addresses">${t("connect.addresses")}</label><span class="field"><input id="c-addresses" name="addresses" autocomplete="off" placeholder="10.20.0.0/24"></span></span>` : nothing}
              <button class="btn pri" aria-disabled=${this.busy ? "true" : "false"}>${source.protocol ? t("connect.open") : t("connect.make-key")}</button></form>
            ${this.fault ? html`<p class="c-high" role="alert">${this.fault}</p>` : nothing}`}</li>
          <li data-n="2" class=${this.first ? "done" : ""}><h3>${t("connect.send")}</h3>
            ${made ? html`<div class="line"><pre class="mono" tabindex="0" data-line>${made.line}</pre><button class="btn" @click=${() => void copyText(made.line, t("connect.line"))}><rf-icon n="copy"></rf-icon>${t("connect.copy")}</button></div>
              <p class="sm t3">${t("connect.ca")} ${made.key ? t("connect.once") : nothing}</p>` : html`<p class="t3">${t("connect.line-first")}</p>`}</li>
          <li data-n="3" class=${this.first ? "done" : ""} aria-live="polite"><h3>${t("connect.first")}</h3>
            ${this.first ? html`<p class="wait"><rf-state s="ok" word=${t("connect.here")}></rf-state> <time>${when(String(this.first.TimeGenerated ?? ""))}</time></p>
              <rf-inspector class="first scroll" tabindex="0" .value=${this.first}></rf-inspector>
              <p><a href=${`${href("/logs")}?q=${encodeURIComponent(`${source.table}\n| where ingestion_time() >= datetime(${made?.since})\n| take 100`)}`}>${t("connect.logs")}</a></p>`
              : html`<p class="wait t2"><rf-state s="unknown" word=${made ? t("connect.waiting") : t("connect.not-yet")}></rf-state></p>`}</li>
        </ol></section>
      <section class="card" aria-label=${t("connect.sources")}><header><h2>${t("connect.sources")}</h2><span class="end">${t("connect.day")}</span></header>
        ${this.all.show((rows) => html`<div class="tw" tabindex="0"><table class="g"><thead><tr><th>${t("connect.col.source")}</th><th>${t("connect.col.by")}</th><th class="n">${t("connect.col.rows")}</th><th class="n">${t("connect.col.lost")}</th><th>${t("connect.col.first")}</th><th>${t("connect.col.last")}</th><th>${t("connect.col.error")}</th></tr></thead>
          <tbody>${rows.map((r) => this.#row(r))}</tbody></table></div>`, { empty: () => emptyState(t("connect.none"), { text: t("connect.pick-one"), run: () => this.querySelector<HTMLElement>(".pick button")?.focus() }) })}</section>`;
  }
  #row(r: Row): unknown {
    const lost = Number(r.Rejected) + Number(r.Dropped) + Number(r.Refused), quiet = Date.now() - Date.parse(String(r.Last)) > 15 * 60_000;
    const query = `RingfortCollect\n| where Source == ${quote(String(r.Source))} and Listener == ${quote(String(r.Listener))}\n| order by TimeGenerated desc`;
    return html`<tr><td><a class="nm" href=${`${href("/logs")}?q=${encodeURIComponent(query)}`}>${r.Source || "-"}</a></td><td>${r.Listener || t("connect.nobody")} <span class="t3">${r.Protocol}</span></td><td class="n">${num(Number(r.Rows))}</td><td class="n ${lost ? "c-high" : ""}">${num(lost)}</td><td>${when(String(r.First))}</td>
      <td>${quiet ? html`<rf-state s="partial" word=${t("connect.quiet", { ago: ago(String(r.Last)) })}></rf-state>` : html`<rf-state s="ok" word=${ago(String(r.Last))}></rf-state>`}</td><td title=${String(r.Error ?? "")}>${r.Error || "-"}</td></tr>`;
  }
}
