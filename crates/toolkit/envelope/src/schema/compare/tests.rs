use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::schema_of;

/// What changes from old to new, as `path: reason`.
fn changes(old: &Value, new: &Value) -> Vec<String> {
    let found = narrowings(old, new).into_iter();
    found
        .map(|it| format!("{}: {}", it.path, it.reason))
        .collect()
}

#[track_caller]
fn reads(old: Value, new: Value) {
    assert_eq!(changes(&old, &new), [""; 0], "{old} → {new}");
}

#[track_caller]
fn refuses(old: Value, new: Value, expected: &[&str]) {
    assert_eq!(changes(&old, &new), expected, "{old} → {new}");
}

/// It is read in one direction, and refused in the other.
#[track_caller]
fn widens(narrow: Value, wide: Value, expected: &str) {
    reads(narrow.clone(), narrow.clone());
    reads(wide.clone(), wide.clone());
    reads(narrow.clone(), wide.clone());
    refuses(wide, narrow, &[expected]);
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

#[test]
fn a_new_field_may_be_optional_or_have_a_default() {
    let old = object(json!({"a": {"type": "string"}}), &["a"]);
    let new =
        |b: Value, required: &[&str]| object(json!({"a": {"type": "string"}, "b": b}), required);
    reads(old.clone(), new(json!({"type": "string"}), &["a"]));
    reads(
        old.clone(),
        new(json!({"type": "string", "default": "x"}), &["a", "b"]),
    );
    let why = "b: the field is new and required: give it a default, or the type an upcast";
    refuses(
        old.clone(),
        new(json!({"type": "string"}), &["a", "b"]),
        &[why],
    );
    refuses(
        new(json!({}), &[]),
        old,
        &[
            "b: the field was removed",
            "a: the field was optional and is required now",
        ],
    );
}

#[test]
fn a_field_may_not_go_even_if_it_was_optional() {
    let old = object(json!({"a": {}, "b": {}}), &[]);
    refuses(
        old.clone(),
        object(json!({"a": {}}), &[]),
        &["b: the field was removed"],
    );
    refuses(
        old.clone(),
        json!({"type": "object"}),
        &["a: the field was removed", "b: the field was removed"],
    );
    reads(
        old.clone(),
        json!({"type": "object", "additionalProperties": true}),
    );
    reads(old, json!({}));
}

#[test]
fn types_may_widen() {
    widens(
        json!({"type": "integer"}),
        json!({"type": "number"}),
        ": number is no longer accepted, only integer",
    );
    widens(
        json!({"type": "string"}),
        json!({"type": ["string", "null"]}),
        ": null is no longer accepted, only string",
    );
    widens(
        json!({"type": "string"}),
        json!({}),
        ": any type was accepted, now only string",
    );
    refuses(
        json!({"type": "integer", "format": "int16"}),
        json!({"type": "integer", "format": "uint16"}),
        &[": the smallest number was -32768 and is 0 now"],
    );
    refuses(
        json!({"type": "string"}),
        json!({"type": "boolean"}),
        &[": string is no longer accepted, only boolean"],
    );
    widens(
        json!({"type": "null"}),
        json!(true),
        ": any type was accepted, now only null",
    );
    refuses(json!({}), json!(false), &[": nothing is accepted any more"]);
    reads(json!(false), json!({"type": "string"}));
}

#[test]
fn values_of_enumerations_may_be_added_and_not_removed() {
    widens(
        json!({"type": "string", "enum": ["a"]}),
        json!({"type": "string", "enum": ["b", "a"]}),
        ": the value \"b\" was removed",
    );
    widens(
        json!({"type": "string", "enum": ["a"]}),
        json!({"type": "string"}),
        ": any value was accepted, now only those of a list",
    );
    reads(json!({"const": 1}), json!({"type": "number"}));
    refuses(
        json!({"enum": ["a", 1]}),
        json!({"type": "string"}),
        &[": integer is no longer accepted, only string"],
    );
    reads(
        json!({"enum": ["a"]}),
        json!({"oneOf": [{"const": "b"}, {"const": "a"}]}),
    );
    reads(
        json!({"oneOf": [{"const": "b"}, {"const": "a"}]}),
        json!({"enum": ["a", "b"]}),
    );
    refuses(
        json!({"enum": ["a", "c"]}),
        json!({"oneOf": [{"const": "b"}, {"const": "a"}]}),
        &[": \"c\" is no longer accepted"],
    );
}

#[test]
fn ranges_and_lengths_may_widen() {
    let number = |keyword: &str, value: Value| json!({"type": "number", keyword: value});
    let any = json!({"type": "number"});
    widens(
        number("minimum", json!(1)),
        number("minimum", json!(0)),
        ": the smallest number was 0 and is 1 now",
    );
    widens(
        number("maximum", json!(1)),
        any.clone(),
        ": the largest number was inf and is 1 now",
    );
    widens(
        number("exclusiveMinimum", json!(1)),
        number("minimum", json!(1)),
        ": the smallest number was 1 and is 1 now",
    );
    widens(
        number("multipleOf", json!(2)),
        any,
        ": `multipleOf` has become 2",
    );
    let integer = |format: &str| json!({"type": "integer", "format": format});
    widens(
        integer("uint8"),
        integer("uint16"),
        ": the largest number was 65535 and is 255 now",
    );
    widens(
        integer("uint32"),
        json!({"type": "integer", "format": "uint64", "minimum": 0}),
        ": the largest number was 18446744073709552000 and is 4294967295 now",
    );
    widens(
        json!({"type": "number", "format": "float"}),
        json!({"type": "number", "format": "double"}),
        ": numbers had double precision and have single now",
    );
    let text = |keyword: &str, value: Value| json!({"type": "string", keyword: value});
    widens(
        text("minLength", json!(2)),
        text("minLength", json!(1)),
        ": `minLength` was 1 and is 2 now",
    );
    widens(
        text("maxLength", json!(2)),
        text("maxLength", json!(3)),
        ": `maxLength` was 3 and is 2 now",
    );
    widens(
        text("maxLength", json!(2)),
        json!({"type": "string"}),
        ": `maxLength` is new",
    );
    widens(
        text("pattern", json!("^a")),
        json!({"type": "string"}),
        ": `pattern` has become \"^a\"",
    );
    widens(
        text("format", json!("uuid")),
        json!({"type": "string"}),
        ": `format` has become \"uuid\"",
    );
}

#[test]
fn items_are_compared() {
    let of = |items: Value| json!({"type": "array", "items": items});
    widens(
        object(json!({"list": of(json!({"type": "integer"}))}), &[]),
        object(json!({"list": of(json!({"type": "number"}))}), &[]),
        "list[]: number is no longer accepted, only integer",
    );
    widens(
        of(json!({"type": "null"})),
        json!({"type": "array"}),
        "[]: items could have any value",
    );
    let set = json!({"type": "array", "uniqueItems": true});
    widens(
        set,
        json!({"type": "array"}),
        ": items could be equal, and can't any more",
    );
    let tuple = |items: Value| json!({"type": "array", "prefixItems": items});
    widens(
        tuple(json!([{}, {"type": "integer"}])),
        tuple(json!([{}, {"type": "number"}])),
        "[1]: number is no longer accepted, only integer",
    );
    refuses(
        tuple(json!([{}])),
        tuple(json!([{}, {}])),
        &[": it had 1 items of fixed places, and has 2 now"],
    );
}

#[test]
fn maps_and_unknown_fields_are_compared() {
    let map = |values: Value| json!({"type": "object", "additionalProperties": values});
    widens(
        map(json!({"type": "integer"})),
        map(json!({"type": "number"})),
        "{}: number is no longer accepted, only integer",
    );
    widens(
        map(json!(false)),
        json!({"type": "object"}),
        ": unknown fields were accepted and aren't any more",
    );
    widens(
        map(json!({"type": "null"})),
        map(json!(true)),
        ": unknown fields could have any value, and can't any more",
    );
    refuses(
        map(json!({"type": "null"})),
        object(json!({"a": {"type": "string"}}), &[]),
        &["a: null is no longer accepted, only string"],
    );
}

#[test]
fn each_alternative_has_to_fit_one() {
    let by_kind = |kinds: &[(&str, &str)]| {
        let of = |(kind, field): &(&str, &str)| {
            object(
                json!({"kind": {"const": kind}, *field: {"type": "string"}}),
                &["kind", field],
            )
        };
        json!({"oneOf": kinds.iter().map(of).collect::<Vec<_>>()})
    };
    let card = ("card", "number");
    widens(
        by_kind(&[card]),
        by_kind(&[("bill", "address"), card]),
        ": the alternative with `kind`: \"bill\" is no longer accepted",
    );
    refuses(
        by_kind(&[card]),
        by_kind(&[("card", "iban"), ("bill", "address")]),
        &[
            "number: the field was removed",
            "iban: the field is new and required: give it a default, or the type an upcast",
        ],
    );
    widens(
        json!({"type": "string"}),
        json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
        ": null is no longer accepted",
    );
    reads(
        json!({"type": ["string", "null"]}),
        json!({"anyOf": [{"type": "null"}, {"type": "string"}]}),
    );
    reads(
        json!({"allOf": [{"type": "string"}, {}]}),
        json!({"type": "string"}),
    );
    refuses(
        json!({"type": "number"}),
        json!({"allOf": [{"minimum": 3}, {}]}),
        &[": the smallest number was -inf and is 3 now"],
    );
}

#[test]
fn what_is_not_understood_may_not_change() {
    let not = |kind: &str| json!({"not": {"type": kind}});
    reads(not("string"), not("string"));
    refuses(
        not("string"),
        not("number"),
        &[": `not` has changed, which isn't compared further"],
    );
    reads(not("string"), json!({}));
}

#[test]
fn schemas_that_contain_themselves_are_compared() {
    let tree = |kind: &str| {
        json!({"$ref": "#/$defs/Tree", "$defs": {"Tree": object(
            json!({"value": {"type": kind}, "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}),
            &["value"],
        )}})
    };
    widens(
        tree("integer"),
        tree("number"),
        "value: number is no longer accepted, only integer",
    );
    let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}});
    reads(circle.clone(), circle);
}

/// The same type before and after each kind of change, as serde reads it.
#[test]
fn schemas_of_rust_types_are_compared() {
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Old {
        id: String,
        total: u32,
        coupon: Option<String>,
        kind: OldKind,
        rates: BTreeMap<String, f64>,
    }
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum OldKind {
        Plain,
        Gift { from: String },
    }
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct New {
        /// Now with a description.
        id: String,
        total: u64,
        coupon: Option<String>,
        kind: NewKind,
        rates: BTreeMap<String, f64>,
        #[serde(default)]
        currency: String,
        note: Option<String>,
    }
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    enum NewKind {
        Plain,
        Gift { from: String },
        Bulk(u8),
    }
    let (old, new) = (schema_of::<Old>(), schema_of::<New>());
    reads(old.clone(), new.clone());
    refuses(
        new,
        old,
        &[
            "kind: the alternative with `Bulk` is no longer accepted",
            "total: the largest number was 18446744073709552000 and is 4294967295 now",
            "currency: the field was removed",
            "note: the field was removed",
        ],
    );
}
