// What `render` asks for, as the data of a chart. No DOM.
import type { ChartData, Series } from "../charts";

export interface RenderColumn { name: string; type: string }
export interface RenderOptions { visualization: string | null; kind?: string | null; title?: string | null; xColumn?: string | null; yColumns?: unknown; series?: unknown; [more: string]: unknown }
export interface Slice { name: string; value: number }
export interface Point { x: number; y: number; series: number }
export type Drawn =
  | { form: "lines"; data: ChartData }
  | { form: "bars"; items: { name: string; values: number[] }[]; series: string[]; stacked: boolean }
  | { form: "pie"; slices: Slice[]; total: number }
  | { form: "points"; points: Point[]; series: string[]; x: { name: string; time: boolean }; y: { name: string } };

const numeric = new Set(["int", "long", "real", "decimal"]);
const number = (v: unknown): number | null => { if (v === null || v === undefined || v === "") return null; const n = Number(v); return Number.isFinite(n) ? n : null; };
const list = (v: unknown): string[] => (Array.isArray(v) ? v.map(String) : typeof v === "string" && v ? v.split(",").map((s) => s.trim()) : []);
const most = 6;   // more series than these cannot be told apart; the smaller ones are added up

export const charts = ["timechart", "linechart", "areachart", "stackedareachart", "barchart", "columnchart", "piechart", "scatterchart"];

/** The chart that suits a summary which did not ask for one: its time and its first number. */
export function suited(columns: readonly RenderColumn[], rows: number, summary: boolean): RenderOptions | null {
  const y = columns.find((c) => numeric.has(c.type));
  return summary && rows > 2 && y && columns.length <= 8 && columns.some((c) => c.type === "datetime") && columns.filter((c) => c.type === "string").length <= 1 ? { visualization: "columnchart", yColumns: [y.name] } : null;
}

