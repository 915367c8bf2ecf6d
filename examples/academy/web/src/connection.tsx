// A quiet line when the server is out of reach. What is written meanwhile waits in the client and is sent once.
import { useConvexConnectionState } from "convex/react";

export function Connection() {
  const { isWebSocketConnected, hasEverConnected, connectionRetries, inflightMutations } = useConvexConnectionState();
  const away = !isWebSocketConnected && (hasEverConnected || connectionRetries > 0);
  return (
    <p className="connection" role="status" data-away={away}>
      {away && (hasEverConnected ? "Reconnecting…" : "The server is out of reach. Trying again…")}
      {away && inflightMutations > 0 && ` ${waiting(inflightMutations)}`}
    </p>
  );
}

const waiting = (changes: number) =>
  changes === 1 ? "1 change is waiting." : `${changes} changes are waiting.`;
