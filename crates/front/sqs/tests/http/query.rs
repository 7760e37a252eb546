//! Features of the query protocol: where the action is given, and the formats of responses.

use serde_json::{Value, json};

use crate::kit::{Answer, Server};

async fn get_json(server: &Server, target: &str) -> (Answer, Value) {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nAccept: text/html, Application/JSON;q=0.9\r\n\
         Connection: close\r\n\r\n"
    );
    let answer = server.exchange(request.as_bytes()).await;
    let value = serde_json::from_str(&answer.body).unwrap();
    (answer, value)
}

#[tokio::test]
async fn an_answer_is_json_where_that_is_accepted() {
    let server = Server::start().await;
    server.queue("orders", json!({})).await;
    let attributes = "/000000000000/orders?Action=GetQueueAttributes&AttributeName.1=DelaySeconds";
    let (answer, value) = get_json(&server, attributes).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.head.contains("content-type: application/json"),
        "{answer:?}"
    );
    let id = &value["GetQueueAttributesResponse"]["ResponseMetadata"]["RequestId"];
    assert!(answer.head.contains(id.as_str().unwrap()), "{answer:?}");
    assert_eq!(
        value["GetQueueAttributesResponse"]["GetQueueAttributesResult"],
        json!({"Attributes": [{"Name": "DelaySeconds", "Value": "0"}]})
    );
    let (answer, value) = get_json(&server, "/1/absent?Action=PurgeQueue").await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        value["Error"],
        json!({
            "Type": "Sender", "Code": "AWS.SimpleQueueService.NonExistentQueue",
            "Message": "The specified queue does not exist for this wsdl version.",
        })
    );
    server.stop().await;
}

#[tokio::test]
async fn what_is_of_no_queue_is_not_asked_for_at_a_queues_path() {
    let server = Server::start().await;
    server.queue("orders", json!({})).await;
    for form in ["Action=ListQueues", "Action=CreateQueue&QueueName=other"] {
        let answer = server.query("/000000000000/orders", form).await;
        assert_eq!(answer.status, 400);
        assert!(
            answer.body.contains("<Code>InvalidAction</Code>"),
            "{answer:?}"
        );
        assert!(
            answer.body.contains(" is not valid for this endpoint."),
            "{answer:?}"
        );
        for path in ["/", "/proxied", "/proxied/"] {
            assert_eq!(server.query(path, form).await.status, 200, "{path} {form}");
        }
    }
    let found = "Action=GetQueueUrl&QueueName=orders";
    assert_eq!(server.query("/1/orders", found).await.status, 200);
    server.stop().await;
}

#[tokio::test]
async fn an_empty_result_is_an_empty_element() {
    let server = Server::start().await;
    server.queue("orders", json!({})).await;
    let answer = server.query("/1/orders", "Action=ReceiveMessage").await;
    assert!(
        answer.body.contains("<ReceiveMessageResult/>"),
        "{answer:?}"
    );
    server.stop().await;
}
