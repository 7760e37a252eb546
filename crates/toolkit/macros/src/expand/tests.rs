//! What the compiler is told, and where it shows it.

use super::*;

/// The error that a type causes, and the source that it points to.
fn error(source: &str) -> (String, String) {
    let input = syn::parse_str(source).expect("a type");
    let error = message(&input, "library").expect_err("an error");
    let span = error.span();
    let place = |at: proc_macro2::LineColumn| {
        let before: usize = source
            .lines()
            .take(at.line - 1)
            .map(|line| line.len() + 1)
            .sum();
        before + at.column
    };
    let shown = &source[place(span.start())..place(span.end())];
    (error.to_string(), shown.to_owned())
}

/// An order with these attributes. `<` and `>` enclose what the error has to point to.
#[track_caller]
fn refuses(attributes: &str, expected: &str) {
    refuses_type(
        &format!("{attributes}\nstruct Order {{ id: String, total: i64 }}"),
        expected,
    );
}

#[track_caller]
fn refuses_type(marked: &str, expected: &str) {
    let (start, end) = (marked.find('<').expect("<"), marked.rfind('>').expect(">"));
    let source = format!(
        "{}{}{}",
        &marked[..start],
        &marked[start + 1..end],
        &marked[end + 1..]
    );
    let place = &marked[start + 1..end];
    let (message, shown) = error(&source);
    assert_eq!((message.as_str(), shown.as_str()), (expected, place));
}

#[test]
fn what_is_missing_is_named() {
    refuses_type(
        "#[message(topic = \"t\")] struct <Order> {}",
        "`version` is missing: #[message(version = \"1.0\")]",
    );
    refuses_type(
        "#[message(version = \"1.0\")] enum <Order> {}",
        "`topic` is missing: #[message(topic = \"order.created\")]",
    );
    refuses(
        "#[message(<upcast(with = f)>)]",
        "`from` is missing: upcast(from = \"1.0\", with = function)",
    );
    refuses(
        "#[message(<upcast(from = \"1.0\")>)]",
        "`with` is missing: upcast(from = \"1.0\", with = function)",
    );
}

#[test]
fn what_is_given_twice_is_shown() {
    for attribute in [
        "type = \"a\"",
        "version = \"1.0\"",
        "topic = \"a\"",
        "key = id",
        "crate = a",
    ] {
        let (name, value) = attribute.split_once(' ').expect("a value");
        let marked = format!("#[message({attribute})] #[message(<{name}> {value})]");
        refuses(&marked, &format!("`{name}` is given twice"));
    }
    refuses(
        "#[message(alias = \"a\", alias = \"b\", alias = <\"a\">)]",
        "this alias is given twice",
    );
    refuses(
        "#[message(upcast(from = \"1.0\", with = f, <with> = g))]",
        "`with` is given twice",
    );
    refuses(
        "#[message(upcast(from = \"1.0\", with = f), upcast(from = <\"1.0\">, with = g))]",
        "there are two upcasts from this version",
    );
}

#[test]
fn versions_have_two_numbers() {
    let expected = "a version is \"major.minor\", for example \"1.0\"";
    for version in ["1", "1.0.0", "v1.0", "01.0", "1.+1", "1.4294967296"] {
        refuses(&format!("#[message(version = <\"{version}\">)]"), expected);
    }
    refuses("#[message(upcast(from = <\"one\">, with = f))]", expected);
}

#[test]
fn an_upcast_leads_from_an_older_version() {
    for from in ["1.1", "2.0"] {
        refuses(
            &format!("#[message(version = \"1.1\", upcast(from = <\"{from}\">, with = f))]"),
            "an upcast leads from an older version than the type's",
        );
    }
}

#[test]
fn unknown_attributes_are_told_the_known_ones() {
    refuses(
        "#[message(<name> = \"a\")]",
        "unknown attribute: `message` has `type`, `version`, `topic`, `key`, `alias`, `upcast` \
         and `crate`",
    );
    refuses(
        "#[message(upcast(<to> = \"1.0\"))]",
        "unknown attribute: `upcast` has `from` and `with`",
    );
    refuses("#[message(topic = <\"\">)]", "this is empty");
}

#[test]
fn a_key_is_a_field() {
    let valid = "#[message(version = \"1.0\", topic = \"t\", ";
    refuses(
        &format!("{valid}key = <order>)]"),
        "there is no such field, but `id`, `total`",
    );
    refuses_type(
        &format!("{valid}key = <id>)] struct Order;"),
        "there is no such field: the struct has none",
    );
    refuses_type(
        &format!("{valid}key = <id>)] enum Order {{}}"),
        "`key` names a field of a struct; implement `Message` for this type by hand",
    );
}

#[test]
fn a_message_has_no_parameters() {
    let start = error("#[message(version = \"1.0\")] struct Order<T>(T);");
    let message = "a message has one type, so its Rust type can't have parameters";
    assert_eq!(start, (message.to_owned(), "<T>".to_owned()));
}

#[test]
fn upcasts_are_ordered_by_their_numbers() {
    let source = "#[message(version = \"2.0\", topic = \"t\")]
        #[message(upcast(from = \"1.10\", with = c), upcast(from = \"1.9\", with = b))]
        #[message(upcast(from = \"0.11\", with = a))]
        struct Order;";
    let input = syn::parse_str(source).expect("a type");
    let derived = message(&input, "library")
        .expect("an implementation")
        .to_string();
    let steps: Vec<&str> = derived
        .split("with : ")
        .skip(1)
        .map(|rest| &rest[..1])
        .collect();
    assert_eq!(steps, ["a", "b", "c"]);
}
