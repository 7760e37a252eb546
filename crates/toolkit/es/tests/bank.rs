//! The bank account: what it decides, its past, its snapshots, and what a repository does when
//! several change it.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::Arc,
    time::Duration,
};

use stele_toolkit_envelope::{Context, RawJson, SeededIds, Timestamp};
use stele_toolkit_es::{
    AppendError, EventStore, ExecuteError, Expected, Kept, MemorySnapshots, MemoryStore, Position,
    Repository, Snapshots, Until,
};
use stele_toolkit_test::aggregate::given;

#[path = "../examples/bank/account.rs"]
mod account;
mod support;

use account::{
    AccountCommand, AccountCreated, AccountError, AccountEvent, BankAccount, Cents, Deposited,
    Withdrawn,
};
use support::Interfering;

const ID: &str = "12345";

fn created() -> AccountEvent {
    let account_id = ID.to_owned();
    AccountCreated { account_id }.into()
}

fn deposited(cents: i64) -> AccountEvent {
    let (account_id, amount) = (ID.to_owned(), Cents(cents));
    Deposited { account_id, amount }.into()
}

fn withdrawn(cents: i64) -> AccountEvent {
    let (account_id, amount) = (ID.to_owned(), Cents(cents));
    Withdrawn { account_id, amount }.into()
}

fn create() -> AccountCommand {
    let account_id = ID.to_owned();
    AccountCommand::Create { account_id }
}

/// The commands whose events are 0, +1000.00, −300.00, +200.00, −400.00.
fn commands() -> [AccountCommand; 5] {
    [
        create(),
        AccountCommand::Deposit(Cents(100_000)),
        AccountCommand::Withdraw(Cents(30_000)),
        AccountCommand::Deposit(Cents(20_000)),
        AccountCommand::Withdraw(Cents(40_000)),
    ]
}

fn start() -> Timestamp {
    "2024-01-15T10:30:00Z".parse().expect("a time")
}

/// A context whose clock stands at 10:30.
fn clock() -> (Arc<SeededIds>, Context) {
    let ids = Arc::new(SeededIds::new(1, start()));
    let context = Context::new("bank")
        .with_ids(ids.clone())
        .with_user_id("user-789")
        .with_correlation_id("req-1");
    (ids, context)
}

/// The account after its five events, one a minute from 10:30 on.
async fn account() -> (Repository<BankAccount, MemoryStore>, Context) {
    let accounts = Repository::new(Arc::new(MemoryStore::new()));
    let (ids, context) = clock();
    for command in commands() {
        let done = accounts.execute(ID, &command, &context).await;
        done.expect("a command that is allowed");
        ids.advance(Duration::from_secs(60));
    }
    (accounts, context)
}

#[test]
fn the_five_events_give_500_00() {
    let after = given::<BankAccount>([
        created(),
        deposited(100_000),
        withdrawn(30_000),
        deposited(20_000),
    ])
    .when(&AccountCommand::Withdraw(Cents(40_000)))
    .then([withdrawn(40_000)]);
    assert_eq!(after.state().balance().to_string(), "500.00");
}

#[test]
fn an_overdraft_is_refused_by_the_cent() {
    let open = || given::<BankAccount>([created(), deposited(50_000)]);
    let all = AccountCommand::Withdraw(Cents(50_000));
    assert_eq!(
        open()
            .when(&all)
            .then([withdrawn(50_000)])
            .state()
            .balance(),
        Cents(0)
    );
    let more = AccountCommand::Withdraw(Cents(50_001));
    open().when(&more).then_error(AccountError::Overdraft {
        balance: Cents(50_000),
        wanted: Cents(50_001),
    });
}

#[test]
fn unknown_accounts_second_openings_and_odd_amounts_are_refused() {
    let deposit = AccountCommand::Deposit(Cents(1));
    given::<BankAccount>([])
        .when(&deposit)
        .then_error(AccountError::Unknown);
    given::<BankAccount>([created()])
        .when(&create())
        .then_error(AccountError::Exists);
    for cents in [0, -1, i64::MIN] {
        let expected = AccountError::Amount(Cents(cents));
        let deposit = AccountCommand::Deposit(Cents(cents));
        given::<BankAccount>([created()])
            .when(&deposit)
            .then_error(expected.clone());
        let withdraw = AccountCommand::Withdraw(Cents(cents));
        given::<BankAccount>([created()])
            .when(&withdraw)
            .then_error(expected);
    }
    given::<BankAccount>([created(), deposited(1)])
        .when(&AccountCommand::Deposit(Cents(i64::MAX)))
        .then_error(AccountError::TooLarge);
}

#[test]
#[should_panic(expected = "other events happened")]
fn then_fails_for_other_events() {
    given::<BankAccount>([])
        .when(&create())
        .then([deposited(1)]);
}

