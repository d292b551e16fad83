// The tray: acts that run, acts that are done with their undo while it lasts, and notices.
import { html, nothing } from "lit";
import { ApiError } from "../data/client";
import { signal } from "../data/signals";
import { duration, when } from "../data/time";
import { t } from "../i18n";
import { openPanel } from "../parts/menu";
import { say } from "../parts/say";

export interface TrayItem {
  id: number;
  text: string;
  at: Date;
  state: "running" | "done" | "failed" | "undone" | "notice";
  detail?: string;
  href?: string;
  undo?: () => Promise<void>;
  until?: Date;
  seen: boolean;
}
export const tray = signal<readonly TrayItem[]>([]);
let serial = 0;

const change = (id: number, part: Partial<TrayItem>) => tray.set(tray.value.map((i) => (i.id === id ? { ...i, ...part } : i)));
const add = (item: Omit<TrayItem, "id" | "at" | "seen">): number => { tray.set([{ ...item, id: ++serial, at: new Date(), seen: false }, ...tray.value].slice(0, 100)); return serial; };
export const newCount = (): number => tray.value.filter((i) => !i.seen).length;

/** A notice: something happened that nobody here did. */
export function notice(text: string, href?: string): void { add({ text, href, state: "notice" }); say(text); }

export interface ActOptions {
  /** What was done, as the tray says it: "Owner of 1042: Maeve Byrne". */
  text: string;
  run: () => Promise<unknown>;
  undo?: () => Promise<unknown>;
  /** How long undo is offered: 10 minutes by itself. */
  undoFor?: number;
  href?: string;
}
/** Does an act, keeps it in the tray with its undo, and throws on what `run` throws (after the tray has noted it). */
export async function act(o: ActOptions): Promise<void> {
  const id = add({ text: o.text, state: "running", href: o.href });
  try { await o.run(); }
  catch (e) {
    change(id, { state: "failed", detail: e instanceof ApiError ? `${e.message} ${e.code} ${e.requestId}` : String((e as Error).message), seen: false });
    say(t("tray.failed-say", { text: o.text }));
    throw e;
  }
  const undo = o.undo;
  change(id, { state: "done", until: undo ? new Date(Date.now() + (o.undoFor ?? 600_000)) : undefined, undo: undo && (async () => { await undo(); }) });
  say(undo ? t("tray.done-undo", { text: o.text }) : o.text);
}

export async function undo(item: TrayItem): Promise<void> {
  if (!item.undo || (item.until && +item.until < Date.now())) return;
  change(item.id, { state: "running" });
  try { await item.undo(); change(item.id, { state: "undone", undo: undefined }); say(t("tray.undone-say", { text: item.text })); }
  catch (e) { change(item.id, { state: "failed", detail: t("tray.undo-failed", { why: String((e as Error).message) }), undo: undefined }); say(t("tray.undo-failed", { why: String((e as Error).message) })); }
}
/** Ctrl+Z: the last act that can still be undone. */
export async function undoLast(): Promise<void> {
  const item = tray.value.find((i) => i.state === "done" && i.undo && (!i.until || +i.until > Date.now()));
  if (item) await undo(item); else say(t("tray.nothing"));
}

const mark: Record<TrayItem["state"], [string, string]> = { running: ["clock", "t3"], done: ["check", "c-ok"], failed: ["incident", "c-high"], undone: ["undo", "t3"], notice: ["bell", "t2"] };
export function openTray(anchor: HTMLElement): void {
  let stop = () => { /* set below */ }, tick: ReturnType<typeof setInterval>;
  const p = openPanel(anchor, () => html`<h2>${t("tray.title")}</h2>${tray.value.length ? html`<ul class="lst">${tray.value.map((i) => {
    const rest = i.until ? +i.until - Date.now() : Infinity;
    return html`<li><rf-icon n=${mark[i.state][0]} class=${mark[i.state][1]}></rf-icon><span class="grow"><span class=${i.seen ? "" : "b"}>${i.href ? html`<a class="nm" href=${i.href}>${i.text}</a>` : i.text}</span><small class="t3">${t(`tray.${i.state}`)} ${when(i.at)}${i.state === "done" && i.undo && rest > 0 && rest < Infinity ? html` · ${t("tray.left", { age: duration(rest) })}` : nothing}</small>${i.detail ? html`<small class="c-high">${i.detail}</small>` : nothing}</span>${i.state === "done" && i.undo && rest > 0 ? html`<button class="btn s" @click=${() => void undo(i)}><rf-icon n="undo"></rf-icon>${t("act.undo")}</button>` : nothing}</li>`;
  })}</ul>` : html`<p class="t3 none">${t("tray.empty")}</p>`}`, { role: "dialog", label: t("tray.title"), className: "tray", end: true });
  if (!p) return;
  p.box.tabIndex = -1;
  p.box.focus();
  stop = tray.watch(() => p.draw());
  tick = setInterval(() => p.draw(), 5000);
  p.box.addEventListener("toggle", (e) => {
    if ((e as ToggleEvent).newState !== "closed") return;
    stop();
    clearInterval(tick);
    tray.set(tray.value.map((i) => (i.seen ? i : { ...i, seen: true })));
  });
}
