//! The shape of a message: the part of its schema that is needed to traverse it.
//!
//! A shape knows the lists and byte strings and the sizes of the other fields, not their meaning.
//! The traversal proves that every length in the message is correct, so that a decoder that trusts
//! lengths can run.

use crate::{Error, limits::LIST_ELEMENTS_MAX, reader::Reader};

/// A field, in the versions that have it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    kind: Kind,
    since: i16,
    until: i16,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A number, a boolean or a UUID, of this size in bytes.
    Fixed(usize),
    /// A string, possibly null.
    Text,
    /// Bytes, possibly null.
    Blob,
    /// A structure, possibly null.
    Nullable(&'static [Field]),
    /// A list of structures, possibly null.
    List(&'static [Field]),
    /// A list of plain values, possibly null.
    Values(&'static Field),
}

pub(crate) const INT8: Field = Field::new(Kind::Fixed(1));
pub(crate) const INT16: Field = Field::new(Kind::Fixed(2));
pub(crate) const INT32: Field = Field::new(Kind::Fixed(4));
pub(crate) const INT64: Field = Field::new(Kind::Fixed(8));
pub(crate) const UUID: Field = Field::new(Kind::Fixed(16));
pub(crate) const TEXT: Field = Field::new(Kind::Text);
pub(crate) const BLOB: Field = Field::new(Kind::Blob);
pub(crate) const TEXTS: Field = Field::new(Kind::Values(&TEXT));
pub(crate) const BYTES: Field = Field::new(Kind::Values(&INT8));
pub(crate) const INTS: Field = Field::new(Kind::Values(&INT32));
pub(crate) const LONGS: Field = Field::new(Kind::Values(&INT64));

/// A structure of these fields that may be missing.
pub(crate) const fn nullable(fields: &'static [Field]) -> Field {
    Field::new(Kind::Nullable(fields))
}

/// A list of structures of these fields.
pub(crate) const fn list(fields: &'static [Field]) -> Field {
    Field::new(Kind::List(fields))
}

impl Field {
    const fn new(kind: Kind) -> Self {
        Self {
            kind,
            since: 0,
            until: i16::MAX,
        }
    }

    /// From this version on.
    pub(crate) const fn since(self, version: i16) -> Self {
        Self {
            since: version,
            ..self
        }
    }

    /// Up to this version.
    pub(crate) const fn until(self, version: i16) -> Self {
        Self {
            until: version,
            ..self
        }
    }
}

/// Checks `message`, a structure of `fields` in `version`.
pub(crate) fn check(
    fields: &[Field],
    version: i16,
    is_flexible: bool,
    message: &[u8],
) -> Result<(), Error> {
    let mut walk = Walk {
        reader: Reader::new(message),
        version,
        is_flexible,
        elements: 0,
    };
    walk.structure(fields)
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    /// Whether lengths are varints and structures end in tags (KIP-482).
    is_flexible: bool,
    /// The number of elements of all lists so far.
    elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), Error> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.field(field)?;
            }
        }
        if self.is_flexible {
            self.reader.skip_tags()?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<(), Error> {
        match field.kind {
            Kind::Fixed(size_bytes) => self.skip(size_bytes),
            Kind::Text => self.text(),
            Kind::Blob => self.blob(),
            Kind::Nullable(fields) => self.nullable(fields),
            Kind::List(fields) => self.list(|walk| walk.structure(fields)),
            Kind::Values(value) => self.list(|walk| walk.field(value)),
        }
    }

    fn text(&mut self) -> Result<(), Error> {
        let length = match self.is_flexible {
            true => self.compact_length()?,
            false => i64::from(self.reader.int16()?),
        };
        let size_bytes = self.reader.length(length)?;
        self.skip(size_bytes.unwrap_or(0))
    }

    fn blob(&mut self) -> Result<(), Error> {
        let length = self.long_length()?;
        let size_bytes = self.reader.length(length)?;
        self.skip(size_bytes.unwrap_or(0))
    }

    /// A byte states whether it is present: 1, as in the decoder.
    fn nullable(&mut self, fields: &[Field]) -> Result<(), Error> {
        match self.reader.take(1)? {
            [1] => self.structure(fields),
            _ => Ok(()),
        }
    }

    fn list(&mut self, element: impl Fn(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let length = self.long_length()?;
        // Every element takes at least one byte, so a length beyond the rest of the message is
        // wrong.
        let count = self.reader.length(length)?.unwrap_or(0);
        self.elements += count;
        if self.elements > LIST_ELEMENTS_MAX {
            return Err(Error::TooManyElements(LIST_ELEMENTS_MAX));
        }
        (0..count).try_for_each(|_| element(self))
    }

    fn long_length(&mut self) -> Result<i64, Error> {
        match self.is_flexible {
            true => self.compact_length(),
            false => self.reader.int32().map(i64::from),
        }
    }

    /// Compact lengths are one higher, so that 0 is null.
    fn compact_length(&mut self) -> Result<i64, Error> {
        Ok(i64::from(self.reader.unsigned_varint()?) - 1)
    }

    fn skip(&mut self, size_bytes: usize) -> Result<(), Error> {
        self.reader.take(size_bytes).map(drop)
    }
}
