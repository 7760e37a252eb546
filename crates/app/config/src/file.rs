//! Reads the configuration file: TOML, flattened to paths. Each value has its line.

use std::{fs, path::Path};

use toml::{
    Value,
    de::{DeTable, DeValue},
};

use crate::{
    error::Error,
    key::Kind,
    keys,
    load::{Layer, Placed},
    source::Source,
};

/// Reads the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Layer, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::Read {
        path: path.to_owned(),
        error,
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Layer, Error> {
    let line_at = |at: usize| 1 + text[..at.min(text.len())].matches('\n').count();
    let root = DeTable::parse(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: line_at(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut layer = Layer::new();
    let mut pending = vec![(String::new(), root.get_ref())];
    while let Some((prefix, table)) = pending.pop() {
        for (name, value) in table {
            let place = format!("{prefix}{}", name.get_ref());
            let line = line_at(name.span().start);
            let from = Source::File {
                path: path.to_owned(),
                line,
            };
            let is_credentials =
                keys::find(&place).is_some_and(|key| key.kind == Kind::Credentials);
            match value.get_ref() {
                DeValue::Table(inner) if !is_credentials => {
                    pending.push((format!("{place}."), inner));
                }
                value => {
                    layer.insert(
                        place,
                        Placed {
                            value: plain(value),
                            from,
                        },
                    );
                }
            }
        }
    }
    Ok(layer)
}

/// The value without its positions. TOML types that no key has become text, which the key's kind
/// then rejects with a proper message.
fn plain(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(switch) => Value::from(*switch),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            i64::from_str_radix(&digits, number.radix())
                .map_or_else(|_| Value::from(digits), Value::from)
        }
        DeValue::Table(table) => {
            let pairs = table.iter();
            let plain_pair = pairs.map(|(name, value)| (name.to_string(), plain(value.get_ref())));
            Value::Table(plain_pair.collect())
        }
        DeValue::Array(values) => {
            Value::Array(values.iter().map(|value| plain(value.get_ref())).collect())
        }
        DeValue::Float(number) => Value::from(number.as_str()),
        DeValue::Datetime(instant) => Value::Datetime(*instant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Layer, Error> {
        parse(Path::new("stele.toml"), text)
    }

    #[test]
    fn values_keep_their_lines() {
        let layer = parsed("[kafka]\nport = 1_0\n\n[auth.users]\nann = \"a\"\n").expect("TOML");
        assert_eq!(layer["kafka.port"].value, Value::from(10));
        assert_eq!(layer["kafka.port"].from.to_string(), "stele.toml:2");
        assert_eq!(layer["auth.users"].value["ann"].as_str(), Some("a"));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let error = parsed("[kafka]\nport = \n").expect_err("not TOML");
        assert!(error.to_string().starts_with("stele.toml:2: "), "{error}");
    }
}
