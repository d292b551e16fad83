// Menus and small panels beside a button, as native popovers: they lie on top of everything and close by themselves.
import { html, nothing, render } from "lit";

export interface MenuItem { text: string; icon?: string; note?: string; run?: () => void; href?: string; checked?: boolean; disabled?: boolean; /** Begins a new group. */ line?: boolean; danger?: boolean }

/** Puts `box` below (or above) `anchor`, inside the window. */
export function place(box: HTMLElement, anchor: Element, end = false): void {
  const a = anchor.getBoundingClientRect(), w = box.offsetWidth, h = box.offsetHeight, gap = 4, room = 8;
  const left = Math.max(room, Math.min(innerWidth - w - room, end ? a.right - w : a.left)), below = a.bottom + gap + h + room <= innerHeight || a.top < h + gap + room;
  box.style.left = `${left}px`;
  box.style.top = `${below ? Math.max(room, Math.min(a.bottom + gap, innerHeight - h - room)) : a.top - gap - h}px`;
}

let openBox: { box: HTMLElement; anchor: Element } | null = null;
/** A panel at a button; the second call for the same button closes it. Answers the panel and how to close it, or null when it was closed. */
export function openPanel(anchor: HTMLElement, content: (close: () => void) => unknown, o: { role?: string; label?: string; className?: string; end?: boolean } = {}): { box: HTMLElement; close: () => void; draw: () => void } | null {
  const again = openBox?.anchor === anchor && openBox.box.matches(":popover-open");
  openBox?.box.hidePopover();
  if (again) return null;
  const box = document.createElement("div");
  box.popover = "auto";
  box.className = `pop ${o.className ?? ""}`;
  if (o.role) box.setAttribute("role", o.role);
  if (o.label) box.setAttribute("aria-label", o.label);
  const close = () => { if (box.matches(":popover-open")) box.hidePopover(); };
  const draw = () => render(content(close), box);
  draw();
  // Inside an open dialog only what is in the dialog can be reached.
  (anchor.closest("dialog[open]") ?? document.querySelector("main") ?? document.body).append(box);
  box.addEventListener("toggle", (e) => {
    if ((e as ToggleEvent).newState !== "closed") return;
    anchor.setAttribute("aria-expanded", "false");
    const inside = box.contains(document.activeElement) || document.activeElement === document.body;
    box.remove();
    if (openBox?.box === box) openBox = null;
    if (inside) anchor.focus();
  });
  box.addEventListener("keydown", (e) => { if (e.key === "Escape") { e.stopPropagation(); e.preventDefault(); close(); } });
  box.showPopover();
  place(box, anchor, o.end);
  anchor.setAttribute("aria-expanded", "true");
  openBox = { box, anchor };
  return { box, close, draw };
}

/** A menu at a button. Arrows, Home, End and first letters move; Enter chooses. */
export function openMenu(anchor: HTMLElement, items: MenuItem[], o: { label?: string; end?: boolean } = {}): void {
  const checks = items.some((i) => i.checked !== undefined);
  const p = openPanel(anchor, (close) => items.map((i) => {
    const inside = html`${checks ? html`<span class="tick">${i.checked ? html`<rf-icon n="check"></rf-icon>` : nothing}</span>` : nothing}${i.icon ? html`<rf-icon n=${i.icon}></rf-icon>` : nothing}<span class="grow">${i.text}</span>${i.note ? html`<span class="t3 sm">${i.note}</span>` : nothing}`;
    const role = i.checked === undefined ? "menuitem" : "menuitemradio", cls = i.danger ? "c-high" : "";
    const line = i.line ? html`<hr>` : nothing;
    return i.href && !i.disabled ? html`${line}<a role=${role} class=${cls} tabindex="-1" href=${i.href} @click=${() => close()}>${inside}</a>`
      : html`${line}<button role=${role} class=${cls} tabindex="-1" aria-checked=${i.checked === undefined ? nothing : String(i.checked)} aria-disabled=${i.disabled ? "true" : nothing} @click=${() => { if (i.disabled) return; close(); i.run?.(); }}>${inside}</button>`;
  }), { role: "menu", label: o.label, className: "menu", end: o.end });
  if (!p) return;
  const all = () => [...p.box.querySelectorAll<HTMLElement>("[role^=menuitem]")];
  (all().find((e) => e.getAttribute("aria-checked") === "true") ?? all()[0])?.focus();
  p.box.addEventListener("keydown", (e) => {
    const list = all(), at = list.indexOf(document.activeElement as HTMLElement);
    const to = e.key === "ArrowDown" ? (at + 1) % list.length : e.key === "ArrowUp" ? (at + list.length - 1) % list.length : e.key === "Home" ? 0 : e.key === "End" ? list.length - 1
      : e.key.length === 1 && /\S/.test(e.key) ? [...list.slice(at + 1), ...list.slice(0, at + 1)].map((x) => list.indexOf(x)).find((i) => list[i].textContent!.trim().toLowerCase().startsWith(e.key.toLowerCase())) ?? -1 : -1;
    if (e.key === "Tab") { p.close(); return; }
    if (to >= 0) { e.preventDefault(); e.stopPropagation(); list[to].focus(); }
  });
}
