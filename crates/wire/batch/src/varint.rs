//! Zig-zag varints, and a reader over a record's bytes.
//!
//! Seven bits per byte, lowest first; the top bit is set on all but the last. Numbers are zig-zag
//! coded first, so that small negatives are short: 0 → 0, -1 → 1, 1 → 2, -2 → 3.

use bytes::{BufMut, BytesMut};

use crate::RecordFault;

/// Appends `value` as a varint.
pub(crate) fn put(buffer: &mut BytesMut, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        buffer.put_u8((rest as u8 & 0x7f) | 0x80);
        rest >>= 7;
    }
    buffer.put_u8(rest as u8);
}

/// The number of bytes that [`put`] writes for `value`.
pub(crate) fn size_bytes(value: i64) -> usize {
    let bits = u64::BITS - (zigzag(value) | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Reads a 32-bit varint: at most five bytes.
pub(crate) fn varint<E: From<RecordFault>>(byte: impl FnMut() -> Result<u8, E>) -> Result<i32, E> {
    let value = unsigned(5, byte)?;
    let value = u32::try_from(value).map_err(|_| RecordFault::Varint)?;
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Reads a 64-bit varint: at most ten bytes.
pub(crate) fn varlong<E: From<RecordFault>>(byte: impl FnMut() -> Result<u8, E>) -> Result<i64, E> {
    let value = unsigned(10, byte)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

fn unsigned<E: From<RecordFault>>(
    size_bytes_max: u32,
    mut byte: impl FnMut() -> Result<u8, E>,
) -> Result<u64, E> {
    let mut value = 0u64;
    for index in 0..size_bytes_max {
        let byte = byte()?;
        // The tenth byte holds one bit of a 64-bit number.
        if index == 9 && byte > 1 {
            return Err(RecordFault::Varint.into());
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(RecordFault::Varint.into())
}

/// Reads the fields of a record one after the other. Never reads beyond its slice.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Bytes read so far.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Bytes left.
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    pub(crate) fn byte(&mut self) -> Result<u8, RecordFault> {
        let byte = self
            .bytes
            .get(self.position)
            .ok_or(RecordFault::Truncated)?;
        self.position += 1;
        Ok(*byte)
    }

    /// A 32-bit varint.
    pub(crate) fn varint(&mut self) -> Result<i32, RecordFault> {
        varint(|| self.byte())
    }

    /// A 64-bit varint.
    pub(crate) fn varlong(&mut self) -> Result<i64, RecordFault> {
        varlong(|| self.byte())
    }

    /// A length followed by that many bytes; `None` for null.
    pub(crate) fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        let length = self.varint()?;
        if length == -1 {
            return Ok(None);
        }
        self.take(length).map(Some)
    }

    /// A length followed by that many bytes; null is refused.
    pub(crate) fn required(&mut self) -> Result<&'a [u8], RecordFault> {
        let length = self.varint()?;
        self.take(length)
    }

    fn take(&mut self, length: i32) -> Result<&'a [u8], RecordFault> {
        let size = usize::try_from(length).map_err(|_| RecordFault::Length(length))?;
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..size).ok_or(RecordFault::Length(length))?;
        self.position += size;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: i64) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        put(&mut buffer, value);
        buffer.to_vec()
    }

    #[test]
    fn small_numbers_of_either_sign_take_one_byte() {
        assert_eq!(written(0), [0x00]);
        assert_eq!(written(-1), [0x01]);
        assert_eq!(written(1), [0x02]);
        assert_eq!(written(63), [0x7e]);
        assert_eq!(written(-64), [0x7f]);
        assert_eq!(written(64), [0x80, 0x01]);
        assert_eq!(written(i64::from(i32::MAX)), [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    }

    #[test]
    fn numbers_beyond_their_type_are_refused() {
        let five_bytes_of_33_bits = [0xff, 0xff, 0xff, 0xff, 0x1f];
        assert_eq!(
            Reader::new(&five_bytes_of_33_bits).varint(),
            Err(RecordFault::Varint)
        );
        assert_eq!(Reader::new(&[0x80; 6]).varint(), Err(RecordFault::Varint));
        assert_eq!(Reader::new(&[0xff; 10]).varlong(), Err(RecordFault::Varint));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(RecordFault::Truncated));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value: i64, small: i32) {
            let bytes = written(value);
            prop_assert_eq!(bytes.len(), size_bytes(value));
            prop_assert_eq!(Reader::new(&bytes).varlong(), Ok(value));
            prop_assert_eq!(Reader::new(&written(i64::from(small))).varint(), Ok(small));
        }
    }
}
