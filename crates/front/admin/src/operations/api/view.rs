//! The query parameters of RabbitMQ's HTTP API: `columns` selects fields of any response; lists are
//! sorted by `sort` (descending with `sort_reverse=true`), filtered by `name`, and paged by `page`
//! and `page_size`. Others, such as those for rates, have nothing to select here.
//!
//! Deviations: `name` also filters a list without pages; `use_regex=true` is refused.

use std::cmp::Ordering;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    errors::Error,
    limits::{PAGE_LOGS_DEFAULT, PAGE_LOGS_MAX},
    router::{self, Answer},
};

/// How a response is to be shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    /// Paths of fields; `None` shows all.
    columns: Option<Vec<Vec<String>>>,
    /// The path of the field to sort by, before virtual host and name.
    sort: Vec<String>,
    pub(super) is_reversed: bool,
    /// In lower case.
    name: String,
    pub(super) page: Option<Page>,
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page {
    number: usize,
    size: usize,
}

impl View {
    pub(super) fn read(query: &str) -> Result<Self, Error> {
        let mut view = Self::default();
        let (mut number, mut size) = (None, PAGE_LOGS_DEFAULT);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "columns" => view.columns = Some(value.split(',').map(path).collect()),
                "sort" => view.sort = path(&value),
                "sort_reverse" => view.is_reversed = value == "true",
                "name" => view.name = value.to_lowercase(),
                "use_regex" if value == "true" => {
                    let reason = "use_regex isn't supported: name selects by a part of the name";
                    return Err(Error::BadQuery(reason.to_owned()));
                }
                "page" => number = Some(positive(&name, &value, usize::MAX)?),
                "page_size" => size = positive(&name, &value, PAGE_LOGS_MAX)?,
                _ => {}
            }
        }
        view.page = number.map(|number| Page { number, size });
        Ok(view)
    }

    /// Whether the order is that of names, so that a page can be cut before counts are known.
    pub(super) fn is_by_name(&self) -> bool {
        matches!(&self.sort[..], [] | [_]) && self.sort.iter().all(|it| it == "name")
    }

    /// Whether a name is selected.
    pub(super) fn has(&self, name: &str) -> bool {
        self.name.is_empty() || name.to_lowercase().contains(&self.name)
    }

    /// Sorts a list whose items are in the order of names.
    pub(super) fn sort(&self, items: &mut [Value]) {
        items.sort_by(|a, b| compare(field(a, &self.sort), field(b, &self.sort)));
        if self.is_reversed {
            items.reverse();
        }
    }

    /// A list of `total` items, of which `items` were selected by name.
    pub(super) fn list(&self, mut items: Vec<Value>, total: usize) -> Result<Answer, Error> {
        self.sort(&mut items);
        let Some(page) = self.page else {
            return Ok(self.one(items.into()));
        };
        let count = items.len();
        let items = items.into_iter().skip(page.skipped()).take(page.size);
        self.paged(page, items.collect(), count, total)
    }

    /// A page, already cut, of a list of `count` items selected from `total`.
    pub(super) fn paged(
        &self,
        page: Page,
        items: Vec<Value>,
        count: usize,
        total: usize,
    ) -> Result<Answer, Error> {
        let Page { number, size } = page;
        if items.is_empty() && number > 1 {
            return Err(Error::BadQuery(format!(
                "Page out of range, page: {number} page size: {size}, len: {count}"
            )));
        }
        let item_count = items.len();
        let mut items = Value::from(items);
        self.select(&mut items);
        let body = json!({
            "filtered_count": count,
            "item_count": item_count,
            "items": items,
            "page": number,
            "page_count": count.div_ceil(size),
            "page_size": size,
            "total_count": total,
        });
        Ok(router::json(StatusCode::OK, &body))
    }

    /// A response that isn't paged.
    pub(super) fn one(&self, mut body: Value) -> Answer {
        self.select(&mut body);
        router::json(StatusCode::OK, &body)
    }

    fn select(&self, body: &mut Value) {
        if let Some(columns) = &self.columns {
            let columns: Vec<&[String]> = columns.iter().map(Vec::as_slice).collect();
            select(body, &columns);
        }
    }
}

