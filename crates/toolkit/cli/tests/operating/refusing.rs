//! Wrong arguments, and places that aren't there.

use crate::shop::run;

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.db");
    let url = format!("sqlite:{}", file.display());
    let done = run(&["saga", "list", "--database", &url]);
    assert_eq!(done.code, 3, "{}", done.err);
    assert!(!file.exists());
    // A database that is none of a service's gets no tables.
    std::fs::write(&file, "").unwrap();
    let done = run(&["saga", "list", "--database", &url]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("no such table"), "{}", done.err);
}

#[test]
fn what_is_missing_is_said() {
    let cases: &[(&[&str], &str)] = &[
        (&["saga", "list"], "--database URL"),
        (
            &["dead", "list", "--broker", "amqp://localhost"],
            "--service",
        ),
        (
            &["dead", "list", "--broker", "smtp://x", "--service", "s"],
            "without a transport",
        ),
        (&["saga", "list", "--status", "odd"], "possible values"),
        (&["dead", "edit", "id"], "--body"),
    ];
    for (arguments, text) in cases {
        let done = run(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {}", done.err);
        assert!(done.err.contains(text), "{arguments:?}: {}", done.err);
        assert!(done.out.is_empty());
    }
}

#[test]
fn the_help_tells_the_exit_codes() {
    let done = run(&["--help"]);
    assert_eq!(done.code, 0);
    for text in ["dead", "saga", "outbox", "graph", "Exit codes:"] {
        assert!(done.out.contains(text), "{}", done.out);
    }
}
