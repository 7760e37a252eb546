//! The one place that wires the broker and its fronts into a process.
//!
//! ```text
//!  bind ports ─► admin serves ─► recover ─► listen ─► fronts serve ─► ready
//!                                                                       │ signal
//!  end ◄─ admin stops ◄─ broker writes and syncs ◄─ fronts finish ◄─ draining
//! ```
//!
//! Ports are bound first, so that one that is taken stops the start before anything is touched;
//! they listen last, so that a client that comes too early is refused rather than kept waiting.

mod banner;
mod cluster_id;
mod fronts;
mod hosts;
mod listeners;
mod logging;
mod memory;
mod open_files;
mod panics;
mod ports_file;
mod serve;
mod signals;
mod storage;
mod users;

pub use serve::{Options, run};
