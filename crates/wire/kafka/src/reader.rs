//! Reads the primitive types of messages and headers. Never reads beyond its bytes.

use crate::Error;

/// A position in a request.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `size_bytes` bytes.
    pub(crate) fn take(&mut self, size_bytes: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self
            .rest
            .split_at_checked(size_bytes)
            .ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn int16(&mut self) -> Result<i16, Error> {
        self.array().map(i16::from_be_bytes)
    }

    pub(crate) fn int32(&mut self) -> Result<i32, Error> {
        self.array().map(i32::from_be_bytes)
    }

    /// An unsigned varint of at most five bytes. As in the generated decoders, bits beyond the 32nd
    /// are dropped.
    pub(crate) fn unsigned_varint(&mut self) -> Result<u32, Error> {
        let mut value = 0u32;
        for index in 0..5 {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }

    /// A length that must fit the remaining bytes; `None` for null.
    pub(crate) fn length(&mut self, raw: i64) -> Result<Option<usize>, Error> {
        match usize::try_from(raw) {
            Ok(size) if size <= self.remaining() => Ok(Some(size)),
            Err(_) if raw == -1 => Ok(None),
            _ => Err(Error::Length(raw)),
        }
    }

    /// Skips a section of tagged fields (KIP-482).
    pub(crate) fn skip_tags(&mut self) -> Result<(), Error> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size_bytes = self.unsigned_varint()?;
            self.take(size_bytes as usize)?;
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}
