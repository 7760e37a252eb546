//! Services over the memory transport, in virtual time.

mod asking;
mod batches;
mod breaker;
mod checks;
mod dead_letters;
mod drain;
mod exactly_once;
mod extractors;
mod flow;
mod observing;
mod order;
mod outages;
mod poison;
mod retries;
mod without_store;
mod world;
