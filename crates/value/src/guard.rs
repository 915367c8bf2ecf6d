//! The limits of a value, and the guard that encoders use to hold them: nesting 64, array 8192 elements, object
//! 1024 fields, value 32 MiB by Convex's formula, field names, and calls that make one complete value.

use crate::names::{FieldNameError, check_field_name};

/// The deepest nesting of a value.
pub const MAX_NESTING: usize = 64;
/// The most elements of an array.
pub const MAX_ARRAY_LEN: usize = 8192;
/// The most fields of an object.
pub const MAX_OBJECT_FIELDS: usize = 1024;
/// The largest value by Convex's size formula, in bytes.
pub const MAX_VALUE_SIZE: usize = 32 << 20;

/// Why something is no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// More than 64 levels of arrays and objects.
    #[error("value is nested too deeply, the maximum is {MAX_NESTING} levels")]
    TooNested,
    /// More than 8192 elements.
    #[error("array is too long, the maximum is {MAX_ARRAY_LEN} elements")]
    ArrayTooLong,
    /// More than 1024 fields.
    #[error("object has too many fields, the maximum is {MAX_OBJECT_FIELDS}")]
    TooManyFields,
    /// More than 32 MiB.
    #[error("value is too large, the maximum is {MAX_VALUE_SIZE} bytes")]
    TooLarge,
    /// A key breaks the rules.
    #[error(transparent)]
    FieldName(#[from] FieldNameError),
    /// A key came twice.
    #[error("object has the field '{0}' twice")]
    DuplicateField(String),
    /// An object was needed.
    #[error("expected an object, found {0}")]
    NotAnObject(&'static str),
    /// The encoder's calls did not make one complete value.
    #[error("an Encode implementation did not write exactly one value")]
    Incomplete,
}

impl ValueError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            ValueError::TooNested => "TooNestedError",
            ValueError::ArrayTooLong => "ArrayTooLong",
            ValueError::TooManyFields => "TooManyFieldsError",
            ValueError::TooLarge => "ValueTooLargeError",
            ValueError::FieldName(error) => error.code(),
            ValueError::DuplicateField(_) => "DuplicateField",
            ValueError::NotAnObject(_) => "NotAnObject",
            ValueError::Incomplete => "IncompleteValue",
        }
    }
}

/// An array or object being written.
pub(crate) struct Frame {
    pub(crate) object: bool,
    count: usize,
    wants_value: bool,
    /// Where its body starts in the output.
    pub(crate) start: usize,
    /// Where its last key is in the output.
    pub(crate) last_key: Option<(usize, usize)>,
    /// Whether a key was not greater than the one before it.
    pub(crate) unsorted: bool,
    /// Whether it has keys that nobody answers for, so that all that follow are looked at.
    pub(crate) checked: bool,
}

/// Follows the calls to an encoder; after the first error everything is refused.
#[derive(Default)]
pub(crate) struct Guard {
    pub(crate) frames: Vec<Frame>,
    started: bool,
    pub(crate) size: usize,
    pub(crate) error: Option<ValueError>,
}

impl Guard {
    #[cold]
    pub(crate) fn fail(&mut self, error: ValueError) -> bool {
        self.error.get_or_insert(error);
        false
    }

    /// A value of this size comes; false when it must not be written.
    #[inline]
    pub(crate) fn value(&mut self, size: usize) -> bool {
        if self.error.is_some() {
            return false;
        }
        match self.frames.last_mut() {
            None if self.started => return self.fail(ValueError::Incomplete),
            None => self.started = true,
            Some(frame) if frame.object => {
                if !std::mem::take(&mut frame.wants_value) {
                    return self.fail(ValueError::Incomplete);
                }
            }
            Some(frame) => {
                frame.count += 1;
                if frame.count > MAX_ARRAY_LEN {
                    return self.fail(ValueError::ArrayTooLong);
                }
            }
        }
        self.grow(size)
    }

    /// An array or object begins, its body at `start`.
    pub(crate) fn begin(&mut self, object: bool, start: usize) -> bool {
        if !self.value(2) {
            return false;
        }
        if self.frames.len() >= MAX_NESTING {
            return self.fail(ValueError::TooNested);
        }
        self.frames.push(Frame {
            object,
            count: 0,
            wants_value: false,
            start,
            last_key: None,
            unsorted: false,
            checked: false,
        });
        true
    }

    pub(crate) fn key(&mut self, key: &str) -> bool {
        if !self.field(key.len()) {
            return false;
        }
        match check_field_name(key) {
            Ok(()) => true,
            Err(error) => self.fail(error.into()),
        }
    }

    /// A key of this length comes, whose name is good.
    #[inline]
    pub(crate) fn field(&mut self, len: usize) -> bool {
        if self.error.is_some() {
            return false;
        }
        let Some(frame) = self.frames.last_mut().filter(|frame| frame.object && !frame.wants_value) else {
            return self.fail(ValueError::Incomplete);
        };
        frame.wants_value = true;
        frame.count += 1;
        if frame.count > MAX_OBJECT_FIELDS {
            return self.fail(ValueError::TooManyFields);
        }
        self.grow(len + 1)
    }

    pub(crate) fn end(&mut self, object: bool) -> Option<Frame> {
        if self.error.is_some() {
            return None;
        }
        let frame = self.frames.pop().filter(|frame| frame.object == object && !frame.wants_value);
        if frame.is_none() {
            self.fail(ValueError::Incomplete);
        }
        frame
    }

    pub(crate) fn finish(&mut self) -> Result<(), ValueError> {
        match self.error.take() {
            Some(error) => Err(error),
            None if self.started && self.frames.is_empty() => Ok(()),
            None => Err(ValueError::Incomplete),
        }
    }

    #[inline]
    fn grow(&mut self, size: usize) -> bool {
        self.size = self.size.saturating_add(size);
        if self.size > MAX_VALUE_SIZE {
            return self.fail(ValueError::TooLarge);
        }
        true
    }
}
