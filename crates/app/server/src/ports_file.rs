//! `--ports-file`: writes the open ports as JSON, for a caller that started the process with port
//! 0.

use std::{io, net::SocketAddr, path::Path};

use serde_json::{Map, Value};
use stele_base_env::Disk;

/// Writes the file atomically: a reader sees all of it or nothing.
pub(crate) fn write(
    disk: &dyn Disk,
    path: &Path,
    bound: &[(&'static str, SocketAddr)],
) -> io::Result<()> {
    let ports: Map<String, Value> = bound
        .iter()
        .map(|(name, address)| ((*name).to_owned(), address.port().into()))
        .collect();
    disk.write_whole(path, format!("{}\n", Value::Object(ports)).as_bytes())
}

#[cfg(test)]
mod tests {
    use stele_base_env::LocalDisk;

    use super::*;

    #[test]
    fn the_file_names_each_port() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ports.json");
        let bound = [
            ("kafka", "127.0.0.1:1".parse().expect("an address")),
            ("sqs", "[::1]:2".parse().expect("an address")),
        ];
        write(&LocalDisk, &path, &bound).expect("written");
        let text = LocalDisk.read(&path).expect("it is there");
        assert_eq!(&text[..], b"{\"kafka\":1,\"sqs\":2}\n");
    }
}
