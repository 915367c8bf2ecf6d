//! Readers that a hostile file can't make hold or do more than is allowed.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hull_value::MAX_ROW_BYTES;

/// What may be decompressed from anything.
const FREE: u64 = 100 << 20;
/// What may be decompressed from each compressed byte. Documents compress 5 to 50 times; bombs a thousand times.
const MOST_RATIO: u64 = 500;

/// Reads a line without its end into `line`. Returns false at the end of the file.
pub(crate) fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    // One more for the end of the line, one to see that it is too long.
    let read = reader.take(MAX_ROW_BYTES as u64 + 2).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    if line.len() > MAX_ROW_BYTES {
        return Err(too_long());
    }
    Ok(read > 0)
}

/// The error of a row that is too long.
pub(crate) fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a row is longer than {MAX_ROW_BYTES} bytes"))
}

/// Decompressed bytes, as long as they are not far more than was compressed, and as many as was said.
pub(crate) struct Inflated<R> {
    inner: R,
    left: u64,
    missing: Option<u64>,
}

impl<R> Inflated<R> {
    /// What comes out of `compressed` bytes, which should be `size` bytes.
    pub(crate) fn new(inner: R, compressed: u64, size: u64) -> Inflated<R> {
        Inflated { inner, left: compressed.saturating_mul(MOST_RATIO).max(FREE), missing: Some(size) }
    }
}

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        self.missing = self.missing.and_then(|missing| missing.checked_sub(count as u64));
        if self.missing.is_none() || (count == 0 && !into.is_empty() && self.missing != Some(0)) {
            let why = "it is damaged: the archive's directory gives it another size";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it grows more than {MOST_RATIO} times when it is decompressed, as only a hostile file does"),
            )
        })?;
        Ok(count)
    }
}

/// A reader that gives up after so many bytes, until its [`Meter`] is given more.
pub(crate) struct Budget<R> {
    inner: R,
    meter: Meter,
}

/// How much a [`Budget`] may still read.
#[derive(Clone)]
pub(crate) struct Meter(Arc<AtomicU64>);

impl Meter {
    /// From now on so many bytes may be read.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl<R> Budget<R> {
    /// A reader that may read so many bytes.
    pub(crate) fn new(inner: R, bytes: u64) -> Budget<R> {
        Budget { inner, meter: Meter(Arc::new(AtomicU64::new(bytes))) }
    }

    /// What gives it more.
    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.0.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a part that must be read at once is longer than any row or directory may be",
            ));
        }
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        let count = self.inner.read(into.get_mut(..most).unwrap_or_default())?;
        self.meter.set(left.saturating_sub(count as u64));
        Ok(count)
    }
}

impl<R: Seek> Seek for Budget<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_or_without_a_carriage_return_and_are_bounded() {
        let mut reader = &b"a\r\n\nlast"[..];
        let mut line = Vec::new();
        for expected in [&b"a"[..], b"", b"last"] {
            assert!(read_line(&mut reader, &mut line).unwrap());
            assert_eq!(line, expected);
        }
        assert!(!read_line(&mut reader, &mut line).unwrap());
        let exact = vec![b'x'; MAX_ROW_BYTES];
        assert!(read_line(&mut &exact[..], &mut line).unwrap());
        let long = vec![b'x'; MAX_ROW_BYTES + 1];
        assert!(read_line(&mut &long[..], &mut line).is_err());
        let mut endless = io::BufReader::new(io::repeat(b'x'));
        assert!(read_line(&mut endless, &mut line).is_err());
    }

    #[test]
    fn what_grows_too_much_is_refused() {
        let mut reader = Inflated::new(io::repeat(0), 1000, u64::MAX);
        assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        let mut reader = Inflated::new(io::repeat(0).take(FREE), 1, FREE);
        assert_eq!(io::copy(&mut reader, &mut io::sink()).unwrap(), FREE);
        for size in [9, 11] {
            let mut reader = Inflated::new(io::repeat(0).take(10), 10, size);
            assert!(io::copy(&mut reader, &mut io::sink()).is_err());
        }
    }

    #[test]
    fn a_budget_ends_and_is_refilled() {
        let mut reader = Budget::new(io::repeat(1), 10);
        let mut into = [0; 8];
        reader.read_exact(&mut into).unwrap();
        assert!(reader.read_exact(&mut into).is_err());
        reader.meter().set(8);
        reader.read_exact(&mut into).unwrap();
    }
}
