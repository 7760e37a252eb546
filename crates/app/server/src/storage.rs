//! The broker's settings from the configuration.

use std::{path::Path, thread};

use stele_app_config::Settings;
use stele_base_env::Disk;
use stele_core_broker as broker;
use stele_core_storage as storage;

use crate::{memory, open_files::OpenFiles};

/// Maximum default number of shards: more threads would only wait for the same disk.
const SHARDS_DEFAULT_MAX: u16 = 8;

/// The broker's settings.
pub(crate) fn settings(
    settings: &Settings,
    open_files: OpenFiles,
    disk: &dyn Disk,
) -> broker::Settings {
    let chosen = &settings.storage;
    broker::Settings {
        directory: chosen.dir.clone(),
        shards: shards(settings),
        storage: storage::Options {
            journal_file_size_bytes_max: chosen.journal_file.0,
            journal_size_bytes_max: chosen.journal.0,
            journal_age_ms_max: chosen.journal_age.ms(),
            segment_size_bytes_max: chosen.segment.0,
            cache_size_bytes_max: chosen.cache.bytes(),
        },
        reserve_bytes: chosen.reserve.0,
        unread_kept_ms: settings.kafka.retention.ms(),
        open_files_max: open_files.cached,
        memory_bytes: memory::ceiling_bytes(settings, disk),
    }
}

/// Whether `directory` is already a data directory. Returns true for one that can't be read: the
/// start then fails with the reason.
pub(crate) fn exists(disk: &dyn Disk, directory: &Path) -> bool {
    disk.exists(&directory.join("FORMAT")).unwrap_or(true)
}

/// Warns that `engine.shards` has no effect on a directory created with another number.
pub(crate) fn tell_if_other_shards(settings: &Settings, found: usize) {
    if let Some(wanted) = settings
        .engine
        .shards
        .filter(|it| usize::from(*it) != found)
    {
        tracing::warn!(
            wanted,
            shards = found,
            "engine.shards is ignored: a data directory keeps the number of shards that it was \
             created with"
        );
    }
}

/// The number of shards of a new directory.
pub(crate) fn shards(settings: &Settings) -> u16 {
    settings.engine.shards.unwrap_or_else(shards_default)
}

fn shards_default() -> u16 {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(processors)
        .unwrap_or(u16::MAX)
        .min(SHARDS_DEFAULT_MAX)
}
