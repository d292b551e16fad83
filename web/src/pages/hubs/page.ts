// Event hubs: every hub of every namespace with its rates as they are now.
import { html, nothing } from "lit";
import { parseId, putResource, type Resource } from "../../data/arm";
import { ApiError } from "../../data/client";
import { hubsOf, spaces } from "../../data/hubs";
import { type HubEvent, setHubs } from "../../data/live";
import { readOverview } from "../../data/overview";
import { session } from "../../data/session";
import { bytes, num, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import { csv, curlLine } from "../../parts/copy-as";
import { openDialog } from "../../parts/dialog";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import { go, href } from "../../router";
import { type CopyItem, emptyState, filteredEmpty, type Head, type Key, Page } from "../../shell/page";
import { act } from "../../shell/tray";
import "./page.css";

interface Row { key: string; space: string; hub: string; resource: Resource }
interface Lag { slowestGroup?: string; lag?: number }
const liveMost = 64;   // hubs that are followed at once
const rate = (v: number | undefined): string => (v === undefined ? "-" : num(v, v < 10 ? 1 : 0));

export default class extends Page {
  bodyClass = "p-hubs";
  #now = new Map<string, HubEvent>();
  #lags = new Map<string, Lag>();
  #typing?: ReturnType<typeof setTimeout>;

  spaces = this.load<{ spaces: Resource[]; rows: Row[] }>(async (signal) => {
    const all = await spaces(signal), of = await Promise.all(all.map((s) => hubsOf(s.id, signal)));
    const rows = all.flatMap((s, i) => of[i].map((resource): Row => ({ key: `${s.name}/${resource.name}`.toLowerCase(), space: s.name, hub: resource.name, resource })));
    if (!signal.aborted) setHubs(rows.slice(0, liveMost).map((r) => `${r.space}/${r.hub}`));
    return { spaces: all, rows };
  }, { what: () => t("hubs.reading"), needs: () => ({ role: "Reader", on: session().resourceGroup }), empty: (v) => !v.rows.length });
  /** Lags come with the Overview's batch; a hub without a group that commits has none. */
  lags = this.load<unknown>(async () => {
    const o = await readOverview<{ streams?: { items?: ({ hub: string } & Lag)[] } }>();
    for (const s of o.streams?.items ?? []) this.#lags.set(s.hub.toLowerCase(), s);
    return o;
  }, { empty: () => false });

  constructor() {
    super();
    this.on("hub", (e: HubEvent) => { this.#now.set(e.hub.toLowerCase(), e); this.requestUpdate(); });
  }
  disconnectedCallback() { super.disconnectedCallback(); setHubs([]); clearTimeout(this.#typing); }

  get #rows(): Row[] {
    const q = this.q("q").trim().toLowerCase();
    return (this.spaces.value?.rows ?? []).filter((r) => !q || r.key.includes(q));
  }
  get #current(): Row | undefined { return this.spaces.value?.rows.find((r) => r.key === this.q("sel")); }
  #open = (r: Row) => go(href("/hubs/{ns}/{hub}", { ns: r.space, hub: r.hub }));

  head(): Head {
    return { title: t("page.hubs"), acts: [{ text: t("hubs.new"), icon: "plus", primary: true, disabled: !this.spaces.value?.spaces.length, why: t("hubs.no-space"), run: () => void this.#new() }] };
  }
  keys(): Key[] {
    return [{ key: "n", text: t("hubs.new"), run: () => void this.#new() }, { key: "r", text: t("palette.reload"), run: () => this.reload() }];
  }
  copyAs(): CopyItem[] {
    const rows = this.#rows, s = this.spaces.value?.spaces[0];
    if (!s) return [];
    return [{ kind: "json", text: () => JSON.stringify(rows.map((r) => r.resource), null, 1) }, { kind: "az", text: `az eventhubs eventhub list --resource-group ${parseId(s.id).group} --namespace-name ${s.name}` },
      { kind: "curl", text: curlLine(session().origin, "GET", `${s.id}/eventhubs?api-version=2024-01-01`) },
      { kind: "csv", text: () => csv(["namespace", "hub", "status", "partitions", "retentionDays", "in", "out"], rows.map((r) => [r.space, r.hub, r.resource.properties.status, r.resource.properties.partitionCount, r.resource.properties.messageRetentionInDays, this.#now.get(r.key)?.in, this.#now.get(r.key)?.out])) }];
  }

  async #new(): Promise<void> {
    const all = this.spaces.value?.spaces ?? [];
    if (!all.length) return;
    let space = all.find((s) => s.name === session().hubNamespace) ?? all[0], name = "", partitions = 4, days = 7;
    const made = await openDialog<string>({
      title: t("hubs.new"),
      body: (d) => html`${all.length > 1 ? html`<label class="stack">${t("hubs.space")}<select class="in" @change=${(e: Event) => { space = all[(e.target as HTMLSelectElement).selectedIndex]; }}>${all.map((s) => html`<option ?selected=${s === space}>${s.name}</option>`)}</select></label>` : nothing}
        <label class="stack">${t("hubs.name")}<input class="in" autofocus required maxlength="256" autocomplete="off" spellcheck="false" @input=${(e: Event) => { name = (e.target as HTMLInputElement).value.trim(); d.draw(); }}></label>
        <label class="stack">${t("hubs.partitions")}<input class="in" type="number" min="1" max="1024" .value=${String(partitions)} @input=${(e: Event) => { partitions = Number((e.target as HTMLInputElement).value); d.draw(); }}><small class="t3">${t("hubs.partitions-note")}</small></label>
        <label class="stack">${t("hubs.keep")}<input class="in" type="number" min="1" max="3650" .value=${String(days)} @input=${(e: Event) => { days = Number((e.target as HTMLInputElement).value); d.draw(); }}></label>`,
      acts: [{ text: t("act.cancel") }, { text: t("hubs.make"), primary: true, disabled: () => !name || !(partitions >= 1) || !(days >= 1), run: async () => {
        if (this.spaces.value?.rows.some((r) => r.key === `${space.name}/${name}`.toLowerCase())) throw new ApiError(409, "NameTaken", t("hubs.there", { name, space: space.name }));
        await act({ text: t("hubs.made", { name }), href: href("/hubs/{ns}/{hub}", { ns: space.name, hub: name }), run: () => putResource(`${space.id}/eventhubs/${encodeURIComponent(name)}`, { properties: { partitionCount: partitions, messageRetentionInDays: days } }) });
        return name;
      } }],
    });
    if (made && this.isConnected) { await this.spaces.run(); this.setQ({ sel: `${space.name}/${made}`.toLowerCase() }); }
  }

  get #columns(): GridColumn<Row>[] {
    const now = (r: Row) => this.#now.get(r.key), lag = (r: Row) => this.#lags.get(r.key);
    return [
      { id: "hub", head: t("page.hub"), min: 150, value: (r) => r.hub, cell: (r) => html`<a class="nm" tabindex="-1" href=${href("/hubs/{ns}/{hub}", { ns: r.space, hub: r.hub })}>${r.hub}</a>` },
      { id: "space", head: t("hubs.space"), width: 130, value: (r) => r.space },
      { id: "status", head: t("hubs.state"), width: 120, value: (r) => String(r.resource.properties.status), cell: (r) => html`<rf-state s=${r.resource.properties.status === "Active" ? "ok" : "partial"} word=${String(r.resource.properties.status)}></rf-state>` },
      { id: "in", head: t("hubs.in"), width: 110, num: true, value: (r) => now(r)?.in ?? -1, cell: (r) => rate(now(r)?.in) },
      { id: "out", head: t("hubs.out"), width: 110, num: true, value: (r) => now(r)?.out ?? -1, cell: (r) => rate(now(r)?.out) },
      { id: "bytes", head: t("hubs.bytes"), width: 96, num: true, value: (r) => now(r)?.inBytes ?? -1, cell: (r) => (now(r) ? bytes(now(r)!.inBytes) : "-") },
      { id: "lag", head: t("hubs.lag"), width: 120, num: true, value: (r) => lag(r)?.lag ?? -1, cell: (r) => (lag(r)?.lag === undefined ? html`<span class="t3">-</span>` : html`<span title=${lag(r)!.slowestGroup ?? ""}>${num(lag(r)!.lag)}</span>`) },
      { id: "parts", head: t("hubs.partitions"), width: 90, num: true, value: (r) => r.resource.properties.partitionCount },
      { id: "keep", head: t("hubs.kept"), width: 90, num: true, value: (r) => r.resource.properties.messageRetentionInDays },
      { id: "made", head: t("hubs.since"), width: 110, num: true, value: (r) => r.resource.properties.createdAt, cell: (r) => html`<time title=${stamp(r.resource.properties.createdAt)}>${when(r.resource.properties.createdAt)}</time>` },
    ];
  }
  body(): unknown {
    const rows = this.#rows, all = this.spaces.value?.rows ?? [], sum = (f: (e: HubEvent) => number) => { const have = all.map((r) => this.#now.get(r.key)).filter((e): e is HubEvent => !!e); return have.length ? have.reduce((a, e) => a + f(e), 0) : undefined; };
    return html`<section class="card ks" aria-label=${t("hubs.now")}>
        <div><span>${t("hubs.in")}</span><b>${rate(sum((e) => e.in))}</b><small>${t("hubs.per-second")}</small></div><div><span>${t("hubs.out")}</span><b>${rate(sum((e) => e.out))}</b><small>${t("hubs.per-second")}</small></div>
        <div><span>${t("page.hubs")}</span><b>${this.spaces.at ? num(all.length) : "-"}</b><small>${t("hubs.in-spaces", { n: this.spaces.value?.spaces.length ?? 0 })}</small></div></section>
      <section class="card"><header><h2>${t("page.hubs")}</h2><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("hubs.find")}</span><input type="search" placeholder=${t("hubs.find")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 200); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>${all.length > liveMost ? html`<span class="end">${t("hubs.first-live", { n: liveMost })}</span>` : nothing}</header>
        ${this.spaces.show(() => (rows.length ? html`<rf-grid name="hubs" .label=${t("page.hubs")} .columns=${this.#columns} .rows=${rows} .rowKey=${(r: Row) => r.key} .current=${this.#current?.key ?? ""} .sort=${this.q("sort", "hub")}
          @rf-current=${(e: CustomEvent<{ row: Row }>) => this.setQ({ sel: e.detail.row.key })} @rf-open=${(e: CustomEvent<{ row: Row }>) => this.#open(e.detail.row)} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === "hub" ? null : e.detail })}></rf-grid>`
          : filteredEmpty(`"${this.q("q")}"`, all.length, () => this.setQ({ q: null }))), { empty: () => emptyState(t("hubs.none"), { text: t("hubs.new"), run: () => void this.#new() }) })}</section>`;
  }
}
