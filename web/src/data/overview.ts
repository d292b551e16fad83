// Counts of the Overview, which the frame and the page both want at the start: one request for both.
import { get } from "./client";

let asked: Promise<unknown> | null = null;
export function readOverview<T>(): Promise<T> {
  asked ??= get("/portal/api/overview").finally(() => setTimeout(() => { asked = null; }, 300));
  return asked as Promise<T>;
}
