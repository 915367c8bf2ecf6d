// What went wrong, in words for the person in front of the page.
import { ConvexError } from "convex/values";
import { Component, type ReactNode } from "react";

/** The sentence of an application error (`{ code, message }`), or the server's own without the client's prefix. */
export function messageOf(error: unknown): string {
  if (error instanceof ConvexError) {
    const data: unknown = error.data;
    if (typeof data === "string") return data;
    if (data !== null && typeof data === "object" && "message" in data) return String(data.message);
  }
  const text = error instanceof Error ? error.message : String(error);
  const plain = text.replace(/\s+Called by client\s*$/, "").replace(/^(\[[^\]]*\]\s*)+/, "");
  return plain.replace(/^(Server Error|Uncaught \w*Error)[:\s]*/g, "").trim() || "Something went wrong.";
}

/** Shows why its children can't be shown. A query that fails throws where it is used. */
export class Boundary extends Component<{ back: string; children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === undefined) return this.props.children;
    return (
      <div className="empty" role="alert">
        <title>Academy</title>
        <h1>This page could not be shown</h1>
        <p>{whyNotShown(this.state.error)}</p>
        <p>
          <a href={this.props.back}>To the courses</a>
        </p>
      </div>
    );
  }
}

/** An id that no document can have comes from the address: nothing else here makes one up. */
function whyNotShown(error: unknown): string {
  const message = messageOf(error);
  return message.startsWith("ArgumentValidationError") ? "What its address names is not there." : message;
}
