// rf-icon, rf-sev, rf-state: shape and word together. Plain elements, since a grid has thousands of them.
import { html, render, svg, type SVGTemplateResult } from "lit";
import { t } from "../i18n";
import { icons } from "./icons";

const drawn = new Map<string, Element>();
/** A picture that was drawn once is cloned from then on. */
function picture(key: string, box: string, draw: () => SVGTemplateResult): Node {
  let e = drawn.get(key);
  if (!e) {
    const holder = document.createElement("div");
    render(html`<svg viewBox=${box} aria-hidden="true">${draw()}</svg>`, holder);
    drawn.set(key, (e = holder.querySelector("svg")!));
  }
  return e.cloneNode(true);
}

/** <rf-icon n="search">: one of parts/icons.ts. Never the only name of a control. */
class Icon extends HTMLElement {
  static observedAttributes = ["n"];
  connectedCallback() { this.setAttribute("aria-hidden", "true"); this.#draw(); }
  attributeChangedCallback() { if (this.isConnected) this.#draw(); }
  #draw() { const n = this.getAttribute("n") ?? ""; this.replaceChildren(picture(n, "0 0 20 20", () => icons[n] ?? icons.help)); }
}

const severity: Record<string, SVGTemplateResult> = {
  high: svg`<path d="M4 .8h6L13.2 4v6L10 13.2H4L.8 10V4z" fill="currentColor"/><path d="M7 3.8v3.6M7 10v.1" stroke="var(--rf-surface)" stroke-width="1.7" stroke-linecap="round"/>`,
  medium: svg`<path d="M7 1 13.5 12.8H.5z" fill="currentColor"/>`,
  low: svg`<path d="M7 .8 13.2 7 7 13.2.8 7z" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M7 4.5 9.5 7 7 9.5 4.5 7z" fill="currentColor"/>`,
  info: svg`<circle cx="7" cy="7" r="5.5" fill="none" stroke="currentColor" stroke-width="1.6"/>`,
};
const state: Record<string, SVGTemplateResult> = {
  ok: svg`<circle cx="7" cy="7" r="6.5" fill="currentColor"/><path d="m4 7.3 2.2 2.2L10 4.9" fill="none" stroke="var(--rf-surface)" stroke-width="1.6"/>`,
  partial: svg`<circle cx="7" cy="7" r="5.7" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M7 1.3a5.7 5.7 0 0 1 0 11.4z" fill="currentColor"/>`,
  fail: svg`<rect x=".8" y=".8" width="12.4" height="12.4" rx="2" fill="currentColor"/><path d="m4.3 4.3 5.4 5.4m0-5.4-5.4 5.4" stroke="var(--rf-surface)" stroke-width="1.6"/>`,
  unknown: svg`<circle cx="7" cy="7" r="5.7" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="2.2 2.2"/>`,
};
/** The key of a severity as the services name it: "Informational" is info. */
export const severityKey = (s: string | null | undefined): string => { const k = (s ?? "").toLowerCase(); return k.startsWith("info") ? "info" : k in severity ? k : "info"; };

/** <rf-sev s="High">, <rf-state s="ok" word="Live">: `word` says another word, `bare` hides it from the eye only. */
function mark(tag: string, kinds: Record<string, SVGTemplateResult>, key: (s: string) => string) {
  customElements.define(tag, class extends HTMLElement {
    static observedAttributes = ["s", "word", "bare"];
    connectedCallback() { this.#draw(); }
    attributeChangedCallback() { if (this.isConnected) this.#draw(); }
    #draw() {
      const k = key(this.getAttribute("s") ?? ""), word = document.createElement("span");
      word.textContent = this.getAttribute("word") || t(`${tag === "rf-sev" ? "severity" : "mark"}.${k}`);
      if (this.hasAttribute("bare")) word.className = "vh";
      for (const c of [...this.classList]) if (c.startsWith("c-")) this.classList.remove(c);
      this.classList.add(`c-${k}`);
      this.replaceChildren(picture(`${tag}/${k}`, "0 0 14 14", () => kinds[k]), word);
    }
  });
}
if (!customElements.get("rf-icon")) {
  customElements.define("rf-icon", Icon);
  mark("rf-sev", severity, severityKey);
  mark("rf-state", state, (s) => (s in state ? s : "unknown"));
}
