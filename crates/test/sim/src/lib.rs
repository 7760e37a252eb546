//! The simulator: the real engine, storage and shards over a simulated disk, clock and clients,
//! all from one seed.
//!
//! ```text
//!  Random ─► Run ─┬─ Client ──requests──► Process (real shards, writers, checkpointers)
//!                 │    ▲                      │
//!                 │    └──replies, events─────┤
//!                 │                        MemoryDisk: torn, lost and failing writes
//!                 └─ Court: events ─► laws, Model
//! ```
//!
//! Everything that happens, happens because the run's next number said so: which client asks what,
//! when a block is written or synced, when the writer's news reach the shard, when the machine
//! loses power and which writes that loses. So a seed that fails fails again.
//!
//! `./test` runs the first 1,000 seeds, `./test --soak` goes on until stopped. One seed by itself:
//! `cargo run --release -p stele-test-sim -- --seed 42`.
//!
//! `cargo xtask plant` shows that the laws see what they are to see: it plants the bugs that are in
//! `plants/`, a file for each law, and demands that the first seeds find them.
//!
//! Invariants
//! - Nothing here knows how the broker works inside; the laws judge by what was asked, answered
//!   and seen, and by the states that recoveries find.
//! - The model never guesses: what a crash has made uncertain is `Unknown` and breaks no law.

mod client;
mod event;
mod laws;
mod model;
mod process;
mod run;

pub use run::{Failure, Outcome, journals, run};
