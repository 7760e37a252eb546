//! Describes a key: path, kind, default, and description.

use toml::Value;

use crate::measure::{Size, Span};

/// A configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name, for example `kafka.port`.
    pub path: &'static str,
    /// The values it accepts.
    pub kind: Kind,
    /// The default in its textual form; `None` if an absent key has a meaning of its own.
    pub default: Option<&'static str>,
    /// The description, in a sentence or two.
    pub about: &'static str,
}

/// The values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A TCP port; 0 picks a free port.
    Port,
    /// A whole number in a range.
    Integer {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A size in bytes, with a unit.
    Size,
    /// A size in a range.
    SizeIn {
        /// The smallest, in bytes.
        min: u64,
        /// The largest, in bytes.
        max: u64,
    },
    /// A duration, with a unit.
    Span,
    /// A duration in whole seconds.
    Seconds {
        /// The longest, in seconds.
        max: u64,
    },
    /// `true` or `false`.
    Switch,
    /// One of several words.
    Choice(&'static [&'static str]),
    /// Names with secrets: a table, or the text `name:secret,name:secret`.
    Credentials,
}

impl Key {
    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        format!("STELE_{}", self.path.replace('.', "__").to_uppercase())
    }

    /// The default, parsed.
    pub(crate) fn default_value(&self) -> Option<Value> {
        let text = self.default?;
        Some(
            self.kind
                .read(text)
                .expect("a default is of its own kind, which a test checks"),
        )
    }
}

impl Kind {
    /// Parses text from a flag or a variable.
    pub fn read(self, text: &str) -> Result<Value, String> {
        let value = match self {
            Self::Text
            | Self::Size
            | Self::SizeIn { .. }
            | Self::Span
            | Self::Seconds { .. }
            | Self::Choice(_) => Value::from(text),
            Self::Port | Self::Integer { .. } => {
                Value::from(text.parse::<i64>().map_err(|_| self.wanted())?)
            }
            Self::Switch => Value::from(text.parse::<bool>().map_err(|_| self.wanted())?),
            Self::Credentials => Value::Table(read_credentials(text).ok_or_else(|| self.wanted())?),
        };
        self.judge(&value)?;
        Ok(value)
    }

    /// Checks that `value` is of this kind. The error describes the wanted form.
    pub(crate) fn judge(self, value: &Value) -> Result<(), String> {
        let fits = match (self, value) {
            (Self::Text, Value::String(_)) | (Self::Switch, Value::Boolean(_)) => true,
            (Self::Port, Value::Integer(port)) => u16::try_from(*port).is_ok(),
            (Self::Integer { min, max }, Value::Integer(number)) => (min..=max).contains(number),
            (Self::Size, Value::String(text)) => Size::parse(text).is_some(),
            (Self::SizeIn { min, max }, Value::String(text)) => {
                Size::parse(text).is_some_and(|size| (min..=max).contains(&size.0))
            }
            (Self::Span, Value::String(text)) => Span::parse(text).is_some(),
            (Self::Seconds { max }, Value::String(text)) => Span::parse(text)
                .is_some_and(|span| span.ms().is_multiple_of(1000) && span.ms() / 1000 <= max),
            (Self::Choice(words), Value::String(text)) => words.contains(&text.as_str()),
            (Self::Credentials, Value::Table(table)) => table.values().all(Value::is_str),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.wanted()) }
    }

    /// Describes the form of a value of this kind.
    pub fn wanted(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Port => "a port from 0 to 65535".to_owned(),
            Self::Integer { min, max } => format!("a number from {min} to {max}"),
            Self::Size => "a size with its unit, such as 64MiB".to_owned(),
            Self::SizeIn { min, max } => format!("a size from {} to {}", Size(min), Size(max)),
            Self::Span => "a duration with its unit, such as 30s".to_owned(),
            Self::Seconds { max } => format!("whole seconds, such as 30s, up to {max}s"),
            Self::Switch => "true or false".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Credentials => "names with secrets, as name:secret,name:secret".to_owned(),
        }
    }
}

/// Pairs separated by commas or line ends. A secret may contain a colon, a name may not.
fn read_credentials(text: &str) -> Option<toml::Table> {
    text.split([',', '\n'])
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, secret) = pair.split_once(':')?;
            (!name.is_empty()).then(|| (name.to_owned(), Value::from(secret)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_takes_its_own_and_refuses_the_rest() {
        assert!(Kind::Port.read("65535").is_ok());
        assert!(Kind::Port.read("65536").is_err());
        assert!(Kind::Integer { min: 1, max: 4 }.read("0").is_err());
        assert!(Kind::Switch.read("yes").is_err());
        assert!(Kind::Choice(&["a", "b"]).read("c").is_err());
        assert!(Kind::Size.judge(&Value::from(64)).is_err());
        let frame = Kind::SizeIn { min: 16, max: 32 };
        for (text, fits) in [("15B", false), ("16B", true), ("32B", true), ("33B", false)] {
            assert_eq!(frame.read(text).is_ok(), fits, "{text}");
        }
        let beat = Kind::Seconds { max: 60 };
        for (text, fits) in [("0s", true), ("1m", true), ("500ms", false), ("61s", false)] {
            assert_eq!(beat.read(text).is_ok(), fits, "{text}");
        }
    }

    #[test]
    fn credentials_read_as_pairs() {
        let read = Kind::Credentials
            .read("ann:a:b, bob:c\n")
            .expect("two pairs");
        let table = read.as_table().expect("a table");
        assert_eq!(table["ann"].as_str(), Some("a:b"));
        assert_eq!(table["bob"].as_str(), Some("c"));
        assert!(Kind::Credentials.read("ann").is_err());
    }
}
