// The large file of the KQL editor, loaded on first use: monaco with the contributions that a query needs, and the Kusto language of monaco-kusto.
import "monaco-editor/esm/vs/editor/browser/coreCommands.js";
import "monaco-editor/esm/vs/editor/contrib/bracketMatching/browser/bracketMatching.js";
import "monaco-editor/esm/vs/editor/contrib/caretOperations/browser/caretOperations.js";
import "monaco-editor/esm/vs/editor/contrib/clipboard/browser/clipboard.js";
import "monaco-editor/esm/vs/editor/contrib/comment/browser/comment.js";
import "monaco-editor/esm/vs/editor/contrib/cursorUndo/browser/cursorUndo.js";
import "monaco-editor/esm/vs/editor/contrib/find/browser/findController.js";
import "monaco-editor/esm/vs/editor/contrib/format/browser/formatActions.js";
import "monaco-editor/esm/vs/editor/contrib/gotoError/browser/gotoError.js";
import "monaco-editor/esm/vs/editor/contrib/hover/browser/hover.js";
import "monaco-editor/esm/vs/editor/contrib/indentation/browser/indentation.js";
import "monaco-editor/esm/vs/editor/contrib/lineSelection/browser/lineSelection.js";
import "monaco-editor/esm/vs/editor/contrib/linesOperations/browser/linesOperations.js";
import "monaco-editor/esm/vs/editor/contrib/multicursor/browser/multicursor.js";
import "monaco-editor/esm/vs/editor/contrib/smartSelect/browser/smartSelect.js";
import "monaco-editor/esm/vs/editor/contrib/snippet/browser/snippetController2.js";
import "monaco-editor/esm/vs/editor/contrib/suggest/browser/suggestController.js";
import "monaco-editor/esm/vs/editor/contrib/toggleTabFocusMode/browser/toggleTabFocusMode.js";
import "monaco-editor/esm/vs/editor/contrib/wordHighlighter/browser/wordHighlighter.js";
import "monaco-editor/esm/vs/editor/contrib/wordOperations/browser/wordOperations.js";
import "monaco-editor/esm/vs/base/browser/ui/codicons/codiconStyles.js";
import { TabFocus } from "monaco-editor/esm/vs/editor/browser/config/tabFocus.js";
import * as monaco from "monaco-editor/esm/vs/editor/editor.api";
import { getKustoWorker, kustoDefaults } from "@kusto/monaco-kusto";
import { workerAddress } from "./markup.js";
import { readTheme } from "./theme";
import type { Editor, EditorOptions, EditorSchema } from "./types";
import "./kql-editor.css";

const clr: Record<string, string> = { string: "System.String", long: "System.Int64", int: "System.Int32", real: "System.Double", bool: "System.SByte", datetime: "System.DateTime", timespan: "System.TimeSpan", guid: "System.Guid", dynamic: "System.Object", decimal: "System.Data.SqlTypes.SqlDecimal" };

let theme = 0;
function applyTheme(): void {
  const name = `ringfort-${++theme}`;   // the library keeps the first colours of a name
  monaco.editor.defineTheme(name, readTheme());
  monaco.editor.setTheme(name);
}

