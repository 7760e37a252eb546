//! The next journal file: a reused spare or a new file.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use stele_base_env::{DiskFile, OpenMode};

use super::{FileHeader, JournalFile};
use crate::{
    BlockSequence, Error, ShardDirectory,
    block::{END_MARK, Salt},
    directory::{remove_file_if_any, sync_dir},
    error::AtPath,
};

/// A journal file without blocks, already durable.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) file: Arc<JournalFile>,
    /// Where the first block goes.
    pub(crate) position: u64,
    /// The size of the file, all of which has been written.
    pub(crate) size_bytes: u64,
}

impl NewFile {
    /// Takes a spare if there is one, or creates a file.
    pub(crate) fn start(
        directory: &ShardDirectory,
        first: BlockSequence,
        salt: Salt,
    ) -> Result<Self, Error> {
        let spare = directory.spares.take();
        let header = FileHeader {
            format: FileHeader::FORMAT_LATEST,
            shard: directory.shard,
            first,
            salt,
        };
        let mut header = header.encode();
        let position = header.len() as u64;
        // The mark goes after the header, so that no old content of the spare is taken for the
        // first block.
        if spare.is_some() {
            header.extend_from_slice(&END_MARK);
        }
        let path = directory.journal_file(first);
        let spare_path = spare.as_ref().map(|spare| spare.path.clone());
        let made = match spare {
            Some(spare) => use_again(directory, spare, &path, &header),
            None => make(directory, &path, &header),
        };
        let file = made
            .and_then(|file| sync_dir(&*directory.disk, &directory.journal()).map(|()| file))
            .inspect_err(|error| {
                if error.is_for_want_before_a_sync() {
                    give_up(directory, [Some(path.clone()), spare_path]);
                }
            })?;
        let file = Arc::new(JournalFile { path, first, file });
        Ok(Self {
            position,
            size_bytes: file.size_bytes()?,
            file,
        })
    }
}

fn use_again(
    directory: &ShardDirectory,
    spare: JournalFile,
    path: &Path,
    header: &[u8],
) -> Result<Arc<dyn DiskFile>, Error> {
    let JournalFile {
        path: spare_path,
        file,
        ..
    } = spare;
    write_header(&*file, &spare_path, header)?;
    let renamed = directory.disk.rename(&spare_path, path);
    renamed.at("rename", &spare_path)?;
    Ok(file)
}

fn make(
    directory: &ShardDirectory,
    path: &Path,
    header: &[u8],
) -> Result<Arc<dyn DiskFile>, Error> {
    let file = match directory.disk.open(path, OpenMode::CreateNew) {
        // An earlier attempt ran out of space and couldn't remove it.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            directory.disk.remove_file(path).at("remove", path)?;
            directory.disk.open(path, OpenMode::CreateNew)
        }
        made => made,
    };
    let file = file.at("create", path)?;
    write_header(&*file, path, header)?;
    Ok(file)
}

/// Removes what exists of a file for which there was no room, so that the next attempt creates
/// another.
fn give_up(directory: &ShardDirectory, paths: [Option<PathBuf>; 2]) {
    for path in paths.iter().flatten() {
        if let Err(error) = remove_file_if_any(&*directory.disk, path) {
            tracing::debug!(%error, "cannot remove an unused journal file");
        }
    }
}

fn write_header(file: &dyn DiskFile, path: &Path, header: &[u8]) -> Result<(), Error> {
    file.write_at(0, header).at("write", path)?;
    file.sync_data().at("sync", path)
}
