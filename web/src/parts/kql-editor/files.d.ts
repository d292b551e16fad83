declare module "editor-files" {
  /** Addresses of the files that build-editor.mjs made. */
  const files: { script: string; style: string; worker: string; language: string };
  export default files;
}
declare module "monaco-editor/esm/vs/editor/browser/config/tabFocus.js" {
  export const TabFocus: { getTabFocusMode(): boolean; setTabFocusMode(on: boolean): void };
}