impl Page {
    /// The number of items before it.
    pub(super) fn skipped(self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    /// The maximum number of items on it.
    pub(super) fn size(self) -> usize {
        self.size
    }
}

fn path(text: &str) -> Vec<String> {
    let names = text.split('.').filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn positive(name: &str, value: &str, max: usize) -> Result<usize, Error> {
    let number = value.parse().ok().filter(|it| (1..=max).contains(it));
    let wrong = || Error::BadQuery(format!("{name} is not a number, or too large: {value}"));
    number.ok_or_else(wrong)
}

/// Keeps the fields that one of the paths leads to or through.
fn select(value: &mut Value, columns: &[&[String]]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| select(item, columns)),
        Value::Object(fields) => {
            fields.retain(|name, _| columns.iter().any(|path| path.first() == Some(name)));
            for (name, value) in fields {
                let of_field = columns.iter().filter(|path| path.first() == Some(name));
                let below: Vec<&[String]> = of_field.map(|path| &path[1..]).collect();
                if !below.iter().any(|path| path.is_empty()) {
                    select(value, &below);
                }
            }
        }
        _ => {}
    }
}

fn field<'a>(item: &'a Value, path: &[String]) -> Option<&'a Value> {
    if path.is_empty() {
        return None;
    }
    path.iter().try_fold(item, |value, name| value.get(name))
}

/// The order of Erlang's terms, with 0 for a missing field: numbers, then other values, then texts.
fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None | Some(Value::Number(_)) => 0,
        Some(Value::Null | Value::Bool(_)) => 1,
        Some(Value::Object(_) | Value::Array(_)) => 2,
        Some(Value::String(_)) => 3,
    };
    let number = |value: Option<&Value>| value.and_then(Value::as_f64).unwrap_or(0.0);
    let by_value = || match (a, b) {
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        _ => number(a).total_cmp(&number(b)),
    };
    rank(a).cmp(&rank(b)).then_with(by_value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_a_size_that_there_may_be() {
        assert_eq!(View::read("columns").map(|view| view.page).ok(), Some(None));
        let view = View::read("page=3&page_size=50").expect("a page");
        let page = view.page.expect("a page");
        assert_eq!((page.skipped(), page.size()), (100, 50));
        for wrong in [
            "page=0",
            "page=x",
            "page=1&page_size=501",
            "page_size=-1",
            "name=a&use_regex=true",
        ] {
            assert!(View::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn columns_are_paths_of_fields() {
        let view = View::read("columns=name,totals.ready,parts.size,none").expect("columns");
        let mut body = json!([{
            "name": "a", "node": "n", "totals": {"ready": 1, "all": 2},
            "parts": [{"size": 3, "at": 4}],
        }]);
        view.select(&mut body);
        let expected = json!([{"name": "a", "totals": {"ready": 1}, "parts": [{"size": 3}]}]);
        assert_eq!(body, expected);
    }

    #[test]
    fn items_are_sorted_by_a_field_and_then_as_they_were() {
        let mut items = vec![
            json!({"name": "a", "messages": 10}),
            json!({"name": "b", "messages": 9}),
            json!({"name": "c"}),
            json!({"name": "d", "messages": 10}),
        ];
        let names = |items: &[Value]| -> Vec<String> {
            let names = items.iter().filter_map(|item| item["name"].as_str());
            names.map(str::to_owned).collect()
        };
        let sorted = |items: &mut Vec<Value>, query: &str| {
            View::read(query).expect("an order").sort(items);
            names(items)
        };
        assert_eq!(sorted(&mut items, "sort=messages"), ["c", "b", "a", "d"]);
        let descending = "sort=messages&sort_reverse=true";
        assert_eq!(sorted(&mut items, descending), ["d", "a", "b", "c"]);
        assert!(View::read("sort=name").expect("an order").is_by_name());
        assert!(View::read("name=OR").expect("a name").has("my-orders"));
    }
}
