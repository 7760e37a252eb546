//! Writes the parts that a checkpoint changed, and the live parts of files that are mostly dead.

use bytes::Bytes;
use stele_base_types::ShardId;

use super::{
    PartIndex, PartRecords,
    part_file::{self, PartPlace, part_file_name},
};
use crate::{
    Error, ObjectWriter, PartKey, SegmentStore, limits::PART_FILE_SIZE_BYTES_MAX, store::begin_anew,
};

/// Writes parts into new files, and keeps an index up to date.
#[derive(Debug)]
pub(crate) struct PartWriter<'a> {
    store: &'a dyn SegmentStore,
    shard: ShardId,
    index: &'a mut PartIndex,
    /// The first file of this writer.
    first: u64,
    /// The file that is being written.
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u64,
    position: u64,
    ordinal: u32,
}

impl<'a> PartWriter<'a> {
    pub(crate) fn new(
        store: &'a dyn SegmentStore,
        shard: ShardId,
        index: &'a mut PartIndex,
    ) -> Self {
        Self {
            store,
            shard,
            first: index.next_number(),
            index,
            current: None,
        }
    }

    /// Writes a part.
    pub(crate) fn put(
        &mut self,
        output: &mut dyn ObjectWriter,
        key: PartKey,
        part: &[u8],
    ) -> Result<(), Error> {
        let length = u32::try_from(part.len()).map_err(|_| Error::TooLarge {
            size_bytes: part.len(),
            size_bytes_max: u32::MAX as usize,
        })?;
        let is_full = |it: &Current| it.position >= PART_FILE_SIZE_BYTES_MAX;
        if self.current.as_ref().is_none_or(is_full) {
            self.begin_file(output)?;
        }
        let current = self.current.as_mut().expect("a file was begun");
        let place = PartPlace {
            file: current.number,
            ordinal: current.ordinal,
            position: current.position,
            length,
        };
        output.write(&part_file::record_header(key, part))?;
        output.write(part)?;
        current.position += place.record_size_bytes();
        current.ordinal += 1;
        self.index.written(key, place);
        Ok(())
    }

    /// Removes a part.
    pub(crate) fn remove(&mut self, key: PartKey) {
        self.index.remove(key);
    }

    /// Rewrites the live parts of mostly dead files and of small files in excess. This writes at
    /// most about as much as the writes that made it necessary.
    pub(crate) fn clean(&mut self, output: &mut dyn ObjectWriter) -> Result<(), Error> {
        loop {
            let numbers = self.index.to_rewrite(self.first);
            if numbers.is_empty() {
                return Ok(());
            }
            for number in numbers {
                self.rewrite(output, number)?;
            }
        }
    }

    fn rewrite(&mut self, output: &mut dyn ObjectWriter, number: u64) -> Result<(), Error> {
        let size_bytes = self.index.size_bytes(number);
        for record in PartRecords::open(self.store, self.shard, number, size_bytes)? {
            let record = record?;
            if self.index.place(record.key) == Some(&record.place) {
                self.put(output, record.key, &record.bytes)?;
            }
        }
        Ok(())
    }

    fn begin_file(&mut self, output: &mut dyn ObjectWriter) -> Result<(), Error> {
        let next = self.current.as_ref().map(|current| current.number + 1);
        let number = next.unwrap_or(self.first);
        begin_anew(self.store, output, &part_file_name(number))?;
        output.write(&part_file::header(self.shard, number))?;
        self.current = Some(Current {
            number,
            position: part_file::HEADER_SIZE_BYTES as u64,
            ordinal: 0,
        });
        Ok(())
    }
}

impl PartIndex {
    /// Reads a part, if it exists.
    pub(crate) fn read(
        &self,
        store: &dyn SegmentStore,
        key: PartKey,
    ) -> Result<Option<Bytes>, Error> {
        let place = self.place(key);
        place
            .map(|place| part_file::read_part(store, key, place))
            .transpose()
    }
}
