//! Shows what a file of a data directory holds, a line for each entry. For `stele storage dump`.

use std::{fmt::Write, path::Path, sync::Arc};

use bytes::Bytes;
use stele_base_env::{Disk, OpenMode};
use stele_base_types::ShardId;
use stele_wire_batch::BatchHeader;

use crate::{
    BlockSequence, Error, JournalFile,
    block::{Entries, Entry},
    error::AtPath,
    journal::{Ending, FILE_HEADER_SIZE_BYTES_MAX, FileHeader, ScannedBlock, Scanner},
    segment::{INDEX_ENTRY_SIZE_BYTES, IndexEntry},
    snapshot::Snapshot,
};

/// How much of an opaque record is shown.
const SHOWN_BYTES_MAX: usize = 32;

/// Shows the journal file, spare, segment, index or snapshot at `path`, line by line, up to its end
/// or to what can't be read, which the last line then says. Takes no lock: the file may be in use.
///
/// Fails where there is no such file, or its name isn't of a kind that storage writes.
pub fn dump(disk: &Arc<dyn Disk>, path: &Path, line: &mut dyn FnMut(&str)) -> Result<(), Error> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("journal") => dump_journal(disk, path, line),
        Some("spare") => {
            line("a spare: settled, and kept to be written over");
            dump_journal(disk, path, line)
        }
        Some("log") => dump_log(&disk.read(path).at("read", path)?, line),
        Some("index") => dump_index(&disk.read(path).at("read", path)?, line),
        Some("snapshot") => dump_snapshot(path, &disk.read(path).at("read", path)?, line),
        _ => Err(Error::Format {
            path: path.to_owned(),
            what: "not a journal file, spare, segment, index or snapshot, by its name".to_owned(),
            advice: "name a file that ends in .journal, .spare, .log, .index or .snapshot",
        }),
    }
}

fn dump_journal(
    disk: &Arc<dyn Disk>,
    path: &Path,
    line: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let file = disk.open(path, OpenMode::Read).at("open", path)?;
    // Shard and block are taken from the file: it may have been copied out of its directory.
    let start = file.read_at(0, FILE_HEADER_SIZE_BYTES_MAX);
    let header = FileHeader::decode(path, &start.at("read", path)?)?;
    let Some(header) = header else {
        line("the header isn't whole");
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
        dump_block(&block, line);
    }
    let position = scanner.position();
    match scanner.ending()? {
        Ending::Clean => line(&format!("{position}: end")),
        Ending::Torn { .. } => line(&format!("{position}: torn: no whole block from here on")),
        Ending::Damaged { what } => line(&format!("{position}: damaged: {what}")),
    }
    Ok(())
}

fn dump_block(block: &ScannedBlock, line: &mut dyn FnMut(&str)) {
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
            Ok(Entry::Control(record)) => line(&format!("  control {}", opaque(record))),
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
    let next = BlockSequence(number_in_name(path)?);
    let shard = bytes
        .get(12..14)
        .map_or(0, |shard| u16::from_le_bytes([shard[0], shard[1]]));
    let snapshot = Snapshot::decode(path, bytes.clone(), ShardId(shard), next)?;
    let state_size_bytes = snapshot.state.map_or(0, |state| state.len());
    line(&format!(
        "snapshot of shard {shard} up to block {next}: state of {state_size_bytes} bytes"
    ));
    for segment in &snapshot.manifest.segments {
        line(&format!(
            "  segment {} offset {} to {} bytes {} index entries {} latest {}",
            segment.partition,
            segment.base_offset,
            segment.next_offset,
            segment.size_bytes,
            segment.index_entry_count,
            segment.max_timestamp
        ));
    }
    for superfluous in &snapshot.manifest.superfluous {
        line(&format!("  superfluous {superfluous:?}"));
    }
    Ok(())
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

fn number_in_name(path: &Path) -> Result<u64, Error> {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let number = stem.and_then(|stem| stem.parse().ok());
    number.ok_or_else(|| Error::Format {
        path: path.to_owned(),
        what: "the name isn't a number".to_owned(),
        advice: "give the file the name that it has in its data directory",
    })
}
