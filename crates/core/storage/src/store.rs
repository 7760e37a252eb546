//! Storage for immutable objects: segments, parts of the state, snapshots.
//!
//! An object has a name (`segments/7/0/00000000000000000000.log`), is put as a whole, and never
//! changes. Names have no meaning to a store; only [`SegmentStore::list`] looks at their prefixes.
//! The interface has nothing that a network object store lacks: no renaming, no appending, no
//! directories.

mod local;
mod local_writer;
#[cfg(test)]
mod memory;
mod open_files;

use std::{fmt::Debug, path::PathBuf};

use bytes::Bytes;

pub(crate) use self::local::LocalStore;
#[cfg(test)]
pub(crate) use self::memory::MemoryStore;
use crate::Error;

/// Stores objects. One process writes, from one thread at a time; any thread reads.
pub trait SegmentStore: Debug + Send + Sync {
    /// Starts putting objects. Whatever a writer wrote stays invisible if it is dropped.
    fn writer(&self) -> Result<Box<dyn ObjectWriter + '_>, Error>;

    /// Reads up to `length` bytes of an object from `position` on; fewer only at its end. Fails
    /// with [`Error::Gone`] if there is no such object.
    fn read(&self, name: &str, position: u64, length: usize) -> Result<Bytes, Error>;

    /// Returns the names of all objects that begin with `prefix`, in order.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Removes objects, some of which may already be gone. None of them reappears after a crash.
    fn delete(&self, names: &[String]) -> Result<(), Error>;

    /// Removes the leftovers of writers that weren't finished. No writer may be active.
    fn discard_unfinished(&self) -> Result<(), Error>;

    /// Returns once an existing object survives a crash: a process that was killed may have put it
    /// without syncing.
    fn ensure_durable(&self, name: &str) -> Result<(), Error>;

    /// The name of an object in messages for people.
    fn locate(&self, name: &str) -> PathBuf;

    /// Puts one object.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut writer = self.writer()?;
        writer.begin(name)?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Reads a whole object.
    fn read_whole(&self, name: &str) -> Result<Bytes, Error> {
        self.read(name, 0, usize::MAX)
    }
}

/// Puts objects, one after the other.
///
/// After a crash each of them exists as a whole or not at all. Data is given to the disk in bounded
/// bursts, so that others who wait for the disk wait for one burst at most.
pub trait ObjectWriter: Debug {
    /// Starts the next object; the one before is complete. Fails if the name is taken
    /// ([`Error::is_already_there`]); the writer can then continue with another.
    fn begin(&mut self, name: &str) -> Result<(), Error>;

    /// Appends to the current object.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Returns once all of the objects exist and survive a crash.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// Starts an object whose name nothing in force uses: an existing object of that name is a leftover
/// of an interrupted checkpoint.
pub(crate) fn begin_anew(
    store: &dyn SegmentStore,
    writer: &mut dyn ObjectWriter,
    name: &str,
) -> Result<(), Error> {
    match writer.begin(name) {
        Err(error) if error.is_already_there() => {
            store.delete(&[name.to_owned()])?;
            writer.begin(name)
        }
        begun => begun,
    }
}