#[test]
#[should_panic(expected = "wasn't refused")]
fn then_error_fails_if_nothing_is_refused() {
    given::<BankAccount>([])
        .when(&create())
        .then_error(AccountError::Exists);
}

#[tokio::test]
async fn time_travel_by_version_and_by_time() {
    let (accounts, _) = account().await;
    let balances = [
        (Until::Latest, "500.00"),
        (Until::Version(5), "500.00"),
        (Until::Version(3), "700.00"),
        (Until::Version(0), "0.00"),
        (Until::Time(start() + Duration::from_secs(120)), "700.00"),
        (Until::Time(start() + Duration::from_secs(119)), "1000.00"),
        (Until::Time(Timestamp::MAX), "500.00"),
    ];
    for (until, balance) in balances {
        let loaded = accounts.load_until(ID, until).await.expect("an account");
        assert_eq!(loaded.state.balance().to_string(), balance, "{until:?}");
    }
}

#[tokio::test]
async fn the_audit_trail_tells_who_when_and_why() {
    let (accounts, _) = account().await;
    let history = accounts.history(ID, 2, 2).await.expect("events");
    let versions: Vec<u64> = history.iter().map(|event| event.version).collect();
    assert_eq!(versions, [3, 4]);
    let third = &history[0];
    assert_eq!(third.event.message_type, "Withdrawn");
    assert_eq!(third.event.metadata.user_id.as_deref(), Some("user-789"));
    assert_eq!(third.event.correlation_id, "req-1");
    assert_eq!(third.time, start() + Duration::from_secs(120));
    assert_eq!(
        third.event.data.as_str(),
        r#"{"accountId":"12345","amount":30000}"#
    );
}

