use super::*;

/// A message's headers.
struct Message(Arguments);

impl Headers for Message {
    fn header(&self, name: &str) -> Option<Argument> {
        self.0.get(name).cloned()
    }
}

fn text(value: &str) -> Argument {
    Argument::Text(value.as_bytes().into())
}

fn arguments(pairs: &[(&str, Argument)]) -> Arguments {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), value.clone()))
        .collect()
}

fn with(mode: &str, pairs: &[(&str, Argument)]) -> Arguments {
    let mut arguments = arguments(pairs);
    arguments.insert(MATCH.into(), text(mode));
    arguments
}

fn message() -> Message {
    Message(arguments(&[
        ("format", text("pdf")),
        ("pages", Argument::Integer(3)),
        ("x-source", text("scanner")),
    ]))
}

#[test]
fn all_wants_every_argument() {
    let both = [("format", text("pdf")), ("pages", Argument::Integer(3))];
    assert!(matches(&arguments(&both), &message()));
    assert!(matches(&with("all", &both), &message()));
    let wrong = [("format", text("pdf")), ("pages", Argument::Integer(4))];
    assert!(!matches(&with("all", &wrong), &message()));
    let missing = [("format", text("pdf")), ("author", Argument::Void)];
    assert!(!matches(&with("all", &missing), &message()));
}

#[test]
fn any_wants_one_argument() {
    let one = [("format", text("zip")), ("pages", Argument::Integer(3))];
    assert!(matches(&with("any", &one), &message()));
    assert!(!matches(
        &with("any", &[("format", text("zip"))]),
        &message()
    ));
}

#[test]
fn without_arguments_all_matches_and_any_does_not() {
    assert!(matches(&Arguments::new(), &message()));
    assert!(matches(&with("all", &[]), &message()));
    assert!(!matches(&with("any", &[]), &message()));
}

#[test]
fn a_void_argument_asks_for_presence() {
    assert!(matches(
        &with("all", &[("pages", Argument::Void)]),
        &message()
    ));
    assert!(!matches(
        &with("all", &[("author", Argument::Void)]),
        &message()
    ));
}

#[test]
fn types_must_agree() {
    assert!(!matches(&with("all", &[("pages", text("3"))]), &message()));
}

#[test]
fn names_beginning_with_x_count_only_where_asked_for() {
    let wrong = [("x-source", text("fax")), ("format", text("pdf"))];
    assert!(matches(&with("all", &wrong), &message()));
    assert!(!matches(&with("all-with-x", &wrong), &message()));
    let right = [("x-source", text("scanner"))];
    assert!(!matches(&with("any", &right), &message()));
    assert!(matches(&with("any-with-x", &right), &message()));
}
