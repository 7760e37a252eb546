//! The query protocol's form: dotted names are converted to the same tree as JSON.
//!
//! ```text
//!  Attribute.1.Name=DelaySeconds & Attribute.1.Value=5
//!      ⇒ Attribute { 1 { Name: DelaySeconds, Value: 5 } }
//! ```

use crate::{
    error::{Error, ErrorKind},
    limits::{FORM_DEPTH_MAX, VALUES_MAX},
    tree::{Fields, Tree},
};

/// Reads a form, as in a body or a query string, into `fields`.
pub(crate) fn read_form(form: &[u8], fields: &mut Fields) -> Result<(), Error> {
    for (count, (name, value)) in form_urlencoded::parse(form).enumerate() {
        if count >= VALUES_MAX {
            return Err(malformed(format!("more than {VALUES_MAX} parameters")));
        }
        insert(fields, &name, value.into_owned())?;
    }
    Ok(())
}

fn insert(fields: &mut Fields, name: &str, value: String) -> Result<(), Error> {
    let (parts, last) = match name.rsplit_once('.') {
        Some((before, last)) => (before.split('.').collect(), last),
        None => (Vec::new(), name),
    };
    let mut at = fields;
    for (depth, part) in parts.into_iter().enumerate() {
        if depth + 1 >= FORM_DEPTH_MAX {
            return Err(malformed(format!(
                "the name of a parameter has more than {FORM_DEPTH_MAX} parts"
            )));
        }
        let child = at
            .entry(part.to_owned())
            .or_insert_with(|| Tree::Object(Fields::new()));
        // `Attribute=x` and `Attribute.1=y` contradict each other; the later one counts.
        if !matches!(child, Tree::Object(_)) {
            *child = Tree::Object(Fields::new());
        }
        let Tree::Object(inner) = child else {
            unreachable!("made an object above")
        };
        at = inner;
    }
    at.insert(last.to_owned(), Tree::Text(value));
    Ok(())
}

fn malformed(reason: String) -> Error {
    Error::new(
        ErrorKind::MalformedRequest,
        format!("The request can't be read: {reason}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Tree {
        Tree::Text(value.to_owned())
    }

    fn object<const N: usize>(fields: [(&str, Tree); N]) -> Tree {
        Tree::Object(fields.map(|(name, tree)| (name.to_owned(), tree)).into())
    }

    fn read(form: &str) -> Result<Tree, Error> {
        let mut fields = Fields::new();
        read_form(form.as_bytes(), &mut fields)?;
        Ok(Tree::Object(fields))
    }

    #[test]
    fn dotted_names_nest() {
        assert_eq!(
            read("A.1.Name=x%20y&A.1.Value=1&A.2.Name=z+%26&B=&C").unwrap(),
            object([
                (
                    "A",
                    object([
                        ("1", object([("Name", text("x y")), ("Value", text("1"))])),
                        ("2", object([("Name", text("z &"))])),
                    ])
                ),
                ("B", text("")),
                ("C", text("")),
            ])
        );
    }

    #[test]
    fn of_contradicting_names_the_later_counts() {
        assert_eq!(
            read("A=x&A.1=y").unwrap(),
            object([("A", object([("1", text("y"))]))])
        );
        assert_eq!(read("A.1=y&A=x").unwrap(), object([("A", text("x"))]));
    }

    #[test]
    fn very_deep_and_very_many_names_are_refused() {
        let deep = |parts: usize| vec!["a"; parts].join(".");
        assert!(read(&deep(FORM_DEPTH_MAX)).is_ok());
        assert!(read(&deep(FORM_DEPTH_MAX + 1)).is_err());
        assert!(read(&"a&".repeat(VALUES_MAX)).is_ok());
        assert!(read(&"a&".repeat(VALUES_MAX + 1)).is_err());
    }
}
