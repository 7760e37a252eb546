//! A journal file with valid checksums: what a later version, or a bug, could have written. Dumping
//! it ends, and doesn't panic.
//!
//! Starting from nothing, mutation rarely finds a valid length. So start with what shards write in
//! the simulator:
//!
//! ```text
//! mkdir -p fuzz/corpus/journal
//! cargo run -rp stele-test-sim -- --seeds 20 --operations 100 --journals fuzz/corpus/journal
//! cargo +nightly fuzz run journal
//! ```

#![no_main]

use std::{ops::Range, path::PathBuf, sync::Arc};

use libfuzzer_sys::fuzz_target;
use stele_base_env::Disk;
use stele_test_disk::MemoryDisk;

// Positions of fields in the file's header and in a block's; drawn in `docs/storage.md`.
const FILE_FIRST_AT: usize = 16;
const FILE_CHECKSUM_AT: usize = 24;
const FILE_SALT_AT: usize = 28;
const FILE_SALT_CHECKSUM_AT: usize = 36;
const BLOCK_CHECKSUM_AT: usize = 4;
const BLOCK_LENGTH_AT: usize = 24;
const BLOCK_CONTENT_CHECKSUM_AT: usize = 32;
const BLOCK_HEADER_SIZE_BYTES: usize = 40;

fuzz_target!(|bytes: &[u8]| {
    let mut file = bytes.to_vec();
    seal(&mut file);
    let first = file.get(FILE_FIRST_AT..FILE_CHECKSUM_AT);
    let first = first.map_or(0, |first| {
        u64::from_le_bytes(first.try_into().expect("8 bytes"))
    });
    let path = PathBuf::from(format!("/{first:020}.journal"));
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
    disk.write_whole(&path, &file).expect("there is room");
    let mut lines = 0usize;
    // An unknown format or shard is refused.
    drop(stele_core_storage::dump(&disk, &path, &mut |_| lines += 1));
    // Lines for the file and its end, and at most one for each byte.
    assert!(lines <= bytes.len() + 4);
});

/// Corrects the checksums of the header and of each block, up to the first incomplete block.
fn seal(file: &mut [u8]) {
    let is_salted = file.get(8) == Some(&2);
    let header_size_bytes = if is_salted { 40 } else { 32 };
    if file.len() < header_size_bytes {
        return;
    }
    let (header, mut blocks) = file.split_at_mut(header_size_bytes);
    put_checksum(header, FILE_CHECKSUM_AT, 0, 0..FILE_CHECKSUM_AT);
    let (mut header_salt, mut content_salt) = (0, 0);
    if is_salted {
        let salt = FILE_SALT_AT..FILE_SALT_CHECKSUM_AT;
        put_checksum(header, FILE_SALT_CHECKSUM_AT, 0, salt);
        header_salt = number(header, FILE_SALT_AT);
        content_salt = number(header, FILE_SALT_AT + 4);
    }
    while blocks.starts_with(b"SBK") && blocks.len() >= BLOCK_HEADER_SIZE_BYTES {
        let length = number(blocks, BLOCK_LENGTH_AT) as usize;
        let end = (BLOCK_HEADER_SIZE_BYTES + length).next_multiple_of(8);
        if end <= blocks.len() {
            put_checksum(
                blocks,
                BLOCK_CONTENT_CHECKSUM_AT,
                content_salt,
                BLOCK_HEADER_SIZE_BYTES..end,
            );
        }
        put_checksum(
            blocks,
            BLOCK_CHECKSUM_AT,
            header_salt,
            BLOCK_CHECKSUM_AT + 4..BLOCK_HEADER_SIZE_BYTES,
        );
        blocks = blocks.get_mut(end..).unwrap_or_default();
    }
}

/// Writes the checksum of the bytes in `of`, starting from `salt`, at its place.
fn put_checksum(bytes: &mut [u8], at: usize, salt: u32, of: Range<usize>) {
    let checksum = crc32c::crc32c_append(salt, &bytes[of]);
    bytes[at..at + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// The number at `at`, which is within `bytes`.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}
