//! Reading and writing each type of field.

use bytes::Bytes;

use crate::{ReadError, Reader, ShortOctets, ShortString, Table, Writer};

/// A type of method field.
pub(super) trait Field: Sized {
    fn read(reader: &mut Reader) -> Result<Self, ReadError>;
    fn write(&self, writer: &mut Writer<'_>);
}

macro_rules! integer {
    ($($type:ident)*) => {
        $(impl Field for $type {
            fn read(reader: &mut Reader) -> Result<Self, ReadError> {
                reader.$type()
            }

            fn write(&self, writer: &mut Writer<'_>) {
                writer.$type(*self);
            }
        })*
    };
}

integer! { u8 u16 u32 u64 }

impl Field for bool {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.bit()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.bit(*self);
    }
}

impl Field for ShortString {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.short_string()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.short_string(self);
    }
}

impl Field for ShortOctets {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.short_octets()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.short_octets(self);
    }
}

/// A long string.
impl Field for Bytes {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.long_string()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.long_string(self);
    }
}

impl Field for Table {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Self::decode(reader)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        self.encode(writer);
    }
}
