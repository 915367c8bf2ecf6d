//! The result of a query, ready to be sent to any number of clients.
//!
//! The value is JSON text that all who listen share; what is around it is encoded when the result is made. So
//! sending it copies bytes and nothing else. Two results are the same to a client when value (or error) and
//! log lines are; a journal that changes alone is not news.

use std::sync::Arc;

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

/// A query's result with its log lines and its journal.
#[derive(Debug, Clone)]
pub struct QueryResult {
    failed: bool,
    body: Arc<str>,
    tail: Box<[u8]>,
    logs: usize,
    journal: Option<Arc<str>>,
}

impl QueryResult {
    /// A value, as JSON text.
    pub fn updated(value: Arc<str>, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
        Self::new(false, value, log_lines, journal)
    }

    /// An error.
    pub fn failed(failure: &Failure, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
        let mut body = Vec::with_capacity(failure.message.len() + 2);
        failure.write(&mut body);
        Self::new(true, String::from_utf8(body).unwrap_or_default().into(), log_lines, journal)
    }

    fn new(failed: bool, body: Arc<str>, log_lines: &[String], journal: Option<Arc<str>>) -> Self {
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
        Self { failed, body, tail: tail.into_boxed_slice(), logs, journal }
    }

    /// What the query's next run is handed, so that it reads the same range.
    pub fn journal(&self) -> Option<&Arc<str>> {
        self.journal.as_ref()
    }

    /// Whether a client that has one needs not be told the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.failed == other.failed
            && self.tail[..self.logs] == other.tail[..other.logs]
            && (Arc::ptr_eq(&self.body, &other.body) || self.body == other.body)
    }

    /// How many bytes the modification has at most.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + self.tail.len() + 64
    }

    /// Appends the modification that tells a client this result.
    pub(crate) fn write(&self, query: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.failed {
            br#"{"type":"QueryFailed","queryId":"#
        } else {
            br#"{"type":"QueryUpdated","queryId":"#
        });
        push_number(out, query);
        out.extend_from_slice(if self.failed { br#","errorMessage":"# } else { br#","value":"# });
        out.extend_from_slice(self.body.as_bytes());
        out.extend_from_slice(&self.tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modification_is_prefix_value_and_tail() {
        let result = QueryResult::updated("[1]".into(), &["[LOG] \"a\"".into()], Some("j".into()));
        let mut out = Vec::new();
        result.write(7, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"QueryUpdated","queryId":7,"value":[1],"logLines":["[LOG] \"a\""],"journal":"j"}"#
        );
    }

    #[test]
    fn error_data_is_there_only_for_application_errors() {
        let mut out = Vec::new();
        QueryResult::failed(&Failure::new("no"), &[], None).write(1, &mut out);
        out.push(b' ');
        QueryResult::failed(&Failure::with_data("no", "null"), &[], None).write(1, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"type":"QueryFailed","queryId":1,"errorMessage":"no","logLines":[],"journal":null} "#
                .to_owned()
                + r#"{"type":"QueryFailed","queryId":1,"errorMessage":"no","errorData":null,"logLines":[],"journal":null}"#
        );
    }

    #[test]
    fn sameness_is_value_and_logs_but_not_journal() {
        let one = QueryResult::updated("1".into(), &[], None);
        assert!(one.is_same(&QueryResult::updated("1".into(), &[], Some("j".into()))));
        assert!(!one.is_same(&QueryResult::updated("2".into(), &[], None)));
        assert!(!one.is_same(&QueryResult::updated("1".into(), &["[LOG] x".into()], None)));
        let failed = QueryResult::failed(&Failure::new("1"), &[], None);
        assert!(!failed.is_same(&QueryResult::updated("\"1\"".into(), &[], None)));
    }
}
