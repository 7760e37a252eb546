//! A message in any form: nothing panics, and an envelope that can be decoded can be encoded and
//! decoded again in all forms, in its own without any difference.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stele_toolkit_envelope::{Binding, Envelope, Form, Reading, Timestamp, WireView};

const FORMS: [Form; 4] = [
    Form::Plain,
    Form::Structured,
    Form::Binary(Binding::Kafka),
    Form::Binary(Binding::Amqp),
];

/// The body is what stands behind the first empty line; before it, each line is a header.
fn message(input: &[u8]) -> WireView<'_> {
    let end = input.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&input[..end], &input[end + 2..]),
        None => (&input[..0], input),
    };
    let header = |line| {
        let (name, value) = split(line)?;
        Some((std::str::from_utf8(name).ok()?, value))
    };
    WireView {
        headers: head
            .split(|&byte| byte == b'\n')
            .filter_map(header)
            .collect(),
        content_type: None,
        body,
    }
}

fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = line.iter().position(|&byte| byte == b'=')?;
    Some((&line[..at], &line[at + 1..]))
}

fuzz_target!(|input: &[u8]| {
    let reading = Reading {
        size_bytes_max: 1 << 20,
        received_at: Timestamp::UNIX_EPOCH,
    };
    let Ok(decoded) = message(input).decode(&reading) else {
        return;
    };
    let again = Envelope::decode(&decoded.envelope.encode(), 1 << 24);
    assert_eq!(again.as_ref(), Ok(&decoded.envelope));
    for form in FORMS {
        let encoded = decoded.envelope.to_wire(&decoded.key, form);
        let reading = Reading {
            size_bytes_max: 1 << 24,
            ..reading
        };
        let again = encoded
            .view()
            .decode(&reading)
            .expect("what was written is read");
        assert_eq!(again.form, form);
        assert_eq!(again.envelope.data, decoded.envelope.data);
    }
});
