// <rf-kql-editor .value=${text} .schema=${EditorSchema} label=${...} .fault=${Fault | null}
//   @rf-text=${(e) => e.detail}      the text, after each change
//   @rf-run=${(e) => e.detail}       {selection}: "" for Shift+Enter, the selected text (or the query around the cursor) for Ctrl+Enter
//   @rf-checked=${(e) => e.detail}   faults that the language service sees; null while it is not there yet
// ></rf-kql-editor>
// A plain field stands there at once and keeps working when the large editor cannot be loaded; what was typed, and where, goes over. Escape, then Tab, leaves.
import { html, LitElement, nothing, type PropertyValues } from "lit";
import files from "editor-files";
import { t } from "../../i18n";
import type { Editor, EditorOptions, EditorSchema, Fault } from "./types";
import "./frame.css";

export type { EditorSchema, EditorTable, Fault } from "./types";

let loading: Promise<(host: HTMLElement, o: EditorOptions) => Editor> | null = null;
/** Begins to load the large file; a page may call it before it draws. */
export function loadEditor(): Promise<(host: HTMLElement, o: EditorOptions) => Editor> {
  return loading ??= Promise.all([import(files.script), new Promise<void>((ok, no) => {
    if (document.querySelector(`link[href="${files.style}"]`)) { ok(); return; }
    const link = document.createElement("link");
    link.rel = "stylesheet"; link.href = files.style;
    link.onload = () => ok();
    link.onerror = () => { link.remove(); no(new Error(files.style)); };
    document.head.append(link);
  })]).then(([m]) => m.create, (e) => { loading = null; throw e; });
}

export class KqlEditor extends LitElement {
  static properties = { value: { attribute: false }, schema: { attribute: false }, fault: { attribute: false }, label: {}, readonly: { type: Boolean } };
  declare value: string;
  declare schema: EditorSchema | undefined;
  declare fault: Fault | null;
  declare label: string;
  declare readonly: boolean;
  #editor: Editor | null = null;
  #failed = false;
  #host!: HTMLElement;
  #ends: (() => void)[] = [];
  constructor() { super(); this.value = ""; this.label = ""; this.fault = null; this.readonly = false; }
  createRenderRoot() { return this; }

  get #field(): HTMLTextAreaElement | null { return this.querySelector("textarea.kql-plain"); }
  render() {
    return html`<div class="kql-host"></div>${this.#editor ? nothing : html`<textarea class="kql-plain" spellcheck="false" autocapitalize="off" autocomplete="off" aria-label=${this.label} ?readonly=${this.readonly} .value=${this.value} @input=${(e: Event) => this.#typed((e.target as HTMLTextAreaElement).value)} @keydown=${this.#keys}></textarea>`}
      ${this.#failed ? html`<p class="kql-failed cap" role="status">${t("editor.plain")} <button class="btn s quiet" @click=${() => void this.#load()}>${t("act.try-again")}</button></p>` : nothing}`;
  }
  firstUpdated() { this.#host = this.querySelector<HTMLElement>(".kql-host")!; void this.#load(); }
  connectedCallback() {
    super.connectedCallback();
    const changed = () => requestAnimationFrame(() => this.#editor?.theme()), dark = matchMedia("(prefers-color-scheme: dark)"), forced = matchMedia("(forced-colors: active)");
    const watch = new MutationObserver(changed);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    for (const m of [dark, forced]) m.addEventListener("change", changed);
    this.#ends.push(() => { watch.disconnect(); for (const m of [dark, forced]) m.removeEventListener("change", changed); });
    if (this.hasUpdated && !this.#editor) void this.#load();
  }
  disconnectedCallback() { super.disconnectedCallback(); for (const e of this.#ends) e(); this.#ends = []; this.#editor?.dispose(); this.#editor = null; }

  async #load() {
    this.#failed = false;
    try {
      const create = await loadEditor();
      if (!this.isConnected || this.#editor) return;
      const plain = this.#field, had = plain && document.activeElement === plain, [from, to] = [plain?.selectionStart ?? 0, plain?.selectionEnd ?? 0];
      const editor = create(this.#host, { value: this.value, label: this.label, readOnly: this.readonly, files, changed: (v) => this.#typed(v), checked: (f) => this.#emit("rf-checked", f), run: (s) => this.#run(s) });
      this.#editor = editor;
      this.requestUpdate();
      await this.updateComplete;
      editor.select(from, to);
      if (had) editor.focus();
      if (this.schema) void editor.schema(this.schema).catch((e) => console.error(e));
      if (this.fault) editor.fault(this.fault);
    } catch (e) {
      this.#failed = true;
      this.requestUpdate();
      console.warn("The KQL editor was not loaded:", e);
    }
  }
  willUpdate(p: PropertyValues) {
    if (!this.#editor) return;
    if (p.has("value") && this.value !== this.#editor.value) this.#editor.set(this.value);
    if (p.has("schema") && this.schema) void this.#editor.schema(this.schema).catch((e) => console.error(e));
    if (p.has("fault")) this.#editor.fault(this.fault);
    if (p.has("label") || p.has("readonly")) this.#editor.options({ label: this.label, readOnly: this.readonly });
  }

  #emit(name: string, detail: unknown) { this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true })); }
  #typed(v: string) { if (v === this.value) return; this.value = v; this.#emit("rf-text", v); }
  #run(selection: boolean) { this.#emit("rf-run", { selection: selection ? this.selected : "" }); }
  /** What is selected; with nothing selected the query around the cursor, between empty lines. */
  get selected(): string {
    const f = this.#field, chosen = this.#editor ? this.#editor.selection() : f ? f.value.slice(f.selectionStart, f.selectionEnd) : "";
    if (chosen.trim()) return chosen;
    return queryAt(this.value, this.#editor ? this.#editor.selected()[0] : f?.selectionStart ?? 0);
  }
  insert(text: string) {
    if (this.#editor) { this.#editor.insert(text); return; }
    const f = this.#field!;
    f.setRangeText(text, f.selectionStart, f.selectionEnd, "end");
    this.#typed(f.value);
    f.focus();
  }
  focus() { (this.#editor ?? this.#field)?.focus(); }
  format() { void this.#editor?.format(); }
  #keys = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || !(e.shiftKey || e.ctrlKey || e.metaKey)) return;
    e.preventDefault();
    e.stopPropagation();
    this.#run(!e.shiftKey);
  };
}
/** The lines around an offset up to the next empty lines. */
export function queryAt(text: string, offset: number): string {
  const parts = [...text.matchAll(/(?:[^\n]*\S[^\n]*(?:\n|$))+/g)];
  return (parts.find((p) => offset <= p.index! + p[0].length) ?? parts[parts.length - 1])?.[0].trim() ?? "";
}
if (!customElements.get("rf-kql-editor")) customElements.define("rf-kql-editor", KqlEditor);
