//! The result of a query, ready to be sent to any number of clients.
//!
//! The value is written as JSON text when the first client is to be told it, with what that client was told before at
//! hand, and shared by all who listen; so is the diff from an earlier result, for clients that have that one. What is
//! around both is encoded when the result is made. So sending it copies bytes and nothing else. Two results are the same to a client when value (or error) and log lines are; a journal
//! that changes alone is not news.

use std::sync::Arc;

use hull_value::{Compared, JsonRows, Packed};

use crate::diffs::Diffs;
use crate::write::{push_number, push_string, push_strings};

/// Why a function failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The text for people.
    pub message: String,
    /// The data of an application's error as JSON text; absent for every other error.
    pub data: Option<Arc<str>>,
}

impl Failure {
    /// An error without data.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// An application's error with its data as JSON text.
    pub fn with_data(message: impl Into<String>, data: impl Into<Arc<str>>) -> Self {
        Self { message: message.into(), data: Some(data.into()) }
    }

    /// There is no function of this path that this client may call.
    pub fn not_found(path: &crate::FunctionPath) -> Self {
        Self::new(format!("Could not find public function for '{path}'."))
    }

    /// Appends `"message"`, and `,"errorData":…` when there is data.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        push_string(out, &self.message);
        if let Some(data) = &self.data {
            out.extend_from_slice(br#","errorData":"#);
            out.extend_from_slice(data.as_bytes());
        }
    }
}

#[derive(Debug, Clone)]
enum Body {
    Value(JsonRows),
    /// A failure's message and data as they are sent.
    Failure(Box<str>),
}

impl Body {
    /// The text that is sent, after a client was sent `before`.
    fn text(&self, before: Option<&QueryResult>) -> &str {
        match (self, before.map(|before| &before.body)) {
            (Body::Failure(text), _) => text,
            (Body::Value(value), Some(Body::Value(before))) => value.json(Some(before)),
            (Body::Value(value), _) => value.json(None),
        }
    }
}

/// A query's result with its log lines and its journal.
#[derive(Debug)]
pub struct QueryResult {
    /// Also gives the number by which a diff names it.
    compared: Compared,
    body: Body,
    diffs: Diffs,
    tail: Box<[u8]>,
    logs: usize,
    journal: Option<Arc<str>>,
}

impl QueryResult {
    /// A value.
    pub fn updated(value: Packed, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
        Self::new(Body::Value(JsonRows::new(value)), log_lines, journal)
    }

    /// An error.
    pub fn failed(failure: &Failure, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
        let mut body = Vec::with_capacity(failure.message.len() + 2);
        failure.write(&mut body);
        Self::new(Body::Failure(String::from_utf8(body).unwrap_or_default().into()), log_lines, journal)
    }

    fn new(body: Body, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
        let mut tail = Vec::with_capacity(40);
        tail.extend_from_slice(br#","logLines":"#);
        push_strings(&mut tail, log_lines);
        let logs = tail.len();
        tail.extend_from_slice(br#","journal":"#);
        match &journal {
            Some(journal) => push_string(&mut tail, journal),
            None => tail.extend_from_slice(b"null"),
        }
        tail.push(b'}');
        Self {
            compared: Compared::new(),
            body,
            diffs: Diffs::default(),
            tail: tail.into_boxed_slice(),
            logs,
            journal,
        }
    }

    /// What the query's next run is handed, so that it reads the same range.
    pub fn journal(&self) -> Option<&Arc<str>> {
        self.journal.as_ref()
    }

    /// Whether a client that has one needs not be told the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_body = || match (&self.body, &other.body) {
            (Body::Value(one), Body::Value(other)) => one.value() == other.value(),
            (Body::Failure(one), Body::Failure(other)) => one == other,
            _ => false,
        };
        let same = || same_body() && self.tail[..self.logs] == other.tail[..other.logs];
        self.compared.same(&other.compared, same)
    }

    /// The value, if there is one: itself, and its text.
    pub fn value(&self) -> Option<&JsonRows> {
        if let Body::Value(value) = &self.body { Some(value) } else { None }
    }

    /// The number by which a diff names its base; none for an error.
    pub(crate) fn number(&self) -> Option<u64> {
        self.value().map(|_| self.compared.number())
    }