#[tokio::test]
async fn a_replay_shows_the_state_after_each_event() {
    let (accounts, _) = account().await;
    let mut seen = Vec::new();
    let show = |recorded: &stele_toolkit_es::Recorded, account: &BankAccount| {
        seen.push((recorded.version, account.balance().to_string()));
    };
    accounts
        .replay(ID, Until::Latest, show)
        .await
        .expect("events");
    let seen: Vec<(u64, &str)> = seen.iter().map(|(v, b)| (*v, b.as_str())).collect();
    let expected = [
        (1, "0.00"),
        (2, "1000.00"),
        (3, "700.00"),
        (4, "900.00"),
        (5, "500.00"),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_refused_command_records_nothing() {
    let (accounts, context) = account().await;
    let overdraft = AccountCommand::Withdraw(Cents(50_001));
    let refused = accounts.execute(ID, &overdraft, &context).await;
    assert!(matches!(
        refused,
        Err(ExecuteError::Refused(AccountError::Overdraft { .. }))
    ));
    assert_eq!(accounts.load(ID).await.expect("an account").version, 5);
}

#[tokio::test]
async fn a_conflict_is_decided_again_from_the_new_state() {
    let store = Arc::new(Interfering::new(1, withdrawn(40_000)));
    let accounts = Repository::<BankAccount, _>::new(store.clone());
    let (_, context) = clock();
    store.seed(&[created(), deposited(50_000)], &context).await;
    // It would have been allowed without the 400.00 that somebody else takes in between.
    let withdraw = AccountCommand::Withdraw(Cents(20_000));
    let refused = accounts.execute(ID, &withdraw, &context).await;
    assert!(matches!(
        refused,
        Err(ExecuteError::Refused(AccountError::Overdraft {
            balance: Cents(10_000),
            ..
        }))
    ));
    let smaller = AccountCommand::Withdraw(Cents(10_000));
    let done = accounts
        .execute(ID, &smaller, &context)
        .await
        .expect("enough money");
    assert_eq!((done.version, done.state.balance()), (4, Cents(0)));
}

#[tokio::test]
async fn after_the_last_attempt_the_conflict_is_told() {
    let store = Arc::new(Interfering::new(3, deposited(1)));
    let attempts = NonZeroU32::new(3).expect("not 0");
    let accounts = Repository::<BankAccount, _>::new(store.clone()).with_attempts_max(attempts);
    let (_, context) = clock();
    store.seed(&[created()], &context).await;
    let deposit = AccountCommand::Deposit(Cents(1));
    let failed = accounts.execute(ID, &deposit, &context).await;
    let actual = match failed {
        Err(ExecuteError::Append(AppendError::Conflict { actual, .. })) => actual,
        other => panic!("not a conflict: {other:?}"),
    };
    assert_eq!(actual, 4);
    let done = accounts
        .execute(ID, &deposit, &context)
        .await
        .expect("no more interference");
    assert_eq!(done.version, 5);
}

#[tokio::test]
async fn snapshots_spare_events_and_the_past_is_read_without_them() {
    let store = Arc::new(MemoryStore::new());
    let snapshots = Arc::new(MemorySnapshots::default());
    let every = NonZeroU64::new(2).expect("not 0");
    let accounts =
        Repository::<BankAccount, _>::new(store).with_snapshots(snapshots.clone(), every);
    let (ids, context) = clock();
    for command in commands() {
        let done = accounts.execute(ID, &command, &context).await;
        done.expect("a command that is allowed");
        ids.advance(Duration::from_secs(60));
    }
    let loaded = accounts.load(ID).await.expect("an account");
    assert_eq!((loaded.snapshot_version, loaded.version), (4, 5));
    assert_eq!(loaded.state.balance().to_string(), "500.00");
    let past = [
        Until::Version(3),
        Until::Time(start() + Duration::from_secs(179)),
    ];
    for until in past {
        let loaded = accounts.load_until(ID, until).await.expect("an account");
        assert_eq!(
            (loaded.snapshot_version, loaded.version),
            (0, 3),
            "{until:?}"
        );
        assert_eq!(loaded.state.balance().to_string(), "700.00");
    }
    let at_it = accounts
        .load_until(ID, Until::Version(4))
        .await
        .expect("an account");
    assert_eq!((at_it.snapshot_version, at_it.version), (4, 4));
}

#[tokio::test]
async fn snapshots_of_other_code_versions_and_unreadable_ones_are_not_used() {
    let (accounts, context) = account().await;
    let snapshots = Arc::new(MemorySnapshots::default());
    let stream = accounts.stream(ID).expect("a name");
    let kept = |state: &str| Kept {
        version: 5,
        time: start(),
        state: RawJson::parse(state).expect("JSON"),
    };
    let wrong = kept(r#"{"accountId":"12345","balance":999}"#);
    snapshots
        .save(&stream, 0, wrong.clone())
        .await
        .expect("memory");
    let every = NonZeroU64::new(1).expect("not 0");
    let accounts = accounts.with_snapshots(snapshots.clone(), every);
    let loaded = accounts.load(ID).await.expect("an account");
    assert_eq!(loaded.state.balance(), Cents(50_000));

    let deposit = AccountCommand::Deposit(Cents(1));
    accounts
        .execute(ID, &deposit, &context)
        .await
        .expect("a deposit");
    let old = snapshots.load(&stream, 0).await.expect("memory");
    assert_eq!(old, None, "the snapshot of the older code was thrown away");
    let own = snapshots
        .load(&stream, 1)
        .await
        .expect("memory")
        .expect("a snapshot");
    assert_eq!(own.version, 6);

    let newer = Kept {
        version: 7,
        ..kept("[]")
    };
    snapshots.save(&stream, 1, newer).await.expect("memory");
    let loaded = accounts.load(ID).await.expect("an account");
    assert_eq!((loaded.version, loaded.state.balance()), (6, Cents(50_001)));
}

#[tokio::test]
async fn an_event_that_this_program_does_not_know_stops_the_load() {
    let (accounts, context) = account().await;
    let stream = accounts.stream(ID).expect("a name");
    let mut foreign = support::envelope("AccountFrozen", "1.0", "{}", &context);
    foreign.message_id = "foreign".into();
    let appended = accounts
        .store()
        .append(&stream, Expected::Version(5), &[foreign])
        .await;
    appended.expect("an append");
    let failed = accounts.load(ID).await.expect_err("an unknown type");
    let expected = "event 6 of BankAccount/12345: AccountFrozen 1.0 isn't one of AccountEvent";
    assert_eq!(failed.to_string(), expected);
    let before = accounts
        .load_until(ID, Until::Version(5))
        .await
        .expect("the known events");
    assert_eq!(before.state.balance(), Cents(50_000));
    assert_eq!(
        accounts.history(ID, 5, 10).await.expect("an audit").len(),
        1
    );
}

#[tokio::test]
async fn many_at_once_lose_no_deposit() {
    let accounts = Arc::new(
        Repository::<BankAccount, _>::new(Arc::new(MemoryStore::new()))
            .with_attempts_max(NonZeroU32::MAX),
    );
    let (_, context) = clock();
    accounts
        .execute(ID, &create(), &context)
        .await
        .expect("a new account");
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (accounts, context) = (accounts.clone(), context.clone());
        tasks.spawn(async move {
            for _ in 0..25 {
                let deposit = AccountCommand::Deposit(Cents(1));
                let done = accounts.execute(ID, &deposit, &context).await;
                let done = done.expect("attempts without end");
                assert_ne!(done.position, Position::Start);
            }
        });
    }
    tasks.join_all().await;
    let loaded = accounts.load(ID).await.expect("an account");
    assert_eq!((loaded.version, loaded.state.balance()), (401, Cents(400)));
}
