// One event hub: what goes in and out now, how evenly, a look at its events, who sends, who reads, and the keys.
import { html, nothing } from "lit";
import { getResource, inGroup, list, parseId, type Resource } from "../../data/arm";
import { bodyText, eventKey, hot, type HubEventRow, type HubState, hubState, peek } from "../../data/hubs";
import { kql, quote, records } from "../../data/kql";
import { type HubEvent, setHubs } from "../../data/live";
import { session } from "../../data/session";
import { bytes, exact, num, percent, short, stamp, when } from "../../data/time";
import { t } from "../../i18n";
import "../../parts/charts";
import { segmented } from "../../parts/choice";
import { type CopyItem, copyText, csv, curlLine } from "../../parts/copy-as";
import { css } from "../../parts/css";
import "../../parts/grid";
import type { Grid, GridColumn } from "../../parts/grid";
import "../../parts/inspector";
import { openMenu } from "../../parts/menu";
import { href } from "../../router";
import { emptyState, failure, filteredEmpty, type Head, type Key, Page, skeleton } from "../../shell/page";
import { captureDialog, deleteGroup, enrolDialog, groupDialog, revokeDialog, rotateDialog, ruleDialog, sendDialog, showKeys, stopCapture } from "./acts";
import "./page.css";

interface Point { t: number; in: number; out: number }
/** What this tab has measured, for as long as it is open: the server keeps the last minute only. */
const measured = new Map<string, Point[]>();
const keep = 3600_000, gap = 5000, looks = 32;   // partitions that a look at all goes through
const rate = (v: number | undefined): string => (v === undefined ? "-" : num(v, v < 10 ? 1 : 0));

export default class extends Page {
  bodyClass = "p-hub";
  #poll?: ReturnType<typeof setInterval>;
  #typing?: ReturnType<typeof setTimeout>;
  #seen = new Map<string, number>();            // partition -> the number behind the last event that the list knows of
  #newest?: HubEvent;

  get #ns(): string { return this.params.ns; }
  get #hub(): string { return this.params.hub; }
  get #key(): string { return `${this.#ns}/${this.#hub}`.toLowerCase(); }
  /** ARM id of the hub as the server says it. */
  get #id(): string { return this.state.value?.id ?? inGroup(`Microsoft.EventHub/namespaces/${this.#ns}/eventhubs/${this.#hub}`); }
  get #space(): string { return parseId(this.#id).parent ?? ""; }
  get #tab(): string { return this.q("tab"); }
  #needs = (role: string) => () => ({ role, on: `${this.#ns}/${this.#hub}` });

