// Time ranges of the address, and how times, durations and numbers look.
import { lang, t } from "../i18n/index";
import { prefs } from "./prefs";

export interface Range { text: string; from: Date; to: Date; /** Ends now: quick ranges. */ live: boolean }

const unit: Record<string, number> = { m: 60e3, h: 3600e3, d: 86400e3, w: 7 * 86400e3 };
export const quick = ["15m", "1h", "4h", "24h", "7d", "30d", "90d"] as const;

/** Reads ?t=: "24h", "7d" (also "ago(7d)" and "7 days"), or "FROM/TO" in ISO times. Null when it is neither. */
export function parseRange(text: string | null | undefined, now = Date.now()): Range | null {
  const s = (text ?? "").trim();
  const short = /^(?:ago\()?\s*(\d{1,4})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)\s*\)?$/i.exec(s);
  if (short) {
    const n = Number(short[1]), u = short[2][0].toLowerCase();
    return n ? { text: `${n}${u}`, from: new Date(now - n * unit[u]), to: new Date(now), live: true } : null;
  }
  const two = s.split("/");
  if (two.length !== 2) return null;
  const [from, to] = two.map((x) => new Date(/T[^Z+-]*$/.test(x) ? `${x}Z` : x));
  if (isNaN(+from) || isNaN(+to) || from >= to) return null;
  return { text: `${iso(from)}/${iso(to)}`, from, to, live: false };
}
/** ISO without needless zeros: 2026-11-20T10:00Z. */
const iso = (d: Date) => d.toISOString().replace(/(:00)?\.000Z$/, "Z");

/** As the timespan of a log query. */
export const timespan = (r: Range): string => (r.live ? `PT${Math.round((+r.to - +r.from) / 1000)}S` : `${r.from.toISOString()}/${r.to.toISOString()}`);

/** The range of the same length one length earlier (-1) or later (1); never beyond now. */
export function shift(r: Range, by: -1 | 1, now = Date.now()): Range {
  const length = +r.to - +r.from, to = Math.min(now, +r.to + by * length);
  return { text: `${iso(whole(to - length))}/${iso(whole(to))}`, from: whole(to - length), to: whole(to), live: false };
}
const whole = (ms: number) => new Date(Math.round(ms / 1000) * 1000);

/** "Last 24 hours", or both ends. */
export function rangeWords(r: Range): string {
  const short = /^(\d+)([mhdw])$/.exec(r.text);
  return short ? t(`time.last.${short[2]}`, { n: Number(short[1]) }) : t("time.between", { from: stamp(r.from, false), to: stamp(r.to, false) });
}

// ---- zone ----
export const zone = (): string | undefined => (prefs.value.zone === "local" ? undefined : prefs.value.zone || "UTC");
/** The zone in words, as it stands beside times. */
export const zoneWords = (): string => (prefs.value.zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : prefs.value.zone || "UTC");

const made = new Map<string, Intl.DateTimeFormat>();
function format(o: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const l = lang() === "en" ? "en-GB" : lang(), z = zone(), key = `${l}|${z}|${JSON.stringify(o)}`;
  let f = made.get(key);
  if (!f) made.set(key, (f = new Intl.DateTimeFormat(l, { ...o, timeZone: z })));
  return f;
}
const date = (d: Date | string | number): Date => (d instanceof Date ? d : new Date(d));
const dash = "-";

const clockForm = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const dayForm = { day: "numeric", month: "short", year: "numeric" } as const;
/** 14:32:07 */
export const clock = (d: Date | string | number): string => (isNaN(+date(d)) ? dash : format(clockForm).format(date(d)));
/** 15 Oct 2026 */
export const day = (d: Date | string | number): string => (isNaN(+date(d)) ? dash : format(dayForm).format(date(d)));
/** Today the clock, else the day: how times stand in lists. */
export function when(d: Date | string | number | null | undefined, now = Date.now()): string {
  if (d === null || d === undefined || d === "" || isNaN(+date(d))) return dash;
  return day(d) === day(now) ? clock(d) : day(d);
}
/** 15 Oct 2026, 14:32:07: both, for details and heads. */
export const stamp = (d: Date | string | number | null | undefined, seconds = true): string =>
  d === null || d === undefined || d === "" || isNaN(+date(d)) ? dash : `${day(d)}, ${seconds ? clock(d) : clock(d).slice(0, 5)}`;
