// <rf-result-chart .columns .rows .render heading=${...} view="table" @narrow=${(e) => e.detail}>: the chart that `render` asked for.
// Lines, areas and columns over time are rf-chart's; bars, pies and points are drawn here. The table of "Show as table" is rf-chart's or a plain one.
import { html, LitElement, nothing, svg, type PropertyValues } from "lit";
import { num, percent, short, stamp } from "../../data/time";
import { t } from "../../i18n";
import { nice } from "../charts";
import { css } from "../css";
import { draw, peak, type Drawn, type RenderColumn, type RenderOptions } from "./data";
import "./chart.css";

const r2 = (v: number) => Math.round(v * 100) / 100;

export class ResultChart extends LitElement {
  static properties = { columns: { attribute: false }, rows: { attribute: false }, options: { attribute: false }, heading: {}, table: { type: Boolean } };
  declare columns: readonly RenderColumn[];
  declare rows: readonly unknown[][];
  declare options: RenderOptions;
  declare heading: string;
  declare table: boolean;
  #drawn: Drawn | null = null;
  #size = { w: 0, h: 0 };
  #watch?: ResizeObserver;
  constructor() { super(); this.heading = ""; this.table = false; }
  createRenderRoot() { return this; }
  connectedCallback() { super.connectedCallback(); this.#watch ??= new ResizeObserver(() => { const b = this.querySelector<HTMLElement>(".chart-box"); if (!b) return; const s = { w: b.clientWidth, h: b.clientHeight }; if (s.w !== this.#size.w || s.h !== this.#size.h) { this.#size = s; this.requestUpdate(); } }); this.#watch.observe(this); }
  disconnectedCallback() { super.disconnectedCallback(); this.#watch?.disconnect(); }
  willUpdate(p: PropertyValues) {
    if (!p.has("columns") && !p.has("rows") && !p.has("options")) return;
    this.#drawn = this.columns && this.options ? draw(this.columns, this.rows, this.options, this.heading, t("chart.other")) : null;
  }
  updated() { const b = this.querySelector<HTMLElement>(".chart-box"); if (b && (b.clientWidth !== this.#size.w || b.clientHeight !== this.#size.h)) { this.#size = { w: b.clientWidth, h: b.clientHeight }; this.requestUpdate(); } }

  /** One sentence that says what is seen. */
  get #sentence(): string {
    const d = this.#drawn;
    if (!d) return "";
    if (d.form === "pie") return t("plot.pie", { name: d.slices[0].name, share: percent(d.slices[0].value / d.total), n: d.slices.length });
    if (d.form === "bars") { const top = d.items.reduce((a, i) => (sum(i.values) > sum(a.values) ? i : a)); return t("plot.bars", { name: top.name, value: num(sum(top.values)), n: d.items.length }); }
    if (d.form === "points") return t("plot.points", { n: d.points.length, x: d.x.name, y: d.y.name });
    const p = peak(d)!, at = typeof p.x === "number" ? stamp(p.x, false) : p.x;
    return p.times ? t("plot.peak-times", { value: num(p.value), at, n: p.times }) : t("plot.peak", { value: num(p.value), at });
  }
  render() {
    const d = this.#drawn, about = this.#sentence;
    if (!d) return html`<p class="t3 plot-none">${t("plot.none")}</p>`;
    return html`<div class="row plot-head"><h2>${this.heading}</h2><button class="btn s quiet end" aria-pressed=${String(this.table)} @click=${() => { this.table = !this.table; }}>${t(this.table ? "chart.chart" : "chart.table")}</button></div>
      <div class="chart-box">${this.table && d.form !== "lines" ? this.#asTable(d) : d.form === "lines" ? html`<rf-chart .data=${{ ...d.data, label: `${this.heading}. ${about}` }} view=${this.table ? "table" : ""}></rf-chart>` : d.form === "pie" ? this.#pie(d.slices, d.total, about) : d.form === "bars" ? this.#bars(d, about) : this.#points(d, about)}</div>
      <p class="cap plot-about">${about}${d.form === "lines" && typeof d.data.x[0] !== "string" ? html` ${d.data.incomplete ? t("plot.last") : ""} ${t("plot.narrow")}` : nothing}</p>`;
  }
  #asTable(d: Drawn) {
    const rows = d.form === "pie" ? d.slices.map((s) => [s.name, num(s.value)]) : d.form === "bars" ? d.items.map((i) => [i.name, ...i.values.map((v) => num(v))]) : d.form === "points" ? d.points.slice(0, 1000).map((p) => [d.series[p.series], d.x.time ? stamp(p.x) : num(p.x), num(p.y)]) : [];
    const heads = d.form === "pie" ? ["", t("chart.value")] : d.form === "bars" ? ["", ...d.series] : d.form === "points" ? ["", d.x.name, d.y.name] : [];
    return html`<div class="tw" tabindex="0"><table class="g auto"><caption class="vh">${this.heading}</caption><thead><tr>${heads.map((h, i) => html`<th class=${i ? "n" : ""}>${h}</th>`)}</tr></thead><tbody>${rows.map((r) => html`<tr>${r.map((v, i) => html`<td class=${i ? "n" : ""}>${v}</td>`)}</tr>`)}</tbody></table></div>`;
  }
  #legend(names: string[]) { return html`<ul class="plot-legend">${names.map((n, i) => html`<li><svg width="20" height="8" aria-hidden="true"><path class="l${i + 1}" d="M1 4H19"></path></svg><span class="ell">${n}</span></li>`)}</ul>`; }
  #pie(slices: { name: string; value: number }[], total: number, about: string) {
    const { w, h } = this.#size, size = Math.max(80, Math.min(w - 20, h - (w < 440 ? slices.length * 26 + 28 : 20), 320)), c = size / 2, outer = c - 2, inner = outer * 0.58;
    let from = -Math.PI / 2;
    return html`<div class="plot-pie"><svg class="ch" width=${size} height=${size} viewBox="0 0 ${size} ${size}" role="img" aria-label=${`${this.heading}. ${about}`}>${slices.map((s, i) => {
      const a = from, b = from + (s.value / total) * Math.PI * 2 * 0.99999, big = b - a > Math.PI ? 1 : 0, p = (r: number, x: number) => `${r2(c + r * Math.cos(x))} ${r2(c + r * Math.sin(x))}`;
      from += (s.value / total) * Math.PI * 2;
      return svg`<path class="arc f${i + 1}" d=${`M${p(outer, a)}A${outer} ${outer} 0 ${big} 1 ${p(outer, b)}L${p(inner, b)}A${inner} ${inner} 0 ${big} 0 ${p(inner, a)}Z`}><title>${s.name}: ${num(s.value)}</title></path>`;
    })}<text x=${c} y=${c + 5} text-anchor="middle" class="plot-total">${short(total)}</text></svg>
    <ul class="plot-keys">${slices.map((s, i) => html`<li><i class="k${i + 1}"></i><span class="ell grow" title=${s.name}>${s.name}</span><b class="num">${short(s.value)}</b><span class="t3 num">${percent(s.value / total)}</span></li>`)}</ul></div>`;
  }
  #bars(d: Extract<Drawn, { form: "bars" }>, about: string) {
    const top = Math.max(...d.items.map((i) => (d.stacked || d.series.length === 1 ? sum(i.values) : Math.max(...i.values))), 1e-9);
    return html`${d.series.length > 1 ? this.#legend(d.series) : nothing}<ol class="plot-bars scroll" tabindex="0" aria-label=${`${this.heading}. ${about}`}>${d.items.map((i) => html`<li><span class="ell" title=${i.name}>${i.name}</span><span class="lane ${d.stacked ? "one" : ""}">${i.values.map((v, k) => html`<i class="k${k + 1}" ${css({ width: `${Math.max(v > 0 ? 0.3 : 0, (v / top) * 100)}%` })}></i>`)}</span><b class="num">${short(sum(i.values))}</b></li>`)}</ol>`;
  }
  #points(d: Extract<Drawn, { form: "points" }>, about: string) {
    const { w, h } = this.#size;
    if (w < 60 || h < 60) return nothing;
    const xs = d.points.map((p) => p.x), ys = d.points.map((p) => p.y), lo = Math.min(...xs), hi = Math.max(...xs), legend = d.series.length > 1 ? 24 : 0;
    const ty = nice(Math.min(0, ...ys), Math.max(...ys), Math.max(2, Math.floor((h - 50) / 36))), y0 = ty[0], y1 = ty[ty.length - 1], left = Math.max(...ty.map((v) => short(v).length)) * 6.4 + 10, iw = w - left - 12, ih = h - 30 - legend;
    const X = (v: number) => left + ((v - lo) / (hi - lo || 1)) * iw, Y = (v: number) => 8 + ih - ((v - y0) / (y1 - y0 || 1)) * ih, ticks = [0, 0.25, 0.5, 0.75, 1].map((f) => lo + f * (hi - lo));
    const shape = (p: { x: number; y: number; series: number }) => { const x = r2(X(p.x)), y = r2(Y(p.y)); return p.series % 3 === 0 ? svg`<circle class="dot f${p.series + 1}" cx=${x} cy=${y} r="3"></circle>` : p.series % 3 === 1 ? svg`<rect class="dot f${p.series + 1}" x=${x - 3} y=${y - 3} width="6" height="6"></rect>` : svg`<path class="dot f${p.series + 1}" d=${`M${x} ${y - 4}L${x + 4} ${y + 3}H${x - 4}Z`}></path>`; };
    return html`${legend ? this.#legend(d.series) : nothing}<svg class="ch" width=${w} height=${h - legend} role="img" aria-label=${`${this.heading}. ${about}`}>
      ${ty.map((v) => svg`<path class=${v === 0 ? "ax" : "gl"} d=${`M${left} ${r2(Y(v))}H${w - 12}`}></path><text x=${left - 6} y=${r2(Y(v)) + 4} text-anchor="end">${short(v)}</text>`)}
      ${ticks.map((v, i) => svg`<text x=${r2(X(v))} y=${h - legend - 6} text-anchor=${i === 0 ? "start" : i === 4 ? "end" : "middle"}>${d.x.time ? stamp(v, false).slice(-5) : short(v)}</text>`)}
      ${d.points.map(shape)}</svg>`;
  }
}
const sum = (v: number[]) => v.reduce((a, x) => a + x, 0);
if (!customElements.get("rf-result-chart")) customElements.define("rf-result-chart", ResultChart);
