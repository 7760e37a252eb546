//! Field tables: the format of `arguments`, `headers` and the peers' properties.
//!
//! ```text
//!  table   length u32 │ { name short-string │ type u8 │ value } ...
//!  array   length u32 │ { type u8 │ value } ...
//! ```

mod codec;
mod encoded;

use bytes::Bytes;

use crate::ShortOctets;

pub use encoded::EncodedTable;

/// A field value. The type letters are those of RabbitMQ's errata, which every client in use
/// follows, instead of those of the specification's section 4.2.1, which contradict each other.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `t`
    Bool(bool),
    /// `b`
    Int8(i8),
    /// `B`
    UInt8(u8),
    /// `s`
    Int16(i16),
    /// `u`
    UInt16(u16),
    /// `I`
    Int32(i32),
    /// `i`
    UInt32(u32),
    /// `l`, and `L`, which is read the same way
    Int64(i64),
    /// `f`
    Float(f32),
    /// `d`
    Double(f64),
    /// `D`: `unscaled` with the decimal point `scale` digits from the right
    Decimal {
        /// Digits after the point.
        scale: u8,
        /// All digits.
        unscaled: u32,
    },
    /// `S`: octets, usually UTF-8
    LongString(Bytes),
    /// `A`
    Array(Vec<Self>),
    /// `T`: seconds since 1970
    Timestamp(u64),
    /// `F`
    Table(Table),
    /// `V`
    Void,
    /// `x`
    ByteArray(Bytes),
}

impl Value {
    /// A long string of `text`.
    pub fn text(text: &str) -> Self {
        Self::LongString(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The text of a long string, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::LongString(octets) => std::str::from_utf8(octets).ok(),
            _ => None,
        }
    }

    /// The value of any integer type: clients choose the width by their language's conventions.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Int8(value) => Some(i64::from(*value)),
            Self::UInt8(value) => Some(i64::from(*value)),
            Self::Int16(value) => Some(i64::from(*value)),
            Self::UInt16(value) => Some(i64::from(*value)),
            Self::Int32(value) => Some(i64::from(*value)),
            Self::UInt32(value) => Some(i64::from(*value)),
            Self::Int64(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The type's name in RabbitMQ's error texts.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::Int8(_) => "byte",
            Self::UInt8(_) => "unsignedbyte",
            Self::Int16(_) => "short",
            Self::UInt16(_) => "unsignedshort",
            Self::Int32(_) => "signedint",
            Self::UInt32(_) => "unsignedint",
            Self::Int64(_) => "long",
            Self::Float(_) => "float",
            Self::Double(_) => "double",
            Self::Decimal { .. } => "decimal",
            Self::LongString(_) => "longstr",
            Self::Array(_) => "array",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Void => "void",
            Self::ByteArray(_) => "binary",
        }
    }
}

/// Named values in the order received. A repeated name keeps all its values; looking it up finds
/// the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(Vec<(ShortOctets, Value)>);

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a value; `name` must be short, and known at compile time.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.push((ShortOctets::from_static(name), value));
        self
    }

    /// Appends a value.
    pub fn push(&mut self, name: ShortOctets, value: Value) {
        self.0.push((name, value));
    }

    /// Removes the values of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0
            .retain(|(key, _)| *key.as_bytes() != *name.as_bytes());
        self
    }

    /// The first value of this name.
    pub fn find(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find(|(key, _)| *key.as_bytes() == *name.as_bytes())
            .map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ShortOctets, &Value)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ShortOctets, Value)> for Table {
    fn from_iter<I: IntoIterator<Item = (ShortOctets, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
