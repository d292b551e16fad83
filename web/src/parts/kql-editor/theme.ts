// The colours of the page as a theme of the editor. Read when the editor is made and whenever the theme of the page changes.
const probe = (name: string, scope: HTMLElement): string => {
  const e = document.createElement("i");
  e.style.color = `var(${name})`;
  scope.append(e);
  const m = /rgba?\(([^)]+)\)/.exec(getComputedStyle(e).color);
  e.remove();
  const n = (m?.[1] ?? "128 128 128").split(/[ ,/]+/).map(Number), hex = (x: number) => Math.round(x).toString(16).padStart(2, "0");
  return `#${n.slice(0, 3).map(hex).join("")}${n[3] === undefined || n[3] === 1 ? "" : hex(n[3] * 255)}`;
};

export function readTheme(scope: HTMLElement = document.body): { base: "vs" | "vs-dark" | "hc-black"; inherit: boolean; rules: { token: string; foreground?: string }[]; colors: Record<string, string> } {
  const c = (name: string) => probe(`--rf-${name}`, scope), text = c("text"), surface = c("surface"), clear = "#00000000";
  const light = (h: string) => [1, 3, 5].reduce((a, i) => a + parseInt(h.slice(i, i + 2), 16), 0);
  const contrast = document.documentElement.dataset.theme === "contrast" || matchMedia("(forced-colors: active)").matches;
  return {
    base: contrast ? "hc-black" : light(surface) > light(text) ? "vs" : "vs-dark", inherit: true, rules: Object.entries({ "": "text", comment: "code-com", string: "code-str", number: "code-num", keyword: "code-kw", "operator.sql": "code-kw", "operator.scss": "text", function: "code-fn", "variable.predefined": "code-kw", variable: "text", type: "code-kw", tag: "code-kw", annotation: "code-kw", delimiter: "text", invalid: "text" }).map(([token, name]) => ({ token, foreground: c(name).slice(1) })),
    colors: {
      "editor.background": surface, "editor.foreground": text, "editorLineNumber.foreground": c("text-3"), "editorLineNumber.activeForeground": c("text-2"), "editorCursor.foreground": c("accent"),
      "editor.selectionBackground": c("selected"), "editor.inactiveSelectionBackground": c("surface-3"), "editor.selectionHighlightBackground": clear, "editor.wordHighlightBackground": c("surface-3"),
      "editorBracketMatch.background": clear, "editorBracketMatch.border": c("control"), "editor.findMatchBackground": c("partial-soft"), "editor.findMatchBorder": c("partial"), "editor.findMatchHighlightBackground": c("partial-soft"),
      "editorError.foreground": c("high"), "editorWarning.foreground": c("medium"), "editorInfo.foreground": c("info"), "editorOverviewRuler.border": clear,
      "editorWidget.background": c("raised"), "editorWidget.foreground": text, "editorWidget.border": c("line"), "editorHoverWidget.background": c("raised"), "editorHoverWidget.border": c("line"), "editorHoverWidget.foreground": text,
      "editorSuggestWidget.background": c("raised"), "editorSuggestWidget.border": c("line"), "editorSuggestWidget.foreground": text, "editorSuggestWidget.selectedBackground": c("selected"), "editorSuggestWidget.selectedForeground": text,
      "editorSuggestWidget.highlightForeground": c("accent"), "editorSuggestWidget.focusHighlightForeground": c("accent"), "list.hoverBackground": c("hover"),
      "input.background": c("surface"), "input.foreground": text, "input.border": c("control"), "inputOption.activeBorder": c("accent"), "inputOption.activeBackground": c("accent-soft"), "inputOption.activeForeground": text, focusBorder: c("focus"),
      "scrollbar.shadow": clear, "scrollbarSlider.background": c("line"), "scrollbarSlider.hoverBackground": c("line-strong"), "scrollbarSlider.activeBackground": c("line-strong"), "widget.shadow": clear,
    },
  };
}
