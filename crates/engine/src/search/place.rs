//! Positions: places in a search, each with what its ranks are made of, so that one page goes on where another ended
//! whatever has been written to other documents since.
//!
//! Bytes (big endian): `units(8) time(8) id(16)` of the document before the place, each so that what comes later is greater;
//! `documents(8) length(8)`, the statistics; and for each term that a document had `bytes(1) term frequency(4)`.

use super::score::Hit;
use super::statistics::Statistics;

/// What the ranks of a search are made of beside the documents themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ranks {
    pub(super) statistics: Statistics,
    /// How many documents have each term.
    pub(super) frequencies: Vec<(Box<str>, u32)>,
}

impl Ranks {
    /// How many documents have a term; a term that was not there then is the rarest.
    pub(super) fn frequency(&self, term: &str) -> u64 {
        let known = self.frequencies.iter().find(|(known, _)| **known == *term);
        known.map_or(1, |(_, frequency)| u64::from(*frequency))
    }

    /// The ranks that a position is among; `None` when it is no position.
    pub(super) fn of_position(position: &[u8]) -> Option<Self> {
        let (_, rest) = position.split_first_chunk::<32>()?;
        let (documents, rest) = rest.split_first_chunk()?;
        let (length, mut rest) = rest.split_first_chunk()?;
        let (documents, length) = (u64::from_be_bytes(*documents), u64::from_be_bytes(*length));
        let mut frequencies = Vec::new();
        while let Some((bytes, behind)) = rest.split_first() {
            let (term, behind) = behind.split_at_checked(usize::from(*bytes))?;
            let (frequency, behind) = behind.split_first_chunk()?;
            frequencies.push((str::from_utf8(term).ok()?.into(), u32::from_be_bytes(*frequency)));
            rest = behind;
        }
        Some(Self { statistics: Statistics { documents, length }, frequencies })
    }

    /// The position behind a document.
    pub(super) fn position(&self, hit: &Hit) -> Vec<u8> {
        let mut out = Vec::with_capacity(48 + 16 * self.frequencies.len());
        let time = hit.creation_time.to_bits();
        // Ascending with the number: negative ones are turned round.
        let time = if time >> 63 == 0 { time | 1 << 63 } else { !time };
        out.extend_from_slice(&(!hit.units).to_be_bytes());
        out.extend_from_slice(&(!time).to_be_bytes());
        out.extend_from_slice(&(!hit.id).to_be_bytes());
        out.extend_from_slice(&self.statistics.documents.to_be_bytes());
        out.extend_from_slice(&self.statistics.length.to_be_bytes());
        for (term, frequency) in &self.frequencies {
            // A token has 32 bytes at most, and no character grows to more than twice its bytes in lower case.
            out.push(term.len() as u8);
            out.extend_from_slice(term.as_bytes());
            out.extend_from_slice(&frequency.to_be_bytes());
        }
        out
    }
}

/// The document before a position.
pub(super) fn hit_of(position: &[u8]) -> Option<Hit> {
    let (units, rest) = position.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let (id, _) = rest.split_first_chunk()?;
    let time = !u64::from_be_bytes(*time);
    let time = if time >> 63 == 1 { time ^ 1 << 63 } else { !time };
    Some(Hit {
        id: !u128::from_be_bytes(*id),
        units: !u64::from_be_bytes(*units),
        creation_time: f64::from_bits(time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_says_where_it_is_and_among_which_ranks() {
        let statistics = Statistics { documents: 7, length: u64::MAX };
        let frequencies = vec![("rain".into(), 3), ("\u{e9}".into(), u32::MAX)];
        for ranks in [Ranks { statistics, frequencies }, Ranks::default()] {
            for (units, creation_time) in [(0, -1.5), (u64::MAX, 0.0), (9, 1e12)] {
                let hit = Hit { id: 5, units, creation_time };
                let position = ranks.position(&hit);
                assert_eq!(hit_of(&position), Some(hit));
                assert_eq!(Ranks::of_position(&position), Some(ranks.clone()));
                assert_eq!(Ranks::of_position(&position[..position.len() - 1]), None);
            }
        }
        assert_eq!((hit_of(b"short"), Ranks::of_position(b"short")), (None, None));
    }
}
