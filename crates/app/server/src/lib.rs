//! Assembles the broker and its fronts into a process.
//!
//! ```text
//!  bind ports ─► admin serves ─► recover ─► listen ─► fronts serve ─► ready
//!                                                                       │ signal
//!  end ◄─ admin stops ◄─ broker writes and syncs ◄─ fronts finish ◄─ draining
//! ```
//!
//! Ports are bound first, so that a port already in use fails the start before anything is changed.
//! They listen last, so that a client that connects too early is refused and doesn't hang.

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
