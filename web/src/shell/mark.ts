import { html } from "lit";
/** The ringfort from above: two banks with one entrance, brass in the middle. */
export const logo = html`<svg viewBox="0 0 28 28" aria-hidden="true" fill="none" stroke="currentColor" stroke-linecap="round"><circle cx="14" cy="14" r="2.4" fill="var(--rf-brass)" stroke="none"/><path d="M17 20.600a7.2 7.2 0 1 0-6 0" stroke-width="2" stroke="var(--rf-brass)"/><path d="M18.2 25.300a12 12 0 1 0-8.4 0" stroke-width="2"/></svg>`;
export const motif = html`<svg class="motif" viewBox="0 0 100 100" fill="none" stroke="currentColor" aria-hidden="true"><circle cx="50" cy="50" r="14"/><circle cx="50" cy="50" r="21"/><circle cx="50" cy="50" r="28"/><circle cx="50" cy="50" r="35"/><circle cx="50" cy="50" r="42"/><circle cx="50" cy="50" r="49"/></svg>`;
