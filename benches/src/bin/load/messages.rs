//! The few messages of the Convex websocket protocol that the load generator writes, and what it looks for in answers.

use memchr::memmem::find;
use std::io::Write;

/// What an incoming message is, as far as a measurement cares.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Answer {
    /// A mutation was committed.
    Committed,
    /// A mutation failed.
    Failed,
    /// New query results.
    Updated,
    /// A query failed.
    QueryFailed,
    /// A transition without new results, a ping.
    Other,
    /// The server gives up on this client.
    Fatal,
}

/// Looks at a message no further than needed.
pub(crate) fn classify(text: &[u8]) -> Answer {
    let any = |needle: &[u8]| find(text, needle).is_some();
    let transition = text.starts_with(br#"{"type":"Transition""#);
    if !transition && any(br#""type":"MutationResponse""#) {
        return if any(br#""success":true"#) { Answer::Committed } else { Answer::Failed };
    }
    if any(br#""type":"QueryUpdated""#) || any(br#""type":"QueryDiff""#) {
        return Answer::Updated;
    }
    if any(br#""type":"QueryFailed""#) {
        return Answer::QueryFailed;
    }
    let fatal = any(br#""type":"FatalError""#) || any(br#""type":"AuthError""#);
    if fatal { Answer::Fatal } else { Answer::Other }
}

/// The number after `"result":` of a mutation's answer.
pub(crate) fn result_number(text: &[u8]) -> Option<f64> {
    let at = find(text, b"\"result\":")? + 9;
    let rest = &text[at..];
    let end = rest.iter().position(|byte| matches!(byte, b',' | b'}'))?;
    std::str::from_utf8(&rest[..end]).ok()?.trim().parse().ok()
}

/// The first message of a connection.
pub(crate) fn connect(number: usize) -> String {
    format!(
        r#"{{"type":"Connect","sessionId":"{:08x}-0000-4000-8000-{:012x}","connectionCount":0,"lastCloseReason":null,"clientTs":0}}"#,
        std::process::id(),
        number
    )
}

/// Subscribes to one query, as the connection's first change of its query set.
pub(crate) fn subscribe(path: &str, args: &str) -> String {
    format!(
        r#"{{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{{"type":"Add","queryId":0,"udfPath":"{path}","args":[{args}]}}]}}"#
    )
}

/// Writes a mutation over what is in `out`.
pub(crate) fn mutation(out: &mut Vec<u8>, request: u32, path: &str, args: std::fmt::Arguments<'_>) {
    out.clear();
    // Writing into a vector can't fail.
    let _ = write!(out, r#"{{"type":"Mutation","requestId":{request},"udfPath":"{path}","args":[{args}]}}"#);
}

/// Writes a transfer without the formatting machinery: the generator writes a hundred thousand of them a second.
pub(crate) fn transfer(out: &mut Vec<u8>, request: u32, from: u32, to: u32) {
    let mut digits = itoa::Buffer::new();
    out.clear();
    out.extend_from_slice(br#"{"type":"Mutation","requestId":"#);
    out.extend_from_slice(digits.format(request).as_bytes());
    out.extend_from_slice(br#","udfPath":"transfer:transfer","args":[{"amount":1,"from_id":"#);
    out.extend_from_slice(digits.format(from).as_bytes());
    out.extend_from_slice(br#","to_id":"#);
    out.extend_from_slice(digits.format(to).as_bytes());
    out.extend_from_slice(b"}]}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_wherever_their_type_stands() {
        let cases: [(&str, Answer); 7] = [
            (r#"{"type":"Transition","modifications":[{"type":"QueryDiff","queryId":0}]}"#, Answer::Updated),
            (r#"{"type":"MutationResponse","requestId":3,"success":true,"result":null}"#, Answer::Committed),
            (
                r#"{"logLines":[],"requestId":3,"success":false,"result":"no","type":"MutationResponse"}"#,
                Answer::Failed,
            ),
            (r#"{"type":"Transition","modifications":[]}"#, Answer::Other),
            (
                r#"{"type":"Transition","modifications":[{"type":"QueryUpdated","queryId":0}]}"#,
                Answer::Updated,
            ),
            (
                r#"{"modifications":[{"type":"QueryFailed","queryId":0}],"type":"Transition"}"#,
                Answer::QueryFailed,
            ),
            (r#"{"type":"FatalError","error":"no"}"#, Answer::Fatal),
        ];
        for (text, expected) in cases {
            assert_eq!(classify(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_transfer_is_the_json_it_should_be() {
        let mut text = Vec::new();
        transfer(&mut text, 7, 1, 99_999);
        let json: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(json["args"][0]["to_id"], 99_999);
        assert_eq!(json["requestId"], 7);
        assert_eq!(result_number(br#"{"result":4000,"x":1}"#), Some(4000.0));
    }
}
