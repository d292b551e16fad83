// Two texts or objects side by side, by line: sign and tint, unchanged stretches folded, secret values hidden until asked.
import { html, LitElement, nothing } from "lit";
import { t } from "../i18n";

export interface DiffLine { sign: " " | "+" | "-"; text: string; old?: number; now?: number }

/** The lines of both, with what was taken away and what came. */
export function diffLines(a: string[], b: string[]): DiffLine[] {
  let from = 0, ea = a.length, eb = b.length;
  while (from < ea && from < eb && a[from] === b[from]) from++;
  while (ea > from && eb > from && a[ea - 1] === b[eb - 1]) { ea--; eb--; }
  const x = a.slice(from, ea), y = b.slice(from, eb), out: DiffLine[] = [];
  for (let i = 0; i < from; i++) out.push({ sign: " ", text: a[i], old: i + 1, now: i + 1 });
  // Longest common lines by a table; texts that are too long for it are shown as replaced.
  if (x.length * y.length <= 4_000_000) {
    const w = y.length + 1, len = new Uint32Array((x.length + 1) * w);
    for (let i = x.length - 1; i >= 0; i--) for (let j = y.length - 1; j >= 0; j--) len[i * w + j] = x[i] === y[j] ? len[(i + 1) * w + j + 1] + 1 : Math.max(len[(i + 1) * w + j], len[i * w + j + 1]);
    for (let i = 0, j = 0; i < x.length || j < y.length;) {
      if (i < x.length && j < y.length && x[i] === y[j]) { out.push({ sign: " ", text: x[i], old: from + ++i, now: from + ++j }); }
      else if (i < x.length && (j >= y.length || len[(i + 1) * w + j] >= len[i * w + j + 1])) out.push({ sign: "-", text: x[i], old: from + ++i });
      else out.push({ sign: "+", text: y[j], now: from + ++j });
    }
  } else {
    x.forEach((text, i) => out.push({ sign: "-", text, old: from + i + 1 }));
    y.forEach((text, i) => out.push({ sign: "+", text, now: from + i + 1 }));
  }
  for (let i = ea; i < a.length; i++) out.push({ sign: " ", text: a[i], old: i + 1, now: eb + i - ea + 1 });
  return out;
}
const lines = (v: unknown): string[] => (v === undefined || v === null ? [] : (typeof v === "string" ? v : JSON.stringify(v, null, 2)).split("\n"));

/** <rf-diff .from=${…} .to=${…} names='["Version 3","Version 4"]' secret>: objects are compared as JSON. */
export class Diff extends LitElement {
  static properties = { from: { attribute: false }, to: { attribute: false }, names: { attribute: false }, secret: { type: Boolean } };
  declare from: unknown;
  declare to: unknown;
  declare names: [string, string] | undefined;
  declare secret: boolean;
  #shown = false;
  #open = new Set<number>();
  createRenderRoot() { return this; }
  render() {
    const all = diffLines(lines(this.from), lines(this.to)), hide = this.secret && !this.#shown, [old, now] = this.names ?? [t("diff.old"), t("diff.new")];
    const head = html`<div class="bar diff-head"><span class="sm t2">${old} → ${now}</span>${this.secret ? html`<button class="btn s end" aria-pressed=${this.#shown} @click=${() => { this.#shown = !this.#shown; this.requestUpdate(); }}><rf-icon n="eye"></rf-icon>${t(this.#shown ? "diff.hide" : "diff.show")}</button>` : nothing}</div>`;
    if (!all.some((l) => l.sign !== " ")) return html`${head}<p class="t3">${t("diff.same")}</p>`;
    // Keep three lines around what differs.
    const near = new Set<number>();
    all.forEach((l, i) => { if (l.sign !== " ") for (let k = i - 3; k <= i + 3; k++) near.add(k); });
    const out: unknown[] = [];
    for (let i = 0; i < all.length; i++) {
      if (near.has(i) || this.#open.has(i)) { out.push(this.#line(all[i], hide)); continue; }
      const from = i;
      while (i + 1 < all.length && !near.has(i + 1) && !this.#open.has(i + 1)) i++;
      out.push(html`<tr class="fold"><td colspan="4"><button class="btn s quiet" @click=${() => { for (let k = from; k <= i; k++) this.#open.add(k); this.requestUpdate(); }}>${t("diff.unchanged", { n: i - from + 1 })}</button></td></tr>`);
    }
    return html`${head}<div class="tw" tabindex="0"><table class="df mono"><caption class="vh">${old}, ${now}</caption><tbody>${out}</tbody></table></div>`;
  }
  #line(l: DiffLine, hide: boolean) {
    return html`<tr class=${l.sign === "+" ? "add" : l.sign === "-" ? "rem" : ""}><td class="n t3">${l.old ?? ""}</td><td class="n t3">${l.now ?? ""}</td><td class="sg"><span aria-hidden="true">${l.sign}</span>${l.sign === " " ? nothing : html`<span class="vh">${t(l.sign === "+" ? "diff.added" : "diff.removed")}</span>`}</td><td class="tx">${hide ? html`<span class="t3" aria-label=${t("diff.hidden")}>••••••••</span>` : l.text}</td></tr>`;
  }
}
if (!customElements.get("rf-diff")) customElements.define("rf-diff", Diff);