export function create(host: HTMLElement, o: EditorOptions): Editor {
  (self as any).MonacoEnvironment ??= { getWorker: (_: string, label: string) => new Worker(workerAddress(label === "kusto" ? o.files.language : o.files.worker), { name: label }) };
  kustoDefaults.setLanguageSettings({
    ...kustoDefaults.languageSettings, includeControlCommands: false, newlineAfterPipe: true, useTokenColorization: true /* at once; the worker's colours come later */, useSemanticColorization: true, enableHover: true,
    openSuggestionDialogAfterPreviousSuggestionAccepted: false, enableQueryWarnings: false, enableQuerySuggestions: false,
  } as any);
  // Help texts have links to other hosts: a click in a security console must not lead there.
  monaco.editor.registerLinkOpener({ open: () => true });
  applyTheme();
  const style = getComputedStyle(host);
  const model = monaco.editor.createModel(o.value, "kusto");
  const editor = monaco.editor.create(host, {
    model, ariaLabel: o.label, readOnly: o.readOnly, automaticLayout: true, useShadowDOM: false, fontFamily: style.getPropertyValue("--rf-mono"), fontSize: 13, lineHeight: 21, fontLigatures: false,
    minimap: { enabled: false }, scrollBeyondLastLine: false, lineNumbersMinChars: 3, lineDecorationsWidth: 8, glyphMargin: false, folding: false, overviewRulerLanes: 0, hideCursorInOverviewRuler: true,
    renderLineHighlight: "none", wordBasedSuggestions: "off", quickSuggestions: { other: true, strings: false, comments: false }, suggestSelection: "first", suggest: { showStatusBar: false, preview: false, showWords: false },
    fixedOverflowWidgets: true, contextmenu: false, links: false, occurrencesHighlight: "off", padding: { top: 8, bottom: 8 }, tabSize: 4, insertSpaces: true, stickyScroll: { enabled: false }, unicodeHighlight: { nonBasicASCII: false, ambiguousCharacters: true },
    scrollbar: { verticalScrollbarSize: 10, horizontalScrollbarSize: 10, alwaysConsumeMouseWheel: false }, accessibilitySupport: "auto", "semanticHighlighting.enabled": false, wordWrap: "off", guides: { indentation: false }, bracketPairColorization: { enabled: false },
  } as monaco.editor.IStandaloneEditorConstructionOptions);

  const ends: monaco.IDisposable[] = [];
  let known = false;   // the language service has the schema: what it says of names counts from now on
  ends.push(editor.onDidChangeModelContent(() => { monaco.editor.setModelMarkers(model, "server", []); o.changed(model.getValue()); }));
  // Markers that stay as they are make no event, so the service is asked once more, behind its own turn; a text that went on meanwhile is asked anew.
  let timer: ReturnType<typeof setTimeout> | undefined;
  const check = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const version = model.getVersionId();
      try { await (await (await getKustoWorker())(model.uri)).doValidation(model.uri.toString(), []); } catch { return; }
      if (!known || model.isDisposed() || model.getVersionId() !== version) return;
      o.checked(monaco.editor.getModelMarkers({ resource: model.uri }).filter((m) => m.severity === monaco.MarkerSeverity.Error && m.owner !== "server")
        .map((m) => ({ line: m.startLineNumber, column: m.startColumn, length: Math.max(1, m.endColumn - m.startColumn), message: m.message, code: String(typeof m.code === "object" ? m.code?.value : m.code ?? "") })));
    }, 700);
  };
  ends.push(editor.onDidChangeModelContent(check), { dispose: () => clearTimeout(timer) });
  editor.addCommand(monaco.KeyMod.Shift | monaco.KeyCode.Enter, () => o.run(false));
  editor.addCommand(monaco.KeyMod.CtrlCmd | monaco.KeyCode.Enter, () => o.run(true));
  // Ctrl+K is the palette's; the library would wait for a second key.
  monaco.editor.addKeybindingRules([{ keybinding: monaco.KeyMod.CtrlCmd | monaco.KeyCode.KeyK, command: null as any }]);
  // Escape, then Tab, leaves: nobody is kept inside. Any other key, and coming back, makes Tab indent again.
  editor.addCommand(monaco.KeyCode.Escape, () => TabFocus.setTabFocusMode(true), "editorTextFocus && !suggestWidgetVisible && !findWidgetVisible && !inSnippetMode && !editorHoverFocused && !editorHasSelection && !editorHasMultipleSelections && !markersNavigationVisible");
  ends.push(editor.onKeyDown((e) => { if (e.keyCode !== monaco.KeyCode.Tab && e.keyCode !== monaco.KeyCode.Escape && e.keyCode !== monaco.KeyCode.Shift) TabFocus.setTabFocusMode(false); }));
  ends.push(editor.onDidBlurEditorText(() => TabFocus.setTabFocusMode(false)));

  const offset = (p: monaco.Position) => model.getOffsetAt(p);
  return {
    get value() { return model.getValue(); },
    set(value) {
      if (value === model.getValue()) return;
      editor.pushUndoStop();
      editor.executeEdits("page", [{ range: model.getFullModelRange(), text: value, forceMoveMarkers: true }]);
      editor.pushUndoStop();
    },
    insert(text) { editor.pushUndoStop(); editor.executeEdits("page", [{ range: editor.getSelection()!, text, forceMoveMarkers: true }]); editor.pushUndoStop(); editor.focus(); },
    selection: () => model.getValueInRange(editor.getSelection()!),
    selected() { const s = editor.getSelection()!; return [offset(s.getStartPosition()), offset(s.getEndPosition())]; },
    select(from, to) { const a = model.getPositionAt(from), b = model.getPositionAt(to); editor.setSelection(new monaco.Selection(a.lineNumber, a.column, b.lineNumber, b.column)); },
    async schema(s: EditorSchema) {
      const database = {
        name: s.workspace, majorVersion: 1, minorVersion: 1, entityGroups: [],
        tables: s.tables.map((t) => ({ name: t.name, docstring: t.docstring, entityType: "Table", columns: t.columns.map((c) => ({ name: c.name, type: clr[c.type] ?? "System.Object", docstring: c.docstring })) })),
        functions: s.functions.map((f) => ({ name: f.name, body: f.body, docstring: f.docstring, inputParameters: f.parameters.map((p) => ({ name: p.name, type: clr[p.type] ?? "System.String", cslType: p.type, cslDefaultValue: p.value })) })),
      };
      const worker = await (await getKustoWorker())(model.uri);
      if (model.isDisposed()) return;
      await worker.setSchema({ clusterType: "Engine", cluster: { connectionString: "ringfort", databases: [database] }, database } as any);
      known = true;
      check();
    },
    theme: applyTheme,
    options(n) { editor.updateOptions({ ...(n.label === undefined ? {} : { ariaLabel: n.label }), ...(n.readOnly === undefined ? {} : { readOnly: n.readOnly }) }); },
    fault(f) {
      if (!f) { monaco.editor.setModelMarkers(model, "server", []); return; }
      const line = Math.min(Math.max(1, f.line), model.getLineCount()), column = Math.min(Math.max(1, f.column), model.getLineMaxColumn(line));
      monaco.editor.setModelMarkers(model, "server", [{ severity: monaco.MarkerSeverity.Error, message: f.message, startLineNumber: line, endLineNumber: line, startColumn: column, endColumn: Math.min(column + Math.max(1, f.length), Math.max(column + 1, model.getLineMaxColumn(line))) }]);
      editor.revealPositionInCenterIfOutsideViewport({ lineNumber: line, column });
    },
    focus: () => editor.focus(),
    async format() { await editor.getAction("editor.action.formatDocument")?.run(); },
    dispose() { for (const e of ends) e.dispose(); editor.dispose(); model.dispose(); },
  };
}
