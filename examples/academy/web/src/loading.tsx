// What stands where an answer has not come yet.
export function Loading() {
  return (
    <div className="loading" role="status">
      <span className="hidden">Loading…</span>
      <div className="bone wide" />
      <div className="bone" />
      <div className="bone" />
    </div>
  );
}
