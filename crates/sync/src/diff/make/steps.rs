//! Writing the steps of a list patch.

use hull_value::{MAX_ARRAY_LEN, ValueRef};

use super::{Maker, TooLong};

/// Writes the steps of one list, those of one kind that follow each other as one. What is left out is told late, so
/// that values that take its place are one step.
#[derive(Default)]
pub(super) struct Steps {
    depth: usize,
    limit: usize,
    count: usize,
    kept: usize,
    left_out: usize,
    is_inserting: bool,
}

impl Steps {
    /// Steps inside of so many arrays and objects of the patch, within a limit of its text.
    pub(super) fn new(depth: usize, limit: usize) -> Self {
        Steps { depth, limit, ..Steps::default() }
    }

    pub(super) fn keep(&mut self, maker: &mut Maker<'_>) -> Result<(), TooLong> {
        if self.kept == 0 {
            self.settle(maker)?;
        }
        self.kept += 1;
        Ok(())
    }

    pub(super) fn leave_out(&mut self, maker: &mut Maker<'_>, count: usize) -> Result<(), TooLong> {
        if count > 0 && self.kept > 0 {
            self.settle(maker)?;
        }
        self.left_out += count;
        Ok(())
    }

    pub(super) fn insert<'a>(&mut self, maker: &mut Maker<'a>, value: ValueRef<'a>) -> Result<(), TooLong> {
        if self.kept > 0 {
            self.settle(maker)?;
        }
        if std::mem::replace(&mut self.is_inserting, true) {
            maker.out.push(',');
        } else {
            self.separate(maker)?;
            maker.out.push('[');
        }
        maker.value(value, self.depth + 1, self.limit)
    }

    /// A step of another kind follows.
    pub(super) fn begin(&mut self, maker: &mut Maker<'_>) -> Result<(), TooLong> {
        self.settle(maker)?;
        self.separate(maker)
    }

    pub(super) fn end(&mut self, maker: &mut Maker<'_>) -> Result<(), TooLong> {
        self.settle(maker)
    }

    /// Writes what is not told yet.
    fn settle(&mut self, maker: &mut Maker<'_>) -> Result<(), TooLong> {
        if std::mem::take(&mut self.is_inserting) {
            maker.out.push(']');
        }
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.separate(maker)?;
            maker.out.push('-');
            maker.number(left_out);
        }
        let kept = std::mem::take(&mut self.kept);
        if kept > 0 {
            self.separate(maker)?;
            maker.number(kept);
        }
        Ok(())
    }

    fn separate(&mut self, maker: &mut Maker<'_>) -> Result<(), TooLong> {
        if self.count > 0 {
            maker.out.push(',');
        }
        self.count += 1;
        if self.count > MAX_ARRAY_LEN {
            maker.given_up = true;
            return Err(TooLong);
        }
        maker.allow(maker.out.len(), self.limit)
    }
}
