//! A request in either protocol: nothing panics, and a request that can be decoded can be encoded
//! and decoded again in both.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stele_wire_sqs::{
    Action, decode_json, decode_query, encode_json, encode_query, queue_name_in_url,
};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, body)) = input.split_first() else {
        return;
    };
    let action = Action::ALL[usize::from(choice) % Action::ALL.len()];
    let target = format!("AmazonSQS.{action}");
    if let Ok(request) = decode_json(&target, "/1/orders", body) {
        let (target, body) = encode_json(&request);
        assert_eq!(decode_json(&target, "/1/orders", &body), Ok(request));
    }
    let query = format!("Action={action}");
    if let Ok(request) = decode_query("/1/orders", query.as_bytes(), body) {
        let body = encode_query(&request);
        assert_eq!(decode_query("/1/orders", b"", &body), Ok(request));
    }
    if let Ok(url) = std::str::from_utf8(body) {
        let _ = queue_name_in_url(url);
    }
});
