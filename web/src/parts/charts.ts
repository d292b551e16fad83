// Small charts drawn as SVG: spark, lines over time, bars. Colours and dashes come from the tokens by class, so a change of theme needs no new drawing.
import { html, LitElement, nothing, svg } from "lit";
import { num, short, stamp, when } from "../data/time";
import { t } from "../i18n";
import { words } from "./grid";

/** A line without axes: `values` from left to right, null is a gap. `label` says in one sentence what is seen. */
export function spark(values: (number | null)[], label: string, o: { zero?: boolean; bad?: boolean } = {}): unknown {
  const have = values.filter((v): v is number => v !== null && isFinite(v));
  if (have.length < 2) return nothing;
  const low = o.zero ? 0 : Math.min(...have), high = Math.max(...have, low + 1e-9), flat = Math.max(...have) === low;
  const x = (i: number) => (i / (values.length - 1)) * 200, y = (v: number) => (flat ? 24 : 33 - ((v - low) / (high - low)) * 30);
  return html`<svg class="spark" viewBox="0 0 200 36" preserveAspectRatio="none" role="img" aria-label=${label}>${runs(values).map((r) => svg`<path class="a" d=${`M${x(r[0][0])} 36${r.map(([i, v]) => `L${n(x(i))} ${n(y(v))}`).join("")}L${x(r[r.length - 1][0])} 36Z`}></path><path class=${o.bad ? "bad" : ""} d=${r.map(([i, v], k) => `${k ? "L" : "M"}${n(x(i))} ${n(y(v))}`).join("")}></path>`)}</svg>`;
}
const n = (v: number) => Math.round(v * 100) / 100;
/** Stretches without a gap. */
function runs(values: (number | null)[]): [number, number][][] {
  const all: [number, number][][] = [];
  let run: [number, number][] = [];
  values.forEach((v, i) => { if (v === null || !isFinite(v)) { if (run.length) all.push(run); run = []; } else run.push([i, v]); });
  if (run.length) all.push(run);
  return all;
}

export interface Series { name: string; values: (number | null)[] }
export interface ChartData {
  kind: "line" | "area" | "bar" | "stacked" | "column";
  /** Times in ms or Date (line, area, bar over time), or names (column). */
  x: (number | Date | string)[];
  series: Series[];
  /** One sentence that says what is seen. */
  label: string;
  unit?: string;
  /** The last bucket has not ended yet: it is hatched. */
  incomplete?: boolean;
}

