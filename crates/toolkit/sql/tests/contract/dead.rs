//! Dead letters: listed, shown, retried, edited, dropped; the original bytes stay.

use std::sync::Arc;

use bytes::Bytes;
use stele_toolkit_bus::{
    Backlog, Burial, Claim, Clock, DeadLetter, DeadLetters, Destination, Edit, Filter,
    LettersError, Outgoing, Store, Unclaimed,
};
use stele_toolkit_sql::{Db, Relay};

use crate::{
    inbox::{open, unclaimed, work},
    parked::{due, ids, origin, park, parked},
    support::{Home, Sink, claim, incoming, story},
};

crate::home::claims! { std::future::ready:
    a_dead_message_is_listed_with_its_story_and_its_bytes;
    its_letter_is_sent_once;
    its_key_waits_until_it_is_retried;
    a_forgotten_one_is_never_handled_and_its_key_goes_on;
    an_edited_one_gets_another_body_and_keeps_its_own;
    dead_letters_are_listed_by_what_they_are;
}

async fn bury(db: &Db, claim: &Claim<'_>) {
    let to = Destination::Queue("s.dead".to_owned());
    let letter = Outgoing::json(to, format!("letter-{}", claim.message_id), "{}");
    let burial = Burial {
        message: &incoming(claim.message_id, claim.key),
        origin: &origin(),
        story: &story(3, claim.now),
        letter: &letter,
    };
    db.bury(claim, &burial).await.unwrap();
}

async fn list(db: &Db) -> Vec<String> {
    let letters = db.dead_letters("s").list(&Filter::default()).await.unwrap();
    letters.into_iter().map(|letter| letter.id).collect()
}

async fn retry(db: &Db, id: &str) -> usize {
    db.dead_letters("s")
        .retry(&Filter::of_id(id))
        .await
        .unwrap()
}

async fn a_dead_message_is_listed_with_its_story_and_its_bytes(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "k", hands.now());
    bury(&db, &claim).await;
    let message = incoming("m", "k");
    let expected = DeadLetter {
        id: "letter-m".to_owned(),
        handler: "s.h".to_owned(),
        message_id: "m".to_owned(),
        key: "k".to_owned(),
        to: message.to,
        origin: "events[3]@42".to_owned(),
        story: story(3, hands.now()),
        headers: message.headers,
        body: message.body,
    };
    let letters = db.dead_letters("s");
    assert_eq!(letters.show("letter-m").await.unwrap(), expected);
    let none = letters.show("other").await;
    assert!(
        matches!(none, Err(LettersError::NoSuchLetter { .. })),
        "{none:?}"
    );
    let none = due(&db, hands.now()).await;
    assert_eq!(
        (ids(&none), none.next),
        (vec![], None),
        "it doesn't come back by itself"
    );
    assert_eq!(unclaimed(&db, &claim).await, Some(Unclaimed::Waiting));
}

async fn its_letter_is_sent_once(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "k", hands.now());
    bury(&db, &claim).await;
    bury(&db, &claim).await;
    assert_eq!(db.outbox_status().await.unwrap().waiting, 1);
    let sink = Sink::new(&hands);
    let relay = tokio::spawn(Relay::new(db.clone(), Arc::new(sink.clone())).run());
    assert_eq!(sink.wait_for(1).await, ["letter-m"]);
    relay.abort();
}

