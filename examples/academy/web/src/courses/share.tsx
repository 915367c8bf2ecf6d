// How much of something is done, as a bar and in words.
type Props = { of: string; completed: number; total: number; live?: boolean };

export function Share({ of, completed, total, live }: Props) {
  return (
    <div className="share">
      <progress aria-label={`Progress of ${of}`} max={Math.max(total, 1)} value={completed} />
      <span role={live ? "status" : undefined}>{inWords(completed, total)}</span>
    </div>
  );
}

function inWords(completed: number, total: number): string {
  if (total === 0) return "Nothing to do yet";
  return completed === total ? `All ${total} done` : `${completed} of ${total} done`;
}
