// "?": keys of the page and of the frame.
import { html, nothing } from "lit";
import { prefs } from "../data/prefs";
import { session } from "../data/session";
import { t } from "../i18n";
import { openDialog } from "../parts/dialog";
import { pages } from "../pages/index";
import type { Key, Page } from "./page";

declare global { interface ImportMeta { /** Where the licences of the bundled packages stand; set by build.mjs. */ licences: string } }

const row = (key: string, text: string) => html`<dt>${key.split(/\+(?=.)/).map((k) => html`<kbd>${k === "k" && key.startsWith("Ctrl") ? "K" : k === "z" && key.startsWith("Ctrl") ? "Z" : k}</kbd>`)}</dt><dd>${text}</dd>`;
const part = (title: string, keys: { key: string; text: string }[]) => (keys.length ? html`<section><h3>${title}</h3><dl>${keys.map((k) => row(k.key, k.text))}</dl></section>` : nothing);

export function openHelp(page: Page | null, frame: Key[]): void {
  const grid = page?.querySelector("rf-grid") ? [["j", "next"], ["k", "previous"], ["x", "select"], ["Shift+↓", "extend"], ["Enter", "open"], ["Escape", "back"], ["+", "only"], ["-", "not"], ["Ctrl+C", "copy-cell"]].map(([key, text]) => ({ key, text: t(`keys.${text}`) })) : [];
  void openDialog({
    title: t("keys.title"), wide: true,
    body: () => html`${prefs.value.keys ? nothing : html`<div class="note"><rf-icon n="help"></rf-icon><span>${t("keys.off")}</span></div>`}<div class="keys-sheet">
      ${part(t("keys.page"), page?.ownKeys() ?? [])}${part(t("keys.grid"), grid)}
      ${part(t("keys.go"), pages.filter((p) => p.key).map((p) => ({ key: p.key!, text: t(`page.${p.name}`) })))}
      ${part(t("keys.frame"), [...frame, { key: "/", text: t("keys.search") }, { key: "Alt+1", text: t("keys.columns") }])}</div><p class="t3 sm">${t("keys.version", { version: session().version })} <a href=${import.meta.licences} target="_blank" rel="noopener">${t("keys.licences")}</a></p>`,
  });
}
