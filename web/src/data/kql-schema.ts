// Tables, columns and functions of the workspace, for completion and for the pane of tables. No DOM.
import { get, post } from "./client";
import { session } from "./session";
import type { EditorSchema } from "../parts/kql-editor/types";

export interface TableInfo { name: string; description: string; columns: { name: string; type: string; description: string }[]; rows?: number }
export interface Schema { tables: TableInfo[]; byName: Map<string, TableInfo>; names: ReadonlySet<string>; functions: { name: string; body: string; description: string; parameters: string }[]; editor: EditorSchema; /** Whether the number of rows is known. */ counted: boolean }

interface Metadata { tables: { name: string; description?: string; columns: { name: string; type: string; description?: string }[] }[]; functions: { name: string; body?: string; description?: string; parameters?: string }[] }

export async function readSchema(signal?: AbortSignal): Promise<Schema> {
  const id = encodeURIComponent(session().workspace.customerId);
  const [meta, counts] = await Promise.all([get<Metadata>(`/v1/workspaces/${id}/metadata`, { signal }), rowCounts(signal).catch(() => null)]);
  const tables: TableInfo[] = meta.tables.map((x) => ({ name: x.name, description: x.description ?? "", rows: counts?.get(x.name), columns: x.columns.map((c) => ({ name: c.name, type: c.type.toLowerCase() === "boolean" ? "bool" : c.type.toLowerCase(), description: c.description ?? "" })) })).sort((a, b) => a.name.localeCompare(b.name));
  const functions = (meta.functions ?? []).map((f) => ({ name: f.name, body: f.body ?? "", description: f.description ?? "", parameters: f.parameters ?? "" }));
  return {
    tables, functions, counted: !!counts, byName: new Map(tables.map((x) => [x.name, x])), names: new Set(tables.map((x) => x.name)),
    editor: {
      workspace: session().workspace.name,
      tables: tables.map((x) => ({ name: x.name, docstring: x.description || undefined, columns: x.columns.map((c) => ({ name: c.name, type: c.type, docstring: c.description || undefined })) })),
      functions: functions.map((f) => ({ name: f.name, body: /^\s*\{/.test(f.body) ? f.body : `{ ${f.body} }`, docstring: f.description || undefined, parameters: parameters(f.parameters) })),
    },
  };
}
/** How many rows each table has, from the store's own counters: nothing is read for it. */
async function rowCounts(signal?: AbortSignal): Promise<Map<string, number>> {
  const r = await post<{ Tables: { Columns: { ColumnName: string }[]; Rows: unknown[][] }[] }>("/v1/rest/mgmt", { db: session().workspace.name, csl: ".show tables details" }, { signal, safe: true });
  const x = r.Tables[0], name = x.Columns.findIndex((c) => c.ColumnName === "TableName"), rows = x.Columns.findIndex((c) => c.ColumnName === "TotalRowCount");
  if (name < 0 || rows < 0) throw new Error("no row counts");
  return new Map(x.Rows.map((v) => [String(v[name]), Number(v[rows])]));
}
/** "a:string, b:long=1" */
export function parameters(text: string): { name: string; type: string; value?: string }[] {
  const out: { name: string; type: string; value?: string }[] = [];
  for (const m of text.matchAll(/([A-Za-z_]\w*)\s*:\s*(\w+|\([^)]*\))\s*(?:=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^,]+))?/g)) out.push({ name: m[1], type: m[2].startsWith("(") ? "dynamic" : m[2], ...(m[3] ? { value: m[3].trim() } : {}) });
  return out;
}
