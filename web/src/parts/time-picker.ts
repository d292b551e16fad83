// <rf-time-picker .range=${range} @pick=${e => e.detail}>: one per page. The event's detail is the text for ?t=.
import { html, LitElement, nothing } from "lit";
import { parseRange, quick, type Range, rangeWords, zone, zoneWords } from "../data/time";
import { t } from "../i18n";
import { openPanel } from "./menu";

export class TimePicker extends LitElement {
  static properties = { range: { attribute: false } };
  declare range: Range;
  createRenderRoot() { return this; }

  render() {
    return html`<button class="btn quiet" aria-haspopup="dialog" aria-label=${t("time.picker", { range: rangeWords(this.range) })} @click=${(e: Event) => this.#open(e.currentTarget as HTMLElement)}><rf-icon n="clock"></rf-icon>${rangeWords(this.range)}<rf-icon n="down"></rf-icon></button>`;
  }
  #open(anchor: HTMLElement) {
    let fault = "";
    const pick = (text: string, close: () => void) => { close(); this.dispatchEvent(new CustomEvent("pick", { detail: text, bubbles: true })); };
    const p = openPanel(anchor, (close) => html`
      <div class="quick" role="group" aria-label=${t("time.quick")}>${quick.map((x) => html`<button class="btn s ${x === this.range.text ? "on" : ""}" aria-pressed=${x === this.range.text} @click=${() => pick(x, close)}>${rangeWords(parseRange(x)!)}</button>`)}</div>
      <form @submit=${(e: SubmitEvent) => {
        e.preventDefault();
        const d = new FormData(e.target as HTMLFormElement), text = String(d.get("text") ?? "").trim(), from = fromField(String(d.get("from"))), to = fromField(String(d.get("to")));
        const r = text ? parseRange(text) : from && to ? parseRange(`${from.toISOString()}/${to.toISOString()}`) : null;
        if (r) pick(r.text, close);
        else { fault = text ? t("time.fault-text", { text }) : t("time.fault-order"); p?.draw(); }
      }}>
        <label>${t("time.from")}<input class="in" type="datetime-local" name="from" step="1" .value=${toField(this.range.from)}></label>
        <label>${t("time.to")}<input class="in" type="datetime-local" name="to" step="1" .value=${toField(this.range.to)}></label>
        <label>${t("time.or")}<input class="in" name="text" placeholder="36h" autocomplete="off"></label>
        ${fault ? html`<p class="c-high sm" role="alert">${fault}</p>` : nothing}
        <div class="row"><span class="t3 sm grow">${t("time.in-zone", { zone: zoneWords() })}</span><button class="btn pri">${t("act.apply")}</button></div>
      </form>`, { role: "dialog", label: t("time.choose"), className: "time-pop", end: true });
    p?.box.querySelector<HTMLElement>("[aria-pressed=true], button")?.focus();
  }
}

/** How far the chosen zone is from UTC at that time, in milliseconds. */
function offset(at: Date): number {
  const f = new Intl.DateTimeFormat("en-CA", { timeZone: zone(), hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const p = Object.fromEntries(f.formatToParts(at).map((x) => [x.type, x.value]));
  return Date.UTC(+p.year, +p.month - 1, +p.day, +p.hour, +p.minute, +p.second) - Math.floor(+at / 1000) * 1000;
}
const toField = (d: Date): string => new Date(+d + offset(d)).toISOString().slice(0, 19);
function fromField(s: string): Date | null {
  const d = new Date(`${s}Z`);
  return isNaN(+d) ? null : new Date(+d - offset(new Date(+d - offset(d))));
}
if (!customElements.get("rf-time-picker")) customElements.define("rf-time-picker", TimePicker);
