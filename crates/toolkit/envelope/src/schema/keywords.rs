//! The keywords of a schema, without its alternatives.

use serde_json::{Map, Value};

use super::compare::{Comparison, choices, list};

/// Keywords that say nothing about which documents are accepted.
pub(super) const ANNOTATIONS: [&str; 10] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "examples",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Keywords that are compared here or elsewhere.
const COMPARED: [&str; 27] = [
    "$ref",
    "$defs",
    "allOf",
    "anyOf",
    "oneOf",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
];

impl<'a> Comparison<'a> {
    /// Compares all keywords. `types` are those of the old schema's values that count.
    pub(super) fn keywords(
        &mut self,
        old: &'a Value,
        types: Option<&[&str]>,
        new: &'a Value,
        path: &str,
    ) {
        if !self.types(types, new, path) || !self.values(old, new, path) {
            return;
        }
        // The values of an enumeration have been compared one by one.
        if values(old).is_some() {
            return;
        }
        let has = |kind: &str| types.is_none_or(|types| types.contains(&kind));
        if has("object") {
            self.object(old, new, path);
        }
        if has("array") {
            self.array(old, new, path);
        }
        if has("number") || has("integer") {
            self.number(old, new, path);
        }
        if has("string") {
            self.string(old, new, path);
        }
        self.other_keywords(old, new, path);
    }

    /// Compares types; returns whether they fit.
    fn types(&mut self, old: Option<&[&str]>, new: &Value, path: &str) -> bool {
        let Some(new) = types(new) else {
            return true;
        };
        let Some(old) = old else {
            let reason = format!("any type was accepted, now only {}", new.join(", "));
            self.report_other_kind(path, reason);
            return false;
        };
        let is_gone = |kind: &&&str| !new.iter().any(|known| includes(known, kind));
        let gone: Vec<&str> = old.iter().filter(is_gone).copied().collect();
        if !gone.is_empty() {
            let (gone, new) = (gone.join(", "), new.join(", "));
            self.report_other_kind(path, format!("{gone} is no longer accepted, only {new}"));
        }
        gone.is_empty()
    }

    /// Compares enumerations; returns whether they fit.
    fn values(&mut self, old: &Value, new: &Value, path: &str) -> bool {
        let Some(new) = values(new) else {
            return true;
        };
        let Some(old) = values(old) else {
            self.report(path, "any value was accepted, now only those of a list");
            return false;
        };
        let gone: Vec<&&Value> = old.iter().filter(|value| !new.contains(value)).collect();
        let is_tag = old.len() == 1 && new.len() == 1;
        for value in &gone {
            let reason = format!("the value {value} was removed");
            if is_tag {
                self.report_other_kind(path, reason);
            } else {
                self.report(path, reason);
            }
        }
        gone.is_empty()
    }

    fn object(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let (olds, news) = (map(old, "properties"), map(new, "properties"));
        let (old_rest, new_rest) = (rest(old), rest(new));
        for (name, new) in news.into_iter().flatten() {
            let old = olds.and_then(|olds| olds.get(name));
            // A field that old documents had only by chance isn't looked at.
            if let Some(old) = old.or(old_rest.filter(|rest| rest.is_object())) {
                self.schemas(old, new, &field(path, name));
            }
        }
        let gone = |name: &&String| news.is_none_or(|news| !news.contains_key(*name));
        for name in olds.into_iter().flat_map(Map::keys).filter(gone) {
            match new_rest {
                Some(Value::Bool(true)) => {}
                Some(rest) if rest.is_object() => {
                    self.schemas(&old["properties"][name], rest, &field(path, name));
                }
                _ if describes_fields(new) => {
                    self.report(&field(path, name), "the field was removed");
                }
                _ => {}
            }
        }
        self.required(old, new, path);
        self.other_fields(old_rest, new_rest, path);
        self.bounds(old, new, path, ["minProperties", "maxProperties"]);
    }

