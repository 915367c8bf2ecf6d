// State that outlives the part of the page that shows it: a text begun before one looked at another page, or one that
// the server refused while it was not shown. It lasts as long as the page.
import { useSyncExternalStore } from "react";

const values = new Map<string, unknown>();
const listeners = new Set<() => void>();

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

/** Like `useState`, under a name; `initial` must be the same object each time. */
export function useKept<T>(name: string, initial: T): [T, (change: (now: T) => T) => void] {
  const read = () => (values.has(name) ? (values.get(name) as T) : initial);
  const write = (change: (now: T) => T) => {
    values.set(name, change(read()));
    for (const changed of listeners) changed();
  };
  return [useSyncExternalStore(subscribe, read), write];
}
