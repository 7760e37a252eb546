//! The settings of storage.

/// Sizes and ages of one shard's storage.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A journal file is closed when the next block would take it over this size. A single block
    /// may be larger.
    pub journal_file_size_bytes_max: u64,
    /// Closed journal files are checkpointed when the journal is larger than this. Until then its
    /// data is written only once.
    pub journal_size_bytes_max: u64,
    /// Closed journal files are checkpointed when the oldest is older than this, so that recovery
    /// time doesn't depend on how busy the shard is.
    pub journal_age_ms_max: u64,
    /// A segment is closed when the next batch would take it over this size. A single batch may
    /// be larger.
    pub segment_size_bytes_max: u64,
    /// How much of the most recent data is served from memory. Blocks that aren't written yet are
    /// held in addition to this.
    pub cache_size_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            journal_file_size_bytes_max: 64 << 20,
            journal_size_bytes_max: 256 << 20,
            journal_age_ms_max: 60 * 60 * 1000,
            segment_size_bytes_max: 64 << 20,
            cache_size_bytes_max: 16 << 20,
        }
    }
}
