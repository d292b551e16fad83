// The evidence bundle: one JSON file made in the browser, each part with its SHA-256, so that whoever gets it can tell that nothing was changed.
import { type Alert, type Comment, commentsOf, type Incident, numberOf, type Task, tasksOf } from "../../data/incidents";
import { kql, type Result } from "../../data/kql";
import { session } from "../../data/session";
import { parseRange } from "../../data/time";

const rowsMost = 1000, alertsMost = 20;
const sha256 = async (text: string): Promise<string> => [...new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)))].map((b) => b.toString(16).padStart(2, "0")).join("");

/** Texts of the parts; hashes are of exactly these texts: JSON.stringify(part). */
export async function makeBundle(i: Incident, alerts: Alert[], log: Result): Promise<{ name: string; text: string }> {
  const [comments, tasks]: [Comment[], Task[]] = await Promise.all([commentsOf(i), tasksOf(i)]);
  const evidence: unknown[] = [];
  for (const a of alerts.slice(0, alertsMost)) {
    if (!a.query || !a.from || !a.to) continue;
    const range = parseRange(`${a.from}/${a.to}`)!;
    try { const r = await kql(`${a.query}\n| take ${rowsMost}`, { range }); evidence.push({ alert: a.id, query: a.query, from: a.from, to: a.to, columns: r.columns, rows: r.rows, cut: r.rows.length === rowsMost }); }
    catch (e) { evidence.push({ alert: a.id, query: a.query, from: a.from, to: a.to, failed: (e as Error).message }); }
  }
  const parts: Record<string, unknown> = { incident: i, alerts: alerts.map(({ entities, ...a }) => a), entities: alerts.flatMap((a) => a.entities.map((e) => ({ alert: a.id, ...e }))), evidence, comments, tasks, changes: { columns: log.columns, rows: log.rows } };
  const hashes: Record<string, string> = {};
  for (const [k, v] of Object.entries(parts)) hashes[k] = await sha256(JSON.stringify(v));
  const s = session(), head = { kind: "ringfort-evidence", format: 1, incident: numberOf(i), workspace: s.workspace.id, made: new Date().toISOString(), by: s.user.upn, alertsLeftOut: Math.max(0, alerts.length - alertsMost), hash: "SHA-256 of the JSON text of each part, without spaces", hashes };
  return { name: `incident-${numberOf(i)}-evidence.json`, text: JSON.stringify({ ...head, all: await sha256(JSON.stringify(hashes)), parts }) };
}
export function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" })), a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
