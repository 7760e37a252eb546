use super::*;

fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn kind_of(name: &str, value: &str, fifo: bool) -> Option<ErrorKind> {
    check(&given(&[(name, value)]), fifo)
        .err()
        .map(|error| error.kind)
}

#[test]
fn numbers_have_ranges() {
    for (name, low, high) in [
        (DELAY, 0, 900),
        (MESSAGE_SIZE, 1024, 1_048_576),
        (RETENTION, 60, 1_209_600),
        (RECEIVE_WAIT, 0, 20),
        (VISIBILITY_TIMEOUT, 0, 43_200),
    ] {
        for good in [low, high] {
            assert_eq!(
                kind_of(name, &good.to_string(), false),
                None,
                "{name} {good}"
            );
        }
        for bad in [low - 1, high + 1] {
            let found = kind_of(name, &bad.to_string(), true);
            assert_eq!(
                found,
                Some(ErrorKind::InvalidAttributeValue),
                "{name} {bad}"
            );
        }
        assert_eq!(
            kind_of(name, "x", false),
            Some(ErrorKind::InvalidAttributeValue)
        );
    }
}

#[test]
fn fifo_attributes_are_unknown_to_standard_queues() {
    for (name, value) in [
        (FIFO_QUEUE, "true"),
        (CONTENT_BASED, "true"),
        (SCOPE, "queue"),
    ] {
        assert_eq!(kind_of(name, value, true), None);
        assert_eq!(
            kind_of(name, value, false),
            Some(ErrorKind::InvalidAttributeName)
        );
    }
    assert_eq!(
        kind_of(FIFO_QUEUE, "false", true),
        Some(ErrorKind::InvalidAttributeValue)
    );
    assert_eq!(
        kind_of("QueueArn", "x", false),
        Some(ErrorKind::InvalidAttributeName)
    );
    assert_eq!(
        kind_of("Colour", "x", false),
        Some(ErrorKind::InvalidAttributeName)
    );
}

#[test]
fn what_is_not_offered_can_only_be_absent() {
    assert_eq!(kind_of("Policy", "", false), None);
    assert_eq!(
        kind_of("Policy", "{}", false),
        Some(ErrorKind::UnsupportedOperation)
    );
}

#[test]
fn attributes_survive_their_storage() {
    let many = given(&[
        (DELAY, "05"),
        (RETENTION, "60"),
        (VISIBILITY_TIMEOUT, " 7"),
        (MESSAGE_SIZE, "2048"),
        (RECEIVE_WAIT, "20"),
        (CONTENT_BASED, "true"),
        (SCOPE, "messageGroup"),
        (THROUGHPUT, "perMessageGroupId"),
    ]);
    check(&many, true).unwrap();
    let mut settings = Settings::new();
    merge_settings(&mut settings, &many);
    let queue = merge_queue(queue_default(true), &many);
    let attributes = QueueAttributes::of_parts(&settings, queue);
    assert_eq!(first_difference(&many, &attributes), None);
    assert_eq!(attributes.value(DELAY).as_deref(), Some("5"));
    assert_eq!(attributes.value(FIFO_QUEUE).as_deref(), Some("true"));
    attributes.check_together().unwrap();
    let other = given(&[(VISIBILITY_TIMEOUT, "7"), (DELAY, "6")]);
    assert_eq!(first_difference(&other, &attributes), Some(DELAY));
}

