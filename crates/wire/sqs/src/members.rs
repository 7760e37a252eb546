//! Reading the members of a request, in the same way for both protocols.
//!
//! The protocols differ in the names of lists and maps: JSON has `"AttributeNames":["All"]` and
//! `"Attributes":{"DelaySeconds":"5"}` where a form has `AttributeName.1=All` and
//! `Attribute.1.Name=DelaySeconds&Attribute.1.Value=5`.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;

use crate::{
    error::{Error, ErrorKind},
    tree::{Fields, Tree},
};

/// A list's name in JSON, and the name of its entries in the query protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListName {
    pub(crate) json: &'static str,
    pub(crate) query: &'static str,
}

/// A map's name in JSON, and the names of its entries and of an entry's key in the query protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapName {
    pub(crate) json: &'static str,
    pub(crate) query: &'static str,
    pub(crate) key: &'static str,
}

/// The members of a request or of a nested structure; each is taken out at most once.
#[derive(Debug)]
pub(crate) struct Members {
    fields: Fields,
    /// Whether lists and maps are named and encoded as in a form.
    flat: bool,
}

impl Members {
    pub(crate) fn of_json(fields: Fields) -> Self {
        Self {
            fields,
            flat: false,
        }
    }

    pub(crate) fn of_form(fields: Fields) -> Self {
        Self { fields, flat: true }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        self.take(name).map(into_text).transpose()
    }

    pub(crate) fn required_text(&mut self, name: &str) -> Result<String, Error> {
        self.text(name)?.ok_or_else(|| Error::missing(name))
    }

    /// An integer; JSON clients may also send it as a string.
    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i32>, Error> {
        self.take(name)
            .map(|tree| into_integer(tree, name))
            .transpose()
    }

    /// A blob, sent in base64.
    pub(crate) fn blob(&mut self, name: &str) -> Result<Option<Bytes>, Error> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let bytes = BASE64
            .decode(text)
            .map_err(|_| wrong_type("a value that isn't base64", "a Blob"))?;
        Ok(Some(Bytes::from(bytes)))
    }

    pub(crate) fn texts(&mut self, name: ListName) -> Result<Vec<String>, Error> {
        self.items(name)?
            .unwrap_or_default()
            .into_iter()
            .map(into_text)
            .collect()
    }

    /// A list of structures; `None` if the request has none of that name.
    pub(crate) fn list(&mut self, name: ListName) -> Result<Option<Vec<Self>>, Error> {
        let flat = self.flat;
        let Some(items) = self.items(name)? else {
            return Ok(None);
        };
        let nested = items.into_iter().map(|tree| {
            Ok(Self {
                fields: into_object(tree)?,
                flat,
            })
        });
        nested.collect::<Result<_, _>>().map(Some)
    }

    /// A map of texts; `None` if the request has none of that name.
    pub(crate) fn pairs(&mut self, name: MapName) -> Result<Option<Vec<(String, String)>>, Error> {
        let Some(entries) = self.entries(name)? else {
            return Ok(None);
        };
        let pairs = entries
            .into_iter()
            .map(|(key, value)| Ok((key, into_text(value)?)));
        pairs.collect::<Result<_, _>>().map(Some)
    }

    /// A map of structures.
    pub(crate) fn map(&mut self, name: MapName) -> Result<Vec<(String, Self)>, Error> {
        let flat = self.flat;
        let nested = self
            .entries(name)?
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| {
                Ok((
                    key,
                    Self {
                        fields: into_object(value)?,
                        flat,
                    },
                ))
            });
        nested.collect()
    }

    /// Whether there is a member with any of these names.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names
            .iter()
            .any(|name| self.fields.get(*name).is_some_and(is_given))
    }

    fn take(&mut self, name: &str) -> Option<Tree> {
        self.fields.remove(name).filter(|tree| *tree != Tree::Null)
    }

    fn items(&mut self, name: ListName) -> Result<Option<Vec<Tree>>, Error> {
        if !self.flat {
            return match self.take(name.json) {
                None => Ok(None),
                Some(Tree::List(items)) => Ok(Some(items)),
                Some(other) => Err(wrong_type(described(&other), "a list")),
            };
        }
        Ok(self.take(name.query).map(numbered))
    }

    fn entries(&mut self, name: MapName) -> Result<Option<Vec<(String, Tree)>>, Error> {
        if !self.flat {
            let Some(tree) = self.take(name.json) else {
                return Ok(None);
            };
            let entries = into_object(tree)?.into_iter();
            return Ok(Some(
                entries.filter(|(_, value)| *value != Tree::Null).collect(),
            ));
        }
        let Some(tree) = self.take(name.query) else {
            return Ok(None);
        };
        let entries = numbered(tree).into_iter().map(|item| {
            let mut fields = into_object(item)?;
            let missing = |part| Error::missing(&format!("{}.{part}", name.query));
            let key = fields.remove(name.key).ok_or_else(|| missing(name.key))?;
            let value = fields.remove("Value").ok_or_else(|| missing("Value"))?;
            Ok((into_text(key)?, value))
        });
        entries.collect::<Result<_, _>>().map(Some)
    }
}

/// The entries of a form's list in the order of their numbers. A single entry may come without a
/// number (`AttributeName=All`, `Attribute.Name=…`).
fn numbered(tree: Tree) -> Vec<Tree> {
    let fields = match tree {
        Tree::Object(fields) if fields.keys().all(|key| number(key).is_some()) => fields,
        single => return vec![single],
    };
    let mut items: Vec<(String, Tree)> = fields.into_iter().collect();
    items.sort_by_key(|(key, _)| number(key));
    items.into_iter().map(|(_, item)| item).collect()
}

fn number(key: &str) -> Option<u32> {
    key.parse().ok()
}

/// An empty list, which some SDKs send by default, counts as not given.
fn is_given(tree: &Tree) -> bool {
    !matches!(tree, Tree::Null) && *tree != Tree::List(Vec::new())
}

fn into_text(tree: Tree) -> Result<String, Error> {
    match tree {
        Tree::Text(text) => Ok(text),
        other => Err(wrong_type(described(&other), "a String")),
    }
}

fn into_integer(tree: Tree, name: &str) -> Result<i32, Error> {
    match tree {
        Tree::Integer(integer) => i32::try_from(integer)
            .map_err(|_| wrong_type(&format!("the value {integer}"), "an Integer")),
        Tree::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| Error::invalid_value(&text, name, "Must be an integer.")),
        other => Err(wrong_type(described(&other), "an Integer")),
    }
}

fn into_object(tree: Tree) -> Result<Fields, Error> {
    match tree {
        Tree::Object(fields) => Ok(fields),
        other => Err(wrong_type(described(&other), "a structure")),
    }
}

fn described(tree: &Tree) -> &'static str {
    match tree {
        Tree::Null => "NULL_VALUE",
        Tree::Flag(true) => "TRUE_VALUE",
        Tree::Flag(false) => "FALSE_VALUE",
        Tree::Integer(_) => "NUMBER_VALUE",
        Tree::Number => "DECIMAL_VALUE",
        Tree::Text(_) => "STRING_VALUE",
        Tree::List(_) => "START_ARRAY",
        Tree::Object(_) => "START_OBJECT",
    }
}

fn wrong_type(found: &str, expected: &str) -> Error {
    Error::new(
        ErrorKind::MalformedRequest,
        format!("{found} can not be converted to {expected}"),
    )
}
