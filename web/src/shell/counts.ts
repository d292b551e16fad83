// Counts beside entries of the navigation: only where work waits; red (hot) only for incidents.
import { signal } from "../data/signals";

export const counts = signal<Readonly<Record<string, { n: number; hot?: boolean }>>>({});
export function setCount(page: string, n: number, hot = false): void { counts.set({ ...counts.value, [page]: { n, hot } }); }
