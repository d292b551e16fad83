// "Save as": function, analytics rule, hunting query. A form first, then what will be written, then it is done, with its undo in the tray.
import { html, nothing } from "lit";
import { deleteResource, list, putResource, sentinel, type Resource } from "../../data/arm";
import { kql } from "../../data/kql";
import { session } from "../../data/session";
import { duration, num, parseRange } from "../../data/time";
import { t } from "../../i18n";
import { openDialog } from "../../parts/dialog";
import { confirmImpact } from "../../parts/impact";
import { act } from "../../shell/tray";
import { href } from "../../router";

export type SaveKind = "function" | "rule" | "hunt" | "query";
const searches = () => `${session().workspace.id}/savedSearches`;
const version = "2020-08-01";

export const savedSearches = (signal?: AbortSignal): Promise<Resource[]> => list(searches(), { version, signal });

interface Form { name: string; alias: string; parameters: string; category: string; severity: string; frequency: string; period: string; threshold: string; tactics: string; techniques: string; description: string }
const iso: Record<string, string> = { "5m": "PT5M", "15m": "PT15M", "1h": "PT1H", "4h": "PT4H", "24h": "P1D", "7d": "P7D" };

export async function saveAs(kind: SaveKind, query: string, title: string, names: ReadonlySet<string>): Promise<void> {
  const f: Form = { name: title, alias: title.replace(/\W+/g, "_").replace(/^(\d)/, "_$1").replace(/^_+$/, ""), parameters: "", category: "", severity: "Medium", frequency: "1h", period: "1h", threshold: "0", tactics: "", techniques: "", description: "" };
  const fault = (): string => !query.trim() ? t("logs.save.no-query") : !f.name.trim() ? t("logs.save.no-name") : kind === "function" && !/^[A-Za-z_]\w*$/.test(f.alias) ? t("logs.save.bad-alias", { alias: f.alias })
    : kind === "function" && names.has(f.alias) ? t("logs.save.alias-table", { alias: f.alias }) : kind === "rule" && !(Number(f.threshold) >= 0) ? t("logs.save.bad-threshold") : "";
  const field = (key: keyof Form, label: string, draw: () => void, more: { hint?: string; mono?: boolean } = {}) => html`<label class="stack">${label}<input class="in ${more.mono ? "mono" : ""}" .value=${f[key]} autocomplete="off" spellcheck="false" @input=${(e: Event) => { f[key] = (e.target as HTMLInputElement).value; draw(); }}>${more.hint ? html`<small class="t3">${more.hint}</small>` : nothing}</label>`;
  const choose = (key: keyof Form, label: string, items: [string, string][], draw: () => void) => html`<label class="stack">${label}<select class="in" @change=${(e: Event) => { f[key] = (e.target as HTMLSelectElement).value; draw(); }}>${items.map(([v, w]) => html`<option value=${v} ?selected=${f[key] === v}>${w}</option>`)}</select></label>`;
  const spans = ["5m", "15m", "1h", "4h", "24h", "7d"].map((x): [string, string] => [x, duration(+parseRange(x)!.to - +parseRange(x)!.from)]);
  const filled = await openDialog<true>({
    title: t(`logs.save.${kind}`),
    body: (d) => { const draw = () => d.draw(); return html`<div class="col save-form">
      ${field("name", t("logs.save.name"), draw)}
      ${kind === "function" ? html`${field("alias", t("logs.save.alias"), draw, { mono: true, hint: t("logs.save.alias-hint") })}${field("parameters", t("logs.save.parameters"), draw, { mono: true, hint: "a:string, b:long=1" })}` : nothing}
      ${kind === "rule" ? html`<div class="row">${choose("severity", t("logs.save.severity"), ["High", "Medium", "Low", "Informational"].map((s) => [s, t(`severity.${s === "Informational" ? "info" : s.toLowerCase()}`)]), draw)}${choose("frequency", t("logs.save.frequency"), spans, draw)}${choose("period", t("logs.save.period"), spans, draw)}</div>${field("threshold", t("logs.save.threshold"), draw)}` : nothing}
      ${kind === "hunt" || kind === "rule" ? html`${field("tactics", t("logs.save.tactics"), draw, { hint: "InitialAccess, CredentialAccess" })}${field("techniques", t("logs.save.techniques"), draw, { hint: "T1110, T1078" })}` : nothing}
      ${kind === "query" ? field("category", t("logs.save.category"), draw) : nothing}
      ${field("description", t("logs.save.description"), draw)}
      ${fault() ? html`<p class="c-high sm" role="status">${fault()}</p>` : nothing}</div>`; },
    acts: [{ text: t("act.cancel") }, { text: t("logs.save.next"), primary: true, disabled: () => !!fault(), run: async () => true as const }],
  });
  if (!filled) return;

  const words = (s: string) => s.split(/[\s,;]+/).filter(Boolean), tags = Object.entries({ description: f.description, tactics: words(f.tactics).join(","), techniques: words(f.techniques).join(",") }).filter(([, v]) => v).map(([name, value]) => ({ name, value }));
  const existing = kind === "function" ? (await savedSearches().catch(() => [])).find((s) => String(s.properties?.functionAlias ?? "").toLowerCase() === f.alias.toLowerCase()) : undefined;
  const id = existing?.id ?? (kind === "rule" ? sentinel(`alertRules/${crypto.randomUUID()}`) : `${searches()}/${crypto.randomUUID()}`);
  const body = kind === "rule"
    ? { kind: "Scheduled", properties: { displayName: f.name, description: f.description, enabled: true, severity: f.severity, query, queryFrequency: iso[f.frequency], queryPeriod: iso[f.period], triggerOperator: "GreaterThan", triggerThreshold: Number(f.threshold), suppressionDuration: "PT1H", suppressionEnabled: false, tactics: words(f.tactics), techniques: words(f.techniques), eventGroupingSettings: { aggregationKind: "SingleAlert" } } }
    : { properties: { category: kind === "hunt" ? "Hunting Queries" : kind === "function" ? "Functions" : f.category || "General", displayName: f.name, query, version: 2, ...(kind === "function" ? { functionAlias: f.alias, ...(f.parameters.trim() ? { functionParameters: f.parameters } : {}) } : {}), ...(tags.length ? { tags } : {}) } };
  const ask = kind === "rule" ? {} : { version };
  await confirmImpact({
    title: t(`logs.save.${kind}`), act: t("act.save"), undo: t(existing ? "logs.save.undo-before" : "logs.save.undo"),
    impact: async () => {
      const changes = [t(existing ? "logs.save.changes" : "logs.save.makes", { what: t(`logs.save.a-${kind}`), name: f.name })];
      if (kind === "rule") {
        // What the rule would have seen in its last period, read now.
        const n = Number((await kql(`${query.replace(/[\s;]+$/, "")}\n| count`, { range: parseRange(f.period) })).rows[0]?.[0] ?? 0);
        changes.push(t(n > Number(f.threshold) ? "logs.save.would" : "logs.save.would-not", { n: num(n), period: duration(+parseRange(f.period)!.to - +parseRange(f.period)!.from) }));
        return { changes, before: undefined, after: body, dryRun: new Date() };
      }
      if (kind === "function") changes.push(t("logs.save.callable", { alias: f.alias }));
      return { changes, before: existing && { properties: existing.properties }, after: body };
    },
    run: () => act({
      text: t("logs.save.done", { what: t(`logs.save.a-${kind}`), name: f.name }), href: kind === "rule" ? href("/rules/{id}", { id: id.split("/").pop()! }) : undefined,
      run: () => putResource(id, existing?.etag ? { etag: existing.etag, ...body } : body, ask),
      undo: () => (existing ? putResource(id, { etag: "*", properties: existing.properties }, ask) : deleteResource(id, ask)),
    }),
  });
}
