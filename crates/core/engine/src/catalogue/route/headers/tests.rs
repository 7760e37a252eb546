use super::*;

/// A message's headers.
struct Message(Arguments);

impl Headers for Message {
    fn header(&self, name: &str) -> Option<Argument> {
        self.0.get(name).cloned()
    }

    fn property(&self, _name: &str) -> Option<Box<[u8]>> {
        None
    }

    fn random(&self) -> u64 {
        0
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

#[test]
fn numbers_match_by_value_whatever_their_types() {
    let numbers = [
        Argument::Integer(5),
        Argument::Float(5.0),
        Argument::Timestamp(5),
    ];
    for wanted in &numbers {
        for value in &numbers {
            assert!(is_met(wanted, Some(value.clone())), "{wanted:?} {value:?}");
        }
        let others = [
            Argument::Float(5.5),
            Argument::Integer(-5),
            Argument::Decimal(0, 5),
            Argument::Bool(true),
            text("5"),
        ];
        for value in others {
            assert!(!is_met(wanted, Some(value.clone())), "{wanted:?} {value:?}");
            assert!(
                !is_met(&value, Some(wanted.clone())),
                "{value:?} {wanted:?}"
            );
        }
    }
    // 2^53 + 1 isn't representable as a float; infinity and NaN equal no integer.
    assert!(!is_met(
        &Argument::Integer((1 << 53) + 1),
        Some(Argument::Float(9_007_199_254_740_992.0))
    ));
    assert!(!is_met(
        &Argument::Integer(i64::MAX),
        Some(Argument::Float(f64::INFINITY))
    ));
    assert!(!is_met(
        &Argument::Integer(0),
        Some(Argument::Float(f64::NAN))
    ));
}
