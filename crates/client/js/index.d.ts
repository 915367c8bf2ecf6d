/** What the adapter needs of a websocket class: the browser's, Node's, or that of the package `ws`. */
export interface WebSocketClass {
  new (url: string, ...rest: any[]): {
    readonly readyState: number;
    send(data: string): void;
    close(code?: number, reason?: string): void;
  };
}

/**
 * A websocket class for the official Convex clients, with which a Hull server sends what changed in a result instead of
 * the whole result:
 *
 * ```ts
 * const client = new ConvexReactClient(url, { webSocketConstructor: hullWebSocket() });
 * ```
 *
 * With a server that knows no diffs it is a plain websocket.
 *
 * @param options.WebSocket the underlying class; `globalThis.WebSocket`, looked up when a socket is made, by default.
 */
export declare function hullWebSocket(options?: { WebSocket?: WebSocketClass }): typeof WebSocket;
