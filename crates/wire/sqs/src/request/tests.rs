use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::message_attribute::AttributeInput;

const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789/orders";

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn string_attribute(data_type: &str, text: &str) -> AttributeInput {
    AttributeInput {
        data_type: Some(data_type.to_owned()),
        text: Some(text.to_owned()),
        ..AttributeInput::default()
    }
}

fn order() -> Request {
    Request::SendMessage(send_message::Request {
        queue_url: URL.to_owned(),
        message: send_message::Message {
            body: "{\"id\": 1}".to_owned(),
            delay_s: Some(5),
            attributes: vec![
                (
                    "OrderType".to_owned(),
                    string_attribute("String", "standard"),
                ),
                (
                    "Thumb".to_owned(),
                    AttributeInput {
                        data_type: Some("Binary.png".to_owned()),
                        binary: Some(Bytes::from_static(b"\x01\x02\xFF")),
                        ..AttributeInput::default()
                    },
                ),
            ],
            system_attributes: vec![(
                "AWSTraceHeader".to_owned(),
                string_attribute("String", "Root=1-5759e988-bd862e3fe1be46a994272793"),
            )],
            deduplication_id: Some("d1".to_owned()),
            group_id: Some("g1".to_owned()),
        },
    })
}

#[test]
fn send_message_is_read_from_json_as_boto3_sends_it() {
    let body = format!(
        r#"{{"QueueUrl": "{URL}", "MessageBody": "{{\"id\": 1}}", "DelaySeconds": 5,
        "MessageAttributes": {{"OrderType": {{"DataType": "String", "StringValue": "standard"}},
                              "Thumb": {{"DataType": "Binary.png", "BinaryValue": "AQL/"}}}},
        "MessageSystemAttributes": {{"AWSTraceHeader": {{"DataType": "String",
                              "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}}},
        "MessageDeduplicationId": "d1", "MessageGroupId": "g1", "Unknown": {{"x": [1]}}}}"#
    );
    assert_eq!(
        decode_json("AmazonSQS.SendMessage", "/", body.as_bytes()),
        Ok(order())
    );
}

#[test]
fn send_message_is_read_from_a_form_as_old_sdks_send_it() {
    let body = "Action=SendMessage&Version=2012-11-05&MessageBody=%7B%22id%22%3A+1%7D&DelaySeconds=5\
        &MessageAttribute.1.Name=OrderType&MessageAttribute.1.Value.DataType=String\
        &MessageAttribute.1.Value.StringValue=standard\
        &MessageAttribute.2.Name=Thumb&MessageAttribute.2.Value.DataType=Binary.png\
        &MessageAttribute.2.Value.BinaryValue=AQL%2F\
        &MessageSystemAttribute.1.Name=AWSTraceHeader&MessageSystemAttribute.1.Value.DataType=String\
        &MessageSystemAttribute.1.Value.StringValue=Root%3D1-5759e988-bd862e3fe1be46a994272793\
        &MessageDeduplicationId=d1&MessageGroupId=g1";
    let with_url = format!("{body}&QueueUrl={URL}");
    assert_eq!(decode_query("/", b"", with_url.as_bytes()), Ok(order()));
    // The queue may also be given by the path alone, and everything may be in the query string.
    let Request::SendMessage(request) =
        decode_query("/123456789/orders", b"", body.as_bytes()).unwrap()
    else {
        panic!("another action");
    };
    assert_eq!(request.queue_url, "/123456789/orders");
    assert_eq!(
        decode_query("/123456789/orders", with_url.as_bytes(), b""),
        Ok(order())
    );
}

#[test]
fn lists_and_maps_are_read_from_both_protocols() {
    let create = Request::CreateQueue(create_queue::Request {
        queue_name: "orders.fifo".to_owned(),
        attributes: owned(&[("DelaySeconds", "5"), ("FifoQueue", "true")]),
        tags: owned(&[("team", "shop")]),
    });
    let json = br#"{"QueueName":"orders.fifo","Attributes":{"FifoQueue":"true","DelaySeconds":"5"},
        "tags":{"team":"shop"}}"#;
    assert_eq!(
        decode_json("AmazonSQS.CreateQueue", "/", json),
        Ok(create.clone())
    );
    let form = b"Action=CreateQueue&QueueName=orders.fifo&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5\
        &Attribute.2.Name=FifoQueue&Attribute.2.Value=true&Tag.1.Key=team&Tag.1.Value=shop";
    assert_eq!(decode_query("/", form, b""), Ok(create));

    let receive = Request::ReceiveMessage(receive_message::Request {
        queue_url: "orders".to_owned(),
        system_attribute_names: vec!["SenderId".to_owned(), "All".to_owned()],
        message_attribute_names: vec!["a.*".to_owned(), "b".to_owned()],
        messages_max: Some(10),
        visibility_timeout_s: None,
        wait_time_s: Some(20),
        attempt_id: None,
    });
    let json = br#"{"QueueUrl":"orders","AttributeNames":["SenderId"],"MessageSystemAttributeNames":["All"],
        "MessageAttributeNames":["a.*","b"],"MaxNumberOfMessages":10,"WaitTimeSeconds":20,
        "VisibilityTimeout":null}"#;
    assert_eq!(
        decode_json("AmazonSQS.ReceiveMessage", "/", json),
        Ok(receive.clone())
    );
    let form = b"Action=ReceiveMessage&QueueUrl=orders&AttributeName.1=SenderId&MessageSystemAttributeName.1=All\
        &MessageAttributeName.10=b&MessageAttributeName.9=a.*&MaxNumberOfMessages=10&WaitTimeSeconds=20";
    assert_eq!(decode_query("/", b"", form), Ok(receive));
}

