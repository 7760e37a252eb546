//! The programs print what `docs/pitfalls.md` says that they print.

use std::process::Command;

const PAGE: &str = include_str!("../../../../docs/pitfalls.md");

/// Runs a pitfall's program, and compares its output with the page's.
fn check(name: &str) {
    let program = Command::new(env!("CARGO_BIN_EXE_pitfalls"))
        .arg(name)
        .output()
        .expect("the program runs");
    let printed = String::from_utf8(program.stdout).expect("text");
    let complaint = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{complaint}");
    let begin = format!("```text\n$ pitfalls {name}\n");
    let (_, rest) = PAGE.split_once(&begin).expect("the page shows the program");
    let (expected, _) = rest.split_once("```").expect("the block ends");
    assert_eq!(printed, expected);
}

#[test]
fn messages_out_of_order() {
    check("order");
}

#[test]
fn messages_processed_twice() {
    check("duplicates");
}

#[test]
fn messages_that_always_fail() {
    check("poison");
}

#[test]
fn consumers_that_cannot_keep_up() {
    check("lag");
}
