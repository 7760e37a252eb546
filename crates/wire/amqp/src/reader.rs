//! Reading the elementary fields (specification, section 4.2.5).

use bytes::{Buf, Bytes};

use crate::{ShortOctets, ShortString, ShortStringError};

/// Reads fields from the front of a frame's payload. Strings are slices of it.
///
/// Consecutive bits share an octet, lowest first; any other field starts a new one.
#[derive(Clone, Debug)]
pub struct Reader {
    rest: Bytes,
    bits: u8,
    bits_left: u8,
}

/// Why fields can't be read. All of these are syntax errors of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The payload ends within a field.
    #[error("a field needs {needed} octets where {left} are left")]
    Truncated {
        /// Octets needed by the field.
        needed: usize,
        /// Octets left.
        left: usize,
    },
    /// Octets are left after the last field.
    #[error("{0} octets are left after the last field")]
    Trailing(usize),
    /// A short string is invalid.
    #[error(transparent)]
    ShortString(#[from] ShortStringError),
    /// A table or an array contains a value of a type that neither the specification nor RabbitMQ
    /// defines.
    #[error("unknown field type {0:#04x}")]
    FieldType(u8),
    /// Tables and arrays are nested too deeply.
    #[error("tables nest deeper than {} levels", crate::limits::NESTING_MAX)]
    Nesting,
    /// Property flags name a property that doesn't exist.
    #[error("unknown property flags {0:#06x}")]
    PropertyFlags(u16),
}

impl Reader {
    /// Reads from the start of `payload`.
    pub fn new(payload: Bytes) -> Self {
        Self {
            rest: payload,
            bits: 0,
            bits_left: 0,
        }
    }

    /// One octet.
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        self.need(1)?;
        Ok(self.rest.get_u8())
    }

    /// Two octets, unsigned.
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.need(2)?;
        Ok(self.rest.get_u16())
    }

    /// Four octets, unsigned.
    pub fn u32(&mut self) -> Result<u32, ReadError> {
        self.need(4)?;
        Ok(self.rest.get_u32())
    }

    /// Eight octets, unsigned.
    pub fn u64(&mut self) -> Result<u64, ReadError> {
        self.need(8)?;
        Ok(self.rest.get_u64())
    }

    /// One bit.
    pub fn bit(&mut self) -> Result<bool, ReadError> {
        if self.bits_left == 0 {
            let octet = self.u8()?;
            (self.bits, self.bits_left) = (octet, 8);
        }
        let bit = self.bits & 1 == 1;
        self.bits >>= 1;
        self.bits_left -= 1;
        Ok(bit)
    }

    /// A length octet followed by that many octets.
    pub fn short_octets(&mut self) -> Result<ShortOctets, ReadError> {
        let length = usize::from(self.u8()?);
        Ok(ShortOctets::from_bytes(self.take(length)?)?)
    }

    /// A length octet followed by that many octets of UTF-8.
    pub fn short_string(&mut self) -> Result<ShortString, ReadError> {
        let length = usize::from(self.u8()?);
        Ok(ShortString::from_bytes(self.take(length)?)?)
    }

    /// A four-octet length followed by that many octets.
    pub fn long_string(&mut self) -> Result<Bytes, ReadError> {
        // A length that the platform can't represent exceeds the remaining octets too.
        let length = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        self.take(length)
    }

    /// The next `length` octets.
    pub fn take(&mut self, length: usize) -> Result<Bytes, ReadError> {
        self.need(length)?;
        Ok(self.rest.split_to(length))
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The octets not read yet.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// Ends reading; fails if anything is left.
    pub fn finish(self) -> Result<(), ReadError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(ReadError::Trailing(left)),
        }
    }

    fn need(&mut self, needed: usize) -> Result<(), ReadError> {
        self.bits_left = 0;
        let left = self.rest.len();
        if left < needed {
            return Err(ReadError::Truncated { needed, left });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_share_an_octet_until_another_field_comes() {
        let mut reader = Reader::new(Bytes::from_static(&[0b101, 7, 0b1]));
        assert_eq!(reader.bit(), Ok(true));
        assert_eq!(reader.bit(), Ok(false));
        assert_eq!(reader.bit(), Ok(true));
        assert_eq!(reader.u8(), Ok(7));
        assert_eq!(reader.bit(), Ok(true));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_length_beyond_the_payload_is_an_error() {
        let mut reader = Reader::new(Bytes::from_static(b"\xff\xff\xff\xffab"));
        let error = ReadError::Truncated {
            needed: 0xffff_ffff,
            left: 2,
        };
        assert_eq!(reader.long_string(), Err(error));
    }
}
