// A text with parts of it marked.
import type { ReactNode } from "react";

/** From where to where, as `slice` takes it. */
export type Mark = { start: number; end: number };

export function Marked({ text, marks }: { text: string; marks: Mark[] }) {
  const parts: ReactNode[] = [];
  let done = 0;
  for (const { start, end } of marks) {
    parts.push(text.slice(done, start), <mark key={start}>{text.slice(start, end)}</mark>);
    done = end;
  }
  return (
    <>
      {parts}
      {text.slice(done)}
    </>
  );
}
