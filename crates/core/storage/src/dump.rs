//! Shows the contents of a file of a data directory, one line for each entry. For `stele storage
//! dump`.

use std::{fmt::Write, path::Path, sync::Arc};

use bytes::Bytes;
use stele_base_env::{Disk, OpenMode};
use stele_base_types::ShardId;
use stele_wire_batch::BatchHeader;

use crate::{
    Error, JournalFile, PartKey,
    block::{Entries, Entry},
    directory::StopMark,
    error::AtPath,
    journal::{Ending, FILE_HEADER_SIZE_BYTES_MAX, FileHeader, ScannedBlock, Scanner},
    segment::{INDEX_ENTRY_SIZE_BYTES, IndexEntry, Segment},
    snapshot::{self, PartRecord, PartRecords, SEGMENT_LISTS, Stored, StoredPartFile, StoredState},
};

/// How much of an opaque record is shown.
const SHOWN_BYTES_MAX: usize = 32;

/// Renders the caller's records and parts of the state in words. Those without words are shown in
/// hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// A control record.
    pub record: fn(&[u8]) -> Option<String>,
    /// A part of the state.
    pub part: fn(PartKey) -> Option<String>,
}

impl Words {
    /// Shows everything in hexadecimal.
    pub const NONE: Self = Self {
        record: |_| None,
        part: |_| None,
    };
}

/// Shows the journal file, spare, segment, index, snapshot, part file or stop mark at `path`, line
/// by line, to its end or to the first thing that can't be read, which the last line reports. Takes
/// no lock: the file may be in use.
///
/// Fails if there is no such file, or its name isn't of a kind that storage writes.
pub fn dump(
    disk: &Arc<dyn Disk>,
    path: &Path,
    words: &Words,
    line: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("journal") => dump_journal(disk, path, words, line),
        Some("spare") => {
            line("a spare: checkpointed, and kept for reuse");
            dump_journal(disk, path, words, line)
        }
        Some("log") => dump_log(&disk.read(path).at("read", path)?, line),
        Some("index") => dump_index(&disk.read(path).at("read", path)?, line),
        Some("snapshot") => dump_snapshot(path, &disk.read(path).at("read", path)?, line),
        Some("parts") => dump_parts(path, disk.read(path).at("read", path)?, words, line),
        Some("stopped") => dump_mark(path, &disk.read(path).at("read", path)?, line),
        _ => Err(Error::Format {
            path: path.to_owned(),
            what: "not a journal file, spare, segment, index, snapshot, part file or mark of a \
                   stop, by its name"
                .to_owned(),
            advice: "name a file that ends in .journal, .spare, .log, .index, .snapshot, .parts \
                     or .stopped",
        }),
    }
}

fn dump_journal(
    disk: &Arc<dyn Disk>,
    path: &Path,
    words: &Words,
    line: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let file = disk.open(path, OpenMode::Read).at("open", path)?;
    // Shard and block are taken from the file itself, which may be a copy outside its directory.
    let start = file.read_at(0, FILE_HEADER_SIZE_BYTES_MAX);
    let header = FileHeader::decode(path, &start.at("read", path)?)?;
    let Some(header) = header else {
        line("the header is incomplete");
        return Ok(());
    };
    let FileHeader { shard, first, .. } = header;
    line(&format!("journal of shard {shard} from block {first}"));
    let path = path.to_owned();
    let file = Arc::new(JournalFile { path, first, file });
    let Some(mut scanner) = Scanner::open(&file, shard)? else {
        return Ok(());
    };
    while let Some(block) = scanner.next_block()? {
        dump_block(&block, words, line);
    }
    let position = scanner.position();
    match scanner.ending()? {
        Ending::Clean => line(&format!("{position}: end")),
        Ending::Torn { .. } => line(&format!("{position}: torn: no whole block from here on")),
        Ending::Damaged { what } => line(&format!("{position}: damaged: {what}")),
    }
    Ok(())
}

fn dump_block(block: &ScannedBlock, words: &Words, line: &mut dyn FnMut(&str)) {
    let header = &block.header;
    line(&format!(
        "{}: block {} entries {} bytes {} synced {}",
        block.position,
        header.sequence,
        header.entry_count,
        block.bytes.len(),
        header.synced
    ));
    for entry in Entries::new(block.entries()) {
        match entry {
            Ok(Entry::Control(record)) => {
                let told = (words.record)(record).unwrap_or_else(|| opaque(record));
                line(&format!("  control {told}"));
            }
            Ok(Entry::Append(append)) => {
                let mut targets = String::new();
                for target in append.targets() {
                    let _ = write!(targets, " {}@{}", target.partition, target.base_offset);
                }
                line(&format!("  append{targets}: {}", describe(&append.header)));
            }
            Err(error) => line(&format!("  {error}")),
        }
    }
}

