//! Merges the layers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize as _;
use toml::Value;

use crate::{environment, error::Error, file, key::Kind, keys, settings::Settings, source::Source};

/// A value and its source.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The value, of its key's kind.
    pub value: Value,
    /// Its source.
    pub from: Source,
}

/// Values by key path.
pub(crate) type Layer = BTreeMap<String, Placed>;

/// A flag that sets a key.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The key's path.
    pub path: String,
    /// The value as text.
    pub text: String,
    /// The flag as the user typed it.
    pub name: String,
}

/// The inputs of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The requested file; it must exist.
    pub file: Option<PathBuf>,
    /// Default files; the first that exists is read if no file was requested.
    pub files_default: Vec<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// The flags.
    pub flags: Vec<Flag>,
}

/// The loaded configuration.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings that the program uses.
    pub settings: Settings,
    /// Every key that has a value, with its source.
    pub values: BTreeMap<String, Placed>,
}

impl Placed {
    /// Parses `text` as the value of the key at `path`.
    pub(crate) fn read(path: &str, text: &str, from: Source) -> Result<Self, Error> {
        let Some(key) = keys::find(path) else {
            return Err(unknown(path, from));
        };
        match key.kind.read(text) {
            Ok(value) => Ok(Self { value, from }),
            Err(wanted) => Err(Error::Value {
                path: key.path,
                from,
                wanted,
            }),
        }
    }

    /// The value for display, with secrets hidden.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            Value::Table(pairs) => pairs
                .keys()
                .map(|name| format!("{name}:***"))
                .collect::<Vec<_>>()
                .join(","),
            value => value.to_string(),
        }
    }
}

/// Loads the configuration: the defaults, overridden by the file, the environment and the flags, in
/// this order.
pub fn load(inputs: &Inputs) -> Result<Loaded, Error> {
    let mut values = defaults();
    if let Some(path) = chosen_file(inputs) {
        values.extend(judged(file::read(path)?)?);
    }
    values.extend(environment::read(&inputs.variables)?);
    for flag in &inputs.flags {
        let from = Source::Flag(flag.name.clone());
        values.insert(
            flag.path.clone(),
            Placed::read(&flag.path, &flag.text, from)?,
        );
    }
    let settings = settings(&values)?;
    Ok(Loaded { settings, values })
}

fn chosen_file(inputs: &Inputs) -> Option<&Path> {
    let found = || inputs.files_default.iter().find(|path| path.exists());
    inputs.file.as_ref().or_else(found).map(PathBuf::as_path)
}

fn defaults() -> Layer {
    keys::KEYS
        .iter()
        .filter_map(|key| {
            let placed = Placed {
                value: key.default_value()?,
                from: Source::Default,
            };
            Some((key.path.to_owned(), placed))
        })
        .collect()
}

/// Returns the layer if all keys exist and all values are of their kinds. Credentials may also be
/// text in the file.
fn judged(layer: Layer) -> Result<Layer, Error> {
    layer
        .into_iter()
        .map(|(path, placed)| {
            let Some(key) = keys::find(&path) else {
                return Err(unknown(&path, placed.from));
            };
            if let (Kind::Credentials, Value::String(text)) = (key.kind, &placed.value) {
                let placed = Placed::read(&path, text, placed.from.clone())?;
                return Ok((path, placed));
            }
            match key.kind.judge(&placed.value) {
                Ok(()) => Ok((path, placed)),
                Err(wanted) => Err(Error::Value {
                    path: key.path,
                    from: placed.from,
                    wanted,
                }),
            }
        })
        .collect()
}

fn unknown(path: &str, from: Source) -> Error {
    Error::UnknownKey {
        path: path.to_owned(),
        from,
        nearest: keys::nearest(path),
    }
}

fn settings(values: &Layer) -> Result<Settings, Error> {
    let mut root = toml::Table::new();
    for (path, placed) in values {
        let (section, name) = path
            .split_once('.')
            .ok_or_else(|| Error::Shape(path.clone()))?;
        let section = root
            .entry(section)
            .or_insert_with(|| Value::Table(toml::Table::new()));
        let table = section
            .as_table_mut()
            .ok_or_else(|| Error::Shape(path.clone()))?;
        table.insert(name.to_owned(), placed.value.clone());
    }
    Settings::deserialize(root).map_err(|error| Error::Shape(error.message().to_owned()))
}

#[cfg(test)]
mod tests;
