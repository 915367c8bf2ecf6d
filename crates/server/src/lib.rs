//! HTTP and websocket server.
