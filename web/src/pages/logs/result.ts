// The answer of a log query: rows stay arrays, dynamics stay text until somebody looks into one. No DOM.
import { ApiError, open } from "../../data/client";
import { session } from "../../data/session";
import { timespan, type Range } from "../../data/time";
import type { Fault } from "../../parts/kql-editor/types";

export interface Column { name: string; type: string }
export type Row = unknown[];
export interface Render { visualization: string | null; kind?: string | null; title?: string | null; xColumn?: string | null; yColumns?: unknown; series?: unknown; xTitle?: string | null; yTitle?: string | null; [more: string]: unknown }
export interface Stats { seconds?: number; scanned?: number; total?: number; bytes?: number }
export interface Answer {
  columns: Column[];
  rows: Row[];
  tables: { name: string; columns: Column[]; rows: Row[] }[];
  render: Render | null;
  stats: Stats;
  /** Why rows are missing. */
  partial: string;
  /** From asking to the last byte. */
  ms: number;
}

/** JSON whose whole numbers beyond 2^53 stay exact, as text. */
export function parseExact(text: string): any {
  if (!/[[,:]-?\d{16,}[,\]}]/.test(text)) return JSON.parse(text);
  return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g, (x) => (x[0] === '"' || Number.isSafeInteger(Number(x)) ? x : `"${x}"`)));
}

export function shape(text: string, ms: number): Answer {
  const w = parseExact(text), tables = (w.tables ?? []).map((x: any) => ({ name: x.name, columns: x.columns ?? [], rows: x.rows ?? [] }));
  const first = tables.find((x: any) => x.name === "PrimaryResult") ?? tables[0] ?? { columns: [], rows: [] }, s = w.statistics?.query ?? {}, input = s.inputDatasetStatistics ?? {};
  const inner = w.error?.details?.[0]?.innererror?.message ?? w.error?.message ?? "";
  return {
    columns: first.columns, rows: first.rows, tables, ms, render: w.render?.visualization ? w.render : null, partial: w.error ? String(inner || w.error.code) : "",
    stats: { seconds: s.executionTime, scanned: input.rows?.scanned, total: input.rows?.total, bytes: input.bytes?.scanned },
  };
}

export async function ask(query: string, range: Range | null, signal: AbortSignal): Promise<Answer> {
  const from = performance.now();
  const r = await open(`/v1/workspaces/${encodeURIComponent(session().workspace.customerId)}/query`, {
    method: "POST", safe: true, signal, headers: { prefer: "include-statistics=true, include-render=true, wait=600" }, body: { query, ...(range ? { timespan: timespan(range) } : {}) },
  });
  const text = await r.text();
  return shape(text, performance.now() - from);
}

/** Where in the query the server found the fault. Lines count from one; positions on the wire from nought. */
export function faultOf(e: unknown): Fault | null {
  if (!(e instanceof ApiError)) return null;
  for (let at = e.details as any; at && typeof at === "object"; at = at.innererror)
    if (typeof at.line === "number" && typeof at.pos === "number") return { line: at.line, column: at.pos + 1, length: Math.max(1, String(at.token ?? "").length), message: String(at.message ?? e.message), code: String(at.code ?? e.code) };
  return null;
}

const numeric = new Set(["int", "long", "real", "decimal"]);
export const isNumber = (type: string): boolean => numeric.has(type);

/** Widths by what stands in the first rows. */
export function widthOf(c: Column, index: number, rows: readonly Row[]): number {
  if (c.type === "datetime") return 190;
  let most = c.name.length + 2;
  for (let i = 0; i < Math.min(rows.length, 200); i++) { const v = rows[i][index]; if (v !== null && v !== undefined) most = Math.max(most, String(v).length); }
  return Math.round(Math.min(isNumber(c.type) ? 160 : 360, Math.max(72, most * 7.1 + 26)));
}

/** A value as JSON has it: dynamics as what they hold. */
export function plain(v: unknown, type: string): unknown {
  if (type !== "dynamic" || typeof v !== "string") return v;
  try { return JSON.parse(v); } catch { return v; }
}
export const asJson = (a: { columns: Column[]; rows: readonly Row[] }): string => JSON.stringify(a.rows.map((r) => Object.fromEntries(a.columns.map((c, i) => [c.name, plain(r[i], c.type)]))), null, 1);

/** The kinds of column whose values stand for somebody or something that other tables know too. */
export const isEntity = (c: Column): boolean => c.type === "string" && (/(^|[a-z_])(IP|Ip)(v[46])?(Addr(ess)?)?(_s)?$|^(ip|ip_?address)$/.test(c.name)
  || /userprincipalname$|(^|_)upn$|^(target|source|initiating|subject)?account(name|upn)?$|^(computer|hostname|devicename|deviceid|caller|user|username|targetusername|sourceusername)$|(sha1|sha256|md5|hash)$/i.test(c.name));
/** Where in all tables a value stands. */
export const entityQuery = (value: string, quote: (s: string) => string): string => `// ${value.replace(/\s+/g, " ").slice(0, 60)}\nsearch ${quote(value)}\n| summarize Rows = count(), First = min(TimeGenerated), Last = max(TimeGenerated) by Table = $table\n| order by Rows desc`;
