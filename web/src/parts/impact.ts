// The dialog before an act that changes something: what changes, who is hit, when the dry run was, how to undo. What cannot be undone is typed out.
import { html, nothing } from "lit";
import { stamp } from "../data/time";
import { t } from "../i18n";
import { openDialog } from "./dialog";
import "./diff";

export interface Impact {
  /** Sentences. */
  changes: string[];
  hits?: { text: string; href?: string }[];
  before?: unknown;
  after?: unknown;
  /** When the server worked it out, if it did. */
  dryRun?: Date;
}
export interface ImpactOptions {
  title: string;
  /** The button: "Rotate now". */
  act: string;
  /** Known at once, or worked out by a dry run. */
  impact: Impact | (() => Promise<Impact>);
  /** How it is undone; without it the word is typed. */
  undo?: string;
  word?: string;
  danger?: boolean;
  run: () => Promise<unknown>;
}
/** True when the act was done. Errors of `run` are shown in the dialog, which stays. */
export async function confirmImpact(o: ImpactOptions): Promise<boolean> {
  let impact: Impact | null = typeof o.impact === "function" ? null : o.impact, fault = "", typed = "";
  const done = await openDialog<true>({
    title: o.title, wide: impact?.before !== undefined || typeof o.impact === "function",
    body: (d) => {
      if (!impact && !fault && typeof o.impact === "function") {
        const ask = o.impact;
        void ask().then((x) => { impact = x; }, (e) => { fault = String((e as Error).message); }).then(() => d.draw());
        return html`<p class="t2" role="status">${t("state.reading")}</p>`;
      }
      return html`${fault ? html`<div class="note warn"><rf-icon n="incident"></rf-icon><span>${t("impact.failed")}: ${fault}</span></div>` : nothing}
        ${impact ? html`<section><h3 class="cap">${t("impact.changes")}</h3><ul class="plain">${impact.changes.map((c) => html`<li>${c}</li>`)}</ul></section>
        ${impact.before !== undefined || impact.after !== undefined ? html`<rf-diff .from=${impact.before} .to=${impact.after}></rf-diff>` : nothing}
        ${impact.hits?.length ? html`<section><h3 class="cap">${t("impact.hits")}</h3><ul class="plain">${impact.hits.map((h) => html`<li>${h.href ? html`<a href=${h.href}>${h.text}</a>` : h.text}</li>`)}</ul></section>` : nothing}` : nothing}
        <section><h3 class="cap">${t("impact.undo")}</h3><p>${o.undo ?? t("impact.no-undo")}</p></section>
        ${o.word ? html`<label class="stack">${t("impact.type", { word: o.word })}<input class="in" autocomplete="off" spellcheck="false" @input=${(e: Event) => { typed = (e.target as HTMLInputElement).value; d.draw(); }}></label>` : nothing}
        ${impact?.dryRun ? html`<p class="cap">${t("impact.dry", { time: stamp(impact.dryRun) })}</p>` : nothing}`;
    },
    acts: [{ text: t("act.cancel") }, { text: o.act, primary: true, danger: o.danger, disabled: () => (!impact && !fault) || (!!o.word && typed !== o.word), run: async () => { await o.run(); return true as const; } }],
  });
  return done === true;
}