    fn required(&mut self, old: &Value, new: &Value, path: &str) {
        let before = list(old, "required");
        for name in list(new, "required")
            .iter()
            .filter(|it| !before.contains(it))
        {
            let name = name.as_str().unwrap_or_default();
            let property = |schema| map(schema, "properties").and_then(|all| all.get(name));
            if property(new).is_some_and(|it| it.get("default").is_some()) {
                continue;
            }
            let reason = match property(old) {
                Some(_) => "the field was optional and is required now",
                None => "the field is new and required: give it a default, or the type an upcast",
            };
            self.report(&field(path, name), reason);
        }
    }

    fn other_fields(&mut self, old: Option<&'a Value>, new: Option<&'a Value>, path: &str) {
        match (old, new) {
            (_, None | Some(Value::Bool(true))) | (Some(Value::Bool(false)), _) => {}
            (Some(old), Some(new)) if !old.is_boolean() => {
                self.schemas(old, new, &format!("{path}{{}}"));
            }
            (_, Some(Value::Bool(false))) => {
                self.report(path, "unknown fields were accepted and aren't any more");
            }
            _ => self.report(
                path,
                "unknown fields could have any value, and can't any more",
            ),
        }
    }

    fn array(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let (firsts, new_firsts) = (list(old, "prefixItems"), list(new, "prefixItems"));
        if firsts.len() == new_firsts.len() {
            for (index, (old, new)) in firsts.iter().zip(new_firsts).enumerate() {
                self.schemas(old, new, &format!("{path}[{index}]"));
            }
        } else {
            let (old, new) = (firsts.len(), new_firsts.len());
            self.report(
                path,
                format!("it had {old} items of fixed places, and has {new} now"),
            );
        }
        let path_of_items = format!("{path}[]");
        match (old.get("items"), new.get("items")) {
            (_, None) => {}
            (Some(old), Some(new)) => self.schemas(old, new, &path_of_items),
            (None, Some(Value::Bool(true))) => {}
            (None, Some(_)) => self.report(&path_of_items, "items could have any value"),
        }
        self.bounds(old, new, path, ["minItems", "maxItems"]);
        let is_unique = |schema: &Value| schema.get("uniqueItems") == Some(&Value::Bool(true));
        if is_unique(new) && !is_unique(old) {
            self.report(path, "items could be equal, and can't any more");
        }
    }

    fn number(&mut self, old: &Value, new: &Value, path: &str) {
        let (old_range, new_range) = (Range::of(old), Range::of(new));
        if new_range.low > old_range.low {
            let (old, new) = (old_range.low.0, new_range.low.0);
            self.report(
                path,
                format!("the smallest number was {old} and is {new} now"),
            );
        }
        if new_range.high < old_range.high {
            let (old, new) = (old_range.high.0, new_range.high.0);
            self.report(
                path,
                format!("the largest number was {old} and is {new} now"),
            );
        }
        if format(new) == Some("float") && format(old) == Some("double") {
            self.report(path, "numbers had double precision and have single now");
        }
        self.same(old, new, path, "multipleOf");
    }

    fn string(&mut self, old: &Value, new: &Value, path: &str) {
        self.bounds(old, new, path, ["minLength", "maxLength"]);
        self.same(old, new, path, "pattern");
        let is_text = |schema| types(schema).is_none_or(|types| types.contains(&"string"));
        if is_text(new) && format(new).is_none_or(|it| integers(it).is_none()) {
            self.same(old, new, path, "format");
        }
    }

    fn other_keywords(&mut self, old: &Value, new: &Value, path: &str) {
        for (keyword, value) in new.as_object().into_iter().flatten() {
            let is_known = COMPARED.contains(&&**keyword) || ANNOTATIONS.contains(&&**keyword);
            if !is_known && old.get(keyword) != Some(value) {
                let reason = format!("`{keyword}` has changed, which isn't compared further");
                self.report(path, reason);
            }
        }
    }

