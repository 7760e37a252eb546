use serde_json::Value;

use crate::shop::{Shop, StockCounted, until};

crate::home::claims! { crate::shop::Shop::new:
    dead_letters_are_listed_and_shown;
    a_letter_is_edited_and_handled;
    letters_are_retried_and_dropped;
    the_outbox_tells_what_waits;
}

/// Has the service bury messages of these items.
async fn bury(shop: &Shop, items: &[&str]) {
    for item in items {
        let stock = StockCounted {
            item: (*item).to_owned(),
            quantity: -1,
        };
        shop.publish(&stock, item).await;
    }
    until(async || shop.json(&["dead", "list"]).len() == items.len()).await;
}

fn id_of(letter: &Value) -> &str {
    letter["id"].as_str().unwrap()
}

async fn dead_letters_are_listed_and_shown(shop: Shop) {
    bury(&shop, &["nut", "bolt"]).await;
    let list = |arguments: &[&str]| {
        let mut all = vec!["dead", "list"];
        all.extend(arguments);
        shop.json(&all)
    };
    let nuts = list(&["--where", "key=nut", "--reason", "rejected"]);
    assert_eq!(nuts.len(), 1);
    assert_eq!(nuts[0]["messageType"], "StockCounted");
    assert_eq!(nuts[0]["story"]["error"], "less than nothing");
    assert_eq!(list(&["--where", "type=StockCounted"]).len(), 2);
    assert!(list(&["--where", "type=Other"]).is_empty());
    assert!(list(&["--service", "other"]).is_empty());
    let table = shop.run(&["dead", "list"]);
    let header = table.out.lines().next().unwrap();
    assert!(header.starts_with("ID "), "{}", table.out);
    assert!(table.out.contains("shop/StockCounted"), "{}", table.out);
    let shown = shop.run(&["dead", "show", id_of(&nuts[0])]);
    assert!(shown.out.contains("\"quantity\": -1"), "{}", shown.out);
    assert!(shown.out.contains("less than nothing"), "{}", shown.out);
    assert_eq!(shop.run(&["dead", "show", "none"]).code, 3);
}

async fn a_letter_is_edited_and_handled(shop: Shop) {
    bury(&shop, &["nut"]).await;
    let letter = shop.json(&["dead", "list"]).remove(0);
    let body = letter["body"].as_str().unwrap();
    let body = body.replace("\"quantity\":-1", "\"quantity\":12");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("body.json");
    std::fs::write(&file, body).unwrap();
    let file = file.to_str().unwrap();
    let edited = shop.run(&["dead", "edit", id_of(&letter), "--body", file]);
    assert_eq!(edited.code, 0, "{}", edited.err);
    until(async || shop.counted().await == 1).await;
    assert!(shop.json(&["dead", "list"]).is_empty());
    let missing = shop.run(&["dead", "edit", id_of(&letter), "--body", file]);
    assert_eq!(missing.code, 3);
}

async fn letters_are_retried_and_dropped(shop: Shop) {
    bury(&shop, &["nut", "bolt"]).await;
    let first = shop.json(&["dead", "list"]).remove(0);
    assert_eq!(shop.run(&["dead", "drop"]).code, 2);
    let dry = shop.run(&["dead", "drop", "--all", "--dry-run"]);
    assert!(dry.err.contains("these 2 would be"), "{}", dry.err);
    assert_eq!(shop.json(&["dead", "list"]).len(), 2);
    let dropped = shop.run(&["dead", "drop", id_of(&first)]);
    assert_eq!((dropped.code, dropped.err.trim()), (0, "dropped: 1"));
    assert_eq!(shop.run(&["dead", "drop", id_of(&first)]).code, 3);
    let second = shop.json(&["dead", "list"]).remove(0);
    let retried = shop.run(&["dead", "retry", "--reason", "rejected"]);
    assert_eq!((retried.code, retried.err.trim()), (0, "retried: 1"));
    // It is refused again, as another letter.
    until(async || {
        let letters = shop.json(&["dead", "list"]);
        letters.len() == 1 && id_of(&letters[0]) != id_of(&second)
    })
    .await;
}

async fn the_outbox_tells_what_waits(mut shop: Shop) {
    shop.stop().await;
    let status = shop.json(&["outbox", "status"]).remove(0);
    assert_eq!(status["refused"], 0);
    let mut tx = shop.db.begin().await.unwrap();
    let to = stele_toolkit_bus::Destination::Topic("t".to_owned());
    let message = stele_toolkit_bus::Outgoing::json(to, "m-1", "{}");
    tx.send(&[message]).await.unwrap();
    tx.commit().await.unwrap();
    let after = shop.json(&["outbox", "status"]).remove(0);
    let waiting = |status: &Value| status["waiting"].as_u64().unwrap();
    assert_eq!(waiting(&after), waiting(&status) + 1);
    let table = shop.run(&["outbox", "status"]);
    assert!(table.out.starts_with("waiting "), "{}", table.out);
}
