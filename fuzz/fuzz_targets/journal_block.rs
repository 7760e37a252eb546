//! The entries of a journal block, behind checksums that hold: what a later version, or a fault,
//! could have written. Showing them ends, and doesn't panic.

#![no_main]

use std::{io, path::Path, sync::Arc};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use stele_base_env::{Disk, DiskFile, DiskLock, Entry, OpenMode};

fuzz_target!(|content: &[u8]| {
    let disk: Arc<dyn Disk> = Arc::new(OneFile(journal(content)));
    let path = Path::new("00000000000000000000.journal");
    let mut lines = 0usize;
    let shown = stele_core_storage::dump(&disk, path, &mut |_| lines += 1);
    shown.expect("both headers are right");
    // The file, the block, at most a line for each byte, the end.
    assert!(lines >= 3 && lines <= content.len() + 4);
});

/// A journal file of one block with this content; drawn in `docs/storage.md`.
fn journal(content: &[u8]) -> Bytes {
    let mut file = b"STELEJNL".to_vec();
    file.extend_from_slice(&1u32.to_le_bytes());
    file.extend_from_slice(&[0; 12]);
    let checksum = crc32c::crc32c(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file.extend_from_slice(&[0; 4]);

    let mut body = content.to_vec();
    body.resize(content.len().next_multiple_of(8), 0);
    let mut header = vec![0; 16];
    header.extend_from_slice(&(content.len() as u32).to_le_bytes());
    header.extend_from_slice(&0u32.to_le_bytes());
    header.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    header.extend_from_slice(&[0; 4]);
    file.extend_from_slice(b"SBK\x01");
    file.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    file.extend_from_slice(&header);
    file.extend_from_slice(&body);
    file.into()
}

/// A disk that holds one file, for reading.
#[derive(Debug)]
struct OneFile(Bytes);

impl Disk for OneFile {
    fn open(&self, _: &Path, _: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(Self(self.0.clone())))
    }

    fn try_lock(&self, _: &Path) -> io::Result<Option<DiskLock>> {
        refused()
    }

    fn exists(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn list(&self, _: &Path) -> io::Result<Vec<Entry>> {
        refused()
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refused()
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        refused()
    }
}

impl DiskFile for OneFile {
    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn read_at(&self, position: u64, length: usize) -> io::Result<Bytes> {
        let start = usize::try_from(position).map_or(self.0.len(), |at| at.min(self.0.len()));
        let end = start.saturating_add(length).min(self.0.len());
        Ok(self.0.slice(start..end))
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn preallocate(&self, _: u64) -> io::Result<()> {
        refused()
    }

    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}
