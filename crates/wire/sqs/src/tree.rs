//! The tree that requests of both protocols are decoded into, and decoding it from JSON.

use std::{cell::Cell, collections::BTreeMap, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{
    error::{Error, ErrorKind},
    limits::VALUES_MAX,
};

/// A value with its nested ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Flag(bool),
    Integer(i64),
    /// A number that isn't a 64-bit integer; SQS has no such member.
    Number,
    Text(String),
    List(Vec<Self>),
    Object(Fields),
}

/// The members of an object; if a name is repeated, the later member counts.
pub(crate) type Fields = BTreeMap<String, Tree>;

/// Reads a JSON object. An empty body is an empty object.
pub(crate) fn read_json(body: &[u8]) -> Result<Fields, Error> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Fields::new());
    }
    let budget = Cell::new(VALUES_MAX);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let tree = Value { budget: &budget }
        .deserialize(&mut deserializer)
        .and_then(|tree| {
            deserializer.end()?;
            Ok(tree)
        });
    match tree {
        Ok(Tree::Object(fields)) => Ok(fields),
        Ok(_) => Err(malformed("the body isn't a JSON object")),
        Err(error) => Err(malformed(&error.to_string())),
    }
}

fn malformed(reason: &str) -> Error {
    Error::new(
        ErrorKind::MalformedRequest,
        format!("The request can't be read: {reason}."),
    )
}

/// One JSON value, within the rest of the request's budget of values.
#[derive(Clone, Copy)]
struct Value<'a> {
    budget: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        let Some(left) = self.budget.get().checked_sub(1) else {
            return Err(de::Error::custom(format_args!(
                "more than {VALUES_MAX} values"
            )));
        };
        self.budget.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(i64::try_from(value).map_or(Tree::Number, Tree::Integer))
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Tree, E> {
        Ok(Tree::Number)
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut fields = Fields::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self)?;
            fields.insert(name, value);
        }
        Ok(Tree::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_becomes_a_tree() {
        let fields = read_json(br#"{"a":1,"b":["x",null,true],"c":{"d":1.5},"a":2}"#).unwrap();
        assert_eq!(fields["a"], Tree::Integer(2));
        assert_eq!(
            fields["b"],
            Tree::List(vec![
                Tree::Text("x".to_owned()),
                Tree::Null,
                Tree::Flag(true)
            ])
        );
        assert_eq!(
            fields["c"],
            Tree::Object(Fields::from([("d".to_owned(), Tree::Number)]))
        );
        assert!(read_json(b" ").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        let deep = "[".repeat(100_000);
        for body in ["[]", "1", "{", "{}x", "\u{0}", r#"{"a":"\ud800"}"#, &deep] {
            assert_eq!(
                read_json(body.as_bytes()).unwrap_err().kind,
                ErrorKind::MalformedRequest
            );
        }
        assert_eq!(
            read_json(b"{\"a\":\"\xFF\"}").unwrap_err().kind,
            ErrorKind::MalformedRequest
        );
    }

    #[test]
    fn a_request_of_very_many_values_is_refused() {
        let body = |count: usize| format!("{{\"a\":[{}0]}}", "[],".repeat(count));
        assert!(read_json(body(VALUES_MAX - 3).as_bytes()).is_ok());
        assert!(read_json(body(VALUES_MAX - 2).as_bytes()).is_err());
    }
}