#[test]
fn a_new_queue_has_the_documented_defaults() {
    let attributes = QueueAttributes::of_parts(&Settings::new(), queue_default(false));
    let told: Vec<_> = names()
        .filter_map(|name| Some((name, attributes.value(name)?)))
        .collect();
    let expected = [
        (DELAY, "0"),
        (MESSAGE_SIZE, "1048576"),
        (RETENTION, "345600"),
        (RECEIVE_WAIT, "0"),
        (VISIBILITY_TIMEOUT, "30"),
        (ENCRYPTED, "false"),
    ];
    assert_eq!(told, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn throughput_by_group_needs_deduplication_by_group() {
    let mut settings = Settings::new();
    merge_settings(&mut settings, &given(&[(THROUGHPUT, "perMessageGroupId")]));
    let attributes = QueueAttributes::of_parts(&settings, queue_default(true));
    assert!(attributes.check_together().is_err());
}

/// The attributes of a queue after these changes, in order.
fn after(changes: &[&[(&str, &str)]]) -> QueueAttributes {
    let mut settings = Settings::new();
    for change in changes {
        check(&given(change), true).unwrap();
        merge_settings(&mut settings, &given(change));
    }
    QueueAttributes::of_parts(&settings, queue_default(true))
}

#[test]
fn flags_are_taken_in_any_case_and_told_in_lower() {
    for name in [CONTENT_BASED, ENCRYPTED, FIFO_QUEUE] {
        for value in ["true", "True", "TRUE"] {
            let attributes = after(&[&[(name, value)]]);
            assert_eq!(attributes.value(name).as_deref(), Some("true"), "{name}");
            assert_eq!(
                first_difference(&given(&[(name, value)]), &attributes),
                None
            );
        }
        for value in ["", "yes", "1", " true"] {
            let found = kind_of(name, value, true);
            assert_eq!(
                found,
                Some(ErrorKind::InvalidAttributeValue),
                "{name} {value}"
            );
        }
    }
    let off = after(&[&[(CONTENT_BASED, "True")], &[(CONTENT_BASED, "False")]]);
    assert!(!off.content_based_deduplication);
    assert_eq!(off.value(CONTENT_BASED).as_deref(), Some("false"));
}

#[test]
fn a_standard_queue_is_told_what_needs_a_fifo_queue() {
    for (name, value) in [(SCOPE, "queue"), (THROUGHPUT, "perQueue")] {
        let error = check(&given(&[(name, value)]), false).unwrap_err();
        let expected = format!("You can specify the {name} only when FifoQueue is set to true.");
        assert_eq!(
            (error.kind, error.message),
            (ErrorKind::InvalidAttributeName, expected)
        );
    }
}

#[test]
fn encryption_is_kept_and_told_one_way_at_a_time() {
    let told = |attributes: &QueueAttributes| {
        [ENCRYPTED, KMS_KEY, KMS_REUSE].map(|name| attributes.value(name))
    };
    let text = |value: &str| Some(value.to_owned());
    let kms: &[(&str, &str)] = &[(KMS_KEY, "alias/key"), (KMS_REUSE, "6000")];
    let by_key = after(&[&[(ENCRYPTED, "true")], kms]);
    assert_eq!(
        told(&by_key),
        [text("false"), text("alias/key"), text("6000")]
    );
    assert_eq!(first_difference(&given(kms), &by_key), None);
    let by_sqs = after(&[&[(KMS_KEY, "alias/key")], &[(ENCRYPTED, "true")]]);
    assert_eq!(told(&by_sqs), [text("true"), None, None]);
    let by_default = after(&[&[(KMS_KEY, "alias/key")]]);
    assert_eq!(told(&by_default)[2], text("300"));
    let none = after(&[kms, &[(KMS_KEY, ""), (KMS_REUSE, "300")]]);
    assert_eq!(told(&none), [text("false"), None, None]);
    let plain: &[(&str, &str)] = &[(ENCRYPTED, "false"), (KMS_KEY, ""), (KMS_REUSE, "300")];
    assert_eq!(first_difference(&given(plain), &none), None);
    for seconds in ["59", "86401"] {
        let found = kind_of(KMS_REUSE, seconds, false);
        assert_eq!(found, Some(ErrorKind::InvalidAttributeValue));
    }
    let both = check(&given(&[(ENCRYPTED, "True"), (KMS_KEY, "k")]), false);
    assert_eq!(both.unwrap_err().kind, ErrorKind::InvalidAttributeName);
}