    /// What of this result differs from `before`, if both are values and telling it is shorter than telling this one; and
    /// whether it was found only now.
    pub(crate) fn diff(&self, before: &QueryResult) -> (Option<Arc<str>>, bool) {
        match (&before.body, &self.body) {
            (Body::Value(old), Body::Value(new)) => {
                let base = (before.compared.number(), old.value(), &before.diffs);
                self.diffs.between(base, (self.compared.number(), new.value()))
            }
            _ => (None, false),
        }
    }

    /// How many bytes the modification has at most that tells this to a client which has `before`.
    pub(crate) fn size(&self, before: Option<&QueryResult>) -> usize {
        self.body.text(before).len() + self.tail.len() + AROUND
    }

    /// How many bytes the modification has at most that tells this by a diff.
    pub(crate) fn diff_size(&self, diff: &str) -> usize {
        diff.len() + self.tail.len() + AROUND
    }

    /// Appends the modification that tells this to a client which has `before`; with its number, if the client asks for
    /// diffs.
    pub(crate) fn write(
        &self,
        query: u32,
        before: Option<&QueryResult>,
        with_number: bool,
        out: &mut Vec<u8>,
    ) {
        let (kind, body): (&[u8], &[u8]) = match &self.body {
            Body::Value(_) => (br#"{"type":"QueryUpdated","queryId":"#, br#","value":"#),
            Body::Failure(_) => (br#"{"type":"QueryFailed","queryId":"#, br#","errorMessage":"#),
        };
        out.extend_from_slice(kind);
        push_number(out, query);
        out.extend_from_slice(body);
        out.extend_from_slice(self.body.text(before).as_bytes());
        if let Some(number) = self.number().filter(|_| with_number) {
            out.extend_from_slice(br#","result":"#);
            push_number(out, number);
        }
        out.extend_from_slice(&self.tail);
    }

    /// Appends the modification that tells this by its diff from the result that the client knows by the number `base`.
    pub(crate) fn write_diff(&self, query: u32, base: u64, diff: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"type":"QueryDiff","queryId":"#);
        push_number(out, query);
        out.extend_from_slice(br#","base":"#);
        push_number(out, base);
        out.extend_from_slice(diff.as_bytes());
        out.extend_from_slice(&self.tail);
    }
}

/// What a modification has at most around its text and its tail.
const AROUND: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Packed {
        Packed::from_json(text).unwrap()
    }

    #[test]
    fn a_modification_is_prefix_value_and_tail() {
        let result = QueryResult::updated(json("[1]"), &["[LOG] \"a\"".into()], Some("j".into()));
        let mut out = Vec::new();
        result.write(7, None, false, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"QueryUpdated","queryId":7,"value":[1],"logLines":["[LOG] \"a\""],"journal":"j"}"#
        );
    }

    #[test]
    fn error_data_is_there_only_for_application_errors() {
        let mut out = Vec::new();
        QueryResult::failed(&Failure::new("no"), &[], None).write(1, None, false, &mut out);
        out.push(b' ');
        QueryResult::failed(&Failure::with_data("no", "null"), &[], None).write(1, None, false, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"QueryFailed","queryId":1,"errorMessage":"no","logLines":[],"journal":null} "#
                .to_owned()
                + r#"{"type":"QueryFailed","queryId":1,"errorMessage":"no","errorData":null,"logLines":[],"journal":null}"#
        );
    }

    #[test]
    fn sameness_is_value_and_logs_but_not_journal() {
        let one = QueryResult::updated(json("1"), &[], None);
        assert!(one.is_same(&QueryResult::updated(json("1"), &[], Some("j".into()))));
        assert!(!one.is_same(&QueryResult::updated(json("2"), &[], None)));
        assert!(!one.is_same(&QueryResult::updated(json("1"), &["[LOG] x".into()], None)));
        // What was found before is told again, of the right one.
        let (equal, other) =
            (QueryResult::updated(json("1"), &[], None), QueryResult::updated(json("2"), &[], None));
        for _ in 0..2 {
            assert!(one.is_same(&equal) && one.is_same(&equal));
            assert!(!one.is_same(&other) && !one.is_same(&other));
        }
        let failed = QueryResult::failed(&Failure::new("1"), &[], None);
        assert!(!failed.is_same(&QueryResult::updated(json("\"1\""), &[], None)));
    }
}
