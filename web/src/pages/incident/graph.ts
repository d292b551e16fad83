// The entities of an incident and which of them stand in the same alert: a picture by SVG, the same by hand on each drawing.
import { html, svg, nothing } from "lit";
import { type Alert, type Entity, entityIcon } from "../../data/incidents";
import { hasText, t } from "../../i18n";
import { icons } from "../../parts/icons";

export const most = 30;
export interface Node { entity: Entity; alerts: Alert[]; hot: boolean; x: number; y: number }
export interface Edge { a: number; b: number; alerts: number; hot: boolean }
export const width = 470, height = 360;

/** Places for at most `most` entities: from a circle, pushed apart and drawn together along edges. No chance in it, so the picture stays put. */
export function layout(all: { entity: Entity; alerts: Alert[] }[]): { nodes: Node[]; edges: Edge[] } {
  const nodes: Node[] = all.slice(0, most).map((x, i, list) => {
    const a = (i / list.length) * Math.PI * 2 - Math.PI / 2, r = list.length === 1 ? 0 : 1;
    return { entity: x.entity, alerts: x.alerts, hot: x.alerts.some((y) => y.severity === "High"), x: width / 2 + Math.cos(a) * 150 * r, y: height / 2 - 10 + Math.sin(a) * 120 * r };
  });
  const edges: Edge[] = [];
  for (let a = 0; a < nodes.length; a++) for (let b = a + 1; b < nodes.length; b++) {
    const both = nodes[a].alerts.filter((x) => nodes[b].alerts.includes(x));
    if (both.length) edges.push({ a, b, alerts: both.length, hot: both.some((x) => x.severity === "High") });
  }
  const ideal = Math.max(64, Math.min(150, 420 / Math.sqrt(nodes.length || 1)));
  for (let turn = 0; turn < 260; turn++) {
    const heat = 12 * (1 - turn / 260), dx = nodes.map(() => 0), dy = nodes.map(() => 0);
    for (let a = 0; a < nodes.length; a++) for (let b = a + 1; b < nodes.length; b++) {
      const x = nodes[a].x - nodes[b].x || 0.1 * (a - b), y = nodes[a].y - nodes[b].y || 0.1, d = Math.hypot(x, y), f = (ideal * ideal) / d / d;
      dx[a] += x * f; dy[a] += y * f; dx[b] -= x * f; dy[b] -= y * f;
    }
    for (const e of edges) {
      const x = nodes[e.a].x - nodes[e.b].x, y = nodes[e.a].y - nodes[e.b].y, d = Math.hypot(x, y), f = d / ideal / 2;
      dx[e.a] -= (x * f) / 2; dy[e.a] -= (y * f) / 2; dx[e.b] += (x * f) / 2; dy[e.b] += (y * f) / 2;
    }
    nodes.forEach((n, i) => {
      dx[i] += (width / 2 - n.x) * 0.02; dy[i] += (height / 2 - 12 - n.y) * 0.04;
      const d = Math.hypot(dx[i], dy[i]) || 1, step = Math.min(heat, d);
      n.x = Math.max(56, Math.min(width - 56, n.x + (dx[i] / d) * step));
      n.y = Math.max(26, Math.min(height - 58, n.y + (dy[i] / d) * step));
    });
  }
  return { nodes, edges };
}

const short = (s: string): string => (s.length > 22 ? `${s.slice(0, 13)}…${s.slice(-7)}` : s);
/** What is seen comes first in the name that is heard. */
const name = (x: Node): string => `${short(x.entity.label)} ${kindWord(x.entity)}, ${short(x.entity.label) === x.entity.label ? "" : `${x.entity.label}, `}${t("incidents.n-alerts", { n: x.alerts.length })}`;
export function picture(g: { nodes: Node[]; edges: Edge[] }, zoom: number, now: string, to: (e: Entity) => string): unknown {
  const w = width / zoom, h = height / zoom, n = (v: number) => Math.round(v * 10) / 10, few = g.edges.length <= 14;
  return html`<svg class="gr" viewBox="${n((width - w) / 2)} ${n((height - h) / 2)} ${n(w)} ${n(h)}" role="group" aria-label=${t("incident.graph-label", { n: g.nodes.length, edges: g.edges.length })}>
    ${g.edges.map((e) => { const a = g.nodes[e.a], b = g.nodes[e.b], d = Math.hypot(b.x - a.x, b.y - a.y) || 1, f = 24 / d;
      return svg`<path class="e ${e.hot ? "hot" : ""} ${now && (a.entity.key === now || b.entity.key === now) ? "near" : ""}" d="M${n(a.x + (b.x - a.x) * f)} ${n(a.y + (b.y - a.y) * f)}L${n(b.x - (b.x - a.x) * f)} ${n(b.y - (b.y - a.y) * f)}"></path>${few && e.alerts > 1 ? svg`<text class="lb" x=${n((a.x + b.x) / 2)} y=${n((a.y + b.y) / 2 + 4)} text-anchor="middle" aria-hidden="true">${t("incidents.n-alerts", { n: e.alerts })}</text>` : nothing}`; })}
    ${g.nodes.map((x) => svg`<a href=${to(x.entity)} class="n ${x.hot ? "hot" : ""} ${x.entity.key === now ? "sel" : ""}" aria-label=${name(x)} aria-current=${x.entity.key === now ? "true" : nothing}><circle cx=${n(x.x)} cy=${n(x.y)} r="20"></circle><svg x=${n(x.x - 10)} y=${n(x.y - 10)} width="20" height="20" viewBox="0 0 20 20">${icons[entityIcon(x.entity.kind)]}</svg><text x=${n(x.x)} y=${n(x.y + 35)} text-anchor="middle">${short(x.entity.label)} </text><text class="s" x=${n(x.x)} y=${n(x.y + 48)} text-anchor="middle">${kindWord(x.entity)}</text></a>`)}</svg>`;
}
export const kindWord = (e: Entity): string => (hasText(`incident.kind.${e.kind}`) ? t(`incident.kind.${e.kind}`) : e.kind);
