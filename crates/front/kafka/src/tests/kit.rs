//! A client that talks to a session, and shared code of the tests of operations.

use std::{net::Ipv6Addr, sync::Arc};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use stele_base_env::{OsRng, SystemClock};
use stele_base_types::Principal;
use stele_core_broker::Broker;
use stele_test_testkit::TestBroker;
use stele_wire_kafka::{
    Decodable, HeaderVersion, Request, StrBytes,
    messages::{
        BrokerId, CreateTopicsRequest, TopicName,
        create_topics_request::{CreatableTopic, CreatableTopicConfig},
    },
};

use crate::{Answer, Endpoint, Session, SessionError, Settings};

pub(super) fn settings() -> Settings {
    let clock = Arc::new(SystemClock::new());
    let rng = Box::new(OsRng::new().unwrap());
    Settings {
        // Tests needn't wait for other members.
        group_gathering_ms: 0,
        listeners: vec![
            ([127, 0, 0, 1], 9092).into(),
            (Ipv6Addr::LOCALHOST, 9092).into(),
        ],
        log_dir: "/data".to_owned(),
        ..Settings::new("test-cluster".to_owned(), clock, rng)
    }
}

/// A client with its own session.
pub(super) struct Client {
    session: Session,
}

impl Client {
    pub(super) fn of(broker: &TestBroker) -> Self {
        Self::with(&broker.broker, settings())
    }

    pub(super) fn with(broker: &Broker, settings: Settings) -> Self {
        Self {
            session: session(broker, settings),
        }
    }

    /// Sends a request of `version` and waits for the response.
    pub(super) async fn call<R: Request>(&mut self, version: i16, request: R) -> R::Response {
        let mut answer = self.send(version, request).await.unwrap().unwrap();
        let response = R::Response::decode(&mut answer, version).unwrap();
        assert!(
            answer.is_empty(),
            "the response has {} bytes too many",
            answer.len()
        );
        response
    }

    /// Sends a request. Returns the body of the response, if there is one.
    pub(super) async fn send<R: Request>(
        &mut self,
        version: i16,
        request: R,
    ) -> Result<Option<Bytes>, SessionError> {
        let outcome = self.session.handle(frame(version, &request)).await?;
        let response = match outcome {
            Answer::Reply(response) | Answer::Records(response, _) => Some(response),
            Answer::Produce(mut pending) => pending.finish().await?,
        };
        Ok(response.map(|response| {
            let mut answer = Bytes::from(response.chunks.concat());
            assert_eq!(answer.get_i32() as usize, answer.len());
            assert_eq!(answer.get_i32(), CORRELATION_ID);
            if R::Response::header_version(version) >= 1 {
                assert_eq!(answer.get_u8(), 0, "no tags in the header");
            }
            answer
        }))
    }

    /// Creates a topic that must not exist. It keeps records of any age, because those of tests are
    /// old.
    pub(super) async fn create_topic(&mut self, name: &'static str, partitions: i32) {
        let created = self
            .try_create_topic(name, partitions, &[("retention.ms", "-1")])
            .await;
        assert_eq!(created, 0, "creating {name}");
    }

    /// Creates a topic. Returns the error code.
    pub(super) async fn try_create_topic(
        &mut self,
        name: &'static str,
        partitions: i32,
        configs: &[(&'static str, &'static str)],
    ) -> i16 {
        let configs = configs.iter().map(|(name, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_static_str(name))
                .with_value(Some(StrBytes::from_static_str(value)))
        });
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]);
        let response = self.call(7, request).await;
        response.topics[0].error_code
    }
}

const CORRELATION_ID: i32 = 4711;

pub(super) fn session(broker: &Broker, settings: Settings) -> Session {
    let endpoint = Endpoint {
        host: "here".to_owned(),
        port: 9092,
    };
    let client = Principal::anonymous(([127, 0, 0, 1], 40_000).into());
    Session::new(broker.clone(), Arc::new(settings), endpoint, client)
}

pub(super) fn topic_name(name: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(name))
}

pub(super) fn broker_id(id: i32) -> BrokerId {
    BrokerId(id)
}

/// A request as a client sends it, without its length.
pub(super) fn frame<R: Request>(version: i16, request: &R) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i16(R::KEY);
    frame.put_i16(version);
    frame.put_i32(CORRELATION_ID);
    frame.put_i16(4);
    frame.put_slice(b"test");
    if R::header_version(version) >= 2 {
        frame.put_u8(0);
    }
    request.encode(&mut frame, version).unwrap();
    frame.freeze()
}

/// The same with its length.
pub(super) fn framed<R: Request>(version: i16, request: &R) -> Bytes {
    let frame = frame(version, request);
    let mut framed = BytesMut::new();
    framed.put_i32(frame.len() as i32);
    framed.put_slice(&frame);
    framed.freeze()
}
