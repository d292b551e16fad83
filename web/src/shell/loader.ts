// What a part of a page reads, with all the states that it may be in (DESIGN-PORTAL section 3).
import { html, nothing, type ReactiveController, type ReactiveControllerHost, type TemplateResult } from "lit";
import { ApiError } from "../data/client";
import { stamp, when } from "../data/time";
import { t } from "../i18n";
import { css } from "../parts/css";

export interface LoadOptions<T> {
  /** What is being read, for the line after 3 s: "Reading incidents". */
  what?: () => string;
  /** The role that gives the right, and on what: said when the server answers 403. */
  needs?: () => { role: string; on: string };
  /** Whether the value has nothing to show. Lists and row results are known. */
  empty?: (value: T) => boolean;
  /** False: waits for run(). */
  auto?: boolean;
}
export interface ShowOptions {
  /** What stands there when there is nothing yet: one sentence and one act. */
  empty?: () => unknown;
  /** Rows of the skeleton. */
  skeleton?: number;
}

export class Loader<T> implements ReactiveController {
  value?: T;
  /** When the value came. */
  at?: Date;
  error?: ApiError | Error;
  loading = false;
  stopped = false;
  #since = 0;
  #end?: AbortController;
  #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(private host: ReactiveControllerHost & { connected(): boolean }, private read: (signal: AbortSignal) => Promise<T>, private o: LoadOptions<T> = {}) { host.addController(this); }
  hostConnected(): void { if (this.o.auto !== false && !this.at && !this.loading) void this.run(); }
  hostDisconnected(): void { this.#end?.abort(); this.#clear(); this.loading = false; }

  /** Reads again; the value that is there stays in sight until the next one comes. The newest call wins. */
  async run(): Promise<T | undefined> {
    this.#end?.abort();
    const end = (this.#end = new AbortController());
    this.loading = true;
    this.stopped = false;
    this.#since = Date.now();
    this.#clear();
    this.#timers = [200, 3000].map((ms) => setTimeout(() => this.host.requestUpdate(), ms));
    this.host.requestUpdate();
    try {
      const value = await this.read(end.signal);
      if (end.signal.aborted) return undefined;
      this.value = value;
      this.at = new Date();
      this.error = undefined;
      return value;
    } catch (e) {
      if (end.signal.aborted) return undefined;
      this.error = e as Error;
      if (!(e instanceof ApiError)) console.error(e);
      return undefined;
    } finally {
      if (this.#end === end) { this.loading = false; this.#clear(); this.host.requestUpdate(); }
    }
  }
  /** Takes a value in that came another way (an answer to a write, a live event). */
  set(value: T): void { this.value = value; this.at = new Date(); this.error = undefined; this.host.requestUpdate(); }
  stop(): void { this.#end?.abort(); this.loading = false; this.stopped = true; this.#clear(); this.host.requestUpdate(); }
  #clear(): void { for (const x of this.#timers) clearTimeout(x); this.#timers = []; }

  /** The value is older than the last try to read it. */
  get stale(): boolean { return this.at !== undefined && this.error !== undefined; }

  /** Draws the part: `view` when there is something, else the state. */
  show(view: (value: T) => unknown, o: ShowOptions = {}): unknown {
    if (this.at) {
      const v = this.value as T, none = this.o.empty ? this.o.empty(v) : Array.isArray(v) ? !v.length : Array.isArray((v as { rows?: unknown[] })?.rows) && !(v as unknown as { rows: unknown[] }).rows.length;
      return html`${this.stale ? staleBar(this) : nothing}${none && o.empty ? o.empty() : view(v)}`;
    }
    if (this.error) return failure(this.error, { retry: () => void this.run(), needs: this.o.needs?.() });
    if (this.stopped) return html`<div class="state"><p>${t("state.stopped")}</p><button class="btn" @click=${() => void this.run()}>${t("act.read-again")}</button></div>`;
    const time = Date.now() - this.#since;
    if (!this.loading || time < 195) return nothing;
    return html`${skeleton(o.skeleton ?? 6)}${time >= 2995 ? html`<div class="state-line"><span>${this.o.what?.() ?? t("state.reading")}</span><button class="btn s quiet" @click=${() => this.stop()}>${t("act.stop")}</button></div>` : nothing}`;
  }
}

/** Grey bars of the real row height. */
export const skeleton = (rows: number): TemplateResult => html`<div class="skel" role="status"><span class="vh">${t("state.reading")}</span>${Array.from({ length: rows }, (_, i) => html`<i ${css({ width: `${[82, 64, 74, 58, 70][i % 5]}%` })}></i>`)}</div>`;

const staleBar = (l: { at?: Date; error?: Error; run(): Promise<unknown> }): TemplateResult => html`<div class="note warn stale"><rf-state s="partial" bare word=${t("state.stale")}></rf-state><span class="grow">${t("state.stale-since", { time: l.at ? when(l.at) : "-" })} ${errorWords(l.error!)}</span><button class="btn s" @click=${() => void l.run()}>${t("act.read-again")}</button></div>`;

/** The reason of a failure in words. What the server said comes first; its codes stand beside, to copy. */
export function errorWords(e: Error): string {
  if (!(e instanceof ApiError)) return t("error.page");
  if (e.unreachable) return t("error.no-answer");
  if (e.status === 401) return t("error.session");
  return e.message || t("error.status", { status: e.status });
}

/** A failed part: words, code and request id to copy, what to do next. For 403 which role is missing. */
export function failure(e: Error, o: { retry?: () => void; needs?: { role: string; on: string }; what?: string } = {}): TemplateResult {
  const api = e instanceof ApiError ? e : undefined;
  if (api?.forbidden) return html`<div class="state outline" role="status"><rf-icon n="lock"></rf-icon><p class="b">${o.needs ? t("state.needs", o.needs) : t("state.no-right")}</p><p class="t3 sm">${api.message}</p>${codeLine(api)}</div>`;
  return html`<div class="state" role="alert"><rf-state s="fail" bare word=${t("state.failed")}></rf-state><p class="b">${o.what ?? t("state.not-read")}</p><p class="t2">${errorWords(e)}</p>${api ? codeLine(api) : nothing}${o.retry ? html`<button class="btn" @click=${o.retry}><rf-icon n="refresh"></rf-icon>${t("act.try-again")}</button>` : nothing}</div>`;
}
/** Code and request id, as one text to copy. */
export const codeLine = (e: ApiError): TemplateResult => html`<p class="cap"><code>${e.code}${e.requestId ? ` ${e.requestId}` : ""}</code> <button class="btn s quiet ic" aria-label=${t("act.copy-code")} @click=${() => void navigator.clipboard?.writeText(`${e.code} ${e.requestId} ${stamp(new Date())}`)}><rf-icon n="copy"></rf-icon></button></p>`;

/** Some rows came and some did not: what is missing and why. */
export const partialBar = (text: string, retry?: () => void): TemplateResult =>
  html`<div class="note warn stale" role="status"><rf-state s="partial" bare></rf-state><span class="grow">${text}</span>${retry ? html`<button class="btn s" @click=${retry}>${t("act.try-again")}</button>` : nothing}</div>`;

/** Nothing yet: one sentence, one act. */
export const emptyState = (text: string, act?: { text: string; href?: string; run?: () => void; icon?: string }): TemplateResult =>
  html`<div class="state"><p>${text}</p>${act ? act.href ? html`<a class="btn pri" href=${act.href}>${act.icon ? html`<rf-icon n=${act.icon}></rf-icon>` : nothing}${act.text}</a>` : html`<button class="btn pri" @click=${act.run}>${act.icon ? html`<rf-icon n=${act.icon}></rf-icon>` : nothing}${act.text}</button>` : nothing}</div>`;

/** Filters removed all rows: which one, how many there would be, and the way out. */
export const filteredEmpty = (filter: string, total: number | undefined, clear: () => void): TemplateResult =>
  html`<div class="state"><p>${total === undefined ? t("state.filtered", { filter }) : t("state.filtered-of", { filter, n: total })}</p><button class="btn" @click=${clear}>${t("act.clear-filters")}</button></div>`;
