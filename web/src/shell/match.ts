// What was typed: names of keys, and how well a text answers letters.

/** The name of a key as `Key.key` writes it: "Shift+Enter", "?", "j". */
export function keyName(e: KeyboardEvent): string {
  const mods = [e.ctrlKey || e.metaKey ? "Ctrl" : "", e.altKey ? "Alt" : "", e.shiftKey && (e.key.length > 1 || e.ctrlKey || e.altKey || e.metaKey) ? "Shift" : ""].filter(Boolean);
  return [...mods, e.key.length === 1 && mods.length ? e.key.toLowerCase() : e.key].join("+");
}

/** How well `text` answers what was typed: all letters in their order, better at the beginnings of words. 0 is not at all. */
export function score(text: string, typed: string): number {
  const a = text.toLowerCase(), b = typed.toLowerCase();
  if (!b) return 1;
  const at = a.indexOf(b);
  if (at >= 0) return 100 - Math.min(50, at) + (at === 0 ? 50 : /\W/.test(a[at - 1]) ? 30 : 0);
  let i = 0, n = 0;
  for (const c of b) { i = a.indexOf(c, i); if (i < 0) return 0; n += i === 0 || /\W/.test(a[i - 1]) ? 3 : 0; i++; }
  return b.length > 1 ? 1 + n : 0;
}
