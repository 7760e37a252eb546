//! Whether readers of a new schema accept all documents of an old one.
//!
//! Both schemas are walked together. Where one of them has alternatives (`anyOf`, `oneOf`), each
//! alternative of the old one has to fit one of the new one. What can't be decided counts as a
//! change: a false alarm costs a version, a missed change costs messages.

use serde_json::Value;

use super::keywords;

/// A document of the old schema that the new one doesn't accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Narrowing {
    /// Where: `items[].price`; empty for the whole document.
    pub(super) path: String,
    /// Why.
    pub(super) reason: String,
    /// Whether old and new aren't the same kind of thing at all, so that they are no pair to
    /// compare among alternatives.
    pub(super) is_other_kind: bool,
}

/// What readers of `new` don't accept of what `old` describes.
pub(super) fn narrowings(old: &Value, new: &Value) -> Vec<Narrowing> {
    let mut comparison = Comparison {
        roots: (old, new),
        found: Vec::new(),
        open: Vec::new(),
    };
    comparison.schemas(old, new, "");
    comparison.found
}

/// A comparison at work.
#[derive(Debug)]
pub(super) struct Comparison<'a> {
    roots: (&'a Value, &'a Value),
    found: Vec<Narrowing>,
    /// The pairs that are being compared, by address: a schema may contain itself.
    open: Vec<(*const Value, *const Value)>,
}

/// An alternative of the old schema.
#[derive(Clone, Copy, Debug)]
enum Alternative<'a> {
    Schema(&'a Value),
    /// A single value.
    Value(&'a Value),
    /// A schema, as far as it describes values of one type.
    Typed(&'a Value, &'a str),
}

impl<'a> Comparison<'a> {
    /// Reports a difference.
    pub(super) fn report(&mut self, path: &str, reason: impl Into<String>) {
        self.found.push(Narrowing {
            path: path.to_owned(),
            reason: reason.into(),
            is_other_kind: false,
        });
    }

    /// Reports that old and new have nothing to do with each other.
    pub(super) fn report_other_kind(&mut self, path: &str, reason: impl Into<String>) {
        self.report(path, reason);
        if let Some(last) = self.found.last_mut() {
            last.is_other_kind = true;
        }
    }

    /// Compares two schemas.
    pub(super) fn schemas(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let old = resolved(old, self.roots.0);
        let new = resolved(new, self.roots.1);
        let pair = (std::ptr::from_ref(old), std::ptr::from_ref(new));
        if self.open.contains(&pair) {
            return;
        }
        self.open.push(pair);
        self.resolved_schemas(old, new, path);
        self.open.pop();
    }

    fn resolved_schemas(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        if *new == Value::Bool(false) && *old != Value::Bool(false) {
            self.report_other_kind(path, "nothing is accepted any more");
        }
        if *old == Value::Bool(false) || new.is_boolean() {
            return;
        }
        for part in list(new, "allOf") {
            self.schemas(old, part, path);
        }
        // One part that fits is enough: documents fit all parts.
        let whole = self.tried(|it| it.alternatives(old, new, path));
        let fits = |it: &mut Self, part| it.tried(|it| it.schemas(part, new, path)).is_empty();
        if !whole.is_empty() && !list(old, "allOf").iter().any(|part| fits(self, part)) {
            self.found.extend(whole);
        }
    }

    fn alternatives(&mut self, old: &'a Value, new: &'a Value, path: &str) {
        let olds: Vec<_> = choices(old).iter().map(Alternative::Schema).collect();
        let news: Vec<_> = choices(new).iter().collect();
        let types = keywords::types(old);
        match (olds.is_empty(), news.is_empty()) {
            (true, true) => self.keywords(old, types.as_deref(), new, path),
            (true, false) => {
                self.keywords(old, types.as_deref(), new, path);
                self.each_fits_one(&expanded(old), &news, path);
            }
            (false, true) => {
                let base = self.tried(|it| it.keywords(old, types.as_deref(), new, path));
                if !base.is_empty() {
                    self.each_fits_one(&olds, &[new], path);
                }
            }
            (false, false) => {
                self.keywords(old, types.as_deref(), new, path);
                self.each_fits_one(&olds, &news, path);
            }
        }
    }

    fn each_fits_one(&mut self, olds: &[Alternative<'a>], news: &[&'a Value], path: &str) {
        for old in olds {
            let tries: Vec<_> = news
                .iter()
                .map(|new| self.tried(|it| it.alternative(*old, new, path)))
                .collect();
            if tries.iter().any(Vec::is_empty) {
                continue;
            }
            let is_pair = |found: &&Vec<Narrowing>| !found.iter().any(|it| it.is_other_kind);
            let closest = tries.iter().filter(is_pair).min_by_key(|found| found.len());
            match closest {
                Some(found) => self.found.extend(found.iter().cloned()),
                None => {
                    let what = self.described(*old);
                    self.report_other_kind(path, format!("{what} is no longer accepted"));
                }
            }
        }
    }

    fn alternative(&mut self, old: Alternative<'a>, new: &'a Value, path: &str) {
        match old {
            Alternative::Schema(old) => {
                let roots = self.roots;
                if are_other_variants(resolved(old, roots.0), resolved(new, roots.1)) {
                    self.report_other_kind(path, "another variant");
                }
                self.schemas(old, new, path);
            }
            Alternative::Typed(old, kind) => {
                let new = resolved(new, self.roots.1);
                self.keywords(old, Some(&[kind]), new, path);
            }
            Alternative::Value(value) => {
                if !accepts(new, value, self.roots.1) {
                    self.report_other_kind(path, format!("{value} is no longer accepted"));
                }
            }
        }
    }

    /// What a comparison finds, without reporting it.
    fn tried(&mut self, compare: impl FnOnce(&mut Self)) -> Vec<Narrowing> {
        let before = self.found.len();
        compare(self);
        self.found.split_off(before)
    }

    fn described(&self, old: Alternative<'a>) -> String {
        match old {
            Alternative::Value(value) => value.to_string(),
            Alternative::Typed(_, kind) => kind.to_owned(),
            Alternative::Schema(schema) => {
                let resolved = resolved(schema, self.roots.0);
                let tags = tags(resolved);
                if let Some(value) = resolved.get("const") {
                    value.to_string()
                } else if !tags.is_empty() {
                    format!("the alternative with {}", tags.join(", "))
                } else if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
                    name.rsplit('/').next().unwrap_or(name).to_owned()
                } else {
                    match keywords::types(resolved) {
                        Some(types) => types.join(" or "),
                        None => "an alternative".to_owned(),
                    }
                }
            }
        }
    }
}