    /// Compares two keywords that limit a count, from below and from above.
    fn bounds(&mut self, old: &Value, new: &Value, path: &str, [low, high]: [&str; 2]) {
        let count = |schema: &Value, keyword| schema.get(keyword).and_then(Value::as_u64);
        let lows = (count(old, low).unwrap_or(0), count(new, low).unwrap_or(0));
        if lows.1 > lows.0 {
            self.report(
                path,
                format!("`{low}` was {} and is {} now", lows.0, lows.1),
            );
        }
        if let Some(new) = count(new, high) {
            match count(old, high) {
                Some(old) if old <= new => {}
                Some(old) => self.report(path, format!("`{high}` was {old} and is {new} now")),
                None => self.report(path, format!("`{high}` is new")),
            }
        }
    }

    /// A keyword that may go, but neither come nor change.
    fn same(&mut self, old: &Value, new: &Value, path: &str, keyword: &str) {
        if let Some(value) = new.get(keyword)
            && old.get(keyword) != Some(value)
        {
            self.report(path, format!("`{keyword}` has become {value}"));
        }
    }
}

/// The types that a schema accepts; `None` for all.
pub(super) fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(vec![kind]),
        Some(Value::Array(kinds)) => Some(kinds.iter().filter_map(Value::as_str).collect()),
        _ => {
            let values = values(schema)?;
            let mut kinds: Vec<_> = values.into_iter().map(type_of).collect();
            kinds.dedup();
            Some(kinds)
        }
    }
}

/// The type of a value.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether all values of `kind` have the type `known`.
pub(super) fn includes(known: &str, kind: &str) -> bool {
    known == kind || known == "number" && kind == "integer"
}

/// The only values that a schema accepts; `None` if it has no list.
pub(super) fn values(schema: &Value) -> Option<Vec<&Value>> {
    match schema.get("const") {
        Some(value) => Some(vec![value]),
        None => Some(schema.get("enum")?.as_array()?.iter().collect()),
    }
}

fn map<'a>(schema: &'a Value, keyword: &str) -> Option<&'a Map<String, Value>> {
    schema.get(keyword)?.as_object()
}

/// Whether a schema, without its alternatives, is meant to list all fields.
fn describes_fields(schema: &Value) -> bool {
    let is_object = types(schema).is_some_and(|types| types.contains(&"object"));
    map(schema, "properties").is_some() || is_object && choices(schema).is_empty()
}

/// What fields have to be that aren't listed.
fn rest(schema: &Value) -> Option<&Value> {
    schema.get("additionalProperties")
}

fn format(schema: &Value) -> Option<&str> {
    schema.get("format")?.as_str()
}

fn field(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

/// The numbers that a schema accepts. An end is a number, and 1 inwards if it is excluded.
#[derive(Debug)]
struct Range {
    low: (f64, i8),
    high: (f64, i8),
}

impl Range {
    fn of(schema: &Value) -> Self {
        let number = |keyword| schema.get(keyword).and_then(Value::as_f64);
        let (min, max) = format(schema).and_then(integers).unzip();
        let lows = [number("minimum"), min]
            .into_iter()
            .flatten()
            .map(|it| (it, 0));
        let low = lows.chain(number("exclusiveMinimum").map(|it| (it, 1)));
        let highs = [number("maximum"), max]
            .into_iter()
            .flatten()
            .map(|it| (it, 0));
        let high = highs.chain(number("exclusiveMaximum").map(|it| (it, -1)));
        let (lowest, highest) = ((f64::NEG_INFINITY, 0), (f64::INFINITY, 0));
        Self {
            low: low.fold(lowest, |a, b| if b > a { b } else { a }),
            high: high.fold(highest, |a, b| if b < a { b } else { a }),
        }
    }
}

/// The smallest and the largest number of a format of integers, as Rust's types have them.
fn integers(format: &str) -> Option<(f64, f64)> {
    let (signed, bits) = match format.strip_prefix("uint") {
        Some(bits) => (false, bits),
        None => (true, format.strip_prefix("int")?),
    };
    let bits: i32 = match bits {
        "" => 64,
        bits => bits.parse().ok()?,
    };
    Some(match signed {
        true => (-2_f64.powi(bits - 1), 2_f64.powi(bits - 1) - 1.0),
        false => (0.0, 2_f64.powi(bits) - 1.0),
    })
}
