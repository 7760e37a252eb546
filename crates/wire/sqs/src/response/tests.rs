use bytes::Bytes;

use super::*;
use crate::{
    error::{Error, ErrorKind},
    message_attribute::{AttributeValue, MessageAttribute},
};

fn json(response: &Response) -> String {
    String::from_utf8(response.encode(Protocol::Json, "r-1")).unwrap()
}

fn xml(response: &Response) -> String {
    let document = String::from_utf8(response.encode(Protocol::Query, "r-1")).unwrap();
    document
        .strip_prefix("<?xml version=\"1.0\"?>")
        .unwrap()
        .to_owned()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

const METADATA: &str = "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>";
const NAMESPACE_ATTRIBUTE: &str = "xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\"";

#[test]
fn an_action_without_result_answers_its_metadata_alone() {
    assert_eq!(json(&Response::DeleteMessage), "{}");
    assert_eq!(
        xml(&Response::DeleteMessage),
        format!("<DeleteMessageResponse {NAMESPACE_ATTRIBUTE}>{METADATA}</DeleteMessageResponse>")
    );
}

#[test]
fn received_messages_look_as_in_the_api_reference() {
    let response = Response::ReceiveMessage(receive_message::Response {
        messages: vec![receive_message::Message {
            message_id: "m".to_owned(),
            receipt_handle: "h".to_owned(),
            md5_of_body: "d".to_owned(),
            body: "a<b\r".to_owned(),
            system_attributes: owned(&[("SenderId", "s")]),
            md5_of_attributes: Some("e".to_owned()),
            attributes: vec![
                (
                    "T".to_owned(),
                    MessageAttribute {
                        data_type: "String".to_owned(),
                        value: AttributeValue::Text("v".to_owned()),
                    },
                ),
                (
                    "B".to_owned(),
                    MessageAttribute {
                        data_type: "Binary".to_owned(),
                        value: AttributeValue::Binary(Bytes::from_static(b"\x01\x02\xFF")),
                    },
                ),
            ],
        }],
    });
    assert_eq!(
        json(&response),
        r#"{"Messages":[{"MessageId":"m","ReceiptHandle":"h","MD5OfBody":"d","Body":"a<b\r","Attributes":{"SenderId":"s"},"MD5OfMessageAttributes":"e","MessageAttributes":{"T":{"StringValue":"v","DataType":"String"},"B":{"BinaryValue":"AQL/","DataType":"Binary"}}}]}"#
    );
    assert_eq!(
        xml(&response),
        format!(
            "<ReceiveMessageResponse {NAMESPACE_ATTRIBUTE}><ReceiveMessageResult><Message>\
             <MessageId>m</MessageId><ReceiptHandle>h</ReceiptHandle><MD5OfBody>d</MD5OfBody>\
             <Body>a&lt;b&#xD;</Body><Attribute><Name>SenderId</Name><Value>s</Value></Attribute>\
             <MD5OfMessageAttributes>e</MD5OfMessageAttributes>\
             <MessageAttribute><Name>T</Name><Value><StringValue>v</StringValue>\
             <DataType>String</DataType></Value></MessageAttribute>\
             <MessageAttribute><Name>B</Name><Value><BinaryValue>AQL/</BinaryValue>\
             <DataType>Binary</DataType></Value></MessageAttribute></Message>\
             </ReceiveMessageResult>{METADATA}</ReceiveMessageResponse>"
        )
    );
}

#[test]
fn nothing_received_is_no_list() {
    let empty = Response::ReceiveMessage(receive_message::Response::default());
    assert_eq!(json(&empty), "{}");
    assert_eq!(
        xml(&empty),
        format!(
            "<ReceiveMessageResponse {NAMESPACE_ATTRIBUTE}><ReceiveMessageResult/>{METADATA}</ReceiveMessageResponse>"
        )
    );
}

#[test]
fn a_batch_tells_successes_from_failures() {
    let response = Response::SendMessageBatch(send_message_batch::Response {
        successful: vec![(
            "1".to_owned(),
            send_message::Response {
                message_id: "m".to_owned(),
                md5_of_body: "d".to_owned(),
                sequence_number: Some("18849496460467696128".to_owned()),
                ..send_message::Response::default()
            },
        )],
        failed: vec![batch::Failure {
            id: "2".to_owned(),
            error: Error::new(ErrorKind::InvalidParameterValue, "no"),
        }],
    });
    assert_eq!(
        json(&response),
        r#"{"Successful":[{"Id":"1","MessageId":"m","MD5OfMessageBody":"d","SequenceNumber":"18849496460467696128"}],"Failed":[{"Id":"2","SenderFault":true,"Code":"InvalidParameterValue","Message":"no"}]}"#
    );
    assert_eq!(
        xml(&response),
        format!(
            "<SendMessageBatchResponse {NAMESPACE_ATTRIBUTE}><SendMessageBatchResult>\
             <SendMessageBatchResultEntry><Id>1</Id><MessageId>m</MessageId>\
             <MD5OfMessageBody>d</MD5OfMessageBody>\
             <SequenceNumber>18849496460467696128</SequenceNumber></SendMessageBatchResultEntry>\
             <BatchResultErrorEntry><Id>2</Id><SenderFault>true</SenderFault>\
             <Code>InvalidParameterValue</Code><Message>no</Message></BatchResultErrorEntry>\
             </SendMessageBatchResult>{METADATA}</SendMessageBatchResponse>"
        )
    );
}

#[test]
fn urls_attributes_and_tags_look_as_in_the_api_reference() {
    let urls = Response::ListQueues(list_queues::Response {
        queue_urls: vec!["http://h/1/a".to_owned(), "http://h/1/b".to_owned()],
        next_token: Some("t".to_owned()),
    });
    assert_eq!(
        json(&urls),
        r#"{"QueueUrls":["http://h/1/a","http://h/1/b"],"NextToken":"t"}"#
    );
    assert!(xml(&urls).contains(
        "<QueueUrl>http://h/1/a</QueueUrl><QueueUrl>http://h/1/b</QueueUrl><NextToken>t</NextToken>"
    ));
    let attributes = Response::GetQueueAttributes(get_queue_attributes::Response {
        attributes: owned(&[("DelaySeconds", "0")]),
    });
    assert_eq!(json(&attributes), r#"{"Attributes":{"DelaySeconds":"0"}}"#);
    assert!(
        xml(&attributes)
            .contains("<Attribute><Name>DelaySeconds</Name><Value>0</Value></Attribute>")
    );
    let tags = Response::ListQueueTags(list_queue_tags::Response {
        tags: owned(&[("k", "")]),
    });
    assert_eq!(json(&tags), r#"{"Tags":{"k":""}}"#);
    assert!(xml(&tags).contains("<Tag><Key>k</Key><Value></Value></Tag>"));
}

#[test]
fn dead_letters_sources_and_tasks_look_as_in_the_api_reference() {
    let sources = Response::ListDeadLetterSourceQueues(list_dead_letter_source_queues::Response {
        queue_urls: vec!["http://h/1/a".to_owned()],
        next_token: None,
    });
    assert_eq!(json(&sources), r#"{"queueUrls":["http://h/1/a"]}"#);
    assert!(xml(&sources).contains("<QueueUrl>http://h/1/a</QueueUrl>"));
    let tasks = Response::ListMessageMoveTasks(list_message_move_tasks::Response {
        results: vec![list_message_move_tasks::Task {
            status: "COMPLETED".to_owned(),
            source_arn: "arn".to_owned(),
            moved: 2,
            to_move: Some(3),
            started: 5,
            ..list_message_move_tasks::Task::default()
        }],
    });
    assert_eq!(
        json(&tasks),
        r#"{"Results":[{"Status":"COMPLETED","SourceArn":"arn","ApproximateNumberOfMessagesMoved":2,"ApproximateNumberOfMessagesToMove":3,"StartedTimestamp":5}]}"#
    );
    assert!(xml(&tasks).contains(
        "<ListMessageMoveTasksResultEntry><Status>COMPLETED</Status><SourceArn>arn</SourceArn>"
    ));
}

#[test]
fn an_answer_of_the_query_protocol_may_be_json() {
    let query = |response: Response| {
        let answer = response.encode(Protocol::QueryInJson, "r-1");
        String::from_utf8(answer).unwrap()
    };
    let metadata = r#""ResponseMetadata":{"RequestId":"r-1"}"#;
    assert_eq!(
        query(Response::PurgeQueue),
        format!(r#"{{"PurgeQueueResponse":{{{metadata}}}}}"#)
    );
    let attributes = Response::GetQueueAttributes(get_queue_attributes::Response {
        attributes: owned(&[("DelaySeconds", "0")]),
    });
    assert_eq!(
        query(attributes),
        format!(
            r#"{{"GetQueueAttributesResponse":{{"GetQueueAttributesResult":{{"Attributes":[{{"Name":"DelaySeconds","Value":"0"}}]}},{metadata}}}}}"#
        )
    );
    let urls = Response::ListQueues(list_queues::Response {
        queue_urls: vec!["http://h/1/a".to_owned()],
        next_token: None,
    });
    assert_eq!(
        query(urls),
        format!(
            r#"{{"ListQueuesResponse":{{"ListQueuesResult":{{"queueUrls":["http://h/1/a"]}},{metadata}}}}}"#
        )
    );
    let empty = Response::ReceiveMessage(receive_message::Response::default());
    assert_eq!(
        query(empty),
        format!(
            r#"{{"ReceiveMessageResponse":{{"ReceiveMessageResult":{{"messages":null}},{metadata}}}}}"#
        )
    );
    let attribute = MessageAttribute {
        data_type: "String".to_owned(),
        value: AttributeValue::Text("v".to_owned()),
    };
    let message = receive_message::Message {
        attributes: vec![("T".to_owned(), attribute)],
        ..receive_message::Message::default()
    };
    let received = query(Response::ReceiveMessage(receive_message::Response {
        messages: vec![message],
    }));
    let expected =
        r#""MessageAttributes":[{"Name":"T","Value":{"StringValue":"v","DataType":"String"}}]}]}"#;
    assert!(received.contains(expected), "{received}");
}