/** `<rf-chart .data=${ChartData} @narrow=${(e) => e.detail}>` (from and to in ms): fills its box; redraws on resize. Arrows walk along the times, drag narrows, "Show as table". */
export class Chart extends LitElement {
  static properties = { data: { attribute: false }, view: {} };
  declare data: ChartData;
  declare view: string;
  #size = { w: 0, h: 0 };
  #watch?: ResizeObserver;
  #at = -1;
  #locked = false;
  #drag: [number, number] | null = null;
  createRenderRoot() { return this; }
  connectedCallback() { super.connectedCallback(); this.#watch ??= new ResizeObserver(() => { const s = { w: this.clientWidth, h: this.clientHeight }; if (s.w !== this.#size.w || s.h !== this.#size.h) { this.#size = s; this.requestUpdate(); } }); this.#watch.observe(this); }
  disconnectedCallback() { super.disconnectedCallback(); this.#watch?.disconnect(); }

  /** At most six series; the rest together are "others". */
  get #series(): Series[] {
    const s = this.data.series;
    if (s.length <= 6) return s;
    const sum = (x: Series) => x.values.reduce<number>((a, v) => a + (v ?? 0), 0), order = s.slice().sort((a, b) => sum(b) - sum(a));
    return [...order.slice(0, 5), { name: t("chart.other"), values: this.data.x.map((_, i) => order.slice(5).reduce<number | null>((a, x) => (x.values[i] === null ? a : (a ?? 0) + x.values[i]!), null)) }];
  }
  render() {
    if (!this.data) return nothing;
    if (this.view === "table") return this.#table();
    const d = this.data, { w, h } = this.#size, series = this.#series;
    if (w < 40 || h < 40 || !d.x.length) return html`<p class="vh">${d.label}</p>`;
    const bars = d.kind === "bar" || d.kind === "stacked" || d.kind === "column", stacked = d.kind === "stacked" || d.kind === "area" && series.length > 1, legend = series.length > 1 ? 20 : 0;
    const totals = d.x.map((_, i) => (stacked ? series.reduce((a, s) => a + (s.values[i] ?? 0), 0) : Math.max(...series.map((s) => s.values[i] ?? -Infinity))));
    const lows = series.flatMap((s) => s.values.filter((v): v is number => v !== null)), top = Math.max(0, ...totals.filter(isFinite)), low = bars || stacked ? Math.min(0, ...lows) : lows.length && Math.min(...lows) > top * 0.6 ? Math.min(...lows) : Math.min(0, ...lows);
    const ticks = nice(low, top, Math.max(2, Math.floor((h - 30 - legend) / 34))), y0 = ticks[0], y1 = ticks[ticks.length - 1];
    const wide = Math.max(...ticks.map((v) => short(v).length)) * 6.4 + 8, box = { l: wide, r: 8, t: 8 + legend, b: 20 }, iw = w - box.l - box.r, ih = h - box.t - box.b;
    const Y = (v: number) => box.t + ih - ((v - y0) / (y1 - y0 || 1)) * ih, step = iw / d.x.length;
    const times = typeof d.x[0] !== "string", T = d.x.map(Number), X = (i: number) => (bars ? box.l + (i + 0.5) * step : times && T[T.length - 1] > T[0] ? box.l + ((T[i] - T[0]) / (T[T.length - 1] - T[0])) * iw : box.l + (d.x.length > 1 ? (i / (d.x.length - 1)) * iw : iw / 2));
    this.#X = X; this.#box = box;
    const apart = times ? 92 : 110, every = Math.max(1, Math.ceil(d.x.length / Math.max(1, Math.floor(iw / apart))));
    // Names under the axis: every nth, or where times lie unevenly, as many as have room.
    let last = -Infinity;
    const marks = d.x.map((_, i) => i).filter((i) => { if (bars ? i % every : X(i) - last < apart) return false; last = X(i); return true; });
    const day = times && T[T.length - 1] - T[0] > 2 * 86400e3;
    const name = (i: number) => (times ? (day ? stamp(T[i], false).replace(/ \d{4},.*/, "") : stamp(T[i], false).slice(-5)) : String(d.x[i]));
    const base = series.map(() => d.x.map(() => 0));
    if (stacked) d.x.forEach((_, i) => { let a = 0; series.forEach((s, k) => { base[k][i] = a; a += s.values[i] ?? 0; }); });
    const bw = Math.max(1, Math.min(28, step * 0.8)), each = stacked || series.length === 1 ? bw : bw / series.length;
    return html`<svg class="ch chart" width=${w} height=${h} viewBox="0 0 ${w} ${h}" role="img" aria-label=${d.label} tabindex="0" @keydown=${this.#keys} @pointermove=${this.#hover} @pointerleave=${() => { if (!this.#locked && !this.#drag) { this.#at = -1; this.requestUpdate(); } }} @pointerdown=${this.#down} @pointerup=${this.#up} @blur=${() => { if (!this.#locked) { this.#at = -1; this.requestUpdate(); } }}>
      <defs><pattern id="rf-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2" height="5" class="hatch"></rect></pattern></defs>
      ${ticks.map((v) => svg`<line class=${v === 0 ? "ax" : "gl"} x1=${box.l} x2=${w - box.r} y1=${n(Y(v)) + 0.5} y2=${n(Y(v)) + 0.5}></line><text x=${box.l - 6} y=${n(Y(v)) + 4} text-anchor="end">${short(v)}</text>`)}
      ${marks.map((i) => svg`<text x=${n(X(i))} y=${h - 5} text-anchor=${!bars && i === 0 ? "start" : !bars && i === d.x.length - 1 ? "end" : "middle"}>${cutText(name(i), times ? 20 : 16)}</text>`)}
      ${series.map((s, k) => bars ? s.values.map((v, i) => (v === null ? nothing : svg`<rect class=${d.incomplete && i === d.x.length - 1 ? `f${k + 1} part` : `f${k + 1}`} x=${n(X(i) - bw / 2 + (stacked ? 0 : k * each))} y=${n(Math.min(Y(base[k][i] + v), Y(base[k][i])))} width=${n(each)} height=${n(Math.max(v ? 1 : 0, Math.abs(Y(base[k][i]) - Y(base[k][i] + v))))}></rect>`))
        : runs(s.values).map((r) => svg`${d.kind === "area" ? svg`<path class="fill f${k + 1}" d=${`${r.map(([i, v], j) => `${j ? "L" : "M"}${n(X(i))} ${n(Y(base[k][i] + v))}`).join("")}${r.slice().reverse().map(([i]) => `L${n(X(i))} ${n(Y(base[k][i]))}`).join("")}Z`}></path>` : nothing}${r.length === 1 ? svg`<circle class="f${k + 1}" cx=${n(X(r[0][0]))} cy=${n(Y(base[k][r[0][0]] + r[0][1]))} r="2.5"></circle>` : svg`<path class="l${k + 1}" d=${r.map(([i, v], j) => `${j ? "L" : "M"}${n(X(i))} ${n(Y(base[k][i] + v))}`).join("")}></path>`}`))}
      ${this.#drag ? svg`<rect class="sel" x=${Math.min(...this.#drag)} width=${Math.abs(this.#drag[1] - this.#drag[0])} y=${box.t} height=${ih}></rect>` : nothing}
      ${this.#at >= 0 ? svg`<line class="at" x1=${n(X(this.#at))} x2=${n(X(this.#at))} y1=${box.t} y2=${box.t + ih}></line>` : nothing}
      ${legend ? legendOf(series, box.l) : nothing}</svg>
      ${this.#at >= 0 && this.#at < d.x.length ? html`<div class="chart-tip ${X(this.#at) > w / 2 ? "start" : "end"}" role="status"><b>${times ? when(T[this.#at]) === stamp(T[this.#at]).slice(0, 11) ? stamp(T[this.#at]) : stamp(T[this.#at]) : d.x[this.#at]}</b>${series.map((s, k) => html`<span><i class="k${k + 1}"></i>${s.name} <b>${s.values[this.#at] === null || s.values[this.#at] === undefined ? "-" : num(s.values[this.#at])}${d.unit ? ` ${d.unit}` : ""}</b></span>`)}${d.incomplete && this.#at === d.x.length - 1 ? html`<span>${t("chart.incomplete")}</span>` : nothing}</div>` : nothing}`;
  }
  #X: (i: number) => number = () => 0;
  #box = { l: 0, r: 0, t: 0, b: 0 };
  #table() {
    const d = this.data;
    return html`<div class="tw" tabindex="0"><table class="g auto"><caption class="vh">${d.label}</caption><thead><tr><th>${typeof d.x[0] === "string" ? "" : t("chart.time")}</th>${d.series.map((s) => html`<th class="n">${s.name}</th>`)}</tr></thead><tbody>${d.x.map((x, i) => html`<tr><td>${typeof x === "string" ? x : stamp(x)}</td>${d.series.map((s) => html`<td class="n">${words(s.values[i])}</td>`)}</tr>`)}</tbody></table></div>`;
  }
  #near(e: PointerEvent): number {
    const x = e.clientX - this.getBoundingClientRect().left;
    let best = 0;
    for (let i = 1; i < this.data.x.length; i++) if (Math.abs(this.#X(i) - x) < Math.abs(this.#X(best) - x)) best = i;
    return best;
  }
  #hover = (e: PointerEvent) => {
    if (this.#drag) { this.#drag = [this.#drag[0], this.#in(e)]; this.requestUpdate(); return; }
    if (this.#locked) return;
    const i = this.#near(e);
    if (i !== this.#at) { this.#at = i; this.requestUpdate(); }
  };
  #in = (e: PointerEvent) => Math.max(this.#box.l, Math.min(this.#size.w - this.#box.r, e.clientX - this.getBoundingClientRect().left));
  #down = (e: PointerEvent) => { if (e.button === 0 && typeof this.data.x[0] !== "string") { (e.currentTarget as Element).setPointerCapture(e.pointerId); const x = this.#in(e); this.#drag = [x, x]; } };
  #up = (e: PointerEvent) => {
    const d = this.#drag;
    this.#drag = null;
    if (!d || Math.abs(d[1] - d[0]) < 8) { this.#at = this.#near(e); this.#locked = !this.#locked; this.requestUpdate(); return; }
    const inside = this.data.x.map((x, i) => [Number(x), this.#X(i)]).filter(([, x]) => x >= Math.min(...d) && x <= Math.max(...d));
    if (inside.length) this.#narrow(inside[0][0], inside[inside.length - 1][0]);
    this.requestUpdate();
  };
  #narrow(from: number, to: number) {
    const T = this.data.x.map(Number), step = T.length > 1 ? T[1] - T[0] : 60_000;
    this.dispatchEvent(new CustomEvent("narrow", { detail: [from, to + step], bubbles: true }));
  }
  #keys = (e: KeyboardEvent) => {
    const last = this.data.x.length - 1, to = { ArrowRight: this.#at + 1, ArrowLeft: this.#at < 0 ? last : this.#at - 1, Home: 0, End: last }[e.key];
    if (to !== undefined) { e.preventDefault(); e.stopPropagation(); this.#at = Math.max(0, Math.min(last, to)); this.requestUpdate(); }
    else if (e.key === "Enter" && this.#at >= 0 && typeof this.data.x[0] !== "string") { e.preventDefault(); this.#narrow(Number(this.data.x[this.#at]), Number(this.data.x[this.#at])); }
    else if (e.key === "Escape" && this.#at >= 0) { e.stopPropagation(); this.#at = -1; this.#locked = false; this.requestUpdate(); }
  };
}
function legendOf(series: Series[], left: number) {
  let x = left;
  return series.map((s, k) => {
    const name = cutText(s.name, 22), at = x;
    x += 34 + name.length * 6.2;
    return svg`<path class="l${k + 1}" d=${`M${at} 9H${at + 18}`}></path><text x=${at + 23} y="13">${name}</text>`;
  });
}
const cutText = (s: string, max: number) => (s.length > max ? `${s.slice(0, max - 1)}…` : s);
/** Round numbers from low to high, about `count` of them. */
export function nice(low: number, high: number, count: number): number[] {
  if (high <= low) high = low + 1;
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough)), step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999)!;
  const out: number[] = [];
  for (let v = Math.floor(low / step) * step; ; v += step) { out.push(Math.round(v * 1e9) / 1e9); if (v >= high) return out; }
}
if (!customElements.get("rf-chart")) customElements.define("rf-chart", Chart);
