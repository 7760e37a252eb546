//! Looking up names for a client's operation.

use stele_base_types::{LogId, Name, Principal, SessionId, VHOST_INTERNAL};
use stele_core_broker::{Action, Broker, ResolveError};
use stele_core_engine::{DeclareLog, Durability};
use stele_test_testkit::{TestBroker, queue};

const ALL: [Action; 7] = [
    Action::Describe,
    Action::Read,
    Action::Write,
    Action::Consume,
    Action::Configure,
    Action::Delete,
    Action::Inspect,
];

fn client(session: Option<SessionId>) -> Principal {
    Principal {
        session,
        ..Principal::anonymous(([127, 0, 0, 1], 40_000).into())
    }
}

async fn declare(broker: &Broker, declaration: DeclareLog) -> LogId {
    let declared = broker.declare_log(declaration).await.unwrap();
    declared.definition().id
}

/// What looking up the name `q` returns.
fn found(broker: &Broker, client: &Principal, action: Action) -> Result<LogId, ResolveError> {
    let resolved = broker.resolve(client, "/", "q", action);
    resolved.map(|definition| definition.id)
}

#[tokio::test]
async fn a_name_leads_to_its_log_for_whatever_is_wanted() {
    let test = TestBroker::start();
    let log = declare(&test.broker, queue("q", Durability::Synced)).await;
    for action in ALL {
        assert_eq!(found(&test.broker, &client(None), action), Ok(log));
        let by_id = test.broker.resolve_id(&client(None), log, action);
        assert_eq!(&*by_id.unwrap().name, "q");
    }
    test.stop().await;
}

#[tokio::test]
async fn what_is_missing_is_told_precisely() {
    let test = TestBroker::start();
    let (broker, client) = (&test.broker, client(None));
    let missing = found(broker, &client, Action::Describe);
    assert_eq!(missing, Err(ResolveError::NoSuchLog));
    let elsewhere = broker.resolve(&client, "elsewhere", "q", Action::Describe);
    assert_eq!(elsewhere.unwrap_err(), ResolveError::NoSuchVirtualHost);
    let by_id = broker.resolve_id(&client, LogId(99), Action::Describe);
    assert_eq!(by_id.unwrap_err(), ResolveError::NoSuchLog);
    test.stop().await;
}

#[tokio::test]
async fn an_exclusive_log_is_its_sessions_and_the_operators() {
    let test = TestBroker::start();
    let (session, _events) = test.broker.open_session().await;
    let mut exclusive = queue("q", Durability::Volatile);
    exclusive.config.lifetime.exclusive = Some(session.id());
    let log = declare(&test.broker, exclusive).await;
    let other = SessionId(session.id().0 + 1);
    for action in ALL {
        let owner = found(&test.broker, &client(Some(session.id())), action);
        assert_eq!(owner, Ok(log));
        let expected = match action {
            Action::Inspect => Ok(log),
            _ => Err(ResolveError::Exclusive),
        };
        for stranger in [client(None), client(Some(other))] {
            assert_eq!(found(&test.broker, &stranger, action), expected);
            let by_id = test.broker.resolve_id(&stranger, log, action);
            assert_eq!(by_id.map(|definition| definition.id), expected);
        }
    }
    test.stop().await;
}

#[tokio::test]
async fn the_brokers_own_logs_are_the_operators() {
    let test = TestBroker::start();
    let own = DeclareLog {
        vhost: Name::vhost_internal(),
        ..queue("q", Durability::Synced)
    };
    let log = declare(&test.broker, own).await;
    for action in ALL {
        let by_name = test
            .broker
            .resolve(&client(None), VHOST_INTERNAL, "q", action);
        let by_id = test.broker.resolve_id(&client(None), log, action);
        let expected = match action {
            Action::Inspect => Ok(log),
            _ => Err(ResolveError::NoSuchLog),
        };
        assert_eq!(by_name.map(|definition| definition.id), expected);
        assert_eq!(by_id.map(|definition| definition.id), expected);
    }
    test.stop().await;
}
