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
    for (name, absent) in [(ENCRYPTED, "false"), ("RedrivePolicy", ""), ("Policy", "")] {
        assert_eq!(kind_of(name, absent, false), None);
        assert_eq!(
            kind_of(name, "{}", false),
            Some(ErrorKind::UnsupportedOperation)
        );
    }
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
