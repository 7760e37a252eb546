//! Encoding and decoding of tables and values.

use bytes::Bytes;

use super::{Table, Value};
use crate::{ReadError, Reader, Writer, limits::NESTING_MAX};

impl Table {
    /// Reads a table with its length.
    pub fn decode(reader: &mut Reader) -> Result<Self, ReadError> {
        Self::decode_entries(reader.long_string()?, 0)
    }

    /// Writes the table with its length.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.counted(|writer| {
            for (name, value) in self.iter() {
                writer.short_octets(name);
                value.encode(writer);
            }
        });
    }

    /// Reads the entries of a table nested `depth` levels deep.
    pub(super) fn decode_entries(entries: Bytes, depth: usize) -> Result<Self, ReadError> {
        let mut reader = nested(entries, depth)?;
        let mut table = Self::new();
        while !reader.is_empty() {
            let name = reader.short_octets()?;
            table.push(name, Value::decode(&mut reader, depth)?);
        }
        Ok(table)
    }
}

impl Value {
    /// Reads a type octet and a value, in a table or an array `depth` levels deep.
    fn decode(reader: &mut Reader, depth: usize) -> Result<Self, ReadError> {
        Ok(match reader.u8()? {
            b't' => Self::Bool(reader.u8()? != 0),
            b'b' => Self::Int8(reader.u8()?.cast_signed()),
            b'B' => Self::UInt8(reader.u8()?),
            b's' => Self::Int16(reader.u16()?.cast_signed()),
            b'u' => Self::UInt16(reader.u16()?),
            b'I' => Self::Int32(reader.u32()?.cast_signed()),
            b'i' => Self::UInt32(reader.u32()?),
            b'l' | b'L' => Self::Int64(reader.u64()?.cast_signed()),
            b'f' => Self::Float(f32::from_bits(reader.u32()?)),
            b'd' => Self::Double(f64::from_bits(reader.u64()?)),
            b'D' => Self::Decimal {
                scale: reader.u8()?,
                unscaled: reader.u32()?,
            },
            b'S' => Self::LongString(reader.long_string()?),
            b'A' => Self::Array(decode_items(reader.long_string()?, depth + 1)?),
            b'T' => Self::Timestamp(reader.u64()?),
            b'F' => Self::Table(Table::decode_entries(reader.long_string()?, depth + 1)?),
            b'V' => Self::Void,
            b'x' => Self::ByteArray(reader.long_string()?),
            other => return Err(ReadError::FieldType(other)),
        })
    }

    /// Writes the type octet and the value.
    fn encode(&self, writer: &mut Writer<'_>) {
        writer.u8(self.letter());
        match self {
            Self::Bool(value) => writer.u8(u8::from(*value)),
            Self::Int8(value) => writer.u8(value.cast_unsigned()),
            Self::UInt8(value) => writer.u8(*value),
            Self::Int16(value) => writer.u16(value.cast_unsigned()),
            Self::UInt16(value) => writer.u16(*value),
            Self::Int32(value) => writer.u32(value.cast_unsigned()),
            Self::UInt32(value) => writer.u32(*value),
            Self::Int64(value) => writer.u64(value.cast_unsigned()),
            Self::Float(value) => writer.u32(value.to_bits()),
            Self::Double(value) => writer.u64(value.to_bits()),
            Self::Decimal { scale, unscaled } => {
                writer.u8(*scale);
                writer.u32(*unscaled);
            }
            Self::LongString(octets) | Self::ByteArray(octets) => writer.long_string(octets),
            Self::Array(items) => writer.counted(|writer| {
                for item in items {
                    item.encode(writer);
                }
            }),
            Self::Timestamp(seconds) => writer.u64(*seconds),
            Self::Table(table) => table.encode(writer),
            Self::Void => {}
        }
    }

    fn letter(&self) -> u8 {
        match self {
            Self::Bool(_) => b't',
            Self::Int8(_) => b'b',
            Self::UInt8(_) => b'B',
            Self::Int16(_) => b's',
            Self::UInt16(_) => b'u',
            Self::Int32(_) => b'I',
            Self::UInt32(_) => b'i',
            Self::Int64(_) => b'l',
            Self::Float(_) => b'f',
            Self::Double(_) => b'd',
            Self::Decimal { .. } => b'D',
            Self::LongString(_) => b'S',
            Self::Array(_) => b'A',
            Self::Timestamp(_) => b'T',
            Self::Table(_) => b'F',
            Self::Void => b'V',
            Self::ByteArray(_) => b'x',
        }
    }
}

fn decode_items(items: Bytes, depth: usize) -> Result<Vec<Value>, ReadError> {
    let mut reader = nested(items, depth)?;
    let mut values = Vec::new();
    while !reader.is_empty() {
        values.push(Value::decode(&mut reader, depth)?);
    }
    Ok(values)
}

/// A reader of content nested `depth` levels deep.
fn nested(content: Bytes, depth: usize) -> Result<Reader, ReadError> {
    if depth > NESTING_MAX {
        return Err(ReadError::Nesting);
    }
    Ok(Reader::new(content))
}
