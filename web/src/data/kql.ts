// Log queries: POST /v1/workspaces/{customerId}/query, and the answer as columns and rows.
import { post, send, type Ask } from "./client";
import { session } from "./session";
import type { Range } from "./time";
import { timespan } from "./time";

export interface Column { name: string; type: string }
export type Cell = string | number | boolean | null | object;
export interface Table { name: string; columns: Column[]; rows: Cell[][] }
export interface Result extends Table {
  tables: Table[];
  /** Part of the answer is missing, and why. */
  partial?: { code: string; message: string };
  statistics?: Record<string, unknown>;
  render?: Record<string, unknown>;
}
interface Wire { tables: { name: string; columns: Column[]; rows: Cell[][] }[]; error?: { code: string; message: string }; statistics?: Record<string, unknown>; render?: Record<string, unknown> }

/** The answer of the wire as a result; its first table is the result itself. */
export function shape(w: Wire): Result {
  const tables = (w.tables ?? []).map((t) => ({ name: t.name, columns: t.columns ?? [], rows: (t.rows ?? []).map((r) => r.map((c, i) => value(c, t.columns[i]?.type ?? "string"))) }));
  const first = tables.find((t) => t.name === "PrimaryResult") ?? tables[0] ?? { name: "PrimaryResult", columns: [], rows: [] };
  return { ...first, tables, partial: w.error && { code: w.error.code, message: w.error.message }, statistics: w.statistics, render: w.render };
}
/** Dynamics come as text of JSON; the rest as it is. */
function value(c: Cell, type: string): Cell {
  if (type !== "dynamic" || typeof c !== "string") return c;
  try { return JSON.parse(c) as Cell; } catch { return c; }
}

export interface Query { range?: Range | null; signal?: AbortSignal; workspace?: string; statistics?: boolean; render?: boolean; wait?: number }

/** Runs a query in the session's workspace. Without a range the whole table counts. */
export async function kql(query: string, q: Query = {}): Promise<Result> {
  const prefer = [q.statistics && "include-statistics=true", q.render && "include-render=true", q.wait && `wait=${q.wait}`].filter(Boolean).join(", ");
  const ask: Ask = { signal: q.signal, safe: true, headers: prefer ? { prefer } : {} };
  const w = await post<Wire>(`/v1/workspaces/${encodeURIComponent(q.workspace ?? session().workspace.customerId)}/query`, { query, ...(q.range ? { timespan: timespan(q.range) } : {}) }, ask);
  return shape(w);
}

/** Several queries in one request; each answer is a result or its error. */
export async function kqlBatch(queries: Record<string, string>, q: Query = {}): Promise<Record<string, Result | { error: { code: string; message: string } }>> {
  const workspace = q.workspace ?? session().workspace.customerId;
  const requests = Object.entries(queries).map(([id, query]) => ({ id, headers: { "content-type": "application/json" }, body: { query, ...(q.range ? { timespan: timespan(q.range) } : {}) }, method: "POST", path: "/query", workspace }));
  const { body } = await send<{ responses: { id: string; status: number; body: Wire & { error?: { code: string; message: string } } }[] }>("/v1/$batch", { method: "POST", body: { requests }, signal: q.signal, safe: true });
  return Object.fromEntries(body.responses.map((r) => [r.id, r.status === 200 ? shape(r.body) : { error: r.body.error ?? { code: `HTTP ${r.status}`, message: "" } }]));
}

/** Rows as objects by column name: for small tables that a page shows field by field. */
export const records = (t: Table): Record<string, Cell>[] => t.rows.map((r) => Object.fromEntries(t.columns.map((c, i) => [c.name, r[i]])));

/** A text inside a query: quoted and escaped. Use it for every value that comes from data or from a person. */
export const quote = (s: string): string => `"${s.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t").replace(/[\u0000-\u001f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)}"`;

/** A value of a column as KQL, for "only this" and "not this". */
export function literal(v: Cell, type: string): string {
  if (v === null || v === "") return type === "string" ? '""' : `${type}(null)`;
  switch (type) {
    case "datetime": return `datetime(${v})`;
    case "timespan": return `timespan(${v})`;
    case "guid": return `guid(${v})`;
    case "bool": return v === true || v === 1 || v === "true" ? "true" : "false";
    case "int": case "long": case "real": case "decimal": return type === "decimal" ? `decimal(${v})` : String(v);
    case "dynamic": return `dynamic(${JSON.stringify(v)})`;
    default: return quote(String(v));
  }
}
/** A column's name as KQL: bracketed where it is no plain word. */
export const columnName = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `['${name.replace(/[\\']/g, "\\$&")}']`);
