// One of a few, and filters as chips.
import { html, nothing } from "lit";
import { t } from "../i18n";

/** A segmented choice: segmented("View", [{value: "grid", text: "Grid"}], "grid", (v) => …). */
export const segmented = <V extends string>(label: string, items: { value: V; text: string; icon?: string }[], now: V, pick: (v: V) => void): unknown =>
  html`<div class="seg" role="group" aria-label=${label}>${items.map((i) => html`<button aria-pressed=${i.value === now} @click=${() => { if (i.value !== now) pick(i.value); }}>${i.icon ? html`<rf-icon n=${i.icon}></rf-icon>` : nothing}${i.text}</button>`)}</div>`;

/** A filter that is on: its name, what it lets through, and the cross that takes it away. */
export const chipFilter = (name: string, value: string, remove: () => void): unknown =>
  html`<span class="chip on">${t("filter.is", { name, value })}<button aria-label=${t("filter.remove", { name })} @click=${remove}><rf-icon n="x"></rf-icon></button></span>`;

/** Filters in the address: ?f=status:new,active;owner:me. */
export function readFilters(text: string): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const part of text.split(";")) {
    const at = part.indexOf(":");
    if (at > 0) all[part.slice(0, at)] = part.slice(at + 1).split(",").filter(Boolean).map((v) => { try { return decodeURIComponent(v); } catch { return v; } });
  }
  return all;
}
export const writeFilters = (all: Record<string, string[] | undefined>): string =>
  Object.entries(all).filter(([, v]) => v?.length).map(([k, v]) => `${k}:${v!.map((x) => x.replace(/[%,;]/g, encodeURIComponent)).join(",")}`).join(";");
