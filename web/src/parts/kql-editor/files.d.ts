declare module "editor-files" {
  /** Addresses of the files that build-editor.mjs made. */
  const files: { script: string; style: string; worker: string; language: string };
  export default files;
}
