//! What a server says, written by hand from pieces that are JSON already.
//!
//! No tree is built: each function appends one message to a buffer. `errorData` is there only for an
//! application's error (a null there would be data), `clientClockSkew` and `serverTs` are there both or not
//! at all, `logLines` always.

use hull_value::Timestamp;

use crate::message::StateVersion;
use crate::result::Failure;

/// Appends the answer to a mutation: its value with the timestamp it committed at, or its error.
pub fn mutation_response(
    out: &mut Vec<u8>,
    request: u32,
    ts: Timestamp,
    result: Result<&str, &Failure>,
    log_lines: &[String],
) {
    out.extend_from_slice(br#"{"type":"MutationResponse","requestId":"#);
    push_number(out, request);
    push_result(out, result);
    if result.is_ok() {
        out.extend_from_slice(br#","ts":"#);
        push_timestamp(out, ts);
    }
    push_log_lines(out, log_lines);
}

/// Appends the answer to an action.
pub fn action_response(
    out: &mut Vec<u8>,
    request: u32,
    result: Result<&str, &Failure>,
    log_lines: &[String],
) {
    out.extend_from_slice(br#"{"type":"ActionResponse","requestId":"#);
    push_number(out, request);
    push_result(out, result);
    push_log_lines(out, log_lines);
}

/// Appends the refusal of an Authenticate (`attempted`), or of a credential that has ended since.
pub fn auth_error(out: &mut Vec<u8>, error: &str, base_version: u32, attempted: bool) {
    out.extend_from_slice(br#"{"type":"AuthError","error":"#);
    push_string(out, error);
    out.extend_from_slice(br#","baseVersion":"#);
    push_number(out, base_version);
    out.extend_from_slice(if attempted {
        br#","authUpdateAttempted":true}"#
    } else {
        br#","authUpdateAttempted":false}"#
    });
}

/// Appends the message after which a client never comes back: only for one that does not speak the protocol.
pub fn fatal_error(out: &mut Vec<u8>, error: &str) {
    out.extend_from_slice(br#"{"type":"FatalError","error":"#);
    push_string(out, error);
    out.push(b'}');
}

/// Appends the message that only shows that the connection lives.
pub fn ping(out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"type":"Ping"}"#);
}

/// The clocks that a Transition tells: the client's clock less the server's at Connect in milliseconds, and
/// the server's now in nanoseconds.
pub(crate) type Clocks = (i64, u64);

/// Appends a Transition up to its list of modifications, which the caller writes; [`end_transition`] closes
/// it.
pub(crate) fn begin_transition(out: &mut Vec<u8>, start: StateVersion, end: StateVersion) {
    out.extend_from_slice(br#"{"type":"Transition","startVersion":"#);
    push_version(out, start);
    out.extend_from_slice(br#","endVersion":"#);
    push_version(out, end);
    out.extend_from_slice(br#","modifications":["#);
}

pub(crate) fn query_removed(out: &mut Vec<u8>, query: u32) {
    out.extend_from_slice(br#"{"type":"QueryRemoved","queryId":"#);
    push_number(out, query);
    out.push(b'}');
}

pub(crate) fn end_transition(out: &mut Vec<u8>, clocks: Option<Clocks>) {
    out.push(b']');
    if let Some((skew, server_ts)) = clocks {
        out.extend_from_slice(br#","clientClockSkew":"#);
        push_number(out, skew);
        out.extend_from_slice(br#","serverTs":"#);
        push_number(out, server_ts);
    }
    out.push(b'}');
}

pub(crate) fn transition_chunk(out: &mut Vec<u8>, chunk: &str, part: usize, parts: usize, id: usize) {
    out.extend_from_slice(br#"{"type":"TransitionChunk","chunk":"#);
    push_string(out, chunk);
    out.extend_from_slice(br#","partNumber":"#);
    push_number(out, part);
    out.extend_from_slice(br#","totalParts":"#);
    push_number(out, parts);
    out.extend_from_slice(br#","transitionId":""#);
    push_number(out, id);
    out.extend_from_slice(br#""}"#);
}

fn push_version(out: &mut Vec<u8>, version: StateVersion) {
    out.extend_from_slice(br#"{"querySet":"#);
    push_number(out, version.query_set);
    out.extend_from_slice(br#","identity":"#);
    push_number(out, version.identity);
    out.extend_from_slice(br#","ts":"#);
    push_timestamp(out, version.ts);
    out.push(b'}');
}

fn push_result(out: &mut Vec<u8>, result: Result<&str, &Failure>) {
    match result {
        Ok(value) => {
            out.extend_from_slice(br#","success":true,"result":"#);
            out.extend_from_slice(value.as_bytes());
        }
        Err(failure) => {
            out.extend_from_slice(br#","success":false,"result":"#);
            failure.write(out);
        }
    }
}

fn push_log_lines(out: &mut Vec<u8>, log_lines: &[String]) {
    out.extend_from_slice(br#","logLines":"#);
    push_strings(out, log_lines);
    out.push(b'}');
}

pub(crate) fn push_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a timestamp: quoted base64 of 8 bytes, little endian.
pub(crate) fn push_timestamp(out: &mut Vec<u8>, ts: Timestamp) {
    let mut text = *b"\"AAAAAAAAAAA=\"";
    data_encoding::BASE64.encode_mut(&ts.0.to_le_bytes(), &mut text[1..13]);
    out.extend_from_slice(&text);
}

/// Appends a string with its quotes and escapes.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[done..at]);
        done = at + 1;
        match byte {
            b'"' => out.extend_from_slice(br#"\""#),
            b'\\' => out.extend_from_slice(br"\\"),
            b'\n' => out.extend_from_slice(br"\n"),
            b'\r' => out.extend_from_slice(br"\r"),
            b'\t' => out.extend_from_slice(br"\t"),
            control => {
                let digits = b"0123456789abcdef";
                out.extend_from_slice(br"\u00");
                out.push(digits[usize::from(control >> 4)]);
                out.push(digits[usize::from(control & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
    out.push(b'"');
}

/// Appends a list of strings.
pub(crate) fn push_strings(out: &mut Vec<u8>, texts: &[String]) {
    out.push(b'[');
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_string(out, text);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        for text in ["", "a", "\"\\/", "\u{0}\u{1f}\n\r\t\u{8}\u{7f}", "é😀\u{2028}"] {
            let mut out = Vec::new();
            push_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn answers_have_the_fields_that_clients_need() {
        let text = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        let failure = Failure::with_data("no", "{}");
        assert_eq!(
            text(&|out| mutation_response(out, 1, Timestamp(1), Ok("null"), &["[LOG] a".into()])),
            r#"{"type":"MutationResponse","requestId":1,"success":true,"result":null,"ts":"AQAAAAAAAAA=","logLines":["[LOG] a"]}"#
        );
        assert_eq!(
            text(&|out| mutation_response(out, 1, Timestamp(1), Err(&failure), &[])),
            r#"{"type":"MutationResponse","requestId":1,"success":false,"result":"no","errorData":{},"logLines":[]}"#
        );
        assert_eq!(
            text(&|out| action_response(out, 2, Err(&Failure::new("no")), &[])),
            r#"{"type":"ActionResponse","requestId":2,"success":false,"result":"no","logLines":[]}"#
        );
        assert_eq!(
            text(&|out| auth_error(out, "no", 3, true)),
            r#"{"type":"AuthError","error":"no","baseVersion":3,"authUpdateAttempted":true}"#
        );
    }
}