fn dump_log(log: &Bytes, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let mut position = 0;
    while position < log.len() {
        let batch = &log[position..];
        let header = match BatchHeader::parse(batch) {
            Ok(header) => header,
            Err(error) => {
                line(&format!("{position}: {error}"));
                return Ok(());
            }
        };
        let state = match header.verify_checksum(batch) {
            Ok(()) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        line(&format!(
            "{position}: offset {} to {}: {}{state}",
            header.base_offset(),
            header.last_offset(),
            describe(&header)
        ));
        position += header.size_bytes();
    }
    line(&format!("{}: end", log.len()));
    Ok(())
}

fn dump_index(index: &Bytes, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    for (at, bytes) in index.chunks(INDEX_ENTRY_SIZE_BYTES).enumerate() {
        let position = at * INDEX_ENTRY_SIZE_BYTES;
        match IndexEntry::decode(bytes) {
            Some(entry) => line(&format!(
                "{position}: offset {} at {} bytes {} latest {} checksum {:08x}",
                entry.base_offset,
                entry.position,
                entry.size_bytes,
                entry.max_timestamp,
                entry.checksum
            )),
            None => line(&format!("{position}: not an intact entry")),
        }
    }
    line(&format!("{}: end", index.len()));
    Ok(())
}

fn dump_snapshot(path: &Path, bytes: &Bytes, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let number = name.and_then(snapshot::number_of);
    let number = number.ok_or_else(|| not_a_number(path))?;
    let shard = shard_at_12(bytes);
    let stored = Stored::decode(path, bytes, shard, number)?;
    let next = stored.next;
    match &stored.state {
        StoredState::Whole { segments, state } => {
            let size_bytes = state.len();
            line(&format!(
                "snapshot of shard {shard} up to block {next}: state of {size_bytes} bytes"
            ));
            segments
                .iter()
                .for_each(|segment| line(&describe_segment(segment)));
        }
        StoredState::Parts(files) => {
            let count = files.len();
            line(&format!(
                "snapshot of shard {shard} up to block {next}: {count} part files"
            ));
            for StoredPartFile {
                number,
                size_bytes,
                dead,
            } in files
            {
                let dead: u32 = dead.iter().map(|byte| byte.count_ones()).sum();
                line(&format!(
                    "  part file {number} bytes {size_bytes} dead parts {dead}"
                ));
            }
        }
    }
    Ok(())
}

fn dump_parts(
    path: &Path,
    bytes: Bytes,
    words: &Words,
    line: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let name = path.file_name().and_then(|name| name.to_str());
    let number = name.and_then(snapshot::part_file_number);
    let number = number.ok_or_else(|| not_a_number(path))?;
    let shard = shard_at_12(&bytes);
    line(&format!("parts of the state of shard {shard}"));
    let size_bytes = bytes.len();
    for record in PartRecords::new(path.to_owned(), shard, number, bytes)? {
        match record {
            Ok(record) if record.key.kind == SEGMENT_LISTS => dump_segment_list(&record, line),
            Ok(record) => {
                let (position, key) = (record.place.position, record.key);
                let unnamed = || format!("{}/{}", key.kind, key.id);
                let name = (words.part)(key).unwrap_or_else(unnamed);
                line(&format!(
                    "{position}: part {name} {}",
                    opaque(&record.bytes)
                ));
            }
            Err(error) => line(&error.to_string()),
        }
    }
    line(&format!("{size_bytes}: end"));
    Ok(())
}

fn dump_segment_list(record: &PartRecord, line: &mut dyn FnMut(&str)) {
    let (position, log) = (record.place.position, record.key.id);
    line(&format!("{position}: segments of log {log}"));
    match postcard::from_bytes::<Vec<Segment>>(&record.bytes) {
        Ok(segments) => segments
            .iter()
            .for_each(|segment| line(&describe_segment(segment))),
        Err(error) => line(&format!("  {error}")),
    }
}

fn dump_mark(path: &Path, bytes: &Bytes, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let StopMark { shard, next } = StopMark::decode(path, bytes)?;
    line(&format!(
        "stop of shard {shard}: all blocks before {next} were on disk"
    ));
    Ok(())
}

fn describe_segment(segment: &Segment) -> String {
    format!(
        "  segment {} offset {} to {} generation {} bytes {} index entries {} latest {}",
        segment.partition,
        segment.base_offset,
        segment.next_offset,
        segment.generation,
        segment.size_bytes,
        segment.index_entry_count,
        segment.max_timestamp
    )
}

/// The shard in the header of a snapshot or part file, which may be a copy outside its directory.
fn shard_at_12(bytes: &[u8]) -> ShardId {
    let shard = bytes.get(12..14);
    ShardId(shard.map_or(0, |shard| u16::from_le_bytes([shard[0], shard[1]])))
}

fn describe(header: &BatchHeader<'_>) -> String {
    let mut text = format!(
        "{} records {} bytes latest {} compression {:?}",
        header.record_count(),
        header.size_bytes(),
        header.max_timestamp(),
        header.compression()
    );
    if let Some(producer) = header.producer() {
        let _ = write!(
            text,
            " producer {} epoch {} sequence {}",
            producer.id, producer.epoch, producer.base_sequence
        );
    }
    text
}

fn opaque(record: &[u8]) -> String {
    let mut text = format!("{} bytes ", record.len());
    for byte in record.iter().take(SHOWN_BYTES_MAX) {
        let _ = write!(text, "{byte:02x}");
    }
    if record.len() > SHOWN_BYTES_MAX {
        text.push('…');
    }
    text
}

fn not_a_number(path: &Path) -> Error {
    Error::Format {
        path: path.to_owned(),
        what: "the name isn't a number".to_owned(),
        advice: "give the file the name that it has in its data directory",
    }
}
