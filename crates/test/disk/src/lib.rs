//! A disk in memory that keeps only the guarantees of [`stele_base_env::Disk`], and the randomness
//! that decides what it loses.
//!
//! Storage's own tests crash it at every operation; the simulator runs the whole broker on it.
//! Never published; only tests depend on it.

mod disk;
mod random;

pub use disk::{Loss, MemoryDisk};
pub use random::Random;