/// The fields of an object schema that have a single value, or that it requires: what tells an
/// alternative from the others.
fn tags(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let constants: Vec<String> = properties
        .into_iter()
        .flatten()
        .filter_map(|(name, property)| Some(format!("`{name}`: {}", property.get("const")?)))
        .collect();
    if !constants.is_empty() {
        return constants;
    }
    let required = list(schema, "required").iter();
    let names = required.filter_map(Value::as_str);
    names.map(|name| format!("`{name}`")).collect()
}

/// Whether two schemas are those of two variants, as serde tags them by the name of an object's
/// only field.
fn are_other_variants(old: &Value, new: &Value) -> bool {
    let name = |schema: &'_ Value| match list(schema, "required") {
        [name] if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
            name.as_str().map(str::to_owned)
        }
        _ => None,
    };
    matches!((name(old), name(new)), (Some(old), Some(new)) if old != new)
}

/// The schema that a reference leads to, itself if it is none. Of a circle of references, some
/// schema in it, which then accepts everything.
fn resolved<'a>(mut schema: &'a Value, root: &'a Value) -> &'a Value {
    const STEPS_MAX: usize = 16;
    for _ in 0..STEPS_MAX {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = match reference.and_then(|it| it.strip_prefix('#')) {
            Some("") => Some(root),
            Some(pointer) => root.pointer(pointer),
            None => None,
        };
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The array behind a keyword; empty if there is none.
pub(super) fn list<'a>(schema: &'a Value, keyword: &str) -> &'a [Value] {
    let array = schema.get(keyword).and_then(Value::as_array);
    array.map(Vec::as_slice).unwrap_or_default()
}

/// The alternatives of a schema; of its two lists, the one that is there.
pub(super) fn choices(schema: &Value) -> &[Value] {
    match list(schema, "anyOf") {
        [] => list(schema, "oneOf"),
        choices => choices,
    }
}

/// A schema without alternatives, as alternatives: its values, or its types.
fn expanded(schema: &Value) -> Vec<Alternative<'_>> {
    if let Some(value) = schema.get("const") {
        return vec![Alternative::Value(value)];
    }
    let values = list(schema, "enum");
    if !values.is_empty() {
        return values.iter().map(Alternative::Value).collect();
    }
    match keywords::types(schema) {
        Some(types) if types.len() > 1 => types
            .into_iter()
            .map(|kind| Alternative::Typed(schema, kind))
            .collect(),
        _ => vec![Alternative::Schema(schema)],
    }
}

/// Whether a schema accepts a single value, as far as types, values and alternatives tell.
fn accepts(schema: &Value, value: &Value, root: &Value) -> bool {
    let schema = resolved(schema, root);
    let fits_type = keywords::types(schema).is_none_or(|types| {
        let kind = keywords::type_of(value);
        types.iter().any(|known| keywords::includes(known, kind))
    });
    let fits_values = keywords::values(schema).is_none_or(|values| values.contains(&value));
    let choices = choices(schema);
    let fits_choices = choices.is_empty() || choices.iter().any(|it| accepts(it, value, root));
    let fits_parts = list(schema, "allOf")
        .iter()
        .all(|it| accepts(it, value, root));
    *schema != Value::Bool(false) && fits_type && fits_values && fits_choices && fits_parts
}

#[cfg(test)]
mod tests;
