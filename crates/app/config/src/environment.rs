//! Environment variables: `STELE_KAFKA__PORT` sets `kafka.port`, and `STELE_AUTH__USERS_FILE`
//! names a file that holds the value of `auth.users`.
//!
//! Any other variable that starts with `STELE_` is an error at start, except the variables of the
//! command itself, and those that Kubernetes sets for services whose names begin with `stele`.

use std::{fs, path::PathBuf};

use crate::{
    error::Error,
    key::Key,
    keys,
    load::{Layer, Placed},
    source::Source,
};

const PREFIX: &str = "STELE_";
const FILE_SUFFIX: &str = "_FILE";

/// Variables that the command reads besides those of the keys.
pub const COMMAND_VARIABLES: [&str; 2] = ["STELE_CONFIG", "STELE_ADMIN_LOGIN"];

/// Reads the layer from `variables`.
pub(crate) fn read(variables: &[(String, String)]) -> Result<Layer, Error> {
    let ours = |(name, value): &&(String, String)| {
        let is_of_command = COMMAND_VARIABLES.contains(&name.as_str());
        name.starts_with(PREFIX) && !is_of_command && !is_of_service(name, value)
    };
    let mut layer = Layer::new();
    for (name, text) in variables.iter().filter(ours) {
        if !name.contains("__") {
            return Err(Error::UnknownVariable {
                name: name.clone(),
                nearest: nearest(name),
            });
        }
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

/// Whether the variable is one that Kubernetes sets in every container for a service named `stele`
/// or `stele-kafka`: `STELE_KAFKA_SERVICE_HOST=10.0.0.1`, `STELE_KAFKA_PORT=tcp://10.0.0.1:9092`,
/// `STELE_KAFKA_PORT_9092_TCP_ADDR=10.0.0.1`.
fn is_of_service(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.starts_with(scheme));
    let is_of_port = name.rsplit_once("_PORT_").is_some_and(|(_, rest)| {
        let digits = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let protocol = digits.trim_start_matches('_');
        digits.len() < rest.len()
            && ["TCP", "UDP", "SCTP"]
                .iter()
                .any(|known| protocol.starts_with(known))
    });
    let is_service = name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_");
    is_service || is_of_port || (is_address && name.ends_with("_PORT"))
}

/// The most similar variable: usually the one with the underscore doubled.
fn nearest(name: &str) -> Option<String> {
    let others = COMMAND_VARIABLES.map(str::to_owned).into_iter();
    let known: Vec<String> = keys::KEYS
        .iter()
        .map(Key::variable)
        .flat_map(|variable| [format!("{variable}{FILE_SUFFIX}"), variable])
        .chain(others)
        .collect();
    let same = known.iter().find(|it| it.replace("__", "_") == name);
    // Without the prefix, which makes all of them alike.
    let names = known.iter().filter_map(|it| it.strip_prefix(PREFIX));
    same.cloned().or_else(|| {
        let similar = keys::most_similar(name.strip_prefix(PREFIX)?, names)?;
        Some(format!("{PREFIX}{similar}"))
    })
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
    fn variables_of_kubernetes_services_are_not_ours() {
        for (name, value) in [
            ("STELE_PORT", "tcp://10.0.0.1:9092"),
            ("STELE_KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("STELE_SERVICE_HOST", "10.0.0.1"),
            ("STELE_KAFKA_SERVICE_PORT", "9092"),
            ("STELE_SERVICE_PORT_KAFKA", "9092"),
            ("STELE_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("STELE_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("STELE_PORT_9092_TCP_PORT", "9092"),
        ] {
            assert!(read_one(name, value).expect(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn variables_of_the_command_are_no_keys() {
        for name in COMMAND_VARIABLES {
            assert!(read_one(name, "x").expect(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn a_variable_that_nobody_reads_names_the_nearest() {
        for (name, nearest) in [
            ("STELE_KAFKA_PORT", "STELE_KAFKA__PORT"),
            ("STELE_AUTH_USERS_FILE", "STELE_AUTH__USERS_FILE"),
            (
                "STELE_KAFKA_ADVERTISED_HOST",
                "STELE_KAFKA__ADVERTISED_HOST",
            ),
            ("STELE_CONFG", "STELE_CONFIG"),
        ] {
            let error = read_one(name, "1").expect_err("no such variable");
            assert_eq!(
                error.to_string(),
                format!("{name}: unknown variable; did you mean `{nearest}`?")
            );
        }
    }

    #[test]
    fn a_variable_that_is_like_no_other_names_none() {
        for name in [
            "STELE_VERSION",
            "STELE_HOME",
            "STELE_IMAGE",
            "STELE_ENVIRONMENT",
            "STELE_TAG",
        ] {
            let error = read_one(name, "1").expect_err("no such variable");
            let told = error.to_string();
            assert!(!told.contains("did you mean"), "{told}");
        }
    }

    #[test]
    fn an_unknown_variable_names_the_nearest_key() {
        let error = read_one("STELE_KAFKA__PROT", "1").expect_err("no such key");
        let text = error.to_string();
        assert_eq!(
            text,
            "STELE_KAFKA__PROT: unknown key `kafka.prot`; did you mean `kafka.port`?"
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