/** Milliseconds too: rows of logs. */
export const exact = (d: Date | string | number): string => (isNaN(+date(d)) ? dash : `${day(d) === day(Date.now()) ? "" : `${day(d)}, `}${clock(d)}.${String(date(d).getUTCMilliseconds()).padStart(3, "0")}`);

/** 1 h 10 min; 4 min; 0.4 s; 3 days: two parts at most. */
export function duration(ms: number): string {
  const s = Math.abs(ms) / 1000, n = (k: string, v: number | string) => t(`unit.${k}`, { n: v });
  if (s < 1) return s === 0 ? n("s", 0) : s < 0.1 ? n("ms", Math.round(s * 1000)) : n("s", num(Math.round(s * 10) / 10));
  if (s < 60) return n("s", s < 10 && s % 1 >= 0.05 ? num(Math.round(s * 10) / 10) : Math.round(s));
  const min = Math.round(s / 60);
  if (min < 60) return n("min", min);
  const h = Math.floor(min / 60), m = min % 60;
  if (min < 24 * 60) return m && h < 10 ? `${n("h", h)} ${n("min", m)}` : n("h", m >= 30 && h >= 10 ? h + 1 : h);
  const d = Math.floor(min / 1440), rest = Math.round((min % 1440) / 60);
  return d < 2 && rest && rest < 24 ? `${n("d", d)} ${n("h", rest)}` : n("d", Math.round(min / 1440));
}
/** "4 min ago", up to a day; then the date. */
export function ago(d: Date | string | number | null | undefined, now = Date.now()): string {
  if (d === null || d === undefined || d === "" || isNaN(+date(d))) return dash;
  const ms = now - +date(d);
  return ms > 86400e3 ? day(d) : t("time.ago", { age: duration(Math.max(0, ms)) });
}
/** Time left: "38 min"; "4 min late" when it is over. `late` says which. */
export function left(due: Date | string | number, now = Date.now()): { text: string; late: boolean } {
  const ms = +date(due) - now;
  return ms >= 0 ? { text: duration(ms), late: false } : { text: t("time.late", { age: duration(-ms) }), late: true };
}

// ---- numbers ----
const numbers = new Map<string, Intl.NumberFormat>();
function nf(o: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = lang() + JSON.stringify(o);
  let f = numbers.get(key);
  if (!f) numbers.set(key, (f = new Intl.NumberFormat(lang(), o)));
  return f;
}
/** 41,208 */
export const num = (n: number | null | undefined, digits = 3): string => (n === null || n === undefined || isNaN(n) ? dash : nf({ maximumFractionDigits: digits }).format(n));
/** 1.94 M: three digits that matter from 10,000 on. Show num() on focus. */
export function short(n: number | null | undefined): string {
  if (n === null || n === undefined || isNaN(n)) return dash;
  const a = Math.abs(n);
  if (a < 10_000) return nf({ maximumFractionDigits: a < 10 ? 2 : a < 100 ? 1 : 0 }).format(n);
  const steps: [number, string][] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]], [by, name] = steps.find(([x]) => a >= x * 0.9995)!;
  return `${nf({ maximumSignificantDigits: 3 }).format(n / by)} ${name}`;
}
/** 61 MB (powers of 1,000, as disks and links count). */
export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || isNaN(n)) return dash;
  const names = ["B", "kB", "MB", "GB", "TB", "PB"];
  let v = n, i = 0;
  while (Math.abs(v) >= 999.5 && i < names.length - 1) { v /= 1000; i++; }
  return `${nf({ maximumSignificantDigits: 3 }).format(v)} ${names[i]}`;
}
/** 72% of a share between 0 and 1. */
export const percent = (share: number): string => nf({ style: "percent", maximumFractionDigits: share < 0.1 && share > 0 ? 1 : 0 }).format(share);
