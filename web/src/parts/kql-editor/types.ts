// What the part gives to the large file that is loaded on first use, and what it gets back. Both sides import only these shapes.
export interface EditorColumn { name: string; type: string; docstring?: string }
export interface EditorTable { name: string; columns: EditorColumn[]; docstring?: string }
export interface EditorFunction { name: string; body: string; docstring?: string; parameters: { name: string; type: string; value?: string }[] }
export interface EditorSchema { workspace: string; tables: EditorTable[]; functions: EditorFunction[] }
export interface Fault { line: number; column: number; length: number; message: string; code: string }

export interface EditorOptions {
  value: string;
  label: string;
  readOnly: boolean;
  files: { worker: string; language: string };
  changed(value: string): void;
  /** The diagnostics of the language service, after each change. */
  checked(faults: Fault[]): void;
  /** Shift+Enter (false) and Ctrl+Enter (true: the selection). */
  run(selection: boolean): void;
}
export interface Editor {
  readonly value: string;
  set(value: string): void;
  /** Puts text at the cursor. */
  insert(text: string): void;
  selection(): string;
  selected(): [number, number];
  select(from: number, to: number): void;
  schema(schema: EditorSchema): Promise<void>;
  /** Colours of the page, read anew. */
  theme(): void;
  options(o: { label?: string; readOnly?: boolean }): void;
  /** Marks what the server refused; null takes the mark away. */
  fault(f: { line: number; column: number; length: number; message: string } | null): void;
  focus(): void;
  format(): Promise<void>;
  dispose(): void;
}
