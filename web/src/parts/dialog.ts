// Native dialogs: focus stays inside, Escape closes, and it returns to where it came from.
import { html, nothing, render } from "lit";
import { ApiError } from "../data/client";
import { t } from "../i18n";

export interface DialogControl<R> {
  close(result?: R): void;
  draw(): void;
  dialog: HTMLDialogElement;
}
export interface DialogOptions<R> {
  title: string;
  body: (d: DialogControl<R>) => unknown;
  /** Buttons at the foot. `run` answers the result, or nothing to stay open; what it throws is shown in the dialog. */
  acts?: { text: string; primary?: boolean; danger?: boolean; disabled?: () => boolean; run?: (d: DialogControl<R>) => R | undefined | Promise<R | undefined> }[];
  wide?: boolean;
  className?: string;
}
/** Shows a dialog; the promise has what closed it (undefined for Escape and Cancel). */
export function openDialog<R = void>(o: DialogOptions<R>): Promise<R | undefined> {
  return new Promise((done) => {
    const from = document.activeElement as HTMLElement | null, dialog = document.createElement("dialog");
    let result: R | undefined, fault: Error | null = null, busy = false;
    dialog.className = `dlg ${o.wide ? "wide" : ""} ${o.className ?? ""}`;
    dialog.setAttribute("aria-label", o.title);
    const d: DialogControl<R> = { dialog, close(r) { result = r; dialog.close(); }, draw };
    const run = async (act: NonNullable<DialogOptions<R>["acts"]>[number]) => {
      if (busy || act.disabled?.()) return;
      if (!act.run) { d.close(); return; }
      busy = true; fault = null; draw();
      try { const r = await act.run(d); if (r !== undefined) d.close(r); }
      catch (e) { fault = e as Error; if (!(e instanceof ApiError)) console.error(e); }
      busy = false;
      if (dialog.open) draw();
    };
    function draw() {
      const acts = o.acts ?? [{ text: t("act.close") }];
      render(html`<form method="dialog" @submit=${(e: Event) => { e.preventDefault(); const act = acts.find((a) => a.primary); if (act) void run(act); }}>
        <header><h2>${o.title}</h2><button type="button" class="btn quiet ic" aria-label=${t("act.close")} @click=${() => d.close()}><rf-icon n="x"></rf-icon></button></header>
        <div class="dlg-body">${o.body(d)}${fault ? html`<div class="note bad" role="alert"><rf-icon n="incident"></rf-icon><span>${fault instanceof ApiError ? html`${fault.unreachable ? t("error.no-answer") : fault.message || t("error.status", { status: fault.status })}<br><code class="cap">${fault.code} ${fault.requestId}</code>` : fault.message}</span></div>` : nothing}</div>
        <footer>${acts.map((a) => html`<button type=${a.primary ? "submit" : "button"} class="btn ${a.primary ? (a.danger ? "pri bad" : "pri") : ""}" aria-disabled=${a.disabled?.() || busy ? "true" : nothing} @click=${(e: Event) => { if (!a.primary) { e.preventDefault(); void run(a); } }}>${a.text}</button>`)}</footer></form>`, dialog);
    }
    dialog.addEventListener("close", () => { dialog.remove(); from?.focus?.(); done(result); });
    dialog.addEventListener("keydown", (e) => e.stopPropagation());
    draw();
    document.body.append(dialog);
    dialog.showModal();
    (dialog.querySelector<HTMLElement>("[autofocus]") ?? dialog.querySelector<HTMLElement>(".dlg-body input, .dlg-body textarea, .dlg-body select, footer .pri"))?.focus();
  });
}
