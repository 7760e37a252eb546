//! The cluster id reported to Kafka clients. It is generated once and stored in the data directory.

use std::{io, path::Path};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use stele_base_env::{Disk, Rng};

const FILE: &str = "CLUSTER_ID";

/// Returns the id stored in `directory`, or generates one. Logs a warning if the id was missing
/// from a directory that isn't new.
pub(crate) fn of(
    disk: &dyn Disk,
    directory: &Path,
    is_new: bool,
    rng: &mut dyn Rng,
) -> io::Result<String> {
    let path = directory.join(FILE);
    if disk.exists(&path)? {
        let text = disk.read(&path)?;
        let text = String::from_utf8_lossy(&text);
        return Ok(text.trim().to_owned());
    }
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    let id = URL_SAFE_NO_PAD.encode(bytes);
    disk.write_whole(&path, format!("{id}\n").as_bytes())?;
    if !is_new {
        tracing::warn!(
            file = %path.display(), cluster_id = id,
            "the cluster id was missing and a new one was generated: Kafka clients take this for \
             another cluster"
        );
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use stele_base_env::{LocalDisk, OsRng};

    use super::*;

    #[test]
    fn a_directory_keeps_its_id() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut rng = OsRng::new().expect("randomness");
        let first = of(&LocalDisk, dir.path(), true, &mut rng).expect("made");
        assert_eq!(first.len(), 22);
        let second = of(&LocalDisk, dir.path(), false, &mut rng).expect("read");
        assert_eq!(second, first);
    }
}
