//! Transitions too large for one message: cut by the server, put together by the client.
//!
//! The Transition is encoded once and cut into pieces of at most [`CHUNK_BYTES`] between characters. The
//! pieces follow each other in order; nothing but a Ping may stand between them.

use crate::sink::MessageSink;
use crate::write;

/// The most that a Transition has in one message, and each piece of a larger one.
pub const CHUNK_BYTES: usize = 5_000_000;

/// Writes a Transition as one message, or as chunks when it is too large for one.
pub(crate) fn write(transition: &[u8], sink: &mut impl MessageSink) {
    let Some(pieces) = std::str::from_utf8(transition).ok().map(|text| cut(text, CHUNK_BYTES)) else {
        return;
    };
    if let [whole] = pieces[..] {
        sink.begin(whole.len()).extend_from_slice(whole.as_bytes());
        return sink.end();
    }
    for (part, piece) in pieces.iter().enumerate() {
        let out = sink.begin(piece.len() + piece.len() / 8 + 128);
        write::transition_chunk(out, piece, part, pieces.len(), transition.len());
        sink.end();
    }
}

fn cut(mut text: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    while text.len() > bytes {
        let mut end = bytes;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces.push(text);
    pieces
}

/// A chunk that does not continue the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Its number is not the next one.
    #[error("a chunk of a transition is missing")]
    OutOfOrder,
    /// It belongs to another Transition.
    #[error("a chunk belongs to another transition")]
    Mixed,
}

impl ChunkError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "BadTransitionChunk"
    }
}

/// Puts a Transition together.
#[derive(Debug, Default)]
pub struct Reassembly {
    text: String,
    id: String,
    parts: u32,
    next: u32,
}

impl Reassembly {
    /// Takes the next chunk; the whole text when it was the last.
    pub fn push(
        &mut self,
        chunk: &str,
        part: u32,
        parts: u32,
        id: &str,
    ) -> Result<Option<String>, ChunkError> {
        if part != self.next || part >= parts {
            return Err(ChunkError::OutOfOrder);
        }
        if part == 0 {
            self.parts = parts;
            id.clone_into(&mut self.id);
        } else if self.parts != parts || self.id != id {
            return Err(ChunkError::Mixed);
        }
        self.text.push_str(chunk);
        self.next += 1;
        Ok((self.next == parts).then(|| std::mem::take(self).text))
    }

    /// Whether a Transition is half there.
    pub fn is_half(&self) -> bool {
        self.next > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_between_characters() {
        let text = "aé😀b".repeat(50);
        for bytes in 4..20 {
            let pieces = cut(&text, bytes);
            assert!(pieces.iter().all(|piece| piece.len() <= bytes && !piece.is_empty()));
            assert_eq!(pieces.concat(), text);
        }
        assert_eq!(cut("", 4), [""]);
    }

    #[test]
    fn chunks_must_continue_each_other() {
        let mut whole = Reassembly::default();
        assert_eq!(whole.push("a", 0, 2, "x"), Ok(None));
        assert_eq!(whole.push("b", 1, 2, "y"), Err(ChunkError::Mixed));
        assert_eq!(whole.push("b", 0, 2, "x"), Err(ChunkError::OutOfOrder));
        assert_eq!(whole.push("b", 1, 2, "x"), Ok(Some("ab".into())));
        assert!(!whole.is_half());
        assert_eq!(whole.push("b", 1, 2, "x"), Err(ChunkError::OutOfOrder));
        assert_eq!(whole.push("b", 0, 0, "x"), Err(ChunkError::OutOfOrder));
    }
}
