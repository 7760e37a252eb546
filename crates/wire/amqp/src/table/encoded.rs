//! A table in its encoded form.

use bytes::{Bytes, BytesMut};

use super::Table;
use crate::{ReadError, Reader, Writer};

/// The entries of a table as octets, without the length. Messages are carried from publisher to
/// consumer with their headers in this form; only routing by headers and other protocols' views
/// decode them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTable(Bytes);

impl EncodedTable {
    /// Takes a table off the reader without looking into it.
    pub fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self(reader.long_string()?))
    }

    /// Takes `entries` as a table whose length is known from elsewhere, as in the response of the
    /// mechanism AMQPLAIN.
    pub fn from_entries(entries: Bytes) -> Self {
        Self(entries)
    }

    /// Writes the table with its length.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.long_string(&self.0);
    }

    /// The table's values.
    pub fn decode(&self) -> Result<Table, ReadError> {
        Table::decode_entries(self.0.clone(), 0)
    }

    /// The encoded entries.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl From<&Table> for EncodedTable {
    fn from(table: &Table) -> Self {
        const LENGTH_BYTES: usize = 4;
        let mut out = BytesMut::new();
        table.encode(&mut Writer::new(&mut out));
        Self(out.split_off(LENGTH_BYTES).freeze())
    }
}
