use proptest::prelude::*;
use stele_base_types::LogId;

use super::*;

fn index(patterns: &[&str]) -> TopicIndex {
    let mut index = TopicIndex::default();
    for (at, pattern) in patterns.iter().enumerate() {
        index.insert(&Name::new(pattern).unwrap(), &target(at));
    }
    index
}

fn target(at: usize) -> BindingTarget {
    BindingTarget::Log(LogId(at as u64))
}

fn matched(index: &TopicIndex, key: &str) -> Vec<BindingTarget> {
    let mut found = Vec::new();
    index.matching(key, |target| found.push(target.clone()));
    found.sort();
    found
}

fn matches(pattern: &str, key: &str) -> bool {
    !matched(&index(&[pattern]), key).is_empty()
}

#[test]
fn a_star_is_one_word_and_a_hash_any_number() {
    for (pattern, key, expected) in [
        ("a.b", "a.b", true),
        ("a.b", "a.b.c", false),
        ("a.*", "a.b", true),
        ("a.*", "a", false),
        ("a.*", "a.b.c", false),
        ("a.#", "a", true),
        ("a.#", "a.b.c", true),
        ("#", "a.b", true),
        ("#.b", "b", true),
        ("#.b", "a.b.b", true),
        ("a.#.b", "a.b", true),
        ("a.#.b", "a.x.y.b", true),
        ("a.#.b", "a.b.c", false),
        ("a.#.b.#", "a.x.b.b.c", true),
        ("*.#", "", false),
        ("#.*", "a", true),
        ("#.#", "", true),
        ("#.#.a", "a", true),
        ("*.*", "a", false),
        ("a*", "ab", false),
    ] {
        assert_eq!(matches(pattern, key), expected, "{pattern} {key}");
    }
}

#[test]
fn empty_words_are_words_and_the_empty_key_has_none() {
    for (pattern, key, expected) in [
        ("", "", true),
        ("*", "", false),
        ("#", "", true),
        ("*.*", ".", true),
        ("a..b", "a..b", true),
        ("a.*.b", "a..b", true),
        ("a.b", "a..b", false),
        ("a.", "a", false),
        ("a.", "a.", true),
        ("", "a", false),
    ] {
        assert_eq!(matches(pattern, key), expected, "'{pattern}' '{key}'");
    }
}

#[test]
fn a_key_of_the_greatest_length_is_matched() {
    let key = ["w"; 128].join(".");
    assert!(matches("w.#.w", &key));
    assert!(!matches("w.#.x", &key));
    let dots = ".".repeat(255);
    assert!(matches("#.*", &dots));
}

/// Trying every length for every `#` would never finish.
#[test]
fn many_hashes_cost_no_more_than_their_number() {
    let pattern = format!("{}.b", ["#.a"; 60].join("."));
    let key = ["a"; 127].join(".");
    assert!(!matches(&pattern, &key));
    assert!(matches(&pattern, &format!("{key}.b")));
}

#[test]
fn removed_patterns_leave_nothing_behind() {
    let patterns = ["a.b", "a.*", "a.#", "a.#.#", "", "#", "a.b.c"];
    let mut index = index(&patterns);
    for (at, pattern) in patterns.iter().enumerate() {
        index.remove(pattern, &target(at));
    }
    assert!(index.root.is_barren());
}

/// The definition: tries every length.
fn defined(pattern: &[&str], key: &[&str]) -> bool {
    match pattern.split_first() {
        None => key.is_empty(),
        Some((&"#", rest)) => (0..=key.len()).any(|at| defined(rest, &key[at..])),
        Some((word, rest)) => key
            .split_first()
            .is_some_and(|(first, after)| (*word == "*" || word == first) && defined(rest, after)),
    }
}

fn dotted(alphabet: &'static [&'static str], words_max: usize) -> impl Strategy<Value = String> {
    let word = proptest::sample::select(alphabet);
    proptest::collection::vec(word, 0..words_max).prop_map(|words| words.join("."))
}

proptest! {
    #[test]
    fn the_tree_matches_as_defined(
        patterns in proptest::collection::vec(dotted(&["a", "b", "", "*", "#"], 6), 1..20),
        key in dotted(&["a", "b", ""], 8),
        removed in 0_usize..20,
    ) {
        let texts: Vec<_> = patterns.iter().map(String::as_str).collect();
        let mut index = index(&texts);
        let removed = removed % texts.len();
        index.remove(texts[removed], &target(removed));
        let key_words: Vec<_> = words(&key).collect();
        let expected: Vec<_> = (0..texts.len())
            .filter(|at| *at != removed)
            .filter(|at| defined(&words(texts[*at]).collect::<Vec<_>>(), &key_words))
            .map(target)
            .collect();
        prop_assert_eq!(matched(&index, &key), expected);
    }
}
