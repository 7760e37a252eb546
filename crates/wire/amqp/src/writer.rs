//! Writing the elementary fields (specification, section 4.2.5).

use bytes::{BufMut, BytesMut};

use crate::{ShortOctets, ShortString};

/// Appends fields to a buffer; the counterpart of [`crate::Reader`].
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut BytesMut,
    bits_used: u8,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut BytesMut) -> Self {
        Self { out, bits_used: 0 }
    }

    /// One octet.
    pub fn u8(&mut self, value: u8) {
        self.whole().put_u8(value);
    }

    /// Two octets.
    pub fn u16(&mut self, value: u16) {
        self.whole().put_u16(value);
    }

    /// Four octets.
    pub fn u32(&mut self, value: u32) {
        self.whole().put_u32(value);
    }

    /// Eight octets.
    pub fn u64(&mut self, value: u64) {
        self.whole().put_u64(value);
    }

    /// One bit, in the same octet as the bit before if that has room.
    pub fn bit(&mut self, value: bool) {
        if self.bits_used == 0 || self.bits_used == 8 {
            self.whole().put_u8(0);
        }
        if let Some(octet) = self.out.last_mut() {
            *octet |= u8::from(value) << self.bits_used;
        }
        self.bits_used += 1;
    }

    /// A length octet followed by the text.
    pub fn short_string(&mut self, text: &ShortString) {
        self.short(text.as_bytes());
    }

    /// A length octet followed by the octets.
    pub fn short_octets(&mut self, octets: &ShortOctets) {
        self.short(octets.as_bytes());
    }

    fn short(&mut self, octets: &[u8]) {
        self.u8(u8::try_from(octets.len()).expect("a short string has at most 255 octets"));
        self.raw(octets);
    }

    /// A four-octet length followed by the octets.
    pub fn long_string(&mut self, octets: &[u8]) {
        self.u32(u32::try_from(octets.len()).expect("no frame holds 4 GiB"));
        self.raw(octets);
    }

    /// Octets without a length.
    pub fn raw(&mut self, octets: &[u8]) {
        self.whole().put_slice(octets);
    }

    /// What `write` writes, preceded by its length in four octets.
    pub fn counted(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        self.u32(0);
        let start = self.out.len();
        write(&mut Writer::new(self.out));
        let length = u32::try_from(self.out.len() - start).expect("no frame holds 4 GiB");
        self.out[start - 4..start].copy_from_slice(&length.to_be_bytes());
    }

    /// The buffer, with any octet of bits completed.
    fn whole(&mut self) -> &mut BytesMut {
        self.bits_used = 0;
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_bits_take_two_octets() {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&mut out);
        for bit in [true, false, false, false, false, false, false, true, true] {
            writer.bit(bit);
        }
        writer.u8(5);
        writer.bit(true);
        assert_eq!(&out[..], &[0b1000_0001, 1, 5, 1]);
    }

    #[test]
    fn a_counted_part_has_its_length_before_it() {
        let mut out = BytesMut::new();
        Writer::new(&mut out).counted(|writer| writer.raw(b"abc"));
        assert_eq!(&out[..], b"\0\0\0\x03abc");
    }
}
