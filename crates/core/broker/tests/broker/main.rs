//! The broker, and single shards of it, on real files.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so")]

mod checkpoint_behind;
mod checkpoint_parts;
mod earlier_forms;
mod full_disk;
mod life;
mod moves;
mod refused_start;
mod resolve;
mod scheduled;
mod shard;
