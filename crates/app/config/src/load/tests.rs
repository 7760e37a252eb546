use std::fs;

use super::*;

fn flag(path: &str, text: &str) -> Flag {
    Flag {
        path: path.to_owned(),
        text: text.to_owned(),
        name: format!("--set {path}"),
    }
}

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// Inputs with a file that contains `text`. The directory exists as long as the test holds it.
fn with_file(text: &str) -> (tempfile::TempDir, Inputs) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("stele.toml");
    fs::write(&path, text).expect("written");
    (
        dir,
        Inputs {
            file: Some(path),
            ..Inputs::default()
        },
    )
}

#[test]
fn nothing_given_gives_the_defaults() {
    let loaded = load(&Inputs::default()).expect("defaults load");
    assert_eq!(loaded.settings.kafka.port, 9092);
    assert_eq!(loaded.settings.sqs.alias_port, None);
    assert_eq!(loaded.settings.auth.users["guest"].expose(), "guest");
    assert!(
        loaded
            .values
            .values()
            .all(|placed| placed.from == Source::Default)
    );
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let (_dir, mut inputs) = with_file("[kafka]\nport = 1\n[amqp]\nport = 1\n[sqs]\nport = 1\n");
    inputs.variables = vec![
        variable("STELE_AMQP__PORT", "2"),
        variable("STELE_SQS__PORT", "2"),
    ];
    inputs.flags = vec![flag("sqs.port", "3")];
    let loaded = load(&inputs).expect("all known");
    let settings = &loaded.settings;
    assert_eq!(
        (settings.kafka.port, settings.amqp.port, settings.sqs.port),
        (1, 2, 3)
    );
    assert_eq!(settings.admin.port, 15672);
    assert_eq!(loaded.values["sqs.port"].from.to_string(), "--set sqs.port");
    assert!(
        loaded.values["kafka.port"]
            .from
            .to_string()
            .ends_with("stele.toml:2")
    );
}

#[test]
fn an_unknown_key_stops_with_file_line_and_the_nearest() {
    let (_dir, inputs) = with_file("[kafka]\nprot = 1\n");
    let error = load(&inputs).expect_err("no such key").to_string();
    assert!(error.ends_with("stele.toml:2: unknown key `kafka.prot`; did you mean `kafka.port`?"));
}

#[test]
fn an_unknown_section_stops_too() {
    let (_dir, inputs) = with_file("kafka = 1\n");
    assert!(matches!(load(&inputs), Err(Error::UnknownKey { .. })));
}

#[test]
fn a_value_of_another_kind_says_what_was_wanted() {
    let (_dir, inputs) = with_file("[storage]\nreserve = 64\n");
    let error = load(&inputs).expect_err("no unit").to_string();
    assert!(error.ends_with("`storage.reserve` must be a size with its unit, such as 64MiB"));
}

#[test]
fn a_file_that_was_asked_for_must_exist_and_a_default_one_need_not() {
    let missing = PathBuf::from("no-such-file.toml");
    let asked = Inputs {
        file: Some(missing.clone()),
        ..Inputs::default()
    };
    assert!(matches!(load(&asked), Err(Error::Read { .. })));
    let default = Inputs {
        files_default: vec![missing],
        ..Inputs::default()
    };
    assert!(load(&default).is_ok());
}

#[test]
fn users_given_replace_the_default_ones() {
    let (_dir, inputs) = with_file("[auth.users]\nann = \"a\"\n");
    let loaded = load(&inputs).expect("users load");
    assert_eq!(
        loaded.settings.auth.users.keys().collect::<Vec<_>>(),
        ["ann"]
    );
    assert_eq!(loaded.values["auth.users"].shown(), "ann:***");
}

#[test]
fn every_key_reaches_the_settings() {
    let set = |key: &crate::key::Key| match key.kind {
        Kind::Text => "x".to_owned(),
        Kind::Choice(words) => words[0].to_owned(),
        Kind::Size => "1MiB".to_owned(),
        Kind::SizeIn { min, .. } => format!("{min}B"),
        Kind::Span | Kind::Seconds { .. } => "1s".to_owned(),
        Kind::Switch => "true".to_owned(),
        Kind::Port | Kind::Integer { .. } => "1".to_owned(),
        Kind::Credentials => "a:b".to_owned(),
    };
    let flags = keys::KEYS
        .iter()
        .map(|key| flag(key.path, &set(key)))
        .collect();
    // Fails for a key without a field, because each section has `deny_unknown_fields`.
    load(&Inputs {
        flags,
        ..Inputs::default()
    })
    .expect("each key has its field");
}