/** Null when the columns do not fit: no number, or nothing to stand below. `others` is the name of the series that holds the rest. */
export function draw(columns: readonly RenderColumn[], rows: readonly unknown[][], render: RenderOptions, label: string, others: string, now = Date.now()): Drawn | null {
  const kind = render.visualization ?? "";
  if (!charts.includes(kind) || !rows.length) return null;
  const at = (name: string) => columns.findIndex((c) => c.name === name), asked = list(render.yColumns).map(at).filter((i) => i >= 0);
  const timed = kind === "timechart" || (kind !== "piechart" && kind !== "barchart");
  let x = render.xColumn ? at(render.xColumn) : -1;
  if (x < 0) x = timed ? columns.findIndex((c) => c.type === "datetime") : columns.findIndex((c) => !numeric.has(c.type));
  if (x < 0 && kind === "timechart") return null;
  if (x < 0) x = columns.findIndex((c) => c.type === "string");
  if (x < 0) x = kind === "scatterchart" || kind === "linechart" || kind === "areachart" || kind === "columnchart" ? 0 : -1;
  if (x < 0) return null;
  const ys = asked.length ? asked : columns.map((c, i) => (numeric.has(c.type) && i !== x ? i : -1)).filter((i) => i >= 0);
  if (!ys.length) return null;
  let by = list(render.series).map(at).filter((i) => i >= 0);
  if (!by.length && kind !== "piechart") by = columns.map((c, i) => ((c.type === "string" || c.type === "bool" || c.type === "guid") && i !== x && !ys.includes(i) ? i : -1)).filter((i) => i >= 0).slice(0, 1);
  const time = columns[x].type === "datetime", seriesOf = (r: readonly unknown[], y: number) => { const own = by.map((i) => String(r[i] ?? "")).join(", "); return by.length ? (ys.length > 1 ? `${own}: ${columns[y].name}` : own || "-") : columns[y].name; };

  if (kind === "piechart") {
    const sums = new Map<string, number>();
    for (const r of rows) { const v = number(r[ys[0]]); if (v !== null && v > 0) sums.set(String(r[x] ?? "-"), (sums.get(String(r[x] ?? "-")) ?? 0) + v); }
    const all = [...sums].map(([name, value]) => ({ name, value })).sort((a, b) => b.value - a.value);
    if (!all.length) return null;
    const slices = all.length > most ? [...all.slice(0, most - 1), { name: others, value: all.slice(most - 1).reduce((a, s) => a + s.value, 0) }] : all;
    return { form: "pie", slices, total: all.reduce((a, s) => a + s.value, 0) };
  }
  if (kind === "scatterchart") {
    const names: string[] = [], points: Point[] = [];
    for (const r of rows.slice(0, 5000)) for (const y of ys) {
      const px = time ? Date.parse(String(r[x])) : number(r[x]), py = number(r[y]);
      if (px === null || py === null || !Number.isFinite(px)) continue;
      const name = seriesOf(r, y);
      let s = names.indexOf(name);
      if (s < 0) s = names.push(name) - 1;
      points.push({ x: px, y: py, series: s });
    }
    if (!points.length) return null;
    return { form: "points", points: points.map((p) => ({ ...p, series: Math.min(p.series, most - 1) })), series: names.length > most ? [...names.slice(0, most - 1), others] : names, x: { name: columns[x].name, time }, y: { name: ys.map((i) => columns[i].name).join(", ") } };
  }

  // One value for each place on the axis and each series; what falls together is added up.
  const places = new Map<string | number, number>(), keys: (string | number)[] = [], table = new Map<string, Map<number, number>>();
  for (const r of rows) {
    const place = time ? Date.parse(String(r[x])) : numeric.has(columns[x].type) ? number(r[x]) : String(r[x] ?? "-");
    if (place === null || (typeof place === "number" && !Number.isFinite(place))) continue;
    let i = places.get(place);
    if (i === undefined) { i = keys.push(place) - 1; places.set(place, i); }
    for (const y of ys) {
      const v = number(r[y]), name = seriesOf(r, y);
      if (v === null) continue;
      const s = table.get(name) ?? new Map<number, number>();
      s.set(i, (s.get(i) ?? 0) + v);
      table.set(name, s);
    }
  }
  if (!keys.length || !table.size) return null;
  const order = keys.map((_, i) => i);
  if (typeof keys[0] === "number") order.sort((a, b) => (keys[a] as number) - (keys[b] as number));
  const xs = order.map((i) => keys[i]), series: Series[] = limit([...table].map(([name, m]) => ({ name, values: order.map((i) => m.get(i) ?? null) })), others);
  if (kind === "barchart" || (kind === "columnchart" && !time && typeof xs[0] === "string" && xs.length > 24))
    return { form: "bars", series: series.map((s) => s.name), stacked: render.kind === "stacked", items: xs.slice(0, 100).map((k, i) => ({ name: time ? new Date(k as number).toISOString() : String(k), values: series.map((s) => s.values[i] ?? 0) })) };
  const step = time && xs.length > 1 ? Math.min(...xs.slice(1).map((v, i) => (v as number) - (xs[i] as number))) : 0;
  const bars = kind === "columnchart", area = kind === "areachart" || kind === "stackedareachart";
  const data: ChartData = {
    kind: bars ? (time ? (series.length > 1 && render.kind !== "unstacked" ? "stacked" : "bar") : series.length > 1 && render.kind === "stacked" ? "stacked" : "column") : area ? "area" : "line",
    x: time ? (xs as number[]) : xs.map(String), series, label,
    // The bucket that is still filling would look like a fall.
    incomplete: time && step > 0 && (xs[xs.length - 1] as number) + step > now && (xs[xs.length - 1] as number) <= now,
  };
  return { form: "lines", data };
}
/** The largest series by what they sum up to, and the rest together. */
export function limit(series: Series[], others: string): Series[] {
  if (series.length <= most) return series;
  const sum = (s: Series) => s.values.reduce<number>((a, v) => a + Math.abs(v ?? 0), 0), order = series.slice().sort((a, b) => sum(b) - sum(a)), rest = order.slice(most - 1);
  return [...order.slice(0, most - 1), { name: others, values: series[0].values.map((_, i) => rest.reduce<number | null>((a, s) => (s.values[i] === null || s.values[i] === undefined ? a : (a ?? 0) + (s.values[i] as number)), null)) }];
}
/** What a reader of the picture would say first: the highest value, and where it stands. */
export function peak(d: Drawn): { name: string; x: number | string; value: number; times: number | null } | null {
  if (d.form !== "lines") return null;
  let best: { name: string; x: number | string; value: number } | null = null;
  const all: number[] = [];
  for (const s of d.data.series) s.values.forEach((v, i) => { if (v === null) return; all.push(v); if (!best || v > best.value) best = { name: s.name, x: d.data.x[i] as number | string, value: v }; });
  if (!best) return null;
  const usual = all.sort((a, b) => a - b)[Math.floor(all.length / 2)], b = best as { name: string; x: number | string; value: number };
  return { ...b, times: usual > 0 && b.value / usual >= 2 ? Math.round(b.value / usual) : null };
}
