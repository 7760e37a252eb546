//! Objects in memory, for tests.

use std::{
    collections::BTreeMap,
    io, mem,
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use bytes::Bytes;

use super::{ObjectWriter, SegmentStore};
use crate::Error;

/// A store in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    objects: Mutex<BTreeMap<String, Bytes>>,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bytes>> {
        self.objects.lock().expect("no test panics under the lock")
    }
}

impl SegmentStore for MemoryStore {
    fn writer(&self) -> Result<Box<dyn ObjectWriter + '_>, Error> {
        Ok(Box::new(MemoryWriter {
            store: self,
            name: None,
            bytes: Vec::new(),
            written: Vec::new(),
        }))
    }

    fn read(&self, name: &str, position: u64, length: usize) -> Result<Bytes, Error> {
        let object = self.lock().get(name).cloned();
        let path = self.locate(name);
        let object = object.ok_or(Error::Gone { path })?;
        let start = (position as usize).min(object.len());
        let end = start.saturating_add(length).min(object.len());
        Ok(object.slice(start..end))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let objects = self.lock();
        let names = objects.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    fn delete(&self, names: &[String]) -> Result<(), Error> {
        let mut objects = self.lock();
        for name in names {
            objects.remove(name);
        }
        Ok(())
    }

    fn discard_unfinished(&self) -> Result<(), Error> {
        Ok(())
    }

    fn ensure_durable(&self, _: &str) -> Result<(), Error> {
        Ok(())
    }

    fn locate(&self, name: &str) -> PathBuf {
        name.into()
    }
}

#[derive(Debug)]
struct MemoryWriter<'a> {
    store: &'a MemoryStore,
    /// The object that was begun last.
    name: Option<String>,
    bytes: Vec<u8>,
    written: Vec<(String, Bytes)>,
}

impl MemoryWriter<'_> {
    fn end(&mut self) {
        let bytes = mem::take(&mut self.bytes).into();
        self.written
            .extend(self.name.take().map(|name| (name, bytes)));
    }
}

impl ObjectWriter for MemoryWriter<'_> {
    fn begin(&mut self, name: &str) -> Result<(), Error> {
        self.end();
        if self.store.lock().contains_key(name) {
            let there = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", &self.store.locate(name), there));
        }
        self.name = Some(name.to_owned());
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.end();
        self.store.lock().extend(mem::take(&mut self.written));
        Ok(())
    }
}