  state = this.load<HubState>((signal) => hubState(this.#ns, this.#hub, signal), { auto: false, what: () => t("hub.reading"), needs: this.#needs("Reader"), empty: () => false });
  events = this.load<HubEventRow[]>((signal) => this.#look(signal), { auto: false, what: () => t("hub.reading-events"), needs: this.#needs("Azure Event Hubs Data Receiver"), empty: () => false });
  /** The event of the address, when the list has it not. */
  single = this.load<HubEventRow | null>(async (signal) => {
    const [partition, at] = this.q("sel").split(":"), from = Number(at);
    if (!/^\d+$/.test(partition) || !/^\d+$/.test(at ?? "")) return null;
    const { rows } = await peek(this.#ns, this.#hub, { partition, from, count: 1, signal });
    return rows.find((r) => r.sequenceNumber === from) ?? null;
  }, { auto: false, needs: this.#needs("Azure Event Hubs Data Receiver"), empty: () => false });
  devices = this.load<Resource[]>(async (signal) => (await list(`${this.#space}/devices`, { signal })).filter((d) => (d.properties.eventHubs as string[] | undefined)?.some((h) => h.toLowerCase() === this.#hub.toLowerCase())), { auto: false, what: () => t("hub.reading-devices"), needs: this.#needs("Reader") });
  resource = this.load<Resource>((signal) => getResource(this.#id, { signal }), { auto: false, what: () => t("hub.reading"), needs: this.#needs("Reader"), empty: () => false });
  rules = this.load<Resource[]>(async (signal) => (await Promise.all([list(`${this.#id}/authorizationRules`, { signal }), list(`${this.#space}/authorizationRules`, { signal })])).flat(), { auto: false, what: () => t("hub.reading-rules"), needs: this.#needs("Reader") });
  activity = this.load((signal) => kql(this.#activityQuery, { range: this.range, signal }), { auto: false, what: () => t("hub.reading-activity"), needs: () => ({ role: "Log Analytics Reader", on: session().workspace.name }) });
  get #activityQuery(): string { return `AzureActivity\n| where _ResourceId startswith ${quote(this.#id.toLowerCase())}\n| project TimeGenerated, OperationNameValue, ActivityStatusValue, Caller, CallerIpAddress, CorrelationId\n| order by TimeGenerated desc\n| take 500`; }

  constructor() {
    super();
    this.on("hub", (e: HubEvent) => {
      if (e.hub.toLowerCase() !== this.#key) return;
      const all = measured.get(this.#key) ?? [], at = +new Date(e.time);
      if (!all.length || at > all[all.length - 1].t) all.push({ t: at, in: e.in, out: e.out });
      while (all.length && all[0].t < at - keep) all.shift();
      measured.set(this.#key, all);
      this.#newest = e;
      this.requestUpdate();
    });
  }
  connectedCallback() {
    super.connectedCallback();
    setHubs([`${this.#ns}/${this.#hub}`]);
    void this.state.run().then((s) => { if (!s) return; void this.devices.run(); this.#readTab(); });
    this.#poll = setInterval(() => { if (!document.hidden && this.state.at && !this.state.loading) void this.state.run(); }, 3000);
  }
  disconnectedCallback() { super.disconnectedCallback(); setHubs([]); clearInterval(this.#poll); clearTimeout(this.#typing); }
  queryChanged(changed: Set<string>) {
    if (changed.has("tab")) this.#readTab();
    else if (!this.#tab && (changed.has("f") || changed.has("p"))) void this.events.run();
    else if (this.#tab === "activity" && changed.has("t")) void this.activity.run();
    if (changed.has("sel") && this.q("sel") && !this.#inList) void this.single.run();
  }
  #readTab() {
    const read = { "": () => { void this.events.run().then(() => { if (this.q("sel") && !this.#inList) void this.single.run(); }); }, senders: () => void this.devices.run(), capture: () => void this.resource.run(), json: () => void this.resource.run(), access: () => void this.rules.run(), activity: () => void this.activity.run() }[this.#tab];
    read?.();
  }

  // ---- events ----
  async #look(signal: AbortSignal): Promise<HubEventRow[]> {
    const state = this.state.value!, one = this.q("p"), parts = state.partitions.filter((p) => !one || p.id === one).slice(0, looks);
    const got = await Promise.all(parts.map((p) => peek(this.#ns, this.#hub, { partition: p.id, count: one ? 200 : 50, filter: this.q("f"), signal })));
    if (!signal.aborted) this.#seen = new Map(got.map(({ look }) => [look.partition, look.end]));
    return got.flatMap((g) => g.rows).sort((a, b) => (a.enqueuedTime < b.enqueuedTime ? 1 : a.enqueuedTime > b.enqueuedTime ? -1 : b.sequenceNumber - a.sequenceNumber));
  }
  get #new(): number { return (this.state.value?.partitions ?? []).reduce((a, p) => a + (this.#seen.has(p.id) ? Math.max(0, p.end - this.#seen.get(p.id)!) : 0), 0); }
  get #inList(): HubEventRow | undefined { const k = this.q("sel"); return k ? this.events.value?.find((e) => eventKey(e) === k) : undefined; }
  get #event(): HubEventRow | undefined { const e = this.#inList ?? this.single.value ?? undefined; return e && eventKey(e) === this.q("sel") ? e : undefined; }

  // ---- head ----
  #send = async () => {
    const made = await sendDialog(this.#ns, this.#hub, this.state.value?.partitions.map((p) => p.id) ?? []);
    if (made && this.isConnected) { await this.state.run(); if (!this.#tab) { this.setQ({ sel: eventKey(made) }); await this.events.run(); if (!this.#inList) void this.single.run(); } }
  };
  #rotate = async (e: Event) => {
    const from = e.currentTarget instanceof HTMLElement ? e.currentTarget : this.querySelector<HTMLElement>(".ph .acts .btn:last-child")!;
    const rules: Resource[] | undefined = this.rules.value ?? (await this.rules.run());
    if (!rules) { this.setQ({ tab: "access" }, { push: true }); return; }
    openMenu(from, rules.flatMap((r, i) => (["PrimaryKey", "SecondaryKey"] as const).map((which) => ({ text: t(`hub.rotate-${which}`, { rule: r.name }), line: i > 0 && which === "PrimaryKey", run: () => void rotateDialog(r, which, this.#id, this.#hub) }))), { label: t("hub.rotate"), end: true });
  };
  head(): Head {
    const tab = (tab: string, count?: number) => ({ text: t(`hub.tab-${tab || "overview"}`), tab, count });
    return {
      title: this.#hub, crumbs: [{ text: t("page.hubs"), href: href("/hubs") }, { text: this.#ns, href: href("/hubs", {}, { q: this.#ns }) }, { text: this.#hub }],
      tabs: [tab(""), tab("senders"), tab("groups"), tab("capture"), tab("access"), tab("activity"), tab("json")], time: this.#tab === "activity" ? "7d" : undefined,
      stale: this.state.stale ? this.state.at : undefined,
      acts: [{ text: t("hub.send"), icon: "send", disabled: !this.state.value, run: () => void this.#send() }, { text: t("hub.rotate"), icon: "key", disabled: !this.state.value, run: (e) => void this.#rotate(e) }],
    };
  }
  keys(): Key[] {
    const over = this.#tab === "";
    return [{ key: "e", text: t("hub.send"), run: () => { if (this.state.value) void this.#send(); } }, { key: "y", text: t("hub.rotate"), run: (e) => { if (this.state.value) void this.#rotate(e); } },
      ...(over ? [{ key: "n", text: t("hub.show-new"), run: () => void this.events.run() }] : []), { key: "r", text: t("palette.reload"), run: () => { void this.state.run(); this.#readTab(); } }];
  }
  copyAs(): CopyItem[] {
    if (!this.state.value) return [];
    const e = this.#event, p = parseId(this.#id), about: CopyItem[] = [{ kind: "az", text: `az eventhubs eventhub show --resource-group ${p.group} --namespace-name ${this.#ns} --name ${this.#hub}` }, { kind: "curl", text: curlLine(session().origin, "GET", `${this.#id}?api-version=2024-01-01`) },
      { kind: "arm", text: async () => { const r = await getResource(this.#id); return JSON.stringify({ type: r.type, apiVersion: "2024-01-01", name: `${this.#ns}/${r.name}`, properties: r.properties }, null, 1); } }];
    if (this.#tab === "") about.push({ kind: "json", label: e ? t("hub.copy-event") : t("hub.copy-events"), text: () => JSON.stringify(e ?? this.events.value ?? [], null, 1) },
      { kind: "csv", text: () => csv(["enqueuedTime", "partition", "sequenceNumber", "partitionKey", "publisher", "body"], (this.events.value ?? []).map((x) => [x.enqueuedTime, x.partition, x.sequenceNumber, x.partitionKey, x.publisher, bodyText(x)])) });
    if (this.#tab === "activity") about.push({ kind: "kql", text: this.#activityQuery });
    return about;
  }

  // ---- body ----
  body(): unknown {
    const tab = this.#tab;
    this.bodyClass = `p-hub ${tab === "" && this.state.at ? "over" : "one"}`;
    if (!this.state.at) return html`<section class="card">${this.state.show(() => nothing, { skeleton: 10 })}</section>`;
    const s = this.state.value!;
    if (tab === "senders") return this.#senders();
    if (tab === "groups") return this.#groups(s);
    if (tab === "capture") return this.#capture();
    if (tab === "access") return this.#access();
    if (tab === "activity") return this.#activity();
    if (tab === "json") return html`<section class="card"><header><h2>${t("hub.tab-json")}</h2><span class="end row"><button class="btn s quiet" @click=${() => void copyText(JSON.stringify(this.resource.value, null, 2), "JSON")}><rf-icon n="copy"></rf-icon>${t("act.copy")}</button><a class="btn s" href=${href("/resources/{id*}", { id: this.#id })}>${t("hub.as-resource")}</a></span></header>${this.resource.show((r) => html`<pre tabindex="0" aria-label=${t("hub.tab-json")}>${JSON.stringify(r, null, 2)}</pre>`)}</section>`;
    return html`${this.#numbers(s)}${this.#rates()}${this.#partitions(s)}${this.#peek(s)}${this.#pane()}`;
  }
  #numbers(s: HubState) {
    const now = this.#newest ?? s.now, lags = s.groups.filter((g) => g.lag !== null), slow = lags.length ? lags.reduce((a, g) => (g.lag! > a.lag! ? g : a)) : null;
    const devices = this.devices.value, good = devices?.filter((d) => senderState(d) === "ok").length, denials = `RingfortDenials\n| where Scope has ${quote(this.#hub)} and Mechanism in ("sas", "certificate", "role", "token")\n| order by TimeGenerated desc`;
    return html`<section class="card ks" aria-label=${t("hub.now")}>
      <div><span>${t("hub.in")}</span><b>${rate(now?.in)}</b><small>${t("hub.per-second")}${now ? `, ${bytes(now.inBytes)}/s` : ""}</small></div>
      <div><span>${t("hub.out")}</span><b>${rate(now?.out)}</b><small class="ell">${t("hub.out-note")}</small></div>
      <div><span>${t("hub.lag")}</span><b>${slow ? num(slow.lag) : "-"}</b><small class="ell">${slow ? t("hub.lag-of", { group: slow.name }) : t("hub.lag-unknown")}</small></div>
      <div><span>${t("hub.senders")}</span><b>${good === undefined ? "-" : num(good)}</b><small>${devices ? t("hub.senders-of", { n: devices.length }) : nothing}</small></div>
      <div><span>${t("hub.refused")}</span><b class=${s.refusedSinceStart ? "c-high" : ""}><a href=${href("/logs", {}, { q: denials, t: "24h" })}>${num(s.refusedSinceStart)}</a></b><small>${t("hub.since-start")}</small></div></section>`;
  }
  #rates() {
    const span = this.q("span") === "1h" ? 3600_000 : 300_000, to = Date.now(), all = (measured.get(this.#key) ?? []).filter((p) => p.t >= to - span), step = span > 300_000 ? 30_000 : 1000;
    const buckets = new Map<number, Point[]>();
    for (const p of all) { const k = Math.floor(p.t / step) * step; buckets.set(k, [...(buckets.get(k) ?? []), p]); }
    const times = [...buckets.keys()].sort((a, b) => a - b), x: number[] = [], ins: (number | null)[] = [], outs: (number | null)[] = [];
    const mean = (v: Point[], f: (p: Point) => number) => v.reduce((a, p) => a + f(p), 0) / v.length;
    times.forEach((k, i) => {
      if (i && k - times[i - 1] > Math.max(gap, step * 1.5)) { x.push((k + times[i - 1]) / 2); ins.push(null); outs.push(null); }
      x.push(k); ins.push(mean(buckets.get(k)!, (p) => p.in)); outs.push(mean(buckets.get(k)!, (p) => p.out));
    });
    const last = all[all.length - 1];
    if (x.length && x[0] > to - span + step) { x.unshift(to - span); ins.unshift(null); outs.unshift(null); }   // the whole stretch is shown, what was not measured is a gap
    return html`<section class="card rate"><header><h2>${t("hub.rate")}</h2><span class="t3 sm">${all.length ? t("hub.measured-since", { time: when(all[0].t) }) : nothing}</span><span class="end row">${segmented(t("hub.rate"), [{ value: "5m", text: t("hub.span-5m") }, { value: "1h", text: t("hub.span-1h") }], span > 300_000 ? "1h" : "5m", (v) => this.setQ({ span: v === "5m" ? null : v }))}</span></header>
      ${all.length > 1 ? html`<rf-chart .data=${{ kind: "line", x, series: [{ name: t("hub.in"), values: ins }, { name: t("hub.out"), values: outs }], unit: t("hub.per-second"), label: t("hub.rate-says", { in: rate(last?.in), out: rate(last?.out) }) }}></rf-chart>` : html`<div class="state"><p>${t("hub.measuring")}</p></div>`}</section>`;
  }
  #partitions(s: HubState) {
    const top = Math.max(...s.partitions.map((p) => p.minute?.in ?? 0), 1e-9), h = hot(s), one = this.q("p"), many = s.partitions.length > 16;
    let who: unknown = nothing;
    if (h) {
      const rows = (this.events.value ?? []).filter((e) => e.partition === h.partition.id && !this.q("f")), keys = new Map<string, number>();
      for (const e of rows) { const k = e.publisher ?? e.partitionKey; if (k) keys.set(k, (keys.get(k) ?? 0) + 1); }
      const most = [...keys].sort((a, b) => b[1] - a[1])[0];
      if (most && most[1] > 1) who = t("hub.hot-by", { n: most[1], of: rows.length, key: most[0] });
    }
    return html`<section class="card part"><header><h2>${t("hub.partitions")}</h2><span class="end">${t("hub.minute-mean")}</span></header>
      <div class="pt ${many ? "many" : ""}" role="group" aria-label=${t("hub.partitions")}>${s.partitions.map((p) => html`<button class=${h?.partition.id === p.id ? "hot" : ""} aria-pressed=${String(one === p.id)} title=${t("hub.part-says", { id: p.id, rate: rate(p.minute?.in), end: num(p.end), bytes: bytes(p.bytes) })} @click=${() => this.setQ({ p: one === p.id ? null : p.id })}><span class="num b">${p.minute ? (p.minute.in < 10 ? num(p.minute.in, 1) : short(p.minute.in)) : "-"}</span><i ${css({ height: `${Math.round(((p.minute?.in ?? 0) / top) * 110)}px` })}></i><span><span class="vh"> ${t("hub.in-partition")} </span>${p.id}</span></button>`)}</div>
      <div class="tf">${h ? html`<span class="c-medium b">${t("hub.hot", { id: h.partition.id, share: percent(h.share), even: percent(h.even) })}</span> ${who}` : t("hub.even")}</div></section>`;
  }
  get #columns(): GridColumn<HubEventRow>[] {
    return [
      { id: "time", head: t("hub.c-time"), width: 118, value: (e) => e.enqueuedTime, cell: (e) => html`<time title=${stamp(e.enqueuedTime)}>${exact(e.enqueuedTime)}</time>` },
      { id: "part", head: t("hub.c-part"), width: 50, num: true, value: (e) => Number(e.partition) },
      { id: "offset", head: t("hub.c-number"), width: 92, num: true, value: (e) => e.sequenceNumber, cell: (e) => num(e.sequenceNumber) },
      { id: "key", head: t("hub.c-key"), width: 124, value: (e) => e.partitionKey ?? "", cell: (e) => e.partitionKey ?? html`<span class="t3">-</span>` },
      { id: "body", head: t("hub.c-body"), min: 160, value: (e) => bodyText(e), cell: (e) => html`<span class="mono t2">${bodyText(e).slice(0, 400)}</span>` },
    ];
  }
  #peek(s: HubState) {
    const f = this.q("f"), one = this.q("p"), fresh = this.#new, empty = s.partitions.every((p) => p.begin >= p.end);
    return html`<section class="card peek"><header><h2>${t("hub.peek")}</h2><label class="field"><rf-icon n="filter"></rf-icon><span class="vh">${t("hub.filter")}</span><input type="search" class="mono" placeholder=${t("hub.filter")} maxlength="200" .value=${f} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ f: v.trim() }), 350); }} @keydown=${(e: KeyboardEvent) => { if (e.key === "ArrowDown" || e.key === "Enter") { e.preventDefault(); this.querySelector<Grid>("rf-grid")?.enter(); } }}></label>
        ${one ? html`<span class="chip on">${t("hub.partition-n", { id: one })}<button aria-label=${t("hub.all-partitions")} @click=${() => this.setQ({ p: null })}><rf-icon n="x"></rf-icon></button></span>` : nothing}
        <span class="end row">${fresh ? html`<button class="btn s newer" @click=${() => void this.events.run()}><rf-icon n="up"></rf-icon>${t("grid.new", { n: fresh })}</button>` : nothing}</span></header>
      ${s.partitions.length > looks && !one ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("hub.first-looks", { n: looks, of: s.partitions.length })}</span></div>` : nothing}
      ${this.events.show((rows) => (rows.length ? html`<rf-grid name="hub-events" .label=${t("hub.peek")} .columns=${this.#columns} .rows=${rows} .rowKey=${eventKey} .current=${this.q("sel")} .sort=${this.q("sort", "-time")} @rf-current=${(e: CustomEvent<{ row: HubEventRow }>) => this.setQ({ sel: eventKey(e.detail.row) })} @rf-open=${(e: CustomEvent<{ row: HubEventRow }>) => { this.setQ({ sel: eventKey(e.detail.row) }); void this.updateComplete.then(() => this.querySelector<HTMLElement>(".ev .scroll")?.focus()); }} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === "-time" ? null : e.detail })}></rf-grid>`
        : empty ? emptyState(t("hub.no-events"), { text: t("hub.send"), run: () => void this.#send() }) : filteredEmpty([f && `"${f}"`, one && t("hub.partition-n", { id: one })].filter(Boolean).join(", "), s.partitions.reduce((a, p) => a + p.end - p.begin, 0), () => this.setQ({ f: null, p: null }))))}</section>`;
  }
  #pane() {
    const e = this.#event, k = this.q("sel");
    if (!e) return html`<section class="card ev"><header><h2>${t("hub.event")}</h2></header>${k && this.single.error ? failure(this.single.error, { retry: () => void this.single.run() }) : k && (this.single.loading || this.events.loading) ? skeleton(5) : html`<div class="state"><p>${k && this.single.at ? t("hub.event-gone") : t("hub.choose")}</p></div>`}</section>`;
    const device = e.publisher ? this.devices.value?.find((d) => d.name.toLowerCase() === e.publisher!.toLowerCase()) : undefined, certs = (device?.properties.certificates ?? []).filter((c: any) => c.status === "Active"), name = e.publisher ?? e.partitionKey;
    return html`<section class="card ev"><header><h2>${t("hub.event")}</h2><span class="t3 sm ell">${t("hub.event-at", { id: e.partition, n: num(e.sequenceNumber) })}</span><span class="end row">${name ? html`<a class="btn s quiet" href=${href("/logs", {}, { q: `search ${quote(name)}\n| order by TimeGenerated desc\n| take 100`, t: "24h" })}><rf-icon n="hunt"></rf-icon>${t("hub.rows-of")}</a>` : nothing}</span></header>
      <div class="scroll" tabindex="0" aria-label=${t("hub.event")}>
        ${e.bodyBase64 !== undefined ? html`<p class="t3">${t("hub.binary")}</p><code>${e.bodyBase64}</code>` : e.body !== null && typeof e.body === "object" ? html`<rf-inspector .value=${e.body}></rf-inspector>` : html`<code>${String(e.body ?? "")}</code>`}
        <dl class="kv"><dt>${t("hub.c-time")}</dt><dd><time>${exact(e.enqueuedTime)}</time></dd>
          <dt>${t("hub.signed")}</dt><dd>${e.publisher ? html`${e.publisher}${certs.length ? html`<br><span class="t3">${t("hub.certificate", { n: certs.length })}</span> <code>${shortPrint(certs[certs.length - 1].thumbprint)}</code>` : device ? html` <span class="t3">${t("hub.no-certificate")}</span>` : html` <span class="t3">${t("hub.not-enrolled")}</span>`}` : t("hub.not-device")}</dd>
          ${e.partitionKey ? html`<dt>${t("hub.c-key")}</dt><dd>${e.partitionKey}</dd>` : nothing}${e.contentType ? html`<dt>${t("hub.content-type")}</dt><dd>${e.contentType}</dd>` : nothing}
          ${Object.entries({ ...e.systemProperties, ...e.properties }).map(([n, v]) => html`<dt>${n}</dt><dd>${typeof v === "object" ? JSON.stringify(v) : String(v)}</dd>`)}</dl></div></section>`;
  }

  // ---- other tabs ----
  #senders() {
    const q = this.q("q").toLowerCase();
    return html`<section class="card"><header><h2>${t("hub.tab-senders")}</h2><label class="field"><rf-icon n="search"></rf-icon><span class="vh">${t("hub.find-device")}</span><input type="search" placeholder=${t("hub.find-device")} .value=${this.q("q")} @input=${(e: Event) => { const v = (e.target as HTMLInputElement).value; clearTimeout(this.#typing); this.#typing = setTimeout(() => this.setQ({ q: v.trim() }), 200); }}></label><span class="end row"><button class="btn s" @click=${async () => { if (await enrolDialog(this.#space, this.#hub) && this.isConnected) void this.devices.run(); }}><rf-icon n="plus"></rf-icon>${t("hub.enrol")}</button></span></header>
      ${this.devices.show((all) => {
        const rows = all.filter((d) => !q || d.name.toLowerCase().includes(q));
        return rows.length ? html`<rf-grid name="hub-senders" .label=${t("hub.tab-senders")} .columns=${[
          { id: "name", head: t("hub.device"), min: 160, value: (d: Resource) => d.name, cell: (d: Resource) => html`<a class="nm" tabindex="-1" href=${href("/resources/{id*}", { id: d.id })}>${d.name}</a>` },
          { id: "state", head: t("hub.state"), width: 170, value: (d: Resource) => senderState(d), cell: (d: Resource) => html`<rf-state s=${senderState(d)} word=${t(`hub.sender-${senderState(d)}`)}></rf-state>` },
          { id: "certs", head: t("hub.certificates"), width: 100, num: true, value: (d: Resource) => good(d).length },
          { id: "ends", head: t("hub.ends"), width: 130, num: true, value: (d: Resource) => ends(d), cell: (d: Resource) => (ends(d) ? html`<time title=${stamp(ends(d))}>${when(ends(d))}</time>` : html`<span class="t3">-</span>`) },
          { id: "made", head: t("hub.enrolled"), width: 130, num: true, value: (d: Resource) => d.properties.createdAt, cell: (d: Resource) => html`<time title=${stamp(d.properties.createdAt)}>${when(d.properties.createdAt)}</time>` },
          { id: "hubs", head: t("hub.may-send"), min: 120, value: (d: Resource) => (d.properties.eventHubs ?? []).join(", ") },
        ] as GridColumn<Resource>[]} .rows=${rows} .rowKey=${(d: Resource) => d.name} .current=${this.q("sel")} .sort=${this.q("sort", "name")} @rf-current=${(e: CustomEvent<{ row: Resource }>) => this.setQ({ sel: e.detail.row.name })} @rf-sort=${(e: CustomEvent<string>) => this.setQ({ sort: e.detail === "name" ? null : e.detail })}
          .footer=${(() => { const d = rows.find((x) => x.name === this.q("sel")); return d ? html`<span>${d.name}</span><button class="btn s" @click=${async () => { if (await enrolDialog(this.#space, this.#hub, d) && this.isConnected) void this.devices.run(); }}>${t("hub.new-code")}</button><button class="btn s danger" ?disabled=${d.properties.status === "Revoked"} @click=${async () => { if (await revokeDialog(d) && this.isConnected) void this.devices.run(); }}>${t("hub.revoke")}</button>` : html`<span>${t("hub.choose-device")}</span>`; })()}></rf-grid>`
          : filteredEmpty(`"${this.q("q")}"`, all.length, () => this.setQ({ q: null }));
      }, { empty: () => emptyState(t("hub.no-devices"), { text: t("hub.enrol"), run: async () => { if (await enrolDialog(this.#space, this.#hub) && this.isConnected) void this.devices.run(); } }) })}</section>`;
  }
  #groups(s: HubState) {
    return html`<section class="card"><header><h2>${t("hub.tab-groups")}</h2><span class="end row"><button class="btn s" @click=${async () => { if (await groupDialog(this.#id, s.groups.map((g) => g.name)) && this.isConnected) void this.state.run(); }}><rf-icon n="plus"></rf-icon>${t("hub.new-group")}</button></span></header>
      <div class="tw" tabindex="0" role="region" aria-label=${t("hub.tab-groups")}><table class="g"><thead><tr><th>${t("hub.group")}</th><th class="n">${t("hub.lag")}</th><th class="n">${t("hub.partitions")}</th><th class="n">${t("hub.committed")}</th><th>${t("hub.kept-by")}</th><th class="n"><span class="vh">${t("hub.acts")}</span></th></tr></thead>
      <tbody>${s.groups.map((g) => html`<tr><td>${g.name}</td><td class="n">${g.lag === null ? "-" : num(g.lag)}</td><td class="n">${g.partitions ?? "-"}</td><td class="n">${g.committed ? html`<time title=${stamp(g.committed)}>${when(g.committed)}</time>` : "-"}</td><td class="t2">${g.lag === null ? t("hub.by-reader") : t("hub.by-server")}</td><td class="n acts">${g.lag === null && g.name !== "$Default" ? html`<button class="btn s quiet" @click=${async () => { if (await deleteGroup(this.#id, g.name) && this.isConnected) void this.state.run(); }}>${t("act.delete")}</button>` : nothing}</td></tr>`)}</tbody></table></div></section>`;
  }
  #capture() {
    return html`<section class="card"><header><h2>${t("hub.tab-capture")}</h2></header>${this.resource.show((r) => {
      const c = r.properties.captureDescription, d = c?.destination?.properties ?? {}, change = async (p: Promise<boolean>) => { if (await p && this.isConnected) void this.resource.run(); };
      if (!c) return emptyState(t("hub.no-capture"), { text: t("hub.capture-on"), run: () => void change(captureDialog(r)) });
      return html`<div class="in"><dl class="kv"><dt>${t("hub.state")}</dt><dd><rf-state s=${c.enabled ? "ok" : "unknown"} word=${c.enabled ? t("hub.capturing") : t("hub.capture-off")}></rf-state></dd><dt>${t("hub.encoding")}</dt><dd>${c.encoding}</dd><dt>${t("hub.window")}</dt><dd>${t("hub.window-is", { s: num(c.intervalInSeconds), size: bytes(c.sizeLimitInBytes) })}</dd>
        <dt>${t("hub.account")}</dt><dd>${parseId(String(d.storageAccountResourceId ?? "")).name}</dd><dt>${t("hub.container")}</dt><dd>${d.blobContainer}</dd><dt>${t("hub.names")}</dt><dd><code>${d.archiveNameFormat}</code></dd></dl>
        <p class="row"><button class="btn" @click=${() => void change(c.enabled ? stopCapture(r) : captureDialog(r))}>${c.enabled ? t("hub.capture-stop") : t("hub.capture-on")}</button></p></div>`;
    })}</section>`;
  }
  #access() {
    return html`<section class="card"><header><h2>${t("hub.rules")}</h2><span class="end row"><a class="btn s quiet" href=${href("/resources/{id*}", { id: this.#id }, { tab: "access" })}>${t("hub.roles")}</a><button class="btn s" @click=${async () => { if (await ruleDialog(this.#id, this.#hub) && this.isConnected) void this.rules.run(); }}><rf-icon n="plus"></rf-icon>${t("hub.new-rule")}</button></span></header>
      ${this.rules.show((all) => html`<div class="tw" tabindex="0" role="region" aria-label=${t("hub.rules")}><table class="g"><thead><tr><th>${t("hub.rule")}</th><th>${t("hub.good-for")}</th><th>${t("hub.rights")}</th><th class="n"><span class="vh">${t("hub.acts")}</span></th></tr></thead>
        <tbody>${all.map((r) => { const own = /\/eventhubs\//i.test(r.id); return html`<tr data-rule=${r.name}><td class="b">${r.name}</td><td>${own ? t("hub.this-hub") : t("hub.all-hubs", { space: this.#ns })}</td><td>${(r.properties.rights as string[]).join(", ")}</td><td class="n acts"><button class="btn s" @click=${() => void showKeys(r)}>${t("hub.show-keys")}</button> <button class="btn s" aria-haspopup="menu" @click=${(e: Event) => openMenu(e.currentTarget as HTMLElement, (["PrimaryKey", "SecondaryKey"] as const).map((which) => ({ text: t(`hub.rotate-${which}`, { rule: r.name }), run: () => void rotateDialog(r, which, this.#id, this.#hub) })), { label: t("hub.rotate"), end: true })}>${t("hub.rotate")}</button></td></tr>`; })}</tbody></table></div>`, { empty: () => emptyState(t("hub.no-rules"), { text: t("hub.new-rule"), run: async () => { if (await ruleDialog(this.#id, this.#hub) && this.isConnected) void this.rules.run(); } }) })}</section>`;
  }
  #activity() {
    return html`<section class="card"><header><h2>${t("hub.tab-activity")}</h2><span class="end"><a href=${href("/logs", {}, { q: this.#activityQuery, t: this.range.text })}>${t("hub.in-logs")}</a></span></header>${this.activity.show((r) => html`<div class="tw" tabindex="0" role="region" aria-label=${t("hub.tab-activity")}><table class="g"><thead><tr><th>${t("hub.c-when")}</th><th>${t("hub.c-what")}</th><th>${t("hub.c-result")}</th><th>${t("hub.c-who")}</th><th>${t("hub.c-from")}</th></tr></thead>
      <tbody>${records(r).map((x) => html`<tr><td><time title=${stamp(String(x.TimeGenerated))}>${when(String(x.TimeGenerated))}</time></td><td title=${String(x.OperationNameValue)}>${x.OperationNameValue}</td><td>${x.ActivityStatusValue}</td><td title=${String(x.Caller)}>${x.Caller}</td><td>${x.CallerIpAddress || "-"}</td></tr>`)}</tbody></table></div>`, { empty: () => emptyState(t("hub.no-activity"), { text: t("hub.wider"), run: () => this.setQ({ t: "90d" }) }) })}</section>`;
  }
}
const good = (d: Resource): { notAfter: string; thumbprint: string }[] => (d.properties.certificates ?? []).filter((c: any) => c.status === "Active" && +new Date(c.notAfter) > Date.now());
const ends = (d: Resource): string => good(d).map((c) => c.notAfter).sort().pop() ?? "";
const senderState = (d: Resource): "ok" | "partial" | "fail" | "unknown" => (d.properties.status === "Revoked" ? "fail" : !good(d).length ? "unknown" : +new Date(ends(d)) - Date.now() < 14 * 86400e3 ? "partial" : "ok");
const shortPrint = (s: string): string => `${s.slice(0, 2)}:${s.slice(2, 4)}:..:${s.slice(-2)}`;
