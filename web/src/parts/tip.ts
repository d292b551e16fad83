// A word with its meaning: the first use of a term has a bubble from the glossary.
import { html } from "lit";
import { openPanel } from "./menu";

/** tip(word, meaning): a dotted word that opens its meaning by click, Enter or Space. */
export const tip = (word: string, meaning: string): unknown =>
  html`<button class="tip-word" aria-haspopup="dialog" @click=${(e: Event) => openPanel(e.currentTarget as HTMLElement, () => html`<p>${meaning}</p>`, { role: "dialog", label: word, className: "tip-box" })}>${word}</button>`;
