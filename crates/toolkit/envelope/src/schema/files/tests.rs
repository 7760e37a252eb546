#![expect(clippy::disallowed_methods, reason = "what the check writes are files")]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{Message, Upcast};

#[derive(Serialize, Deserialize, JsonSchema, Message)]
#[serde(rename_all = "camelCase")]
#[message(version = "1.0", topic = "order.created")]
struct OrderCreated {
    order_id: String,
    total_cents: i64,
}

fn order() -> TypeSchema {
    TypeSchema::of::<OrderCreated>()
}

/// The order in a later version, with more fields.
fn later(version: Version, properties: Value, required: &[&str]) -> TypeSchema {
    let mut later = order();
    later.version = version;
    for (name, schema) in properties.as_object().expect("an object") {
        later.schema["properties"][name] = schema.clone();
    }
    for name in required {
        let all = later.schema["required"].as_array_mut().expect("a list");
        all.push((*name).into());
    }
    later
}

/// A directory with the file of version 1.0.
fn stored() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    check(dir.path(), &[order()], true).expect("written");
    dir
}

#[track_caller]
fn problems(dir: &TempDir, checked: TypeSchema, update: bool) -> Vec<String> {
    let Err(error) = check(dir.path(), &[checked], update) else {
        return Vec::new();
    };
    let place = dir.path().display().to_string();
    let problems = error.problems.iter();
    problems
        .map(|it| it.to_string().replace(&place, "schemas"))
        .collect()
}

const FROM_1_0: &[Upcast] = &[Upcast {
    from: Version::new(1, 0),
    with: Ok,
}];

const V1_1: Version = Version::new(1, 1);

#[test]
fn a_missing_file_is_a_problem_until_it_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let missing =
        "OrderCreated 1.0: schemas/OrderCreated/1.0.json is missing: run with UPDATE_SCHEMAS=1";
    assert_eq!(problems(&dir, order(), false), [missing]);
    assert_eq!(problems(&dir, order(), true), [""; 0]);
    assert_eq!(problems(&dir, order(), false), [""; 0]);
    let written = std::fs::read_to_string(dir.path().join("OrderCreated/1.0.json"));
    assert_eq!(written.expect("a file"), format!("{:#}\n", order().schema));
}

#[test]
fn a_type_that_changes_needs_a_new_version() {
    let dir = stored();
    let changed = |version| later(version, json!({"note": {"type": "string"}}), &[]);
    let differs = "OrderCreated 1.0: the type differs from schemas/OrderCreated/1.0.json at `note`: \
                   give it a new version";
    assert_eq!(
        problems(&dir, changed(Version::new(1, 0)), false),
        [differs]
    );
    assert_eq!(problems(&dir, changed(Version::new(1, 0)), true), [differs]);
    assert_eq!(problems(&dir, changed(V1_1), true), [""; 0]);
    assert_eq!(problems(&dir, changed(V1_1), false), [""; 0]);
}

#[test]
fn titles_and_descriptions_may_change() {
    let dir = stored();
    let mut told = order();
    told.schema["description"] = json!("An order came in.");
    told.schema["properties"]["orderId"]["description"] = json!("Unique.");
    assert_eq!(problems(&dir, told.clone(), false), [""; 0]);
    assert_eq!(problems(&dir, told.clone(), true), [""; 0]);
    let written = std::fs::read(dir.path().join("OrderCreated/1.0.json")).expect("a file");
    let written: Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(written, told.schema);
}

#[test]
fn a_field_that_is_called_as_an_annotation_counts() {
    let dir = stored();
    let changed = later(
        Version::new(1, 0),
        json!({"title": {"type": "string"}}),
        &[],
    );
    let found = problems(&dir, changed, false);
    assert!(found[0].contains("at `title`"), "{found:?}");
}

#[test]
fn a_minor_version_has_to_read_the_older_ones() {
    let dir = stored();
    let currency = || json!({"currency": {"type": "string"}});
    let refused = "OrderCreated 1.1, `currency`: the field is new and required: give it a default, \
                   or the type an upcast (compared with version 1.0)";
    let new = later(V1_1, currency(), &["currency"]);
    assert_eq!(problems(&dir, new.clone(), false), [refused]);
    assert_eq!(problems(&dir, new.clone(), true), [refused]);
    assert!(!dir.path().join("OrderCreated/1.1.json").exists());

    let mut upcast = new.clone();
    upcast.upcasts = FROM_1_0;
    assert_eq!(problems(&dir, upcast, true), [""; 0]);

    let mut major = new;
    major.version = Version::new(2, 0);
    assert_eq!(problems(&dir, major, true), [""; 0]);
}

#[test]
fn all_older_minor_versions_are_compared_but_no_newer_ones() {
    let dir = stored();
    let with_note = |version| later(version, json!({"note": {"type": "string"}}), &[]);
    assert_eq!(problems(&dir, with_note(V1_1), true), [""; 0]);
    let gone = later(
        Version::new(1, 2),
        json!({"orderId": {"type": "integer"}}),
        &[],
    );
    let found = problems(&dir, gone, false);
    let refused = "OrderCreated 1.2, `orderId`: string is no longer accepted, only integer";
    let removed = "OrderCreated 1.2, `note`: the field was removed";
    let expected = [(refused, "1.0"), (refused, "1.1"), (removed, "1.1")]
        .map(|(problem, version)| format!("{problem} (compared with version {version})"));
    assert_eq!(found, expected);
    assert_eq!(problems(&dir, order(), false), [""; 0]);
}

#[test]
fn what_cannot_be_stored_or_read_is_told() {
    let dir = stored();
    let mut named = order();
    named.message_type = "../order";
    let found = problems(&dir, named, true);
    assert_eq!(
        found,
        ["../order 1.0: the type's name can't be that of a directory"]
    );
    std::fs::write(dir.path().join("OrderCreated/1.0.json"), "{").expect("written");
    let found = problems(&dir, later(V1_1, json!({}), &[]), true);
    assert!(found[0].contains("1.0.json isn't JSON"), "{found:?}");
}
