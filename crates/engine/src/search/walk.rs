//! Reading one block by itself, for whoever trusts neither it nor its neighbours.

use super::block::Damaged;
use super::posting::{DocKey, Posting};
use super::rows::Rows;

/// Hands every posting of a block of an index with `width` filter fields to `each`, with its term and its document.
pub(crate) fn walk_block(
    block: &[u8],
    width: usize,
    each: &mut dyn FnMut(&str, &DocKey, Posting<'_>),
) -> Result<(), Damaged> {
    let mut rows = Rows::new(width);
    rows.extend(block)?;
    let mut term = 0;
    for at in 0..rows.len() {
        if let Some((term, id, posting)) = rows.get(at, &mut term) {
            each(term, &id, posting);
        }
    }
    Ok(())
}
