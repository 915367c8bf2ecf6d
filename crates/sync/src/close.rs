//! Why a server ends a connection, in the words that official clients know.
//!
//! A close frame carries a code and a reason. Clients take their waiting time before the next try from the
//! reason's first word, so each reason here begins with a word of the protocol. A reason is at most
//! 123 bytes, the room a close frame has.

use std::borrow::Cow;

/// The code and the reason of a close frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Close {
    /// The websocket close code.
    pub code: u16,
    /// The reason: at most 123 bytes, beginning with a word that clients know.
    pub reason: Cow<'static, str>,
}

const REASON_BYTES: usize = 123;

impl Close {
    /// Nothing is wrong; clients log nothing and come back.
    pub const NORMAL: u16 = 1000;
    /// The server is going away; clients log nothing and come back.
    pub const GOING_AWAY: u16 = 1001;
    /// A frame of a kind that the protocol does not use.
    pub const UNSUPPORTED: u16 = 1003;
    /// Something went wrong that a new connection may put right.
    pub const ERROR: u16 = 1011;
    /// Too much at the moment: try again later.
    pub const AGAIN: u16 = 1013;

    /// Any close: the reason is cut to what a close frame holds.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > REASON_BYTES {
            let mut end = REASON_BYTES;
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            reason = Cow::Owned(reason[..end].to_owned());
        }
        Self { code, reason }
    }

    /// The two sides no longer agree on the state: the client connects again and starts from zero.
    pub fn internal(detail: &str) -> Self {
        Self::new(Self::ERROR, format!("InternalServerError: {detail}"))
    }

    /// More requests wait on this connection than the server will hold.
    pub fn too_many_requests(detail: &str) -> Self {
        Self::new(Self::AGAIN, format!("TooManyConcurrentRequests: {detail}"))
    }

    /// The server stops; clients come back to the next one.
    pub fn going_away() -> Self {
        Self::new(Self::GOING_AWAY, "ServerStopping")
    }

    /// A newer connection of the same session has taken over.
    pub fn superseded() -> Self {
        Self::new(Self::NORMAL, "SupersededBySession")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_a_close_frame_and_ends_on_a_character() {
        let close = Close::new(1011, "é".repeat(100));
        assert_eq!(close.reason.len(), 122);
        assert_eq!(Close::internal("x").reason, "InternalServerError: x");
    }
}
