//! A table in its encoded form.

use bytes::{Bytes, BytesMut};

use super::Table;
use crate::{ReadError, Reader, Writer};

/// The entries of a table as octets, without the length. Headers stay in this form from publisher
/// to consumer; only routing by headers and the views of other protocols decode them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedTable(Bytes);

impl EncodedTable {
    /// Reads a table without decoding it.
    pub fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self(reader.long_string()?))
    }

    /// Wraps `entries` as a table whose length is known from elsewhere, as in the response of the
    /// mechanism AMQPLAIN.
    pub fn from_entries(entries: Bytes) -> Self {
        Self(entries)
    }

    /// Writes the table with its length.
    pub fn write(&self, writer: &mut Writer<'_>) {
        writer.long_string(&self.0);
    }

    /// Decodes the table.
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
