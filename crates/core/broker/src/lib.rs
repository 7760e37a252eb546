//! Shards: the engine with its storage, running, and the handle that fronts hold.
