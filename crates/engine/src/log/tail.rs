//! Reading the log: the records of its durable groups, one group in memory at a time.

use hull_value::Timestamp;

use super::LogError;
use super::group::{self, HEADER};
use super::segment::Segment;

/// Iterates over the records of `segments` that have a timestamp above `after`.
pub(super) struct Reader {
    segments: std::vec::IntoIter<Segment>,
    current: Option<Segment>,
    offset: u64,
    group: Vec<u8>,
    read: usize,
    after: Timestamp,
}

impl Reader {
    /// Reads each segment up to its `end`.
    pub(super) fn new(segments: Vec<Segment>, after: Timestamp) -> Reader {
        let segments = segments.into_iter();
        Reader { segments, current: None, offset: 0, group: Vec::new(), read: 0, after }
    }

    fn advance(&mut self) -> Result<Option<(Timestamp, Vec<u8>)>, LogError> {
        loop {
            let mut rest = self.group.get(self.read..).unwrap_or_default();
            if let Some((timestamp, record)) = group::next_record(&mut rest) {
                let record = (timestamp > self.after).then(|| record.to_vec());
                self.read = self.group.len() - rest.len();
                match record {
                    Some(record) => return Ok(Some((timestamp, record))),
                    None => continue,
                }
            }
            let Some(segment) = self.current.as_ref().filter(|segment| self.offset < segment.end) else {
                self.current = self.segments.next();
                let Some(segment) = &self.current else { return Ok(None) };
                self.offset = segment.base;
                continue;
            };
            let Some((header, bytes)) = segment.group_at(self.offset)? else {
                return Err(LogError::Damaged {
                    offset: self.offset,
                    file: segment.name.clone(),
                    detail: "a durable group cannot be read, or was trimmed while it was read".into(),
                });
            };
            self.offset += header.padded();
            self.group = bytes;
            self.read = HEADER;
        }
    }
}

impl Iterator for Reader {
    type Item = Result<(Timestamp, Vec<u8>), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            (self.current, self.segments) = (None, Vec::new().into_iter());
            self.group.clear();
        }
        next.transpose()
    }
}
