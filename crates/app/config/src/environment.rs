//! Environment variables: `STELE_KAFKA__PORT` sets `kafka.port`, and `STELE_AUTH__USERS_FILE`
//! names a file that holds the value of `auth.users`.
//!
//! Every key lies in a section, so every variable of ours has the double underscore; others that
//! start with `STELE_`, as an orchestrator makes for a service of that name, aren't ours.

use std::{fs, path::PathBuf};

use crate::{
    error::Error,
    keys,
    load::{Layer, Placed},
    source::Source,
};

const PREFIX: &str = "STELE_";
const FILE_SUFFIX: &str = "_FILE";

/// The layer that `variables` make.
pub(crate) fn read(variables: &[(String, String)]) -> Result<Layer, Error> {
    let ours = |(name, _): &&(String, String)| name.starts_with(PREFIX) && name.contains("__");
    let mut layer = Layer::new();
    for (name, text) in variables.iter().filter(ours) {
        let path = name[PREFIX.len()..].replace("__", ".").to_lowercase();
        let from_file = name.strip_suffix(FILE_SUFFIX).is_some() && keys::find(&path).is_none();
        let (path, text, from) = if from_file {
            let file = PathBuf::from(text);
            let held = fs::read_to_string(&file).map_err(|error| Error::Read {
                path: file.clone(),
                error,
            })?;
            let path = path[..path.len() - FILE_SUFFIX.len()].to_owned();
            (
                path,
                held.trim_end().to_owned(),
                Source::SecretFile {
                    variable: name.clone(),
                    path: file,
                },
            )
        } else {
            (path, text.clone(), Source::Environment(name.clone()))
        };
        let placed = Placed::read(&path, &text, from)?;
        layer.insert(path, placed);
    }
    Ok(layer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(name: &str, value: &str) -> Result<Layer, Error> {
        read(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn double_underscores_nest() {
        let layer = read_one("STELE_KAFKA__ADVERTISED_HOST", "a").expect("a key");
        assert_eq!(layer["kafka.advertised_host"].value.as_str(), Some("a"));
    }

    #[test]
    fn a_variable_of_an_orchestrator_is_not_ours() {
        assert!(
            read_one("STELE_PORT", "tcp://10.0.0.1:9092")
                .expect("not ours")
                .is_empty()
        );
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_key() {
        let error = read_one("STELE_KAFKA__PROT", "1").expect_err("no such key");
        let text = error.to_string();
        assert_eq!(
            text,
            "STELE_KAFKA__PROT: there is no key `kafka.prot`; did you mean `kafka.port`?"
        );
    }

    #[test]
    fn a_secret_is_read_from_a_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("users");
        fs::write(&file, "ann:secret\n").expect("written");
        let name = file.to_string_lossy().into_owned();
        let layer = read_one("STELE_AUTH__USERS_FILE", &name).expect("a key");
        assert_eq!(layer["auth.users"].value["ann"].as_str(), Some("secret"));
    }

    #[test]
    fn a_missing_secret_file_is_named() {
        let error = read_one("STELE_AUTH__USERS_FILE", "gone").expect_err("no file");
        assert!(error.to_string().starts_with("cannot read gone"), "{error}");
    }
}
