//! Where what is written once lies: segments, parts of the state, snapshots.
//!
//! An object has a name (`segments/7/0/00000000000000000000.log`), is put as a whole, and never
//! changes. Names have no meaning to a store; only [`SegmentStore::list`] looks at how they begin.
//! There is nothing here that a store of objects over a network doesn't have: no renaming, no
//! appending, no directories.

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

/// Holds objects. One process writes, one thread of it at a time; any thread reads.
pub trait SegmentStore: Debug + Send + Sync {
    /// Begins to put some objects. What a writer that is dropped has written is never seen.
    fn writer(&self) -> Result<Box<dyn ObjectWriter + '_>, Error>;

    /// Up to `length` bytes of an object from `position` on: fewer only where it ends. Fails with
    /// [`Error::Gone`] where there is no such object.
    fn read(&self, name: &str, position: u64, length: usize) -> Result<Bytes, Error>;

    /// The names of all objects that begin with `prefix`, in order.
    fn list(&self, prefix: &str) -> Result<Vec<String>, Error>;

    /// Removes objects, some of which may be gone already: none of them comes back after a crash.
    fn delete(&self, names: &[String]) -> Result<(), Error>;

    /// Removes what writers left that were never finished. There is none at work.
    fn discard_unfinished(&self) -> Result<(), Error>;

    /// Returns once an object that is there survives a crash: a process that was killed may have
    /// put it, and not got to that.
    fn ensure_durable(&self, name: &str) -> Result<(), Error>;

    /// What to call an object in messages to people.
    fn locate(&self, name: &str) -> PathBuf;

    /// Puts one object.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut writer = self.writer()?;
        writer.begin(name)?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// A whole object.
    fn read_whole(&self, name: &str) -> Result<Bytes, Error> {
        self.read(name, 0, usize::MAX)
    }
}

/// Puts objects, one after the other.
///
/// After a crash each of them is there as a whole or not at all. What it gives to the disk it gives
/// in bounded bursts, however much it is: whoever else waits for the disk waits for one of them.
pub trait ObjectWriter: Debug {
    /// Begins the next object; the one before is whole. Fails where there is one of this name
    /// ([`Error::is_already_there`]); the writer may go on with another.
    fn begin(&mut self, name: &str) -> Result<(), Error>;

    /// Adds to the object that was begun last.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Returns once all of the objects are there, and survive a crash.
    fn finish(self: Box<Self>) -> Result<(), Error>;
}

/// Begins an object of a name that nothing in force has: one that is there was left by a checkpoint
/// that was cut short.
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
