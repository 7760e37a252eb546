//! What was expected beside what came, line by line.

use std::fmt::Write as _;

use serde_json::Value;

/// A thing that is compared: a heading, and its content as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item(Vec<String>);

impl Item {
    /// Fields are in the order of their names, so that the same JSON has the same lines.
    pub(crate) fn json(heading: String, json: &str) -> Self {
        let value = serde_json::from_str::<Value>(json);
        let text = value.and_then(|value| serde_json::to_string_pretty(&value));
        let text = text.unwrap_or_else(|_| json.to_owned());
        let lines = text.lines().map(|line| format!("  {line}"));
        Self([heading].into_iter().chain(lines).collect())
    }

    #[cfg(feature = "es")]
    pub(crate) fn debug(value: &impl std::fmt::Debug) -> Self {
        Self(format!("{value:#?}").lines().map(str::to_owned).collect())
    }

    pub(crate) fn line(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }
}

/// Panics with the difference, unless the two are the same.
#[track_caller]
pub(crate) fn assert_same(what: &str, expected: &[Item], got: &[Item]) {
    assert!(expected == got, "{}", difference(what, expected, got));
}

fn difference(what: &str, expected: &[Item], got: &[Item]) -> String {
    let lines =
        |items: &[Item]| -> Vec<String> { items.iter().flat_map(|item| item.0.clone()).collect() };
    let (expected, got) = (lines(expected), lines(got));
    let mut text = format!("{what} (- expected, + got):");
    for (mark, line) in marked(&expected, &got) {
        // Writing to a string can't fail.
        let _ = write!(text, "\n  {mark} {line}");
    }
    if expected.is_empty() {
        text += "\n  (nothing was expected)";
    }
    if got.is_empty() {
        text += "\n  (nothing came)";
    }
    text
}

/// The lines of both, with as many in common as can be.
fn marked<'a>(expected: &'a [String], got: &'a [String]) -> Vec<(char, &'a str)> {
    // `common[i][j]`: how many lines `expected[i..]` and `got[j..]` have in common, in order.
    let mut common = vec![vec![0_usize; got.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..got.len()).rev() {
            common[i][j] = match expected[i] == got[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < expected.len() || j < got.len() {
        let is_same = i < expected.len() && j < got.len() && expected[i] == got[j];
        if is_same {
            lines.push((' ', expected[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == got.len() || (i < expected.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', expected[i].as_str()));
            i += 1;
        } else {
            lines.push(('+', got[j].as_str()));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_differs_is_shown_among_those_that_do_not() {
        let reserved = |quantity: u32| {
            let json = format!("{{\"quantity\":{quantity},\"orderId\":\"o-1\"}}");
            Item::json("InventoryReserved 1.0".to_owned(), &json)
        };
        let shown = difference("other events happened", &[reserved(2)], &[reserved(3)]);
        let expected = "other events happened (- expected, + got):
    InventoryReserved 1.0
      {
        \"orderId\": \"o-1\",
  -     \"quantity\": 2
  +     \"quantity\": 3
      }";
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_marked() {
        let items =
            |names: &[&str]| -> Vec<Item> { names.iter().map(|name| Item::line(*name)).collect() };
        let shown = difference(
            "it differs",
            &items(&["a", "b", "c"]),
            &items(&["b", "d", "c"]),
        );
        assert_eq!(
            shown,
            "it differs (- expected, + got):\n  - a\n    b\n  + d\n    c"
        );
        let shown = difference("it differs", &[], &items(&["a"]));
        let expected = "it differs (- expected, + got):\n  + a\n  (nothing was expected)";
        assert_eq!(shown, expected);
    }

    #[test]
    #[should_panic(expected = "(nothing came)")]
    fn nothing_is_not_something() {
        assert_same("it differs", &[Item::line("a")], &[]);
    }
}
