use proptest::prelude::*;

use super::*;

#[track_caller]
fn reads(text: &str, expected: &str) {
    let time: Timestamp = text.parse().expect("a time");
    assert_eq!(time.to_string(), expected);
}

#[test]
fn fractions_are_written_only_where_they_are_not_zero() {
    reads("2024-01-15T10:30:00Z", "2024-01-15T10:30:00Z");
    reads("2024-01-15T10:30:00.000Z", "2024-01-15T10:30:00Z");
    reads("2024-01-15T10:30:00.5Z", "2024-01-15T10:30:00.500Z");
    reads("2024-01-15T10:30:00.000001Z", "2024-01-15T10:30:00.000001Z");
    reads(
        "2024-01-15T10:30:00.123456789Z",
        "2024-01-15T10:30:00.123456Z",
    );
    reads(
        "1969-12-31T23:59:59.9999999Z",
        "1969-12-31T23:59:59.999999Z",
    );
}

#[test]
fn offsets_are_read_and_written_as_utc() {
    reads("2024-01-15T12:30:00+02:00", "2024-01-15T10:30:00Z");
    reads("2024-01-15t05:00:00-05:30", "2024-01-15T10:30:00Z");
    reads("2024-01-15T10:30:00-00:00", "2024-01-15T10:30:00Z");
    reads("2016-12-31T23:59:60z", "2016-12-31T23:59:59Z");
}

#[test]
fn what_is_not_rfc_3339_is_refused() {
    for text in [
        "",
        "now",
        "2024-01-15",
        "2024-01-15T10:30Z",
        "2024-01-15T10:30:00",
        "2024-01-15 10:30:00Z",
        "2024-01-15T10:30:00,5Z",
        "2024-01-15T10:30:00.Z",
        "2024-01-15T10:30:00.1234567890Z",
        "2024-01-15T10:30:00+02",
        "2024-01-15T10:30:00+0200",
        "2024-01-15T10:30:00Z[UTC]",
        "2024-W03-1T10:30:00Z",
        "2024-02-30T10:30:00Z",
        "2024-01-15T24:00:00Z",
        "2024-01-15T10:30:00+24:00",
        "2024-01-15T10:30:00+23:60",
        "9999-12-30T22:00:00.000001Z",
        "0000-01-01T00:00:00+01:00",
        "+002024-01-15T10:30:00Z",
        " 2024-01-15T10:30:00Z",
        "2024-01-15T10:30:0é",
    ] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
}

#[test]
fn arithmetic_stays_in_the_range() {
    let second = Duration::from_secs(1);
    assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
    assert_eq!(Timestamp::MIN - second, Timestamp::MIN);
    assert_eq!(Timestamp::from_micros(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00Z");
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T22:00:00Z");
    let mut time = Timestamp::UNIX_EPOCH + second;
    time -= Duration::from_micros(1);
    assert_eq!(time.as_micros(), 999_999);
    assert_eq!(
        (Timestamp::UNIX_EPOCH - Duration::from_micros(1)).as_millis(),
        -1
    );
    assert_eq!(Timestamp::UNIX_EPOCH.since(time), Duration::ZERO);
    assert_eq!(
        time.since(Timestamp::UNIX_EPOCH),
        Duration::from_micros(999_999)
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(micros in Timestamp::MIN.0..=Timestamp::MAX.0) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn text_order_of_one_precision_is_time_order(a in 0..i64::from(i32::MAX), b in 0..i64::from(i32::MAX)) {
        let [first, second] = [a, b].map(|seconds| Timestamp::from_millis(seconds * 1000));
        prop_assert_eq!(first.cmp(&second), first.to_string().cmp(&second.to_string()));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = text.parse::<Timestamp>();
    }
}
