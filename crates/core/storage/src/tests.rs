//! What storage promises, on a real directory and on a disk in memory that crashes, tears and
//! fails where a test wants it to.

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