async fn its_key_waits_until_it_is_retried(home: Home) {
    let (db, hands) = open(&home).await;
    let now = hands.now();
    let (first, second) = (claim("1", "k", now), claim("2", "k", now));
    park(&db, &first, now, None).await;
    assert_eq!(ids(&due(&db, now).await), ["1"]);
    bury(&db, &parked(&first, now)).await;
    assert_eq!(unclaimed(&db, &second).await, Some(Unclaimed::Behind));
    park(&db, &second, now, None).await;
    let none = due(&db, now).await;
    assert_eq!((ids(&none), none.next), (vec![], None));
    let (changed, count) = tokio::join!(db.due_changed(0), retry(&db, "letter-1"));
    assert_eq!((changed, count), (1, 1), "the service is told");
    assert_eq!(retry(&db, "letter-1").await, 0, "it is no longer dead");
    let back = due(&db, now).await;
    assert_eq!(ids(&back), ["1"]);
    assert_eq!(
        (back.messages[0].attempts, &back.messages[0].story),
        (1, &None)
    );
    work(&db, &parked(&first, now))
        .await
        .commit()
        .await
        .unwrap();
    assert_eq!(ids(&due(&db, now).await), ["2"]);
}

async fn a_forgotten_one_is_never_handled_and_its_key_goes_on(home: Home) {
    let (db, hands) = open(&home).await;
    let claim_1 = claim("1", "k", hands.now());
    bury(&db, &claim_1).await;
    let letters = db.dead_letters("s");
    assert_eq!(letters.forget(&Filter::of_id("letter-1")).await.unwrap(), 1);
    assert_eq!(letters.forget(&Filter::of_id("letter-1")).await.unwrap(), 0);
    assert_eq!(list(&db).await, Vec::<String>::new());
    assert_eq!(unclaimed(&db, &claim_1).await, Some(Unclaimed::Duplicate));
    assert_eq!(unclaimed(&db, &claim("2", "k", hands.now())).await, None);
}

async fn an_edited_one_gets_another_body_and_keeps_its_own(home: Home) {
    let (db, hands) = open(&home).await;
    let claim = claim("m", "k", hands.now());
    bury(&db, &claim).await;
    let edit = Edit {
        body: Bytes::from_static(b"{}"),
    };
    let letters = db.dead_letters("s");
    let none = letters.edit("other", edit.clone()).await;
    assert!(
        matches!(none, Err(LettersError::NoSuchLetter { .. })),
        "{none:?}"
    );
    letters.edit("letter-m", edit.clone()).await.unwrap();
    assert_eq!(
        due(&db, hands.now()).await.messages[0].message.body,
        edit.body
    );
    let original = letters.original("s.h", "m").await.unwrap();
    assert_eq!(original, Some(incoming("m", "k").body));
    work(&db, &parked(&claim, hands.now()))
        .await
        .commit()
        .await
        .unwrap();
    assert_eq!(letters.original("s.h", "m").await.unwrap(), None);
}

async fn dead_letters_are_listed_by_what_they_are(home: Home) {
    let (db, hands) = open(&home).await;
    for (id, key) in [("1", "a"), ("2", "b"), ("3", "a")] {
        bury(&db, &claim(id, key, hands.now())).await;
    }
    assert_eq!(list(&db).await, ["letter-1", "letter-2", "letter-3"]);
    park(&db, &claim("4", "c", hands.now()), hands.now(), None).await;
    let backlog = Backlog { parked: 1, dead: 3 };
    assert_eq!(db.backlog("s").await.unwrap(), Some(backlog));
    let none = Some(Backlog::default());
    assert_eq!(db.backlog("other").await.unwrap(), none);
    let of = |handler: Option<&str>, key: Option<&str>, reason: &str| Filter {
        handler: handler.map(str::to_owned),
        key: key.map(str::to_owned),
        reason: Some(reason.to_owned()),
        ..Filter::default()
    };
    for (filter, count) in [
        (of(Some("s.h"), Some("a"), "error"), 2),
        (of(None, Some("b"), "error"), 1),
        (of(None, None, "timeout"), 0),
        (of(Some("other"), None, "error"), 0),
    ] {
        let letters = db.dead_letters("s").list(&filter).await.unwrap();
        assert_eq!(letters.len(), count, "{filter:?}");
    }
    let others = db
        .dead_letters("other")
        .list(&Filter::default())
        .await
        .unwrap();
    assert_eq!(others, []);
}
