/** A value that others watch. Small on purpose: state lives in the address, a few stores and nowhere else. */
export interface Signal<T> {
  readonly value: T;
  set(next: T): void;
  /** Calls `seen` on each change (not at once). The answer ends the watching. */
  watch(seen: (value: T) => void): () => void;
}

export function signal<T>(first: T): Signal<T> {
  let value = first;
  const watchers = new Set<(v: T) => void>();
  return {
    get value() { return value; },
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const seen of [...watchers]) seen(next);
    },
    watch(seen) { watchers.add(seen); return () => { watchers.delete(seen); }; },
  };
}
