export const workerAddress: (address: string) => string;
export function rfHtml(element: Element, html: unknown): void;
export function rfAfter(element: Element, html: unknown): void;
export function rfSheet(): HTMLElement;
export function rfPolicy(options: { createHTML?(s: string): string }): { createHTML(s: string): unknown; createScriptURL(s: string): unknown };
