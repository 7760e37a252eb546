//! A disk in memory that keeps only the promises of [`stele_base_env::Disk`], and the chance that
//! decides what it loses.
//!
//! Storage's own tests let it crash at every operation; the simulator has the whole broker live on
//! it. Never published; depended on by tests alone.

mod disk;
mod random;

pub use disk::{Loss, MemoryDisk};
pub use random::Random;
