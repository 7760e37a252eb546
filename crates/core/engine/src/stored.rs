//! Stored forms: how records and the parts of the state lie in journals and snapshots, and how they
//! grow.
//!
//! ```text
//!  0  1 version    0x80 + the version of the form; a byte below 0x80 begins a first form
//!  1  … content    in postcard's form
//! ```
//!
//! Three rules let a form grow without a new version:
//! - A kind of record is a variant of an enum. New variants are added at the end.
//! - A configuration is a list of fields ([`crate::LogConfig`] and others), and so is a log, a
//!   ledger or a group in the state (`stored_fields!`): each field is a
//!   variant of an enum, listed where it differs from its default. New fields are added at the
//!   end, and are missing in what was written before them. The columns beside a batch
//!   ([`crate::Columns`]) are such a list too.
//! - A field or variant that this program doesn't know ends the start: what was written by a newer
//!   program is never guessed at.
//!
//! What can't be said so takes the next version; the form before it is then kept in a module of its
//! own, with a conversion: the first one in `first/`, the state of the second in `positional.rs`.
//! `tests/earlier_forms.rs` of the broker opens directories that were written in them.

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

/// The first one that has a version: the state's fields are told by their positions in it. Its
/// records are those of the next.
const POSITIONAL: u8 = 2;

/// Tells a version from the first byte of a first form of a record, which is a variant's number.
const VERSION_MARK: u8 = 0x80;

/// Why stored bytes aren't taken.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// There are none.
    #[error("nothing is stored here")]
    Empty,
    /// A part of the state begins as none ever did.
    #[error("a part of the state, but without a version")]
    NoVersion,
    /// A newer program wrote them. The operator starts that one.
    #[error("stored in form {0}, but this stele knows forms 1 to {VERSION}")]
    Version(u8),
    /// They aren't what the version says; or a newer program has added to it.
    #[error("not a stored form that this stele knows: {0}")]
    Form(#[from] postcard::Error),
}

impl Record {
    /// Appends the stored form to `bytes`.
    pub fn store(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.push(VERSION_MARK | VERSION);
        postcard::to_extend(self, bytes).expect(WRITABLE)
    }
}

/// A record, as it was read from a stored form of any version.
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

    /// Makes the change that it says.
    pub fn apply_to(self, state: &mut State) {
        match self.0 {
            Form::Present(record) => state.apply(&record),
            Form::First(record) => record.apply_to(state),
        }
    }
}

/// For an operator who looks into a journal.
impl fmt::Display for StoredRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Present(record) => write!(f, "{record:?}"),
            Form::First(record) => write!(f, "{record:?}"),
        }
    }
}

impl State {
    /// Applies a record in a stored form of any version.
    pub fn replay(&mut self, bytes: &[u8]) -> Result<(), StoredError> {
        StoredRecord::read(bytes)?.apply_to(self);
        Ok(())
    }

    /// Reads a whole state: there is a first form of it alone.
    pub fn read_whole(bytes: &[u8]) -> Result<Self, StoredError> {
        Ok(postcard::from_bytes::<first::State>(bytes)?.into())
    }
}

const WRITABLE: &str = "nothing is stored that postcard can't write";

/// The version and what follows it; `None` where there is none because the form is the first.
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
