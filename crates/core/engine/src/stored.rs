//! Stored forms: how records and parts of the state are encoded in journals and snapshots, and how
//! these forms evolve.
//!
//! ```text
//!  0  1 version    0x80 + the version of the form; a byte below 0x80 starts the first form
//!  1  … content    encoded by postcard
//! ```
//!
//! Three rules allow a form to be extended without a new version:
//! - Each kind of record is an enum variant. New variants are added at the end.
//! - Configurations ([`crate::LogConfig`] and others), and the logs, ledgers and groups of the
//!   state (`stored_fields!`), are lists of fields. Each field is an enum variant, stored only if
//!   it differs from its default. New fields are added at the end, and are missing in older data.
//!   The columns of a batch ([`crate::Columns`]) are such a list too.
//! - The start fails on an unknown field or variant: data written by a newer version is never
//!   guessed at.
//!
//! Other changes need a new version. The previous form is then kept in its own module, with a
//! conversion: the first form in `first/`, the state of the second in `positional.rs`. The broker's
//! `tests/broker/earlier_forms.rs` opens directories written in them.

use std::fmt;

mod columns;
pub(crate) mod config;
mod fields;
mod first;
mod parts;
mod positional;

pub(crate) use self::fields::stored_fields;
pub use self::parts::{PartKind, StatePart, Touched};
use crate::{Record, State};

/// The version that is written.
const VERSION: u8 = 3;

/// The first form with a version: it identifies the state's fields by position. Its records are the
/// same as those of the next version.
const POSITIONAL: u8 = 2;

/// Distinguishes a version from the first byte of a record in the first form, which is a variant's
/// number.
const VERSION_MARK: u8 = 0x80;

/// Why stored bytes are rejected.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// They are empty.
    #[error("no stored form: empty")]
    Empty,
    /// They begin with no version, which no part of the state does.
    #[error("a part of the state without a version")]
    NoVersion,
    /// They were written by a newer version, which the operator has to run.
    #[error("stored in form {0}, but this stele knows forms 1 to {VERSION}")]
    Version(u8),
    /// They don't match the form of their version, or a newer version has extended it.
    #[error("unknown stored form: {0}")]
    Form(#[from] postcard::Error),
}

impl Record {
    /// Appends the stored form to `bytes`.
    pub fn store(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.push(VERSION_MARK | VERSION);
        postcard::to_extend(self, bytes).expect(WRITABLE)
    }
}

/// A record read from a stored form of any version.
#[derive(Debug)]
pub struct StoredRecord(Form);

#[derive(Debug)]
enum Form {
    Present(Record),
    First(Box<first::Record>),
}

impl StoredRecord {
    /// Reads a stored form.
    pub fn read(bytes: &[u8]) -> Result<Self, StoredError> {
        Ok(Self(match content(bytes)? {
            Some((_, content)) => Form::Present(postcard::from_bytes(content)?),
            None => Form::First(Box::new(postcard::from_bytes(bytes)?)),
        }))
    }

    /// The parts of the state that applying it reads or changes.
    pub fn touched(&self) -> Touched {
        match &self.0 {
            Form::Present(record) => record.touched(),
            Form::First(record) => record.touched(),
        }
    }

    /// Applies the change.
    pub fn apply_to(self, state: &mut State) {
        match self.0 {
            Form::Present(record) => state.apply(&record),
            Form::First(record) => record.apply_to(state),
        }
    }
}

/// Shown to operators who inspect a journal.
impl fmt::Display for StoredRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Present(record) => write!(f, "{record:?}"),
            Form::First(record) => write!(f, "{record:?}"),
        }
    }
}

impl State {
    /// Applies a record stored in any version.
    pub fn replay(&mut self, bytes: &[u8]) -> Result<(), StoredError> {
        StoredRecord::read(bytes)?.apply_to(self);
        Ok(())
    }

    /// Reads a whole state, which only exists in the first form.
    pub fn read_whole(bytes: &[u8]) -> Result<Self, StoredError> {
        Ok(postcard::from_bytes::<first::State>(bytes)?.into())
    }
}

const WRITABLE: &str = "every stored type can be written by postcard";

/// The version and the content; `None` for the first form, which has no version.
fn content(bytes: &[u8]) -> Result<Option<(u8, &[u8])>, StoredError> {
    let (first, content) = bytes.split_first().ok_or(StoredError::Empty)?;
    if first & VERSION_MARK == 0 {
        return Ok(None);
    }
    match first & !VERSION_MARK {
        version @ POSITIONAL..=VERSION => Ok(Some((version, content))),
        version => Err(StoredError::Version(version)),
    }
}

#[cfg(test)]
mod tests;
