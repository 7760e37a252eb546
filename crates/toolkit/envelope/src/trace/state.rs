//! `tracestate` (W3C Trace Context, section 3.3).

use std::fmt;

use crate::limits::{TRACE_STATE_CHARS_MAX, TRACE_STATE_MEMBER_CHARS_MAX, TRACE_STATE_MEMBERS_MAX};

/// What tracing systems pass to each other beside `traceparent`: a list of `key=value`, the newest
/// first, with at most 32 members and 512 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceState(String);

impl TraceState {
    /// Reads a header. One that isn't valid or has more than 32 members is ignored as a whole. One
    /// of more than 512 characters loses members until it fits: first those of more than 128
    /// characters, then others, each from the end (section 3.3.1.5).
    pub fn parse(text: &str) -> Self {
        let mut members: Vec<&str> = Vec::new();
        let all = text
            .split(',')
            .map(|member| member.trim_matches([' ', '\t']));
        for member in all.filter(|member| !member.is_empty()) {
            if members.len() == TRACE_STATE_MEMBERS_MAX || !is_member(member) {
                return Self::default();
            }
            members.push(member);
        }
        while joined_length(&members) > TRACE_STATE_CHARS_MAX {
            let large = |member: &&str| member.len() > TRACE_STATE_MEMBER_CHARS_MAX;
            match members.iter().rposition(large) {
                Some(at) => drop(members.remove(at)),
                None => drop(members.pop()),
            }
        }
        Self(members.join(","))
    }

    /// The header's value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for TraceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn joined_length(members: &[&str]) -> usize {
    let commas = members.len().saturating_sub(1);
    members.iter().map(|member| member.len()).sum::<usize>() + commas
}

/// Whether a text is `key=value` (section 3.3.1.3).
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else {
        return false;
    };
    let is_key = match key.split_once('@') {
        Some((tenant, system)) => {
            is_name(tenant, 241, |first| first.is_ascii_digit()) && is_name(system, 14, |_| false)
        }
        None => is_name(key, 256, |_| false),
    };
    let in_value = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    is_key && (1..=256).contains(&value.len()) && value.bytes().all(in_value)
}

/// Whether a text is a part of a key: it begins with a lower-case letter, or what else may.
fn is_name(name: &str, length_max: usize, may_begin: impl Fn(u8) -> bool) -> bool {
    let mut bytes = name.bytes();
    let begins = bytes
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || may_begin(first));
    let goes_on = bytes.all(|byte| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || matches!(byte, b'_' | b'-' | b'*' | b'/')
    });
    begins && goes_on && name.len() <= length_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        assert_eq!(TraceState::parse(text).as_str(), expected);
    }

    #[test]
    fn valid_lists_are_kept_without_the_space_between() {
        reads("congo=t61rcWkgMzE", "congo=t61rcWkgMzE");
        reads(
            "rojo=00f067aa0ba902b7 ,\t congo=a b",
            "rojo=00f067aa0ba902b7,congo=a b",
        );
        reads("a=1,,b=2,", "a=1,b=2");
        reads("1tenant@vendor=x", "1tenant@vendor=x");
        reads("a_-*/9=!", "a_-*/9=!");
    }

    #[test]
    fn an_invalid_member_discards_the_list() {
        for text in [
            "a", "a=", "=1", "A=1", "1=1", "a@1=1", "@a=1", "a=b=c", "a=ü", "a b=1",
        ] {
            reads(&format!("good=1,{text}"), "");
        }
        reads(&format!("a={}", "x".repeat(257)), "");
        reads(&format!("{}=1", "x".repeat(257)), "");
    }

    #[test]
    fn more_than_32_members_discard_the_list() {
        let list = |count: usize| vec!["a=1"; count].join(",");
        reads(&list(32), &list(32));
        reads(&list(33), "");
    }

    #[test]
    fn a_long_list_loses_large_members_first_and_then_the_last() {
        let (large, small) = (
            format!("l={}", "x".repeat(200)),
            format!("s={}", "y".repeat(100)),
        );
        let list = |members: &[&String]| {
            let members: Vec<&str> = members.iter().map(|member| member.as_str()).collect();
            members.join(",")
        };
        let whole = list(&[&large, &small, &large, &small]);
        reads(&whole, &list(&[&large, &small, &small]));
        reads(&list(&[&small; 6]), &list(&[&small; 4]));
    }
}
