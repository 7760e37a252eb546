//! Clock, randomness and disk as traits, with the real implementations.
//!
//! Everything that a run depends on apart from its inputs comes through here, so that the simulator
//! can replay a run from one seed. `clippy.toml` bans the originals everywhere else.
//!
//! Invariant: no layer above this crate asks the operating system for the time, for randomness or
//! for a file.

mod clock;
mod disk;
mod local_disk;
mod rng;
mod thread;

pub use clock::{Clock, SystemClock};
pub use disk::{
    Disk, DiskFile, DiskLock, Entry, FileSystem, OpenMode, is_out_of_files, is_out_of_space,
};
pub use local_disk::LocalDisk;
pub use rng::{OsRng, Rng, SharedRng};
pub use thread::spawn_thread;
