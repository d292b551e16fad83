// Keys: of the frame, of the open page, and g then a letter for pages. Nothing overrides the browser but Ctrl+K.
import { prefs } from "../data/prefs";
import { pages } from "../pages/index";
import { go, href } from "../router";
import { keyName } from "./match";
import type { Key, Page } from "./page";

const field = (e: EventTarget | null): boolean => e instanceof HTMLElement && (e.isContentEditable || e instanceof HTMLTextAreaElement || e instanceof HTMLSelectElement || (e instanceof HTMLInputElement && !/^(checkbox|radio|button|submit)$/.test(e.type)));

let lead = 0;   // when g was pressed
export function startKeys(page: () => Page | null, frame: Key[]): void {
  addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.isComposing) return;
    const name = keyName(e), typing = field(e.composedPath()[0]), letter = e.key.length === 1 && !/\+./.test(name);
    if (document.querySelector("dialog[open], :popover-open") && name !== "Ctrl+k") return;
    if (letter && (typing || !prefs.value.keys)) return;
    if (letter && Date.now() - lead < 1500) {
      lead = 0;
      const to = pages.find((p) => p.key === e.key);
      if (to) { e.preventDefault(); go(href(to.path)); return; }
    }
    if (name === "g" && !typing) { lead = Date.now(); return; }
    const p = page();
    const key = [...frame, ...(p?.ownKeys() ?? [])].find((k) => k.key === name && (!typing || k.inFields));
    if (key) { e.preventDefault(); key.run(e); return; }
    if (typing || !p) return;
    if (name === "/") { const f = p.querySelector<HTMLElement>("input[type=search], .field input, textarea"); if (f) { e.preventDefault(); f.focus(); } }
    else if (/^Alt\+[1-3]$/.test(name)) { const f = p.querySelectorAll<HTMLElement>(".body > *")[Number(name.slice(-1)) - 1]; if (f) { e.preventDefault(); reach(f); } }
    else if (name === "j" || name === "k" || name === "ArrowDown" || name === "ArrowUp") {
      const grid = p.querySelector<HTMLElement & { enter?(): void }>("rf-grid");
      if (grid?.enter && !grid.contains(document.activeElement) && (document.activeElement === document.body || letter)) { e.preventDefault(); grid.enter(); }
    }
  });
}
/** Focus to the first thing inside, else to the part itself. */
function reach(e: HTMLElement): void {
  const f = e.querySelector<HTMLElement>("[tabindex='0'], a[href], button, input, select, textarea");
  if (f) { f.focus(); return; }
  e.tabIndex = -1;
  e.focus();
}