#[test]
fn a_single_entry_of_a_form_may_come_without_its_number() {
    let read = |form: &str| decode_query("/1/q", form.as_bytes(), b"").unwrap();
    assert_eq!(
        read("Action=GetQueueAttributes&AttributeName=All"),
        read("Action=GetQueueAttributes&AttributeName.1=All")
    );
    assert_eq!(
        read("Action=SetQueueAttributes&Attribute.Name=DelaySeconds&Attribute.Value=5"),
        read("Action=SetQueueAttributes&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5")
    );
}

#[test]
fn batches_keep_the_order_of_their_entries() {
    let mut form = "Action=DeleteMessageBatch&QueueUrl=q".to_owned();
    for number in (1..=12).rev() {
        form += &format!(
            "&DeleteMessageBatchRequestEntry.{number}.Id=i{number}&DeleteMessageBatchRequestEntry.{number}.ReceiptHandle=h"
        );
    }
    let Request::DeleteMessageBatch(request) = decode_query("/", b"", form.as_bytes()).unwrap()
    else {
        panic!("another action");
    };
    let ids: Vec<_> = request
        .entries
        .iter()
        .map(|entry| entry.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i10", "i11", "i12"
        ]
    );
}

#[test]
fn what_is_wrong_is_said_in_aws_words() {
    let json = |action: &str, body: &str| {
        let error = decode_json(&format!("AmazonSQS.{action}"), "/", body.as_bytes()).unwrap_err();
        (error.kind, error.message)
    };
    let (kind, message) = json("SendMessage", r#"{"MessageBody":"x"}"#);
    assert_eq!(kind, ErrorKind::MissingParameter);
    assert_eq!(message, "The request must contain the parameter QueueUrl.");
    let (kind, message) = json("SendMessage", r#"{"QueueUrl":"q","MessageBody":1}"#);
    assert_eq!(kind, ErrorKind::MalformedRequest);
    assert_eq!(message, "NUMBER_VALUE can not be converted to a String");
    assert_eq!(
        json("ListQueues", r#"{"MaxResults":1.5}"#).0,
        ErrorKind::MalformedRequest
    );
    assert_eq!(
        json("ListQueues", r#"{"MaxResults":3000000000}"#).0,
        ErrorKind::MalformedRequest
    );
    assert_eq!(json("DropQueue", "{}").0, ErrorKind::UnknownOperation);

    let query = |form: &str| {
        let error = decode_query("/", form.as_bytes(), b"").unwrap_err();
        (error.kind, error.message)
    };
    assert_eq!(query("").0, ErrorKind::UnknownOperation);
    let (kind, message) = query("Action=DropQueue");
    assert_eq!(kind, ErrorKind::UnknownAction);
    assert_eq!(
        message,
        "The action DropQueue is not valid for this endpoint."
    );
    assert_eq!(
        query("Action=ListQueues&MaxResults=x").0,
        ErrorKind::InvalidParameterValue
    );
    assert_eq!(
        query("Action=CreateQueue&QueueName=q&Attribute.1.Name=x").0,
        ErrorKind::MissingParameter
    );
}

#[test]
fn permissions_are_known_but_not_offered() {
    for action in ["AddPermission", "RemovePermission"] {
        let request = decode_json(&format!("AmazonSQS.{action}"), "/", b"{}").unwrap();
        assert_eq!(
            request,
            Request::NotOffered(Action::from_name(action).unwrap())
        );
    }
}

fn text() -> impl Strategy<Value = String> {
    any::<String>()
}

/// A map that both protocols carry in the same order: sorted by distinct keys.
fn map<T: std::fmt::Debug>(
    values: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(String, T)>> {
    proptest::collection::btree_map(text(), values, 0..4).prop_map(|map| map.into_iter().collect())
}

fn attribute_input() -> impl Strategy<Value = AttributeInput> {
    // In a form, an attribute without members can't be distinguished from no attribute.
    (
        text(),
        option::of(text()),
        option::of(vec(any::<u8>(), 0..20)),
    )
        .prop_map(|(data_type, text, binary)| AttributeInput {
            data_type: Some(data_type),
            text,
            binary: binary.map(Bytes::from),
            has_list: false,
        })
}

fn message() -> impl Strategy<Value = send_message::Message> {
    (
        text(),
        option::of(any::<i32>()),
        map(attribute_input()),
        map(attribute_input()),
        option::of(text()),
        option::of(text()),
    )
        .prop_map(
            |(body, delay_s, attributes, system_attributes, deduplication_id, group_id)| {
                send_message::Message {
                    body,
                    delay_s,
                    attributes,
                    system_attributes,
                    deduplication_id,
                    group_id,
                }
            },
        )
}

fn sending() -> impl Strategy<Value = Request> {
    let entry =
        (text(), message()).prop_map(|(id, message)| send_message_batch::Entry { id, message });
    prop_oneof![
        (text(), message()).prop_map(|(queue_url, message)| {
            Request::SendMessage(send_message::Request { queue_url, message })
        }),
        (text(), vec(entry, 1..4)).prop_map(|(queue_url, entries)| {
            Request::SendMessageBatch(send_message_batch::Request { queue_url, entries })
        }),
    ]
}

fn receiving() -> impl Strategy<Value = Request> {
    let number = || option::of(any::<i32>());
    (
        text(),
        vec(text(), 0..4),
        vec(text(), 0..4),
        [number(), number(), number()],
        option::of(text()),
    )
        .prop_map(
            |(
                queue_url,
                system,
                message,
                [messages_max, visibility_timeout_s, wait_time_s],
                attempt_id,
            )| {
                Request::ReceiveMessage(receive_message::Request {
                    queue_url,
                    system_attribute_names: system,
                    message_attribute_names: message,
                    messages_max,
                    visibility_timeout_s,
                    wait_time_s,
                    attempt_id,
                })
            },
        )
}

fn settling() -> impl Strategy<Value = Request> {
    use crate::actions::{
        change_message_visibility as change, change_message_visibility_batch as change_batch,
        delete_message_batch as delete_batch,
    };
    let change_entry = (text(), text(), option::of(any::<i32>())).prop_map(
        |(id, receipt_handle, visibility_timeout_s)| change_batch::Entry {
            id,
            receipt_handle,
            visibility_timeout_s,
        },
    );
    let delete_entry = (text(), text())
        .prop_map(|(id, receipt_handle)| delete_batch::Entry { id, receipt_handle });
    prop_oneof![
        (text(), vec(change_entry, 1..4)).prop_map(|(queue_url, entries)| {
            Request::ChangeMessageVisibilityBatch(change_batch::Request { queue_url, entries })
        }),
        (text(), vec(delete_entry, 1..4)).prop_map(|(queue_url, entries)| {
            Request::DeleteMessageBatch(delete_batch::Request { queue_url, entries })
        }),
        (text(), text(), any::<i32>()).prop_map(
            |(queue_url, receipt_handle, visibility_timeout_s)| {
                Request::ChangeMessageVisibility(change::Request {
                    queue_url,
                    receipt_handle,
                    visibility_timeout_s,
                })
            }
        ),
    ]
}

fn defining() -> impl Strategy<Value = Request> {
    prop_oneof![
        (text(), map(text()), map(text())).prop_map(|(queue_name, attributes, tags)| {
            Request::CreateQueue(create_queue::Request {
                queue_name,
                attributes,
                tags,
            })
        }),
        (text(), vec(text(), 0..4)).prop_map(|(queue_url, tag_keys)| {
            Request::UntagQueue(untag_queue::Request {
                queue_url,
                tag_keys,
            })
        }),
        (
            option::of(text()),
            option::of(any::<i32>()),
            option::of(text())
        )
            .prop_map(|(queue_name_prefix, max_results, next_token)| {
                Request::ListQueues(list_queues::Request {
                    queue_name_prefix,
                    max_results,
                    next_token,
                })
            },),
    ]
}

fn redriving() -> impl Strategy<Value = Request> {
    prop_oneof![
        (text(), option::of(text()), option::of(any::<i32>())).prop_map(
            |(source_arn, destination_arn, per_second_max)| {
                Request::StartMessageMoveTask(start_message_move_task::Request {
                    source_arn,
                    destination_arn,
                    per_second_max,
                })
            }
        ),
        (text(), option::of(any::<i32>())).prop_map(|(source_arn, max_results)| {
            Request::ListMessageMoveTasks(list_message_move_tasks::Request {
                source_arn,
                max_results,
            })
        }),
        text().prop_map(|task_handle| {
            Request::CancelMessageMoveTask(cancel_message_move_task::Request { task_handle })
        }),
        (text(), option::of(any::<i32>()), option::of(text())).prop_map(
            |(queue_url, max_results, next_token)| {
                Request::ListDeadLetterSourceQueues(list_dead_letter_source_queues::Request {
                    queue_url,
                    max_results,
                    next_token,
                })
            }
        ),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![sending(), receiving(), settling(), defining(), redriving()]
}

proptest! {
    #[test]
    fn requests_survive_json(request in request()) {
        let (target, body) = encode_json(&request);
        prop_assert_eq!(decode_json(&target, "/", &body), Ok(request));
    }

    #[test]
    fn requests_survive_a_form(request in request()) {
        let body = encode_query(&request);
        prop_assert_eq!(decode_query("/", b"", &body), Ok(request));
    }

    #[test]
    fn no_body_panics(action in 0..Action::ALL.len(), body in vec(any::<u8>(), 0..300), path in text()) {
        let target = format!("AmazonSQS.{}", Action::ALL[action]);
        let _ = decode_json(&target, &path, &body);
        let _ = decode_query(&path, format!("Action={}", Action::ALL[action]).as_bytes(), &body);
    }

    #[test]
    fn no_form_of_known_names_panics(
        action in 0..Action::ALL.len(),
        parameters in vec((
            "(QueueUrl|Attribute|MessageAttribute|SendMessageBatchRequestEntry|Tag|AttributeName)(\\.(1|2|x|Name|Value|Id|Key|StringValue)){0,4}",
            text(),
        ), 0..20),
    ) {
        let mut form = format!("Action={}", Action::ALL[action]);
        for (name, value) in &parameters {
            form += &format!("&{name}=");
            form.extend(form_urlencoded::byte_serialize(value.as_bytes()));
        }
        let _ = decode_query("/", b"", form.as_bytes());
    }

    #[test]
    fn json_cut_short_or_changed_never_panics(request in request(), cut in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (target, mut body) = encode_json(&request);
        let at = cut.index(body.len());
        let _ = decode_json(&target, "/", &body[..at]);
        body[at] = byte;
        let _ = decode_json(&target, "/", &body);
    }

    #[test]
    fn no_url_panics(url in text()) {
        let _ = crate::queue_name_in_url(&url);
    }
}
