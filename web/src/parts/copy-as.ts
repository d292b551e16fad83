// "Copy as": link, KQL, JSON, ARM, az, curl, ringfort, CSV; the same order everywhere.
import { t } from "../i18n";
import { openMenu } from "./menu";
import { say } from "./say";

export type CopyKind = "link" | "kql" | "json" | "arm" | "az" | "curl" | "ringfort" | "csv";
export interface CopyItem { kind: CopyKind; text: string | (() => string | Promise<string>); /** Another word than the kind's: "KQL of the chart". */ label?: string }
const order: CopyKind[] = ["link", "kql", "json", "arm", "az", "curl", "ringfort", "csv"];

export async function copyText(text: string, what: string): Promise<void> {
  try { await navigator.clipboard.writeText(text); say(t("copy.done", { what })); }
  catch { say(t("copy.refused")); }
}

export async function copyMenu(anchor: HTMLElement, items: CopyItem[]): Promise<void> {
  const all: CopyItem[] = items.some((i) => i.kind === "link") ? items : [{ kind: "link", text: () => location.href }, ...items];
  openMenu(anchor, all.slice().sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).map((i) => {
    const what = i.label ?? t(`copy.${i.kind}`);
    return { text: what, run: () => void Promise.resolve(typeof i.text === "function" ? i.text() : i.text).then((x) => copyText(x, what)) };
  }), { label: t("copy.as"), end: true });
}

/** A curl line for a call of an API: the token stays a variable of the shell, never a value. */
export function curlLine(origin: string, method: string, path: string, body?: unknown): string {
  const sh = (s: string) => `'${s.replace(/'/g, `'\\''`)}'`;
  return ["curl", method === "GET" ? "" : `-X ${method}`, sh(origin + path), `-H "Authorization: Bearer $TOKEN"`, ...(body === undefined ? [] : [`-H 'Content-Type: application/json'`, `-d ${sh(JSON.stringify(body))}`])].filter(Boolean).join(" ");
}
/** Rows as CSV (RFC 4180). A text that a spreadsheet would run as a formula is kept a text. */
export function csv(columns: string[], rows: unknown[][]): string {
  const cell = (v: unknown) => {
    let s = v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : String(v);
    if (typeof v === "string" && /^[=+\-@\t\r]/.test(s)) s = `'${s}`;
    return /[",\r\n]/.test(s) ? `"${s.replace(/"/g, '""')}"` : s;
  };
  return [columns, ...rows].map((r) => r.map(cell).join(",")).join("\r\n") + "\r\n";
}
