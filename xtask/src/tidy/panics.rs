//! A panic ends the process, so every place that can panic in code that input reaches is listed in
//! `xtask/panics.txt`, with the reason why no input makes it panic.
//!
//! An entry is `PATH MARK "TEXT" # why`, where TEXT is the first literal after the mark, or the
//! code of its line if there is none. A place that isn't listed is a finding, and so is an entry
//! without a place.

use super::{
    finding::Finding,
    repository::{File, Repository},
};

const PATH: &str = "xtask/panics.txt";

/// The layers that handle input from the network or the disk.
const LAYERS: [&str; 5] = [
    "crates/base/",
    "crates/wire/",
    "crates/core/",
    "crates/front/",
    "crates/toolkit/",
];

/// What is there for tests and examples alone, whose claims are panics.
const FOR_TESTS: [&str; 3] = [
    "crates/toolkit/contract/",
    "crates/toolkit/pitfalls/",
    "crates/toolkit/test/",
];

/// The marks of panics. Indexing, slicing and arithmetic are too frequent to be listed.
const MARKS: [&str; 8] = [
    ".unwrap()",
    ".expect(",
    ".expect_err(",
    "unreachable!",
    "panic!",
    "assert!",
    "assert_eq!",
    "assert_ne!",
];

/// Checks every place outside tests. A place that occurs twice in a file is listed twice.
pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let (mut listed, mut findings) = entries(repository);
    for file in repository.rust().filter(|file| is_reached(file)) {
        for (line, place) in places(file) {
            match listed.iter().position(|(_, entry)| *entry == place) {
                Some(at) => drop(listed.swap_remove(at)),
                None => {
                    let advice = format!("may panic: handle it, or list in {PATH}: {place} # why");
                    findings.push(Finding::new(&file.path, line, advice));
                }
            }
        }
    }
    let gone = listed.iter().map(|(line, _)| *line);
    findings.extend(gone.map(|line| Finding::new(PATH, line, "names nothing: remove")));
    findings
}

/// The listed places, with their lines; and the problems of the list itself.
fn entries(repository: &Repository) -> (Vec<(usize, String)>, Vec<Finding>) {
    let mut listed = Vec::new();
    let mut findings = Vec::new();
    let file = repository.file(PATH);
    for (line, text) in file.into_iter().flat_map(|file| file.lines()) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match text.rsplit_once("\" # ") {
            Some((place, why)) if !why.trim().is_empty() => {
                listed.push((line, format!("{place}\"")));
            }
            _ => findings.push(Finding::new(PATH, line, "gives no reason behind ` # `")),
        }
    }
    (listed, findings)
}

fn is_reached(file: &File) -> bool {
    LAYERS.iter().any(|layer| file.path.starts_with(layer))
        && !FOR_TESTS.iter().any(|tests| file.path.starts_with(tests))
        && file.path.contains("/src/")
        && !file.is_test()
}

/// The places in a file that may panic, in the form of an entry, with their lines.
fn places(file: &File) -> Vec<(usize, String)> {
    let code = &file.code[..tests_start(&file.code)];
    let mut places = Vec::new();
    for mark in MARKS {
        for (at, _) in code.match_indices(mark) {
            // `debug_assert!` isn't part of release builds.
            let before = code[..at].chars().next_back();
            if before.is_some_and(|before| before.is_alphanumeric() || before == '_')
                && !mark.starts_with('.')
            {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            let word = mark.trim_matches(['.', '(', ')']);
            let text = text_behind(file, at + mark.len());
            places.push((line, format!("{} {word} \"{text}\"", file.path)));
        }
    }
    places
}

/// The start of the test module at the end.
fn tests_start(code: &str) -> usize {
    let module = code.find("#[cfg(test)]\nmod tests");
    module.unwrap_or(code.len())
}

/// The first literal in the statement after a mark, or else the code there.
fn text_behind(file: &File, at: usize) -> String {
    let rest = &file.text[at..];
    let code = &file.code[at..];
    let end = code.find([';', '}']).unwrap_or(code.len());
    let statement = &rest[..end];
    let text = match statement.split_once('"') {
        Some((_, behind)) => behind.split('"').next().unwrap_or_default(),
        None => statement,
    };
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches(')').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn f() {\n    g().expect(\"it holds\");\n    // panic!\n    \
                          debug_assert!(x);\n    assert!(y > 1, \"y is {}\", 1);\n}\n\
                          #[cfg(test)]\nmod tests {\n    fn t() { panic!() }\n}\n";

    fn found(list: &str) -> Vec<String> {
        let files = [("crates/wire/a/src/x.rs", SOURCE), (PATH, list)];
        let findings = check(&Repository::of(&files));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_may_panic_is_listed_with_a_reason() {
        let all = "crates/wire/a/src/x.rs expect \"it holds\" # g is whole\n\
                   crates/wire/a/src/x.rs assert! \"y is {}\" # y is counted here\n";
        assert_eq!(found(all), [""; 0]);
        let unlisted = found("# a remark\n");
        assert_eq!(unlisted.len(), 2, "{unlisted:?}");
        assert!(unlisted[0].starts_with("crates/wire/a/src/x.rs:2: may panic"));
    }

    #[test]
    fn an_entry_without_a_reason_or_a_place_is_found() {
        let found = found(
            "crates/wire/a/src/x.rs expect \"it holds\"\n\
                           crates/wire/a/src/x.rs expect \"gone\" # once\n",
        );
        assert!(
            found
                .iter()
                .any(|it| it.starts_with("xtask/panics.txt:1: gives no reason"))
        );
        assert!(
            found
                .iter()
                .any(|it| it.starts_with("xtask/panics.txt:2: names nothing"))
        );
    }

    #[test]
    fn layers_that_no_input_reaches_are_left_out() {
        for path in ["crates/app/cli/src/x.rs", "crates/toolkit/test/src/x.rs"] {
            let repository = Repository::of(&[(path, SOURCE)]);
            assert!(check(&repository).is_empty(), "{path}");
        }
        let repository = Repository::of(&[("crates/toolkit/bus/src/x.rs", SOURCE)]);
        assert_eq!(check(&repository).len(), 2);
    }
}
