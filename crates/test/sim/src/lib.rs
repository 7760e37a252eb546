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
//! Everything that happens is determined by the run's next random number: which client requests
//! what, when a block is written or synced, when the writer's report reaches the shard, when the
//! machine loses power and which writes that loses. So a failing seed fails again.
//!
//! `./test` runs the first 1,000 seeds, `./test --soak` runs seeds until stopped. To run one seed:
//! `cargo run --release -p stele-test-sim -- --seed 42`.
//!
//! `cargo xtask plant` tests the laws themselves: it plants the bugs in `plants/`, a file for each
//! law, and requires the first seeds to find them.
//!
//! Invariants
//! - Nothing here depends on the broker's internals; the laws judge by requests, answers and
//!   observations, and by the states that recoveries find.
//! - The model never guesses: what a crash has made uncertain is `Unknown` and breaks no law.

mod client;
mod event;
mod laws;
mod letters;
mod model;
mod process;
mod run;

pub use run::{Failure, Outcome, journals, run};
