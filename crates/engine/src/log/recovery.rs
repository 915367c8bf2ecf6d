//! What is left of a log after a crash: a torn tail is cut and reported, damage before it is refused.
//!
//! Everything below the highest synced offset that a valid group, the header of a later segment or the caller's checkpoint names was
//! durable once. When the valid groups end below it, that is damage. When they end at or above it, what is
//! behind them was never acknowledged: it is overwritten with zeros, synced, before anything is appended.

use hull_value::Timestamp;

use super::disk::Disk;
use super::segment::{Rest, Segment, Spare, io};
use super::{Head, LogError, LogPosition};

/// What recovery found.
pub(super) struct Recovered {
    pub(super) segments: Vec<Segment>,
    pub(super) spares: Vec<Spare>,
    pub(super) head: Head,
    /// The offset of the cut, when there was something to cut.
    pub(super) cut: Option<LogPosition>,
    /// Above every number that a file has.
    pub(super) next_number: u64,
}

/// Reads the log on `disk`. Segments that end at or below `checkpoint` are not scanned.
pub(super) fn recover(
    disk: &dyn Disk,
    must_reach: LogPosition,
    checkpoint: Timestamp,
    spare_size: u64,
) -> Result<Recovered, LogError> {
    let mut segments = Vec::new();
    let mut spares = Vec::new();
    let mut next_number = 1;
    let mut names = disk.list().map_err(io("list the segments"))?;
    names.sort();
    for name in names {
        let Some((number, kind)) = name.split_once('.') else { continue };
        let Ok(number) = u64::from_str_radix(number, 16) else { continue };
        next_number = next_number.max(number + 1);
        match kind {
            "log" => segments.push(Segment::open(disk, &name)?),
            "spare" => {
                let file = disk.open(&name).map_err(io("open a segment"))?;
                let size = file.len().map_err(io("measure a segment"))?;
                if size == spare_size {
                    spares.push(Spare { name, file, size });
                } else {
                    disk.remove(&name).map_err(io("remove a segment"))?;
                }
            }
            "new" => disk.remove(&name).map_err(io("remove a segment"))?,
            _ => {}
        }
    }
    let mut rest = Rest { synced: must_reach.0, torn: false };
    let mut head = Head::default();
    let mut cut = None;
    let count = segments.len();
    for n in 0..count {
        let next = segments.get(n + 1).map(|next| (next.base, next.start, next.log_id));
        let Some(segment) = segments.get_mut(n) else { break };
        let damaged = |offset: u64, detail: &str| LogError::Damaged {
            offset,
            file: segment.name.clone(),
            detail: detail.into(),
        };
        if let Some((_, _, log_id)) = next
            && log_id != segment.log_id
        {
            return Err(damaged(segment.base, "the segments belong to different logs"));
        }
        if let Some((base, start, _)) = next.filter(|(_, start, _)| start.timestamp <= checkpoint) {
            (segment.end, head) = (base, start);
            continue;
        }
        head = segment.scan(&mut rest)?;
        let end = segment.end;
        let damaged = |detail: &str| LogError::Damaged {
            offset: end,
            file: segment.name.clone(),
            detail: detail.into(),
        };
        if let Some((base, start, _)) = next {
            if end != base || head != start {
                return Err(damaged("a group that was durable is missing"));
            }
            continue;
        }
        segment.scan_rest(&mut rest)?;
        if end < rest.synced {
            return Err(damaged("a group that was durable is missing"));
        }
        if rest.torn {
            segment.clear_rest()?;
            cut = Some(LogPosition(end));
        } else {
            // What a killed process wrote may not be on disk yet.
            segment.file.sync_data().map_err(io("sync the last segment"))?;
        }
    }
    if segments.is_empty() && must_reach.0 > 0 {
        return Err(LogError::Damaged {
            offset: 0,
            file: "the log's directory".into(),
            detail: "the segments are missing".into(),
        });
    }
    Ok(Recovered { segments, spares, head, cut, next_number })
}
