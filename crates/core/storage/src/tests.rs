//! Tests of storage, on a real directory and on a disk in memory that crashes, tears writes and
//! fails on demand.

mod contract;
mod crash;
mod damage;
mod failure;
mod fan_out;
mod format;
mod harness;
mod inspect;
mod journal;
mod properties;
mod retention;
mod snapshots;
mod space;
mod spares;
mod stop;
mod store;
